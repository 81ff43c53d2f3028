/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/dialect/template.h"

#include "audit/dialect/cursor.h"

const char *text_first(struct str in, struct str what)
{
    if (what.n == 0 || in.n < what.n)
        return NULL;
    const char *last = in.p + in.n - what.n;
    for (const char *p = in.p; p <= last; p++) {
        p = memchr(p, what.p[0], (size_t)(last - p) + 1);
        if (!p || memcmp(p, what.p, what.n) == 0)
            return p;
    }
    return NULL;
}

const char *text_last(struct str in, struct str what)
{
    if (what.n == 0 || in.n < what.n)
        return NULL;
    for (const char *p = in.p + in.n - what.n;; p--) {
        if (*p == what.p[0] && memcmp(p, what.p, what.n) == 0)
            return p;
        if (p == in.p)
            return NULL;
    }
}

static bool until(struct str *c, const struct stops *stops, struct str *ret, bool last)
{
    const char *at = NULL;
    for (unsigned i = 0; i < stops->count; i++) {
        const char *p = last ? text_last(*c, stops->text[i]) : text_first(*c, stops->text[i]);
        if (p && (!at || (last ? p > at : p < at)))
            at = p;
    }
    if (!at && !stops->end)
        return false;
    *ret = (struct str){c->p, at ? (size_t)(at - c->p) : c->n};
    skip(c, ret->n);
    return true;
}

bool take_until(struct str *c, const struct stops *stops, struct str *ret)
{
    return until(c, stops, ret, false);
}

bool take_until_last(struct str *c, const struct stops *stops, struct str *ret)
{
    return until(c, stops, ret, true);
}

/* ---- matching ---------------------------------------------------------------- */

static bool step_matches(const struct step *s, struct str *c, struct message *m)
{
    switch (s->what) {
    case STEP_TEXT: return take_str(c, s->text);
    case STEP_FIELD: return s->take(c, &s->stops, m);
    case STEP_REST: skip(c, c->n); return true;
    case STEP_END: return c->n == 0;
    default: return true;
    }
}

bool template_match(const struct step *s, struct str c, struct message *m)
{
    struct str before = c;
    const struct step *behind = NULL; /* the optional part that we are in */
    for (;; s++) {
        if (s->what == STEP_OPEN) {
            before = c;
            behind = s + s->close;
        } else if (s->what == STEP_CLOSE) {
            behind = NULL;
        } else if (!step_matches(s, &c, m)) {
            if (!behind)
                return false;
            c = before;
            s = behind;
            behind = NULL;
        } else if (s->what == STEP_END) {
            return true;
        }
    }
}

/* ---- compiling ----------------------------------------------------------------- */

static const struct field *field_named(struct str name)
{
    for (unsigned i = 0; i < field_count; i++)
        if (str_eq(fields[i].name, name))
            return &fields[i];
    return NULL;
}

/* Letters and '_' from p on. */
static struct str name_at(const char *p)
{
    size_t n = 0;
    while ((p[n] >= 'a' && p[n] <= 'z') || p[n] == '_')
        n++;
    return (struct str){p, n};
}

/* One step from *p on; false if it is not a right one. */
static bool step_compile(const char **p, struct step *s)
{
    static const struct {
        char c;
        enum step_what what;
    } marks[] = {{'[', STEP_OPEN}, {']', STEP_CLOSE}, {'\0', STEP_END}};
    for (unsigned i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (**p == marks[i].c) {
            s->what = marks[i].what;
            *p += **p != '\0';
            return true;
        }
    }
    if ((*p)[0] == '%' && (*p)[1] == '*') {
        s->what = STEP_REST;
        *p += 2;
        return true;
    }
    if ((*p)[0] == '%') {
        struct str name = name_at(*p + 1);
        const struct field *f = field_named(name);
        if (!f)
            return false;
        s->what = STEP_FIELD;
        s->take = f->take;
        *p += 1 + name.n;
        return true;
    }
    s->what = STEP_TEXT;
    s->text = (struct str){*p, strcspn(*p, "[]%")};
    *p += s->text.n;
    return true;
}

/* What the steps from s on may begin with. */
static void stops_of(const struct step *s, struct stops *ret)
{
    for (;; s++) {
        switch (s->what) {
        case STEP_TEXT:
            if (ret->count < sizeof ret->text / sizeof *ret->text)
                ret->text[ret->count++] = s->text;
            return;
        case STEP_OPEN:
            stops_of(s + 1, ret);
            s += s->close;
            break;
        case STEP_CLOSE: break;
        case STEP_FIELD: return;
        default: ret->end = true; return;
        }
    }
}

const struct step *template_compile(const char *text, struct step *to, unsigned max, unsigned *used)
{
    struct step *first = to + *used, *open = NULL, *s;
    do {
        if (*used == max)
            return NULL;
        s = to + (*used)++;
        *s = (struct step){0};
        if (!step_compile(&text, s))
            return NULL;
        if (s->what == STEP_OPEN)
            open = s;
        else if (s->what == STEP_CLOSE && open)
            open->close = (uint8_t)(s - open);
    } while (s->what != STEP_END);
    for (struct step *f = first; f < s; f++)
        if (f->what == STEP_FIELD)
            stops_of(f + 1, &f->stops);
    return first;
}
