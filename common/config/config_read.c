/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "config/config_internal.h"

struct problem *problem_at(struct reader *r, enum severity severity, const struct yaml_node *n,
                           const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    static const struct yaml_node nowhere = {0};
    if (!n)
        n = &nowhere;
    return problem_add(r->problems, severity, &r->source, n->line, n->column, n->width, "%s", text);
}

void bad_value(struct reader *r, const struct yaml_node *n, const char *key, struct str given,
               const struct complaint *c)
{
    struct problem *p =
        problem_at(r, SEVERITY_ERROR, n, "%s: %s %s", key, quote_of(given).text, c->why);
    problem_help(p, "%s", c->help);
}

void *keep(struct reader *r, size_t n)
{
    void *p = arena_alloc(&r->policy->arena, n);
    if (!p)
        r->out_of_memory = true;
    return p;
}

const char *keep_text(struct reader *r, struct str s)
{
    const char *copy = arena_strdup(&r->policy->arena, s);
    if (!copy)
        r->out_of_memory = true;
    return copy ? copy : "";
}

/* "trusted:" with nothing, or nothing but comments, behind it. */
static bool is_empty(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR && n->plain && n->text.n == 0;
}

const struct yaml_node *list_items(const struct value *v, unsigned *ret_count)
{
    const struct yaml_node *n = v->node;
    *ret_count = 0;
    if (!n || v->bad || is_empty(n))
        return NULL;
    if (n->kind == YAML_LIST) {
        *ret_count = n->count;
        return n->child;
    }
    *ret_count = 1;
    return n;
}

/* ---- keys ---------------------------------------------------------------- */

static int option_of(enum section section, struct str key)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options[i].in == section && str_eq(key, str_of(options[i].key)))
            return i;
    return -1;
}

static void unknown_key(struct reader *r, enum section section, const struct yaml_node *key)
{
    struct problem *p = problem_at(r, SEVERITY_ERROR, key, "unknown key %s in %s",
                                   quote_of(key->text).text, section_names[section]);
    if (!p)
        return; /* many wrong keys cost no more than a count */
    const char *keys[OPTION_COUNT];
    int count = 0, elsewhere = -1;
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (options[i].in == section)
            keys[count++] = options[i].key;
        else if (elsewhere < 0 && str_eq(key->text, str_of(options[i].key)))
            elsewhere = i;
    }
    if (elsewhere >= 0 && !suggest(keys, count, key->text))
        problem_help(p, "\"%s\" belongs in %s", options[elsewhere].key,
                     section_names[options[elsewhere].in]);
    else
        help_words(p, keys, count, key->text);
}

/* Finds the node of every option that the map gives. */
static void match_keys(struct reader *r, enum section section, const struct yaml_node *map,
                       struct value *values)
{
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        if (n->key->kind != YAML_SCALAR) {
            problem_at(r, SEVERITY_ERROR, n->key, "a list or a map cannot be a key");
            continue;
        }
        int i = option_of(section, n->key->text);
        if (i < 0)
            unknown_key(r, section, n->key);
        else if (values[i].node)
            problem_help(
                problem_at(r, SEVERITY_ERROR, n->key, "\"%s\" is given twice", options[i].key),
                "the other one is at %s:%u", r->source.file, values[i].node->key->line);
        else
            values[i].node = n;
    }
}

/* ---- values -------------------------------------------------------------- */

static bool is_scalar_kind(enum option_kind k)
{
    return k < KIND_SCALARS;
}

/* Built-in nodes have no place in the file. */
static void forget_places(struct yaml_node *n)
{
    for (; n; n = n->next) {
        n->line = n->column = 0;
        if (n->key)
            forget_places(n->key);
        forget_places(n->child);
    }
}

const struct yaml_node *default_node(struct reader *r, const struct option *o)
{
    struct yaml_node *n = NULL;
    struct yaml_error e;
    if (strlen(o->fallback) <= strlen("[]"))
        return NULL; /* an empty one is the same as none */
    if (yaml_parse(str_of(o->fallback), &r->scratch, &n, &e) < 0)
        r->out_of_memory = true; /* nothing else can go wrong with a text of ours */
    else
        forget_places(n);
    return n;
}

static void set_default(struct reader *r, const struct option *o, struct value *v)
{
    struct complaint c;
    if (!o->fallback)
        return;
    if (is_scalar_kind(o->kind))
        value_parse(o, str_of(o->fallback), v, &c); /* a test holds every fallback against this */
    else
        v->node = default_node(r, o);
}

static void read_scalar(struct reader *r, const struct option *o, struct value *v)
{
    const struct yaml_node *n = v->node;
    struct complaint c = {0};
    if (n->kind != YAML_SCALAR) {
        problem_help(problem_at(r, SEVERITY_ERROR, n, "%s: one value belongs here, not a %s",
                                o->key, n->kind == YAML_LIST ? "list" : "map"),
                     "%s", o->help);
        v->bad = true;
    } else if (!value_parse(o, n->text, v, &c) && is_empty(n)) {
        problem_help(problem_at(r, SEVERITY_ERROR, n, "%s: no value is given", o->key), "%s",
                     c.help);
        v->bad = true;
    } else if (*c.why) {
        bad_value(r, n, o->key, n->text, &c);
        v->bad = true;
    }
    if (v->bad) {
        *v = (struct value){.node = n, .bad = true};
        if (o->fallback)
            value_parse(o, str_of(o->fallback), v, &c);
    }
}

static void read_collection(struct reader *r, const struct option *o, struct value *v)
{
    static const char *const wanted[] = {
        [KIND_SCALARS] = "a list of values",
        [KIND_SOCKETS] = "a list of sockets",
        [KIND_LIST] = "a list",
        [KIND_MAP] = "a map (key: value)",
    };
    const struct yaml_node *n = v->node;
    bool scalar_will_do = o->kind == KIND_SCALARS || o->kind == KIND_SOCKETS;
    enum yaml_kind kind = o->kind == KIND_MAP ? YAML_MAP : YAML_LIST;
    if (is_empty(n) || n->kind == kind || (scalar_will_do && n->kind == YAML_SCALAR)) {
        unsigned count;
        const struct yaml_node *item = list_items(v, &count);
        for (unsigned i = 0; o->kind == KIND_SCALARS && i < count; i++, item = item->next) {
            if (item->kind != YAML_SCALAR) {
                problem_at(r, SEVERITY_ERROR, item, "%s: single values belong in this list",
                           o->key);
                v->bad = true;
            }
        }
        return;
    }
    problem_help(problem_at(r, SEVERITY_ERROR, n, "%s: %s belongs here", o->key, wanted[o->kind]),
                 "%s", o->help);
    v->bad = true;
}

void read_section(struct reader *r, enum section section, const struct yaml_node *map,
                  struct value values[OPTION_COUNT])
{
    memset(values, 0, OPTION_COUNT * sizeof *values);
    if (map && map->kind != YAML_MAP) {
        if (!is_empty(map) || (!map->key && section != IN_ROOT)) /* an item is never nothing */
            problem_at(r, SEVERITY_ERROR, map, "%s is a map (key: value)", section_names[section]);
        map = NULL;
    }
    if (map)
        match_keys(r, section, map, values);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        struct value *v = &values[i];
        if (o->in != section)
            continue;
        if (v->node && !is_scalar_kind(o->kind) && is_empty(v->node))
            v->node = NULL; /* the same as if it were not there */
        if (!v->node) {
            if (o->required && map) {
                problem_help(problem_at(r, SEVERITY_ERROR, map, "%s needs \"%s\"",
                                        section_names[section], o->key),
                             "%s: %s", o->key, o->help);
                v->bad = true;
            }
            set_default(r, o, v);
        } else if (is_scalar_kind(o->kind)) {
            read_scalar(r, o, v);
        } else {
            read_collection(r, o, v);
        }
    }
}
