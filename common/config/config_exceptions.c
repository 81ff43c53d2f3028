/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions in the configuration file itself. */
#include <stdio.h>

#include "config/config_internal.h"

enum { FAR_YEARS = 5, USER_MAX = 320 };

bool is_far(const struct reader *r, int64_t until_us)
{
    return until_us - r->now.wall_us > FAR_YEARS * INT64_C(366) * 86400 * US_PER_S;
}

bool keep_exception(struct reader *r, const struct exception *e, const struct str *users)
{
    struct exception_counts *n = &r->config->details->counts;
    n->total++;
    if (e->until_us <= r->now.wall_us)
        n->expired++;
    else if (n->soonest_us == 0 || e->until_us < n->soonest_us)
        n->soonest_us = e->until_us;
    if (exceptions_add(&r->policy->exceptions, e, users))
        return true;
    r->out_of_memory = true;
    return false;
}

static const struct prefix *read_clients(struct reader *r, const struct value *v, bool has_user,
                                         size_t *ret_count)
{
    unsigned count, kept = 0;
    const struct yaml_node *n = list_items(v, &count);
    struct prefix *list = count ? keep(r, count * sizeof *list) : NULL;
    for (unsigned i = 0; list && i < count; i++, n = n->next) {
        struct complaint c;
        struct prefix *p = &list[kept];
        if (!network_parse(n->text, p, &c))
            bad_value(r, n, "client", n->text, &c);
        else if (p->len == 0)
            problem_help(
                problem_at(r, SEVERITY_ERROR, n, "client: %s is everyone", quote_of(n->text).text),
                has_user ? "delete it to let the user do so from anywhere"
                         : "to allow it to everyone, change \"actions\"");
        else
            kept++;
    }
    *ret_count = kept;
    return list;
}

static const struct str *read_users(struct reader *r, const struct value *v, size_t *ret_count)
{
    static const struct option user = {.key = "user", .kind = KIND_TEXT, .min = 1, .max = USER_MAX};
    unsigned count, kept = 0;
    const struct yaml_node *n = list_items(v, &count);
    struct str *list = count ? keep(r, count * sizeof *list) : NULL;
    for (unsigned i = 0; list && i < count; i++, n = n->next) {
        struct value parsed;
        struct complaint c;
        if (value_parse(&user, n->text, &parsed, &c))
            list[kept++] = (struct str){keep_text(r, n->text), n->text.n};
        else
            bad_value(r, n, "user", n->text, &c);
    }
    *ret_count = kept;
    return list;
}

static finding_set read_allow(struct reader *r, const struct value *v)
{
    finding_set set = 0;
    unsigned count;
    const struct yaml_node *n = list_items(v, &count);
    if (count == 0 && !v->bad)
        help_findings(problem_at(r, SEVERITY_ERROR, v->node, "allow: the list is empty"), STR(""));
    for (unsigned i = 0; i < count; i++, n = n->next) {
        enum finding f;
        if (read_finding(r, n, &f))
            set |= FINDING_BIT(f);
    }
    return set;
}

static void warn_until(struct reader *r, const struct value *v)
{
    if (!v->node || v->bad)
        return;
    if ((int64_t)v->number <= r->now.wall_us)
        problem_help(problem_at(r, SEVERITY_WARNING, v->node, "this exception has expired"),
                     "delete it, or give it a new date");
    else if (is_far(r, (int64_t)v->number))
        problem_help(problem_at(r, SEVERITY_WARNING, v->node,
                                "this exception lasts more than %d years", FAR_YEARS),
                     "an exception is for a while; what is to stay belongs in \"trusted\"");
}

static void remember(struct reader *r, const struct exception *e, const struct str *users,
                     struct exception_list ***last)
{
    struct exception_list *item = keep(r, sizeof *item);
    if (!item)
        return;
    *item = (struct exception_list){NULL, e, users};
    **last = item;
    *last = &item->next;
}

static void build_exception(struct reader *r, const struct yaml_node *node,
                            struct exception_list ***last)
{
    struct value v[OPTION_COUNT];
    read_section(r, IN_EXCEPTION, node, v);
    if (node->kind != YAML_MAP)
        return;
    struct exception *e = keep(r, sizeof *e);
    if (!e)
        return;
    const struct value *client = &v[OPTION_EXCEPTION_CLIENT], *user = &v[OPTION_EXCEPTION_USER];
    unsigned clients, users;
    list_items(client, &clients), list_items(user, &users);
    if (clients == 0 && users == 0 && !client->bad && !user->bad)
        problem_help(problem_at(r, SEVERITY_ERROR, node,
                                "an exception needs \"client\" or \"user\", or both"),
                     "to allow it to everyone, change \"actions\"");
    e->clients = read_clients(r, client, users > 0, &e->client_count);
    const struct str *names = read_users(r, user, &e->user_count);
    e->allow = read_allow(r, &v[OPTION_EXCEPTION_ALLOW]);
    e->until_us = (int64_t)v[OPTION_EXCEPTION_UNTIL].number;
    warn_until(r, &v[OPTION_EXCEPTION_UNTIL]);
    e->reason = keep_text(r, v[OPTION_EXCEPTION_REASON].text);
    e->owner = keep_text(r, v[OPTION_EXCEPTION_OWNER].text);
    e->file = r->policy->file;
    e->line = node->line;
    if (keep_exception(r, e, names))
        remember(r, e, names, last);
}

void build_exceptions(struct reader *r, const struct value root[OPTION_COUNT])
{
    struct exception_list **last = &r->config->details->exceptions;
    unsigned count;
    const struct yaml_node *n = list_items(&root[OPTION_EXCEPTIONS], &count);
    for (unsigned i = 0; i < count; i++, n = n->next)
        build_exception(r, n, &last);

    struct str file = root[OPTION_EXCEPTIONS_FILE].text;
    r->config->details->exceptions_file = keep_text(r, file);
    if (file.n)
        read_exceptions_file(r, &root[OPTION_EXCEPTIONS_FILE]);
}
