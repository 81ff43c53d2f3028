/* SPDX-License-Identifier: Apache-2.0 */
/*
 * $name, ${name}, $(name), ${name?value}, ${name:value}, ${name?{a}:{b}} and
 * ${{a} == {b} ? {c} : {d}}, as postconf(5) tells them. What refers to itself,
 * is too deep or too long is not known.
 */
#include <ctype.h>
#include <stdlib.h>

#include "core/buf.h"
#include "mta/postfix/internal.h"

enum { DEPTH_MAX = 32, LENGTH_MAX = 64 * 1024, STEPS_MAX = 20000 };

struct expansion {
    struct postfix *p;
    const struct pf_service *service;
    struct buf out;
    unsigned depth, steps;
    bool failed;
};

static void expand(struct expansion *x, struct str text);

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static struct str blanks_off(struct str s)
{
    while (s.n && isspace((unsigned char)s.p[0]))
        s.p++, s.n--;
    while (s.n && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Up to and without the bracket that closes what `rest` stands in; *rest is behind it. */
static bool bracketed(struct str *rest, char open, char close, struct str *ret)
{
    int depth = 1;
    for (size_t i = 0; i < rest->n; i++) {
        depth += rest->p[i] == open;
        depth -= rest->p[i] == close;
        if (depth == 0) {
            *ret = (struct str){rest->p, i};
            rest->p += i + 1, rest->n -= i + 1;
            return true;
        }
    }
    return false;
}

/* The value of a text on its own; it lies behind what there is in x->out, until the caller takes it
 * off. */
static struct str apart(struct expansion *x, struct str text, size_t *ret_mark)
{
    *ret_mark = x->out.n;
    expand(x, text);
    return (struct str){x->out.p + *ret_mark, x->out.n - *ret_mark};
}

static void value_of(struct expansion *x, struct str name)
{
    if (x->service && str_eq(name, STR("service_name"))) {
        buf_cstring(&x->out, x->service->name);
        return;
    }
    struct pf_value v = pf_written(x->p, x->service, name);
    if (v.raw)
        expand(x, str_of(v.raw)); /* a name that is nowhere is empty, as with Postfix */
}

/* The next {text}, or all that is left. */
static struct str operand(struct str *rest)
{
    struct str text;
    *rest = blanks_off(*rest);
    if (rest->n && rest->p[0] == '{') {
        rest->p++, rest->n--;
        if (bracketed(rest, '{', '}', &text))
            return blanks_off(text);
    }
    text = *rest;
    rest->p += rest->n, rest->n = 0;
    return text;
}

/* "value", "{value}", and with `more` a ":" and the other: writes the one that is wanted. */
static void choose(struct expansion *x, struct str rest, bool condition)
{
    rest = blanks_off(rest);
    struct str yes = rest, no = {NULL, 0};
    if (rest.n && rest.p[0] == '{') {
        yes = operand(&rest);
        rest = blanks_off(rest);
        if (rest.n && rest.p[0] == ':') {
            rest.p++, rest.n--;
            no = operand(&rest);
        }
    } else {
        const char *colon = rest.n ? memchr(rest.p, ':', rest.n) : NULL;
        if (colon) {
            yes.n = (size_t)(colon - rest.p);
            no = (struct str){colon + 1, rest.n - yes.n - 1};
        }
    }
    expand(x, condition ? yes : no);
}

/* ---- ${{a} op {b} ? c : d} ------------------------------------------------------- */

/* Compatibility levels: numbers with dots, part by part; "level" or not, since plain numbers
 * compare alike. */
static int compare(struct str a, struct str b)
{
    char left[64], right[64];
    struct buf l = BUF(left), r = BUF(right);
    buf_str(&l, a), buf_str(&r, b);
    if (l.full || r.full)
        return str_eq(a, b) ? 0 : 1;
    const char *p = buf_cstr(&l), *q = buf_cstr(&r);
    if (!isdigit((unsigned char)*p) || !isdigit((unsigned char)*q))
        return strcmp(p, q);
    while (*p || *q) {
        char *end_p = (char *)p, *end_q = (char *)q;
        unsigned long m = *p ? strtoul(p, &end_p, 10) : 0, n = *q ? strtoul(q, &end_q, 10) : 0;
        if (m != n)
            return m < n ? -1 : 1;
        if ((*end_p && *end_p != '.') || (*end_q && *end_q != '.'))
            return strcmp(end_p, end_q);
        p = end_p + (*end_p == '.'), q = end_q + (*end_q == '.');
    }
    return 0;
}

static void conditional(struct expansion *x, struct str rest)
{
    static const struct {
        const char *sign;
        bool less, equal, more;
    } operators[] = {
        {"==", false, true, false}, {"!=", true, false, true}, {"<=", true, true, false},
        {">=", false, true, true},  {"<", true, false, false}, {">", false, false, true},
    };
    size_t mark, second;
    struct str left = operand(&rest);
    rest = blanks_off(rest);
    for (unsigned i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t n = strlen(operators[i].sign);
        if (rest.n < n || memcmp(rest.p, operators[i].sign, n) != 0)
            continue;
        rest.p += n, rest.n -= n;
        if (rest.n >= 5 && memcmp(rest.p, "level", 5) == 0)
            rest.p += 5, rest.n -= 5;
        struct str right = operand(&rest);
        left = apart(x, left, &mark);
        right = apart(x, right, &second);
        int c = compare(left, right);
        x->out.n = mark;
        rest = blanks_off(rest);
        if (rest.n == 0 || rest.p[0] != '?')
            break;
        rest.p++, rest.n--;
        choose(x, rest, c < 0 ? operators[i].less : c > 0 ? operators[i].more : operators[i].equal);
        return;
    }
    x->failed = true;
}

/* What stands between ${ and }. */
static void in_braces(struct expansion *x, struct str text)
{
    text = blanks_off(text);
    if (text.n && text.p[0] == '{') {
        conditional(x, text);
        return;
    }
    struct str name = {text.p, 0};
    while (name.n < text.n && is_name(name.p[name.n]))
        name.n++;
    struct str rest = blanks_off((struct str){text.p + name.n, text.n - name.n});
    if (name.n == 0 || (rest.n && rest.p[0] != '?' && rest.p[0] != ':')) {
        x->failed = true;
    } else if (rest.n == 0) {
        value_of(x, name);
    } else {
        size_t mark = x->out.n;
        bool set;
        value_of(x, name);
        set = x->out.n > mark;
        x->out.n = mark;
        if (rest.p[0] == '?')
            choose(x, (struct str){rest.p + 1, rest.n - 1}, set);
        else if (!set) {
            rest.p++, rest.n--;
            expand(x, operand(&rest));
        }
    }
}

/* ---- the text ---------------------------------------------------------------------- */

static void expand(struct expansion *x, struct str text)
{
    if (x->depth >= DEPTH_MAX || ++x->steps > STEPS_MAX) {
        x->failed = true;
        return;
    }
    x->depth++;
    while (text.n && !x->failed && !x->out.full) {
        struct str inside;
        char c = *text.p++;
        text.n--;
        if (c != '$' || text.n == 0) {
            buf_char(&x->out, c);
        } else if (text.p[0] == '$') {
            buf_char(&x->out, '$');
            text.p++, text.n--;
        } else if (text.p[0] == '{' || text.p[0] == '(') {
            bool braces = text.p[0] == '{';
            text.p++, text.n--;
            if (bracketed(&text, braces ? '{' : '(', braces ? '}' : ')', &inside))
                in_braces(x, inside);
            else
                x->failed = true;
        } else if (is_name(text.p[0])) {
            inside = (struct str){text.p, 0};
            while (inside.n < text.n && is_name(inside.p[inside.n]))
                inside.n++;
            text.p += inside.n, text.n -= inside.n;
            value_of(x, inside);
        } else {
            buf_char(&x->out, c);
        }
    }
    x->depth--;
}

const char *pf_expand(struct postfix *p, const struct pf_service *service, const char *text)
{
    if (!strchr(text, '$'))
        return text;
    char *memory = malloc(LENGTH_MAX);
    struct expansion x = {.p = p, .service = service, .out = {memory, 0, LENGTH_MAX, false}};
    const char *result = NULL;
    if (memory) {
        expand(&x, str_of(text));
        if (!x.failed && !x.out.full)
            result = arena_strdup(&p->arena, buf_view(&x.out));
    }
    free(memory);
    return result;
}
