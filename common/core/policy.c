/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy.h"

#include <stdlib.h>

#include "core/session.h"

const char *const tls_by_names[TLS_BY_COUNT] = {
    [TLS_BY_MTA] = "mta",
    [TLS_BY_PROXY] = "proxy",
};

struct policy *policy_new(const struct sipkey *key)
{
    struct policy *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    atomic_init(&p->refs, 1);
    prefix_index_init(&p->trusted, &p->arena, key);
    table_init(&p->trusted_certificates, &p->arena, key);
    prefix_index_init(&p->monitors, &p->arena, key);
    exceptions_init(&p->exceptions, &p->arena, key);
    p->help_url = p->file = "";
    return p;
}

struct policy *policy_ref(struct policy *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void policy_unref(struct policy *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    prefix_index_free(&p->trusted);
    table_free(&p->trusted_certificates);
    prefix_index_free(&p->monitors);
    exceptions_free(&p->exceptions);
    arena_free(&p->arena);
    free(p);
}

struct listener *policy_add_listener(struct policy *p, enum role role, uint16_t port)
{
    if (p->listener_count == LISTENERS)
        return NULL;
    struct listener *l = arena_alloc(&p->arena, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct listener){.port = port, .role = role, .public = true, .min_tls = TLS_1_2};
    for (int f = 0; f < FINDING_COUNT; f++)
        l->action[f] = findings[f].by_role[role];
    p->listeners[p->listener_count++] = l;
    return l;
}

const struct listener *policy_listener_named(const struct policy *p, struct str name)
{
    for (unsigned i = 0; name.n && i < p->listener_count; i++)
        for (unsigned k = 0; k < p->listeners[i]->name_count; k++)
            if (str_eq(p->listeners[i]->names[k], name))
                return p->listeners[i];
    return NULL;
}

const struct listener *policy_listener_on(const struct policy *p, uint16_t port)
{
    for (unsigned i = 0; port && i < p->listener_count; i++)
        if (p->listeners[i]->port == port)
            return p->listeners[i];
    return NULL;
}

bool policy_is_monitor(const struct policy *p, const struct addr *client)
{
    unsigned at = 0;
    return prefix_index_next(&p->monitors, client, &at) != NULL;
}
