/* SPDX-License-Identifier: Apache-2.0 */
/* The editor of mailreeve.yaml: it replaces lines, and checks what has come of it. */
#include "setup/wish.h"

#include <stdio.h>
#include <stdlib.h>

#include "setup/wish_internal.h"

enum { GROWTH = 64 * 1024 };

/* ---- a new file ---------------------------------------------------------------------------- */

static const char heading[] =
    "# Mailreeve, as `mailreeve setup postfix` wrote it. docs/configuration.md explains every\n"
    "# option; `mailreeve check` tells what this file does.\n"
    "\n"
    "# audit: everything passes, and what would have been refused is recorded.\n"
    "# enforce: it is refused.\n";

static const char *const comments[][2] = {
    {"listeners:", "\n# The ports of Postfix.\n"},
    {"policyd:", "\n# Where Postfix asks; smtpd is chrooted there.\n"},
    {"trusted:", "\n# Who needs neither TLS nor AUTH to submit mail: taken from mynetworks.\n"},
};

/* The comment that stands in front of a block of a new file. */
static void put_comment(struct buf *b, struct str text)
{
    for (unsigned i = 0; i < sizeof comments / sizeof *comments; i++) {
        size_t n = strlen(comments[i][0]);
        if (text.n >= n && memcmp(text.p, comments[i][0], n) == 0)
            buf_cstring(b, comments[i][1]);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static const char *first_problem(const struct problems *ps, char text[1024])
{
    struct buf b = {text, 0, 1024, false};
    for (unsigned i = 0; i < ps->count; i++)
        if (ps->list[i].severity == SEVERITY_ERROR) {
            problem_format(&b, &ps->list[i], false);
            return buf_cstr(&b);
        }
    return "memory ended";
}

static struct config *load(struct str text, const char *path, struct err *e)
{
    struct problems ps = {0};
    char why[1024];
    struct config *c = config_parse(text, path, &ps);
    if (!c)
        err_set(e, "%.480s", first_problem(&ps, why));
    problems_free(&ps);
    return c;
}

static struct str apply(struct editor *ed, bool anew, struct arena *arena)
{
    size_t size = ed->old.n + GROWTH, at = 0;
    char *text = arena_alloc(arena, size);
    struct buf b = {text, 0, text ? size : 0, false};
    if (anew)
        buf_cstring(&b, heading);
    for (unsigned i = 0; i < ed->count; i++) {
        const struct edit *edit = &ed->edits[i];
        buf_put(&b, ed->old.p + at, edit->at - at);
        if (anew)
            put_comment(&b, edit->text);
        buf_str(&b, edit->text);
        at = edit->at + edit->n;
    }
    if (ed->old.n > at)
        buf_put(&b, ed->old.p + at, ed->old.n - at);
    return b.full ? (struct str){NULL, 0} : buf_view(&b);
}

/* What no wish can touch reads the same in both. */
static bool rest_is_the_same(const struct config *a, const struct config *b)
{
    const struct config_details *x = a->details, *y = b->details;
    unsigned mechanisms = 0;
    for (unsigned i = 0; i < a->policy->listener_count; i++) {
        const struct listener *l = a->policy->listeners[i],
                              *m = policy_listener_on(b->policy, l->port);
        if (l->line &&
            (!m || m->role != l->role || m->min_tls != l->min_tls || m->tls_by != l->tls_by ||
             m->public != l->public || m->mechanism_count != l->mechanism_count ||
             memcmp(m->action, l->action, sizeof l->action) != 0))
            mechanisms++;
    }
    return mechanisms == 0 && x->counts.total == y->counts.total &&
           strcmp(x->exceptions_file, y->exceptions_file) == 0 &&
           strcmp(a->policy->help_url, b->policy->help_url) == 0 &&
           memcmp(&a->privacy, &b->privacy, sizeof a->privacy) == 0 &&
           strcmp(a->journal.path, b->journal.path) == 0 && a->journal.keep_s == b->journal.keep_s;
}

static bool is_fulfilled(const struct wish *w, const struct config *c)
{
    for (unsigned i = 0; i < w->listener_count; i++) {
        const struct listener *l = policy_listener_on(c->policy, w->listeners[i].port);
        if (!l || l->role != w->listeners[i].role)
            return false;
    }
    for (unsigned i = 0; i < w->policyd.count; i++)
        if (!listens_on(&c->policyd, w->policyd.sockets[i]))
            return false;
    for (unsigned i = 0; i < w->milter.count; i++)
        if (!listens_on(&c->milter, w->milter.sockets[i]))
            return false;
    return not_trusted(c, w) == 0;
}

static int check(const struct editor *ed, struct str text, struct err *e)
{
    struct err why;
    struct config *c = load(text, ed->path, &why);
    if (!c)
        return err_set(e, "%s cannot be edited: the result would be wrong: %.300s", ed->path,
                       why.text);
    bool good = is_fulfilled(ed->w, c) && rest_is_the_same(ed->config, c);
    config_free(c);
    return good ? 0
                : err_set(e,
                          "%s cannot be edited without changing something else; it has to "
                          "be done by hand",
                          ed->path);
}

static int edit(struct editor *ed, bool anew, struct err *e)
{
    if (anew)
        buf_printf(&ed->out, "mode: %s\n", mode_names[ed->w->enforce ? MODE_ENFORCE : MODE_AUDIT]),
            edit_replace(ed, 0, 0, 0);
    else
        edit_mode(ed);
    if (anew) {
        size_t mark = ed->out.n;
        buf_cstring(&ed->out, "listeners:\n");
        for (unsigned i = 0; i < ed->w->listener_count; i++)
            put_listener(&ed->out, 2, &ed->w->listeners[i]);
        if (ed->w->listener_count)
            edit_replace(ed, 0, 0, mark);
        else
            ed->out.n = mark;
    } else if (edit_listeners(ed, e) < 0) {
        return -1;
    }
    if (edit_program(ed, "policyd", &ed->config->policyd, &ed->w->policyd, e) < 0 ||
        edit_program(ed, "milter", &ed->config->milter, &ed->w->milter, e) < 0)
        return -1;
    edit_trusted(ed);
    return 0;
}

/* Nothing but the mode audit, as it is installed. */
static bool says_nothing(const struct yaml_node *root)
{
    return !root ||
           (root->kind == YAML_MAP && root->count == 1 && root->child->kind == YAML_SCALAR &&
            str_eq(root->child->key->text, STR("mode")) && str_eq(root->child->text, STR("audit")));
}

static int edit_text(struct editor *ed, struct arena *nodes, struct arena *arena, struct str *ret,
                     struct err *e)
{
    struct yaml_error wrong;
    if (yaml_parse(ed->old, nodes, &ed->root, &wrong) < 0)
        return err_set(e, "%s:%u: %s", ed->path, wrong.line, wrong.text);
    bool anew = says_nothing(ed->root);
    struct str before = ed->old;
    if (anew)
        ed->old = (struct str){"", 0}, ed->root = NULL;
    else if (ed->old.p[line_at(ed->old, ed->root->line)] == '{' || ed->root->column != 1 ||
             ed->old.p[0] == '{')
        return err_set(e, "%s is written in braces, so it is not changed; write one key a line",
                       ed->path);
    if (edit(ed, anew, e) < 0)
        return -1;
    *ret = apply(ed, anew, arena);
    if (!ret->p || ed->out.full)
        return err_set(e, "memory ended");
    if (ed->count == 0)
        *ret = before;
    return check(ed, *ret, e);
}

int wish_edit(struct str old, const char *path, const struct wish *w, struct arena *arena,
              struct str *ret, struct err *e)
{
    struct editor ed = {.old = old.p ? old : (struct str){"", 0}, .path = path, .w = w};
    struct arena nodes = {0};
    struct config *config = load(ed.old, path, e);
    char *room = arena_alloc(&nodes, GROWTH / 2);
    int failed = -1;
    if (config && room) {
        ed.config = config;
        ed.out = (struct buf){room, 0, GROWTH / 2, false};
        failed = edit_text(&ed, &nodes, arena, ret, e);
    } else if (config) {
        err_set(e, "memory ended");
    }
    if (config)
        config_free(config);
    arena_free(&nodes);
    return failed;
}
