/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config_internal.h"
#include "config/utf8.h"

enum {
    SOURCE_CHARACTERS = 88, /* what is shown of a line; at most 4 bytes each */
    SOURCE_BEFORE = 60,     /* so many of them before the place, if the line is longer */
};

/* One character, or a question mark for what would disturb a terminal. */
static struct str printable(struct str *rest)
{
    uint32_t c = 0;
    size_t n = utf8_next(*rest, &c);
    struct str s = {rest->p, n};
    if (n == 0)
        s = STR("?"), n = 1;
    else if (c == '\t')
        s = STR(" ");
    else if (c < 0x20 || !utf8_visible(c) ||
             (c >= 0x202a && c <= 0x202e)) /* those turn lines round */
        s = STR("?");
    rest->p += n, rest->n -= n;
    return s;
}

struct quote quote_of(struct str s)
{
    struct quote q;
    struct buf b = BUF(q.text);
    buf_char(&b, '"');
    while (s.n && b.n + 4 + sizeof "...\"" < b.cap)
        buf_str(&b, printable(&s));
    buf_cstring(&b, s.n ? "...\"" : "\"");
    buf_cstr(&b);
    return q;
}

/* Formats; whatever was put in, what comes out is fit for one line of a terminal. */
static void set_text(char *to, size_t size, const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    struct buf b = {to, 0, size, false};
    struct str rest = str_of(text);
    while (rest.n && !b.full)
        buf_str(&b, printable(&rest));
    buf_cstr(&b);
}

/* ---- adding ------------------------------------------------------------- */

static struct str line_of(struct str text, unsigned line)
{
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text.p += 3, text.n -= 3;
    struct str found = {NULL, 0};
    for (unsigned i = 0; i < line && text.p; i++) {
        bool ends_in_cr;
        found = str_cut(&text, "\r\n");
        ends_in_cr = text.p && found.p[found.n] == '\r';
        if (ends_in_cr && text.n && text.p[0] == '\n')
            text.p++, text.n--;
    }
    return found;
}

/* Copies the part of the line around the place, and says where in it the place is. */
static void show_source(struct problem *p, struct str line)
{
    struct buf b = BUF(p->source);
    p->caret = p->column;
    unsigned skip = 0, characters = 0;
    struct str rest = line;
    while (rest.n)
        printable(&rest), characters++;
    if (characters > SOURCE_CHARACTERS && p->column > SOURCE_BEFORE) {
        skip = p->column - SOURCE_BEFORE;
        buf_cstring(&b, "...");
        p->caret = SOURCE_BEFORE + 3;
    }
    unsigned shown = 0;
    for (unsigned i = 0; line.n && shown < SOURCE_CHARACTERS; i++) {
        struct str c = printable(&line);
        if (i >= skip)
            buf_str(&b, c), shown++;
    }
    if (line.n)
        buf_cstring(&b, "...");
    buf_cstr(&b);
    unsigned end = shown + (skip ? 3 : 0) + 1;
    if (p->caret > end)
        p->caret = end;
    if (p->width > end - p->caret)
        p->width = end > p->caret ? end - p->caret : 1;
}

/* Where the list is full a warning gives way to an error, so that what made us refuse is told. */
static struct problem *next_problem(struct problems *ps, enum severity severity)
{
    if (!ps->list)
        ps->list = calloc(PROBLEMS_MAX, sizeof *ps->list);
    if (ps->list && ps->count < PROBLEMS_MAX)
        return &ps->list[ps->count++];
    ps->dropped++;
    for (unsigned i = ps->count; severity == SEVERITY_ERROR && i-- > 0;)
        if (ps->list[i].severity == SEVERITY_WARNING)
            return &ps->list[i];
    return NULL;
}

struct problem *problem_add(struct problems *ps, enum severity severity, const struct source *at,
                            unsigned line, unsigned column, unsigned width, const char *fmt, ...)
{
    unsigned *counter = severity == SEVERITY_ERROR ? &ps->errors : &ps->warnings;
    ++*counter;
    struct problem *p = next_problem(ps, severity);
    if (!p)
        return NULL;
    *p = (struct problem){.severity = severity, .line = line, .column = column, .width = width};
    snprintf(p->file, sizeof p->file, "%s", at->file);
    va_list ap;
    va_start(ap, fmt);
    set_text(p->text, sizeof p->text, fmt, ap);
    va_end(ap);
    if (line > at->before)
        show_source(p, line_of(at->text, line - at->before));
    return p;
}

static bool is_before(const struct problem *a, const struct problem *b)
{
    if (strcmp(a->file, b->file) != 0)
        return false; /* another file's problems stay where they are */
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

void problems_sort(struct problems *ps)
{
    /* By insertion: there are few, and those of one place keep their order. */
    for (unsigned i = 1; i < ps->count; i++) {
        struct problem moved = ps->list[i];
        unsigned k = i;
        for (; k > 0 && is_before(&moved, &ps->list[k - 1]); k--)
            ps->list[k] = ps->list[k - 1];
        ps->list[k] = moved;
    }
}

void problem_help(struct problem *p, const char *fmt, ...)
{
    if (!p)
        return;
    va_list ap;
    va_start(ap, fmt);
    set_text(p->help, sizeof p->help, fmt, ap);
    va_end(ap);
}

/* ---- showing ------------------------------------------------------------ */

void problem_format(struct buf *b, const struct problem *p, bool with_source)
{
    static const char *const words[] = {"warning", "error"};
    buf_cstring(b, p->file);
    if (p->line)
        buf_printf(b, ":%u", p->line);
    if (p->line && p->column)
        buf_printf(b, ":%u", p->column);
    buf_printf(b, ": %s: %s", words[p->severity], p->text);
    if (!with_source)
        return;
    if (p->line && *p->source) {
        buf_printf(b, "\n%5u | %s\n      | ", p->line, p->source);
        for (unsigned i = 1; i < p->caret; i++)
            buf_char(b, ' ');
        buf_char(b, '^');
        for (unsigned i = 1; i < p->width; i++)
            buf_char(b, '~');
    }
    if (*p->help)
        buf_printf(b, "\n      = help: %s", p->help);
}

void problems_free(struct problems *ps)
{
    free(ps->list);
    *ps = (struct problems){0};
}
