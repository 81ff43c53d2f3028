/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "core/reply.h"
#include "core/session.h"
#include "config/config_internal.h"

/* What a map of actions says, and where. */
struct action_map {
    enum action action[FINDING_COUNT]; /* ACTION_NONE: nothing */
    const struct yaml_node *at[FINDING_COUNT];
};

/* A listener while it is built. */
struct building {
    struct listener *listener;
    const struct value *root, *own;
    const struct yaml_node *node;
    const struct yaml_node *action_at[FINDING_COUNT];
};

/* Findings that refuse a client for its TLS: never on a public port 25 (RFC 3207 4). */
static const finding_set tls_findings =
    FINDING_BIT(FINDING_TLS_REQUIRED) | FINDING_BIT(FINDING_TLS_VERSION) |
    FINDING_BIT(FINDING_TLS_CIPHER) | FINDING_BIT(FINDING_TLS_CIPHER_WEAK);

static bool is_public_smtp(const struct listener *l)
{
    return l->role == ROLE_SMTP && l->public;
}

/* ---- actions ------------------------------------------------------------- */

static void read_action(struct reader *r, const struct yaml_node *n, enum finding f,
                        struct action_map *map)
{
    const char *const *words = action_names + ACTION_IGNORE;
    const int count = ACTION_COUNT - ACTION_IGNORE;
    int word = n->kind == YAML_SCALAR ? name_index(words, count, n->text) : -1;
    if (word < 0) {
        struct problem *p =
            problem_at(r, SEVERITY_ERROR, n, "%s: %s is not an action", findings[f].id,
                       n->kind == YAML_SCALAR ? quote_of(n->text).text : "this");
        help_words(p, words, count, n->text);
        return;
    }
    enum action a = (enum action)(word + ACTION_IGNORE);
    if (a > findings[f].strictest) {
        problem_help(
            problem_at(r, SEVERITY_ERROR, n, "%s: this finding can only be logged", findings[f].id),
            "allowed: ignore, log");
        return;
    }
    map->action[f] = a;
    map->at[f] = n;
}

static void read_actions(struct reader *r, const struct value *v, struct action_map *map)
{
    *map = (struct action_map){0};
    const struct yaml_node *seen[FINDING_COUNT] = {0};
    if (!v->node || v->bad || v->node->kind != YAML_MAP)
        return;
    for (const struct yaml_node *n = v->node->child; n; n = n->next) {
        enum finding f;
        if (!read_finding(r, n->key, &f))
            continue;
        if (seen[f]) {
            problem_help(
                problem_at(r, SEVERITY_ERROR, n->key, "\"%s\" is given twice", findings[f].id),
                "the other one is at %s:%u", r->source.file, seen[f]->key->line);
            continue;
        }
        seen[f] = n;
        read_action(r, n, f, map);
    }
}

static void set_action(struct building *b, const struct action_map *map, int f)
{
    b->listener->action[f] = map->action[f];
    b->listener->action_line[f] = map->at[f]->line;
    b->action_at[f] = map->at[f];
}

/* Those for all listeners go where they can; not one of them makes a public port 25 refuse TLS. */
static void apply_root_actions(struct building *b, const struct action_map *map)
{
    struct listener *l = b->listener;
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (!map->at[f] || l->action[f] == ACTION_NONE)
            continue;
        if (is_public_smtp(l) && (tls_findings & FINDING_BIT(f)) && refuses(map->action[f]))
            continue;
        set_action(b, map, f);
    }
}

static void apply_own_actions(struct reader *r, struct building *b, const struct action_map *map)
{
    struct listener *l = b->listener;
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (!map->at[f])
            continue;
        if (l->action[f] == ACTION_NONE)
            problem_help(problem_at(r, SEVERITY_ERROR, map->at[f]->key,
                                    "\"%s\" does not apply to a listener with the role %s",
                                    findings[f].id, role_names[l->role]),
                         "delete this line");
        else
            set_action(b, map, f);
    }
}

/* ---- names, mechanisms --------------------------------------------------- */

static void check_name_unused(struct reader *r, const struct yaml_node *n)
{
    for (unsigned i = 0; i < r->policy->listener_count; i++) {
        const struct listener *l = r->policy->listeners[i];
        for (unsigned k = 0; k < l->name_count; k++)
            if (str_eq_nocase(l->names[k], n->text))
                problem_help(problem_at(r, SEVERITY_ERROR, n, "the name %s is used twice",
                                        quote_of(n->text).text),
                             "the other one is in the listener at %s:%u", r->source.file, l->line);
    }
}

static void read_names(struct reader *r, struct building *b)
{
    static const struct option name = {.key = "names", .kind = KIND_NAME, .min = 1, .max = 63};
    const struct value *v = &b->own[OPTION_LISTENER_NAMES];
    unsigned count;
    const struct yaml_node *n = list_items(v, &count);
    if (!v->bad && (count == 0 || count > LISTENER_NAMES))
        problem_at(r, SEVERITY_ERROR, v->node, "names: a listener has 1 to %d names, not %u",
                   LISTENER_NAMES, count);
    for (unsigned i = 0; i < count && i < LISTENER_NAMES; i++, n = n->next) {
        struct value parsed;
        struct complaint c;
        if (!value_parse(&name, n->text, &parsed, &c)) {
            bad_value(r, n, "names", n->text, &c);
            continue;
        }
        check_name_unused(r, n);
        b->listener->names[b->listener->name_count++] =
            (struct str){keep_text(r, n->text), n->text.n};
    }
}

/* RFC 4422 3.1: up to 20 letters, digits, hyphens and underscores; letters are capitals. */
static bool mechanism_of(struct str s, char ret[21])
{
    if (s.n == 0 || s.n > 20)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - ('a' - 'A'));
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
        ret[i] = c;
    }
    ret[s.n] = '\0';
    return true;
}

static unsigned read_mechanisms(struct reader *r, const struct value *v,
                                struct str ret[LISTENER_MECHANISMS])
{
    unsigned count, kept = 0;
    const struct yaml_node *n = list_items(v, &count);
    if (count > LISTENER_MECHANISMS)
        problem_at(r, SEVERITY_ERROR, v->node, "mechanisms: at most %d, not %u",
                   LISTENER_MECHANISMS, count);
    for (unsigned i = 0; i < count && i < LISTENER_MECHANISMS; i++, n = n->next) {
        char name[21];
        if (mechanism_of(n->text, name))
            ret[kept++] = (struct str){keep_text(r, str_of(name)), n->text.n};
        else
            problem_help(problem_at(r, SEVERITY_ERROR, n, "mechanisms: %s is not a SASL mechanism",
                                    quote_of(n->text).text),
                         "for example PLAIN, LOGIN, SCRAM-SHA-256, XOAUTH2");
    }
    return kept;
}

/* ---- guard rails: what no provider can want ------------------------------- */

static void guard_port(struct reader *r, const struct building *b)
{
    for (unsigned i = 0; i < r->policy->listener_count; i++) {
        const struct listener *other = r->policy->listeners[i];
        if (other != b->listener && b->listener->port && other->port == b->listener->port)
            problem_help(problem_at(r, SEVERITY_ERROR, b->own[OPTION_LISTENER_PORT].node,
                                    "port %u is used by two listeners", other->port),
                         "the other one is %s at %s:%u", quote_of(other->names[0]).text,
                         r->source.file, other->line);
    }
}

static void guard_public_smtp(struct reader *r, const struct building *b)
{
    for (int f = 0; f < FINDING_COUNT && is_public_smtp(b->listener); f++)
        if ((tls_findings & FINDING_BIT(f)) && refuses(b->listener->action[f]))
            problem_help(
                problem_at(r, SEVERITY_ERROR, b->action_at[f],
                           "\"%s: %s\" on a public smtp port would refuse mail from other servers",
                           findings[f].id, action_names[b->listener->action[f]]),
                "RFC 3207 section 4 forbids that; if only servers that you know deliver here, "
                "add \"public: false\" to the listener");
}

static void guard_open_submission(struct reader *r, const struct building *b)
{
    const struct listener *l = b->listener;
    if (l->role != ROLE_SMTP && l->mode == MODE_ENFORCE &&
        !refuses(l->action[FINDING_AUTH_REQUIRED]) && !refuses(l->action[FINDING_TLS_REQUIRED]))
        problem_help(problem_at(r, SEVERITY_WARNING, b->action_at[FINDING_AUTH_REQUIRED],
                                "port %u asks clients for neither TLS nor AUTH", l->port),
                     "whoever the MTA lets relay can send there; if only some clients may, "
                     "list them in \"trusted\" or \"exceptions\" instead");
}

/* A finding at AUTH time can only be answered there, and no plugin is asked then. */
static void guard_auth_time(struct reader *r, const struct building *b)
{
    struct reply reply;
    for (int f = 0; f < FINDING_COUNT; f++) {
        enum action a = b->listener->action[f];
        if (refuses(a) && !reply_for(r->policy, f, a, EDGE_MAIL, &reply))
            problem_help(problem_at(r, SEVERITY_WARNING, b->action_at[f],
                                    "\"%s: %s\" has no effect: nobody asks us at AUTH",
                                    findings[f].id, action_names[a]),
                         "switch AUTH off on that port in the MTA; \"%s\" refuses the mail of "
                         "those who could log in",
                         findings[FINDING_AUTH_ON_SMTP_PORT].id);
    }
}

static void guard_proxy(struct reader *r, const struct building *b)
{
    const struct listener *l = b->listener;
    if (l->tls_by != TLS_BY_PROXY || !refuses(l->action[FINDING_TLS_REQUIRED]))
        return;
    const struct value *own = &b->own[OPTION_LISTENER_TLS_BY];
    problem_help(problem_at(r, SEVERITY_WARNING,
                            own->node ? own->node : b->root[OPTION_TLS_BY].node,
                            "TLS is unknown on port %u, so tls-required will answer \"no data\" "
                            "and refuse nobody",
                            l->port),
                 "see to it that the proxy accepts nothing but TLS; "
                 "\"tls-required: ignore\" for the listener says that you know");
}

/* Where TLS comes first it cannot come too early. */
static void guard_disconnect(struct reader *r, const struct building *b)
{
    const struct value *own = &b->own[OPTION_LISTENER_DISCONNECT];
    if (b->listener->disconnect_implicit_tls && b->listener->role == ROLE_SUBMISSIONS)
        problem_help(problem_at(r, SEVERITY_WARNING, own->node,
                                "disconnect_implicit_tls has no effect on port %u",
                                b->listener->port),
                     "TLS at once is what the role submissions is for; delete this line");
}

static void (*const guards[])(struct reader *, const struct building *) = {
    guard_port,      guard_public_smtp, guard_open_submission,
    guard_auth_time, guard_proxy,       guard_disconnect,
};

static void warn_floor(struct reader *r, const struct value *v)
{
    if (v->node && v->node->line && v->number + TLS_1_0 < TLS_1_2)
        problem_help(problem_at(r, SEVERITY_WARNING, v->node,
                                "min_tls: TLS before 1.2 must not be used any more (RFC 8996)"),
                     "passwords and mail under it can be read; an exception that ends is better");
}

/* ---- one listener, all listeners ------------------------------------------ */

static const struct value *own_or_root(const struct building *b, int own, int root)
{
    return b->own[own].node && !b->own[own].bad ? &b->own[own] : &b->root[root];
}

static void read_settings(struct reader *r, struct building *b, const struct action_map *root)
{
    struct listener *l = b->listener;
    l->mode = (enum mode)own_or_root(b, OPTION_LISTENER_MODE, OPTION_MODE)->number;
    l->tls_by = (enum tls_by)own_or_root(b, OPTION_LISTENER_TLS_BY, OPTION_TLS_BY)->number;
    l->public = b->own[OPTION_LISTENER_PUBLIC].number;
    l->disconnect_implicit_tls = b->own[OPTION_LISTENER_DISCONNECT].number;
    l->min_tls =
        TLS_1_0 + (unsigned)own_or_root(b, OPTION_LISTENER_MIN_TLS, OPTION_MIN_TLS)->number;
    warn_floor(r, &b->own[OPTION_LISTENER_MIN_TLS]);

    struct action_map own;
    read_actions(r, &b->own[OPTION_LISTENER_ACTIONS], &own);
    apply_root_actions(b, root);
    apply_own_actions(r, b, &own);

    const struct value *mechanisms = &b->own[OPTION_LISTENER_MECHANISMS];
    if (mechanisms->node && l->role == ROLE_SMTP)
        problem_help(problem_at(r, SEVERITY_ERROR, mechanisms->node->key,
                                "\"mechanisms\" does not apply to a listener with the role smtp"),
                     "delete this line; AUTH is refused there whatever its mechanism");
    else if (mechanisms->node)
        l->mechanism_count = read_mechanisms(r, mechanisms, l->mechanisms);
}

static void build_listener(struct reader *r, const struct yaml_node *node,
                           const struct value root[OPTION_COUNT], const struct action_map *actions,
                           const struct listener *template)
{
    struct value own[OPTION_COUNT];
    read_section(r, IN_LISTENER, node, own);
    if (node->kind != YAML_MAP || own[OPTION_LISTENER_ROLE].bad)
        return; /* told; nothing further can be said of it */
    struct listener *l = policy_add_listener(r->policy, (enum role)own[OPTION_LISTENER_ROLE].number,
                                             (uint16_t)own[OPTION_LISTENER_PORT].number);
    if (!l) {
        r->out_of_memory = true;
        return;
    }
    l->line = node->line;
    if (l->role != ROLE_SMTP) {
        memcpy(l->mechanisms, template->mechanisms, sizeof l->mechanisms);
        l->mechanism_count = template->mechanism_count;
    }
    struct building b = {.listener = l, .root = root, .own = own, .node = node};
    for (int f = 0; f < FINDING_COUNT; f++)
        b.action_at[f] = node;
    read_names(r, &b);
    read_settings(r, &b, actions);
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
        guards[i](r, &b);
}

void build_listeners(struct reader *r, const struct value root[OPTION_COUNT])
{
    struct action_map actions;
    read_actions(r, &root[OPTION_ACTIONS], &actions);
    struct listener template = {0};
    template.mechanism_count = read_mechanisms(r, &root[OPTION_MECHANISMS], template.mechanisms);
    warn_floor(r, &root[OPTION_MIN_TLS]);

    const struct value *v = &root[OPTION_LISTENERS];
    unsigned count;
    const struct yaml_node *n = list_items(v, &count);
    if (!v->bad && count == 0)
        problem_help(problem_at(r, SEVERITY_ERROR, v->node,
                                "listeners: the list is empty, "
                                "so nothing would be checked"),
                     "delete the line to have the default listeners");
    if (count > LISTENERS)
        problem_at(r, SEVERITY_ERROR, v->node, "listeners: at most %d, not %u", LISTENERS, count);
    for (unsigned i = 0; i < count && i < LISTENERS; i++, n = n->next)
        build_listener(r, n, root, &actions, &template);
}
