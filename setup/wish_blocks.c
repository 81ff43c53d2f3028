/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of mailreeve.yaml that a wish may change: each by replacing or adding lines. */
#include <stdio.h>

#include "setup/wish_internal.h"

/* ---- lines --------------------------------------------------------------------- */

/* Where a line, counted from 1, begins; the end of the text behind the last. */
size_t line_at(struct str text, unsigned line)
{
    size_t at = 0;
    while (--line && at < text.n) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        at = end ? (size_t)(end + 1 - text.p) : text.n;
    }
    return at;
}

/* The line at an offset, without its end. */
static struct str line_of(struct str text, size_t at)
{
    const char *end = memchr(text.p + at, '\n', text.n - at);
    return (struct str){text.p + at, end ? (size_t)(end - text.p - at) : text.n - at};
}

static const struct yaml_node *block(const struct editor *ed, const char *key)
{
    for (const struct yaml_node *n = ed->root ? ed->root->child : NULL; n; n = n->next)
        if (str_eq(n->key->text, str_of(key)))
            return n;
    return NULL;
}

/* Where the block of a key ends: behind its last line that is neither empty nor a comment that
 * begins at the left margin, which belongs to what follows. */
static size_t block_end(const struct editor *ed, const struct yaml_node *n)
{
    size_t begin = line_at(ed->old, n->key->line), end = begin;
    size_t limit = n->next ? line_at(ed->old, n->next->key->line) : ed->old.n;
    for (size_t at = begin; at < limit;) {
        struct str line = line_of(ed->old, at);
        size_t next = at + line.n + (at + line.n < ed->old.n);
        if (line.n && line.p[0] != '#' && str_trim(line).n && line.p[0] != '\r')
            end = next;
        at = next;
    }
    return end;
}

/* ---- edits ------------------------------------------------------------------------ */

void edit_replace(struct editor *ed, size_t at, size_t n, size_t mark)
{
    unsigned i = ed->count++;
    for (; i && ed->edits[i - 1].at > at; i--)
        ed->edits[i] = ed->edits[i - 1];
    ed->edits[i] = (struct edit){at, n, {ed->out.p + mark, ed->out.n - mark}};
}

/* The block of a key, or behind the end of the text, with what was written since `mark`. */
static void replace_block(struct editor *ed, const struct yaml_node *n, size_t mark)
{
    size_t at = n ? line_at(ed->old, n->key->line) : ed->old.n;
    edit_replace(ed, at, n ? block_end(ed, n) - at : 0, mark);
}

/* A line break in front of what goes behind a text that has none at its end. */
static void break_line(struct editor *ed, const struct yaml_node *n)
{
    if (!n && ed->old.n && ed->old.p[ed->old.n - 1] != '\n')
        buf_char(&ed->out, '\n');
}

static void quoted(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}

/* ---- mode ----------------------------------------------------------------------------- */

void edit_mode(struct editor *ed)
{
    const struct yaml_node *n = block(ed, "mode");
    size_t mark = ed->out.n;
    if (!ed->w->enforce || (n && str_eq(n->text, STR("enforce"))))
        return;
    buf_cstring(&ed->out, "mode: enforce");
    if (!n) {
        size_t first = ed->root ? line_at(ed->old, ed->root->child->key->line) : ed->old.n;
        buf_char(&ed->out, '\n');
        edit_replace(ed, first, 0, mark);
        return;
    }
    /* from the key to the end of the value: a comment behind it stays */
    size_t at = line_at(ed->old, n->line), columns = n->column - 1 + n->width;
    if (n->line == n->key->line && columns <= line_of(ed->old, at).n)
        edit_replace(ed, at, columns, mark);
    else {
        buf_char(&ed->out, '\n');
        replace_block(ed, n, mark);
    }
}

/* ---- listeners ------------------------------------------------------------------------- */

void put_listener(struct buf *b, unsigned indent, const struct wish_listener *l)
{
    buf_printf(b, "%*s- {names: [%s], port: %u, role: %s}\n", (int)indent, "", l->name,
               (unsigned)l->port, role_names[l->role]);
}

static int listener_is_right(const struct editor *ed, const struct wish_listener *l,
                             const struct listener *there, struct err *e)
{
    if (there->role == l->role)
        return 0;
    return err_set(e,
                   "%s says that port %u has role %s, and Postfix makes it %s: correct one of them "
                   "(line %u)",
                   ed->path, (unsigned)l->port, role_names[there->role], role_names[l->role],
                   there->line);
}

/* The items of a list that has one a line begin with "-"; how far in. False: it is written
 * otherwise. */
static bool items_indent(const struct editor *ed, const struct yaml_node *n, unsigned *ret)
{
    if (n->kind != YAML_LIST || !n->child)
        return false;
    struct str line = line_of(ed->old, line_at(ed->old, n->child->line));
    unsigned i = 0;
    while (i < line.n && line.p[i] == ' ')
        i++;
    *ret = i;
    return i < line.n && line.p[i] == '-' && n->child->line > n->key->line;
}

int edit_listeners(struct editor *ed, struct err *e)
{
    const struct yaml_node *n = block(ed, "listeners");
    bool own = n && (n->kind != YAML_SCALAR || n->text.n);
    unsigned indent = 2, missing = 0;
    size_t mark = ed->out.n;
    for (unsigned i = 0; i < ed->w->listener_count; i++) {
        const struct listener *there =
            policy_listener_on(ed->config->policy, ed->w->listeners[i].port);
        if (there && listener_is_right(ed, &ed->w->listeners[i], there, e) < 0)
            return -1;
        missing += !there;
    }
    if (missing == 0)
        return 0;
    if (own && !items_indent(ed, n, &indent))
        return err_set(e,
                       "%s:%u: listeners is not written with one entry a line behind \"-\", so "
                       "it is not changed; add by hand: {names: [...], port: ..., role: ...} for "
                       "each port of Postfix",
                       ed->path, n->key->line);
    break_line(ed, n);
    if (!own)
        buf_cstring(&ed->out, "listeners:\n");
    for (unsigned i = 0; i < ed->w->listener_count; i++)
        if (!own || !policy_listener_on(ed->config->policy, ed->w->listeners[i].port))
            put_listener(&ed->out, indent, &ed->w->listeners[i]);
    if (own)
        edit_replace(ed, block_end(ed, n), 0, mark);
    else
        replace_block(ed, n, mark);
    return 0;
}

/* ---- policyd, milter ---------------------------------------------------------------------- */

bool listens_on(const struct program_settings *s, const char *path)
{
    for (unsigned i = 0; i < s->listen_count; i++)
        if (s->listen[i].is_unix && strcmp(s->listen[i].path, path) == 0)
            return true;
    return false;
}

static void put_socket(struct buf *b, const struct socket_spec *s)
{
    char text[200];
    struct buf t = BUF(text);
    if (s->is_unix) {
        buf_printf(&t, "unix:%s", s->path);
    } else {
        buf_cstring(&t, s->addr.bits == 128 ? "inet:[" : "inet:");
        addr_format(&t, &s->addr);
        buf_printf(&t, s->addr.bits == 128 ? "]:%u" : ":%u", s->port);
    }
    if (*s->listener) {
        struct str whole = buf_view(&t);
        buf_cstring(b, s->is_unix ? "{path: " : "{inet: ");
        whole.p += 5, whole.n -= 5;
        quoted(b, whole);
        buf_cstring(b, ", listener: ");
        quoted(b, str_of(s->listener));
        buf_char(b, '}');
    } else {
        quoted(b, buf_view(&t));
    }
}

int edit_program(struct editor *ed, const char *key, const struct program_settings *now,
                 const struct wish_program *wanted, struct err *e)
{
    const struct yaml_node *n = block(ed, key);
    bool there = *now->group && strcmp(now->group, wanted->group) == 0;
    size_t mark = ed->out.n;
    for (unsigned i = 0; i < wanted->count; i++)
        there &= listens_on(now, wanted->sockets[i]);
    if (wanted->count == 0 || there)
        return 0;
    if (n && *now->group && strcmp(now->group, wanted->group) != 0)
        return err_set(e,
                       "%s:%u: %s.group is \"%s\", and Postfix's smtpd is in \"%s\"; set it, or "
                       "take it out",
                       ed->path, n->key->line, key, now->group, wanted->group);
    break_line(ed, n);
    buf_printf(&ed->out, "%s:\n  listen: [", key);
    bool first = true;
    for (unsigned i = 0; n && i < now->listen_count; i++, first = false) {
        buf_cstring(&ed->out, first ? "" : ", ");
        put_socket(&ed->out, &now->listen[i]);
    }
    for (unsigned i = 0; i < wanted->count; i++) {
        struct socket_spec s = {.is_unix = true};
        if (n && listens_on(now, wanted->sockets[i]))
            continue;
        if (snprintf(s.path, sizeof s.path, "%s", wanted->sockets[i]) >= (int)sizeof s.path)
            return err_set(e, "%s is longer than the path of a socket may be", wanted->sockets[i]);
        buf_cstring(&ed->out, first ? "" : ", ");
        put_socket(&ed->out, &s);
        first = false;
    }
    buf_printf(&ed->out, "]\n  group: %s\n", wanted->group);
    replace_block(ed, n, mark);
    return 0;
}

/* ---- trusted -------------------------------------------------------------------------------- */

static const struct yaml_node *member(const struct yaml_node *map, const char *key)
{
    if (map && map->kind == YAML_MAP)
        for (const struct yaml_node *n = map->child; n; n = n->next)
            if (str_eq(n->key->text, str_of(key)))
                return n;
    return NULL;
}

/* The scalars of a list, or one scalar. */
static void put_scalars(struct buf *b, const struct yaml_node *n, bool *first)
{
    const struct yaml_node *item = n && n->kind == YAML_LIST ? n->child : n;
    for (; item; item = n->kind == YAML_LIST ? item->next : NULL) {
        if (item->kind != YAML_SCALAR || item->text.n == 0)
            continue;
        buf_cstring(b, *first ? "" : ", ");
        quoted(b, item->text);
        *first = false;
    }
}

static bool trusts_network(const struct config *c, const char *text)
{
    struct prefix p;
    if (prefix_parse(str_of(text), &p) != PREFIX_OK)
        return true;
    for (const struct prefix_list *l = c->details->trusted; l; l = l->next)
        if (l->prefix.len <= p.len && prefix_contains(&l->prefix, &p.addr))
            return true;
    return false;
}

static bool trusts_certificate(const struct config *c, const char *text)
{
    char have[128], want[128];
    struct buf w = BUF(want);
    for (const char *t = text; *t; t++)
        if (*t != ':')
            buf_char(&w, *t >= 'A' && *t <= 'F' ? *t - 'A' + 'a' : *t);
    for (const struct text_list *l = c->details->certificates; l; l = l->next) {
        struct buf h = BUF(have);
        for (const char *t = l->text; *t; t++)
            if (*t != ':')
                buf_char(&h, *t >= 'A' && *t <= 'F' ? *t - 'A' + 'a' : *t);
        if (str_eq(buf_view(&h), buf_view(&w)))
            return true;
    }
    return false;
}

typedef bool trusts_fn(const struct config *c, const char *text);

static unsigned lacking(const struct config *c, const char *const *list, unsigned count,
                        trusts_fn *trusts)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += !trusts(c, list[i]);
    return n;
}

unsigned not_trusted(const struct config *c, const struct wish *w)
{
    return lacking(c, w->networks, w->network_count, trusts_network) +
           lacking(c, w->certificates, w->certificate_count, trusts_certificate);
}

static void put_trusted(struct editor *ed, const char *key, const struct yaml_node *there,
                        const char *const *list, unsigned count, trusts_fn *trusts)
{
    bool first = true;
    buf_printf(&ed->out, "  %s: [", key);
    put_scalars(&ed->out, there, &first);
    for (unsigned i = 0; i < count; i++)
        if (!trusts(ed->config, list[i])) {
            buf_cstring(&ed->out, first ? "" : ", ");
            quoted(&ed->out, str_of(list[i]));
            first = false;
        }
    buf_cstring(&ed->out, "]\n");
}

void edit_trusted(struct editor *ed)
{
    const struct wish *w = ed->w;
    const struct yaml_node *n = block(ed, "trusted");
    size_t mark = ed->out.n;
    if (not_trusted(ed->config, w) == 0)
        return;
    break_line(ed, n);
    buf_cstring(&ed->out, "trusted:\n");
    put_trusted(ed, "networks", member(n, "networks"), w->networks, w->network_count,
                trusts_network);
    put_trusted(ed, "client_certificates", member(n, "client_certificates"), w->certificates,
                w->certificate_count, trusts_certificate);
    replace_block(ed, n, mark);
}
