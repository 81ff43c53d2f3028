/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/sendmail/mc.h"

#include "mta/text.h"

/* Calls that are kept, and those that say where text goes. */
static const char *const kept[] = {
    "DAEMON_OPTIONS", "MAIL_FILTER", "INPUT_MAIL_FILTER", "FEATURE", "define", "MAILER", "divert"};

struct cursor {
    const char *p, *end;
    unsigned line;
    bool muted; /* behind divert(-1) */
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void step(struct cursor *c)
{
    c->line += *c->p++ == '\n';
}

static void skip_line(struct cursor *c)
{
    while (c->p < c->end && *c->p != '\n')
        c->p++;
    if (c->p < c->end)
        step(c);
}

/* Behind the ' that ends what ` began. */
static void skip_quoted(struct cursor *c)
{
    unsigned depth = 0;
    do {
        if (*c->p == '`')
            depth++;
        else if (*c->p == '\'')
            depth--;
        step(c);
    } while (c->p < c->end && depth);
}

static struct str read_word(struct cursor *c)
{
    const char *from = c->p;
    while (c->p < c->end && is_word(*c->p))
        c->p++;
    return (struct str){from, (size_t)(c->p - from)};
}

/* Without the quotes around all of it. */
static struct str unquoted(struct str s)
{
    s = text_trim(s);
    if (s.n >= 2 && s.p[0] == '`' && s.p[s.n - 1] == '\'')
        s.p++, s.n -= 2;
    return s;
}

/* What stands between the parentheses, by commas outside of quotes and inner parentheses. */
static unsigned read_arguments(struct cursor *c, struct str ret[MC_ARGUMENTS])
{
    unsigned depth = 1, count = 0;
    step(c);
    const char *from = c->p;
    while (c->p < c->end) {
        char at = *c->p;
        if (at == '`') {
            skip_quoted(c);
            continue;
        }
        depth += at == '(';
        depth -= at == ')';
        if (depth == 0 || (depth == 1 && at == ',')) {
            if (count < MC_ARGUMENTS)
                ret[count++] = unquoted((struct str){from, (size_t)(c->p - from)});
            from = c->p + 1;
        }
        step(c);
        if (depth == 0)
            return count;
    }
    return 0; /* no end: m4 would not take it either */
}

static const char *kept_name(struct str word)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (str_eq(word, str_of(kept[i])))
            return kept[i];
    return NULL;
}

static int add_call(struct mc *m, const struct cursor *c, const char *macro, unsigned line,
                    const struct str arguments[MC_ARGUMENTS], struct err *e)
{
    if (m->count == MC_CALLS)
        return err_set(e, "line %u: more than %d macros", line, MC_CALLS);
    struct mc_call *call = &m->calls[m->count];
    *call = (struct mc_call){.macro = macro, .line = line, .last_line = c->line};
    for (unsigned i = 0; i < MC_ARGUMENTS; i++)
        if (!(call->arguments[i] = text_string(&m->arena, arguments[i])))
            return err_set(e, "line %u: out of memory", line);
    m->count++;
    return 0;
}

/* At a word. */
static int read_call(struct mc *m, struct cursor *c, struct err *e)
{
    unsigned line = c->line;
    struct str word = read_word(c), arguments[MC_ARGUMENTS] = {{NULL, 0}};
    if (str_eq(word, STR("dnl"))) {
        skip_line(c);
        return 0;
    }
    const char *macro = kept_name(word);
    if (!macro || c->p == c->end || *c->p != '(' || read_arguments(c, arguments) == 0)
        return 0;
    if (strcmp(macro, "divert") == 0)
        c->muted = arguments[0].n && arguments[0].p[0] == '-';
    else if (!c->muted)
        return add_call(m, c, macro, line, arguments, e);
    return 0;
}

int mc_parse(struct str text, struct mc *ret, struct err *e)
{
    struct cursor c = {text.p, text.p + text.n, 1, false};
    *ret = (struct mc){.calls = NULL};
    ret->calls = arena_alloc(&ret->arena, MC_CALLS * sizeof *ret->calls);
    if (!ret->calls)
        return err_set(e, "out of memory");
    while (text.n && c.p < c.end) {
        if (is_word(*c.p)) {
            if (read_call(ret, &c, e))
                return -1;
        } else if (*c.p == '#') {
            skip_line(&c);
        } else if (*c.p == '`') {
            skip_quoted(&c);
        } else {
            step(&c);
        }
    }
    return 0;
}

int mc_read(const char *path, struct mc *ret, struct err *e)
{
    struct arena a = {0};
    struct err why;
    struct str text;
    *ret = (struct mc){0};
    int failed = text_read(path, MC_TEXT_MAX, &a, &text, e);
    if (!failed && mc_parse(text, ret, &why))
        failed = err_set(e, "%s: %s", path, why.text);
    arena_free(&a);
    return failed;
}

void mc_clear(struct mc *m)
{
    arena_free(&m->arena);
    *m = (struct mc){0};
}

const struct mc_call *mc_next(const struct mc *m, unsigned *i, const char *macro)
{
    while (*i < m->count) {
        const struct mc_call *call = &m->calls[(*i)++];
        if (strcmp(call->macro, macro) == 0)
            return call;
    }
    return NULL;
}
