/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor (struct str *) goes over a line; a function that finds what it looks for moves it behind
 * that, any other leaves it alone. Internal to dialect/.
 */
#ifndef AUDIT_CURSOR_H
#define AUDIT_CURSOR_H

#include "core/str.h"

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline void skip(struct str *s, size_t n)
{
    s->p += n, s->n -= n;
}

static inline bool take(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    skip(s, 1);
    return true;
}

static inline bool take_str(struct str *s, struct str what)
{
    if (s->n < what.n || memcmp(s->p, what.p, what.n) != 0)
        return false;
    skip(s, what.n);
    return true;
}

/* At least one, or the end of the line. */
static inline bool take_blanks(struct str *s)
{
    if (s->n && !is_blank(s->p[0]))
        return false;
    while (s->n && is_blank(s->p[0]))
        skip(s, 1);
    return true;
}

/* A number of `min` to `max` digits, at most nine. */
static inline bool take_number(struct str *s, size_t min, size_t max, unsigned *ret)
{
    size_t n = 0;
    unsigned v = 0;
    while (n < s->n && n < max && is_digit(s->p[n]))
        v = v * 10 + (unsigned)(s->p[n++] - '0');
    if (n < min)
        return false;
    *ret = v;
    skip(s, n);
    return true;
}

/* Up to a blank, which goes, too. */
static inline struct str take_word(struct str *s)
{
    size_t n = 0;
    while (n < s->n && !is_blank(s->p[n]))
        n++;
    struct str word = {s->p, n};
    skip(s, n);
    take_blanks(s);
    return word;
}

static inline bool among(struct str s, const struct str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(s, list[i]))
            return true;
    return false;
}

#define AMONG(s, list) among(s, list, sizeof(list) / sizeof *(list))

#endif
