/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/sendmail/access.h"

#include <strings.h>

#include "mta/text.h"

static const char *const tags[ACCESS_TAGS] = {
    [ACCESS_SRV_FEATURES] = "Srv_Features:",
    [ACCESS_TLS_CLT] = "TLS_Clt:",
};

/* "Tag:key  value" of one of the tags. */
static int read_line(struct access *a, struct str line, unsigned number, struct err *e)
{
    struct str key = str_cut(&line, " \t");
    for (unsigned t = 0; t < ACCESS_TAGS; t++) {
        size_t n = strlen(tags[t]);
        if (key.n < n || !str_eq_nocase((struct str){key.p, n}, str_of(tags[t])))
            continue;
        if (a->count == ACCESS_ENTRIES) {
            a->dropped++;
            return 0;
        }
        struct access_entry *entry = &a->entries[a->count++];
        *entry =
            (struct access_entry){t, text_string(&a->arena, (struct str){key.p + n, key.n - n}),
                                  text_string(&a->arena, line), number};
        if (!entry->key || !entry->value)
            return err_set(e, "line %u: out of memory", number);
    }
    return 0;
}

int access_parse(struct str text, struct access *ret, struct err *e)
{
    *ret = (struct access){0};
    ret->entries = arena_alloc(&ret->arena, ACCESS_ENTRIES * sizeof *ret->entries);
    if (!ret->entries)
        return err_set(e, "out of memory");
    for (unsigned number = 1; text.n; number++) {
        struct str line = text_trim(str_cut(&text, "\n"));
        if (line.n && read_line(ret, line, number, e)) {
            ret->count--;
            return -1;
        }
    }
    return 0;
}

int access_read(const char *path, struct access *ret, struct err *e)
{
    struct arena a = {0};
    struct err why;
    struct str text;
    *ret = (struct access){0};
    int failed = text_read(path, ACCESS_TEXT_MAX, &a, &text, e);
    if (!failed && access_parse(text, ret, &why))
        failed = err_set(e, "%s: %s", path, why.text);
    arena_free(&a);
    return failed;
}

void access_clear(struct access *a)
{
    arena_free(&a->arena);
    *a = (struct access){0};
}

const struct access_entry *access_for_all(const struct access *a, enum access_tag tag)
{
    for (unsigned i = a->count; i-- > 0;)
        if (a->entries[i].tag == tag && !*a->entries[i].key)
            return &a->entries[i];
    return NULL;
}

/* ---- srv_features ---------------------------------------------------------------- */

/* What the ruleset has in its hands. */
enum workspace { THE_CLIENT, THE_DAEMON };

/* Does the left side match? -1: that cannot be said. */
static int matches(const char *left, enum workspace w, const char *daemon)
{
    if (strcmp(left, "$*") == 0)
        return 1;
    if (w != THE_DAEMON || strpbrk(left, "$ \t"))
        return -1;
    return strcasecmp(left, daemon) == 0;
}

/* True: the ruleset has decided, one way or the other. */
static bool by_rules(const struct cf *c, const char *daemon, struct srv_features *ret)
{
    enum workspace w = THE_CLIENT;
    for (unsigned i = 0; i < c->rule_count; i++) {
        const struct cf_rule *r = &c->rules[i];
        int does = matches(r->left, w, daemon);
        if (does == 0)
            continue;
        if (does == 1 && strcmp(r->right, "$: $&{daemon_name}") == 0) {
            w = THE_DAEMON;
        } else if (does == 1 && strncmp(r->right, "$#", 2) == 0 && !strchr(r->right + 2, '$')) {
            *ret = (struct srv_features){r->right + 2, "sendmail.cf", r->line, false};
            return true;
        } else if (does == 1 && strncmp(r->right, "$@", 2) == 0) {
            return false;
        } else {
            *ret = (struct srv_features){"", "sendmail.cf", r->line, true};
            return true;
        }
    }
    return false;
}

struct srv_features srv_features(const struct cf *c, const struct access *a,
                                 const struct cf_daemon *d)
{
    struct srv_features ret = {.letters = ""};
    if (c->features && by_rules(c, d->name, &ret))
        return ret;
    const struct access_entry *all = access_for_all(a, ACCESS_SRV_FEATURES);
    if (all)
        ret = (struct srv_features){all->value, "access", all->line, false};
    return ret;
}
