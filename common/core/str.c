/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s.p[i] - '0', &v) ||
            v > max)
            return false;
    }
    *ret = v;
    return true;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.n && blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct str str_cut(struct str *rest, const char *seps)
{
    struct str s = *rest;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] && strchr(seps, s.p[i])) {
            *rest = (struct str){s.p + i + 1, s.n - i - 1};
            return (struct str){s.p, i};
        }
    }
    *rest = (struct str){NULL, 0};
    return s;
}
