/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/sendmail/cf.h"

#include <stdlib.h>
#include <strings.h>

#include "mta/text.h"

/* The long names of the one-letter options that matter here. */
static const struct {
    char letter;
    const char *name;
} letters[] = {{'O', "DaemonPortOptions"}, {'L', "LogLevel"}, {'p', "PrivacyOptions"}};

enum { LOG_LEVEL_DEFAULT = 9 };

struct reader {
    struct cf *cf;
    unsigned line;
    bool in_features; /* the ruleset at hand is Local_srv_features */
    struct err *e;
};

static int no_memory(const struct reader *r)
{
    return err_set(r->e, "line %u: out of memory", r->line);
}

/* Room for one more in a list that has all its room from the beginning. */
static int one_more(const struct reader *r, unsigned count, unsigned max, const char *what)
{
    return count < max ? 0 : err_set(r->e, "line %u: more than %u %s", r->line, max, what);
}

/* ---- lists of Key=value: daemons, filters ------------------------------------- */

/* The next "key=value" between commas. False at the end; fields without "=" are passed over. */
static bool next_field(struct str *rest, char *ret_key, struct str *ret_value)
{
    while (rest->p) {
        struct str field = text_trim(str_cut(rest, ","));
        const char *equals = field.n ? memchr(field.p, '=', field.n) : NULL;
        if (!equals)
            continue;
        *ret_key = field.p[0];
        *ret_value = (struct str){equals + 1, field.n - (size_t)(equals + 1 - field.p)};
        return true;
    }
    return false;
}

static int read_daemon(struct reader *r, const char *value)
{
    struct cf *c = r->cf;
    if (one_more(r, c->daemon_count, CF_DAEMONS, "DaemonPortOptions"))
        return -1;
    struct cf_daemon *d = &c->daemons[c->daemon_count++];
    *d = (struct cf_daemon){"", "", "", "", "", NULL, value, r->line};
    const struct {
        char key;
        const char **to;
    } keys[] = {{'N', &d->name},   {'P', &d->port},      {'A', &d->address},
                {'F', &d->family}, {'M', &d->modifiers}, {'I', &d->filters}};
    struct str rest = str_of(value), text;
    char key;
    while (next_field(&rest, &key, &text))
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (keys[i].key == key && !(*keys[i].to = text_string(&c->arena, text)))
                return no_memory(r);
    return 0;
}

static int read_filter(struct reader *r, struct str text)
{
    struct cf *c = r->cf;
    if (one_more(r, c->filter_count, CF_FILTERS, "filters"))
        return -1;
    struct cf_filter *f = &c->filters[c->filter_count];
    *f = (struct cf_filter){.socket = "", .flags = "", .line = r->line};
    f->text = text_string(&c->arena, text);
    f->name = f->text
                  ? text_string(&c->arena, str_cut(&(struct str){f->text, strlen(f->text)}, ", \t"))
                  : NULL;
    if (!f->name)
        return no_memory(r);
    struct str rest = str_of(f->text), value;
    char key;
    while (next_field(&rest, &key, &value)) {
        const char **to = key == 'S' ? &f->socket : key == 'F' ? &f->flags : NULL;
        if (to && !(*to = text_string(&c->arena, value)))
            return no_memory(r);
    }
    c->filter_count += *f->name != 0;
    return 0;
}

/* ---- lines ------------------------------------------------------------------------ */

/* "O Name=value" and "Ovalue" of one letter; others of one letter are nothing to us. */
static int read_option(struct reader *r, struct str text)
{
    struct cf *c = r->cf;
    const char *name = NULL;
    if (text.n == 0)
        return 0;
    if (text.p[0] == ' ') {
        struct str left = str_cut(&text, "=");
        name = text_string(&c->arena, left);
    } else {
        for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
            if (letters[i].letter == text.p[0])
                name = letters[i].name;
        if (!name)
            return 0;
        text.p++, text.n--;
    }
    const char *value = text_string(&c->arena, text);
    if (!name || !value)
        return no_memory(r);
    if (strcasecmp(name, "DaemonPortOptions") == 0)
        return read_daemon(r, value);
    if (one_more(r, c->option_count, CF_OPTIONS, "options"))
        return -1;
    c->options[c->option_count++] = (struct cf_option){name, value, r->line};
    return 0;
}

/* "Sname", "Sname=number": rules that follow belong to it. */
static int read_ruleset(struct reader *r, struct str text)
{
    struct str name = text_trim(str_cut(&text, "= \t"));
    r->in_features = str_eq_nocase(name, STR("Local_srv_features"));
    if (r->in_features)
        r->cf->features = r->line;
    return 0;
}

/* "Rleft<TABS>right<TABS>comment" */
static int read_rule(struct reader *r, struct str text)
{
    struct cf *c = r->cf;
    if (!r->in_features)
        return 0;
    if (one_more(r, c->rule_count, CF_RULES, "rules in Local_srv_features"))
        return -1;
    struct str left = str_cut(&text, "\t");
    while (text.n && text.p[0] == '\t')
        text.p++, text.n--;
    struct str right = str_cut(&text, "\t");
    struct cf_rule rule = {text_string(&c->arena, left), text_string(&c->arena, right), r->line};
    if (!rule.left || !rule.right)
        return no_memory(r);
    c->rules[c->rule_count++] = rule;
    return 0;
}

/* "Djname", "DZversion"; others are nothing to us, nor what only a running Sendmail can expand. */
static int read_macro(struct reader *r, struct str text)
{
    const char **to = text.n < 2         ? NULL
                      : text.p[0] == 'j' ? &r->cf->host
                      : text.p[0] == 'Z' ? &r->cf->version
                                         : NULL;
    if (!to || memchr(text.p, '$', text.n))
        return 0;
    *to = text_string(&r->cf->arena, (struct str){text.p + 1, text.n - 1});
    if (*to)
        return 0;
    *to = "";
    return no_memory(r);
}

static int read_class(struct reader *r, struct str text)
{
    static const struct str name = {"{TrustAuthMech}", 15};
    if (text.n > name.n && str_eq((struct str){text.p, name.n}, name))
        r->cf->trusts = r->line;
    return 0;
}

/* "Kaccess hash -T<TMPF> /etc/mail/access" */
static int read_map(struct reader *r, struct str text)
{
    struct str word = str_cut(&text, " \t"), last = {NULL, 0};
    if (!str_eq(word, STR("access")))
        return 0;
    while (text.p)
        if ((word = text_trim(str_cut(&text, " \t"))).n)
            last = word;
    const char *file = text_string(&r->cf->arena, last);
    if (!file)
        return no_memory(r);
    r->cf->access = *file == '/' ? file : "";
    return 0;
}

static const struct {
    char letter;
    int (*read)(struct reader *r, struct str text);
} kinds[] = {
    {'O', read_option}, {'X', read_filter}, {'S', read_ruleset}, {'R', read_rule},
    {'D', read_macro},  {'C', read_class},  {'K', read_map},
};

int cf_parse(struct str text, struct cf *ret, struct err *e)
{
    *ret = (struct cf){.host = "", .version = "", .access = ""};
    struct reader r = {.cf = ret, .e = e};
    ret->options = arena_alloc(&ret->arena, CF_OPTIONS * sizeof *ret->options);
    ret->daemons = arena_alloc(&ret->arena, CF_DAEMONS * sizeof *ret->daemons);
    ret->filters = arena_alloc(&ret->arena, CF_FILTERS * sizeof *ret->filters);
    ret->rules = arena_alloc(&ret->arena, CF_RULES * sizeof *ret->rules);
    if (!ret->options || !ret->daemons || !ret->filters || !ret->rules)
        return no_memory(&r);
    struct str line;
    unsigned last = 0;
    while (text_line(&text, &last, &line, &r.line))
        for (size_t i = 0; line.n && i < sizeof kinds / sizeof *kinds; i++)
            if (kinds[i].letter == line.p[0] &&
                kinds[i].read(&r, (struct str){line.p + 1, line.n - 1}))
                return -1;
    if (ret->daemon_count == 0)
        ret->daemons[ret->daemon_count++] = (struct cf_daemon){"", "", "", "", "", NULL, "", 0};
    return 0;
}

int cf_read(const char *path, struct cf *ret, struct err *e)
{
    struct arena a = {0};
    struct err why;
    struct str text;
    *ret = (struct cf){.host = "", .version = "", .access = ""};
    int failed = text_read(path, CF_TEXT_MAX, &a, &text, e);
    if (!failed && cf_parse(text, ret, &why))
        failed = err_set(e, "%s: %s", path, why.text);
    arena_free(&a);
    return failed;
}

void cf_clear(struct cf *c)
{
    arena_free(&c->arena);
    *c = (struct cf){.host = "", .version = "", .access = ""};
}

/* ---- questions ------------------------------------------------------------------------ */

const struct cf_option *cf_option(const struct cf *c, const char *name)
{
    for (unsigned i = c->option_count; i-- > 0;)
        if (strcasecmp(c->options[i].name, name) == 0)
            return &c->options[i];
    return NULL;
}

const char *cf_value(const struct cf *c, const char *name)
{
    const struct cf_option *o = cf_option(c, name);
    return o ? o->value : "";
}

unsigned cf_log_level(const struct cf *c)
{
    const struct cf_option *o = cf_option(c, "LogLevel");
    long level = o ? strtol(o->value, NULL, 10) : LOG_LEVEL_DEFAULT;
    return level < 0 ? 0 : level > 1000 ? 1000 : (unsigned)level;
}

const struct cf_filter *cf_filter(const struct cf *c, struct str name)
{
    for (unsigned i = 0; i < c->filter_count; i++)
        if (str_eq(str_of(c->filters[i].name), name))
            return &c->filters[i];
    return NULL;
}

struct str cf_next_filter(struct str *rest)
{
    while (rest->p) {
        struct str name = text_trim(str_cut(rest, ",;"));
        if (name.n)
            return name;
    }
    return (struct str){NULL, 0};
}

unsigned cf_daemon_filters(const struct cf *c, const struct cf_daemon *d,
                           const struct cf_filter *ret[CF_LIST])
{
    struct str rest = str_of(d->filters ? d->filters : cf_value(c, "InputMailFilters")), name;
    unsigned count = 0;
    while (count < CF_LIST && (name = cf_next_filter(&rest)).n) {
        ret[count] = cf_filter(c, name);
        count += ret[count] != NULL;
    }
    return count;
}

bool cf_lists(const char *list, const char *word)
{
    struct str rest = str_of(list);
    while (rest.p)
        if (str_eq_nocase(str_cut(&rest, " \t\n,"), str_of(word)))
            return true;
    return false;
}
