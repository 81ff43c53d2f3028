/* SPDX-License-Identifier: Apache-2.0 */
#include "core/exceptions.h"

enum { USER_MAX = 320 }; /* 64 + @ + 255 (RFC 5321 4.5.3.1); longer names match no exception */

/* All exceptions under one user or one network. */
struct exception_entry {
    struct exception_entry *next;
    const struct exception *e;
};

static bool fold(struct str user, char folded[USER_MAX])
{
    if (user.n == 0 || user.n > USER_MAX)
        return false;
    for (size_t i = 0; i < user.n; i++) {
        char c = user.p[i];
        folded[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return true;
}

void exceptions_init(struct exceptions *x, struct arena *arena, const struct sipkey *key)
{
    *x = (struct exceptions){.arena = arena};
    table_init(&x->by_user, arena, key);
    prefix_index_init(&x->by_client, arena, key);
}

/* A new entry before `head`; NULL when memory ends. */
static struct exception_entry *prepend(struct exceptions *x, struct exception_entry *head,
                                       const struct exception *e)
{
    struct exception_entry *first = arena_alloc(x->arena, sizeof *first);
    if (first)
        *first = (struct exception_entry){head, e};
    return first;
}

static bool add_user(struct exceptions *x, const struct exception *e, struct str user)
{
    char key[USER_MAX];
    if (!fold(user, key))
        return true;
    struct exception_entry *first = prepend(x, table_get(&x->by_user, key, user.n), e);
    return first && table_put(&x->by_user, key, user.n, first);
}

static bool add_client(struct exceptions *x, const struct exception *e, const struct prefix *p)
{
    struct exception_entry *first = prepend(x, prefix_index_exact(&x->by_client, p), e);
    return first && prefix_index_put(&x->by_client, p, first);
}

bool exceptions_add(struct exceptions *x, const struct exception *e, const struct str *users)
{
    for (size_t i = 0; i < e->user_count; i++)
        if (!add_user(x, e, users[i]))
            return false;
    /* With users, the networks are looked at when a user has matched. */
    for (size_t i = 0; e->user_count == 0 && i < e->client_count; i++)
        if (!add_client(x, e, &e->clients[i]))
            return false;
    x->any |= e->allow;
    x->count++;
    return true;
}

static bool client_matches(const struct exception *e, const struct addr *client)
{
    for (size_t i = 0; i < e->client_count; i++)
        if (prefix_contains(&e->clients[i], client))
            return true;
    return e->client_count == 0;
}

/* The first of the list that allows `f` now; *expired becomes the last to have ended. */
static const struct exception *in_force(const struct exception_entry *list, enum finding f,
                                        const struct addr *client, const struct now *now,
                                        const struct exception **expired)
{
    for (; list; list = list->next) {
        const struct exception *e = list->e;
        if (!(e->allow & FINDING_BIT(f)) || (e->user_count && !client_matches(e, client)))
            continue;
        if (now->wall_us < e->until_us)
            return e;
        if (!*expired || (*expired)->until_us < e->until_us)
            *expired = e;
    }
    return NULL;
}

void exceptions_match(const struct exceptions *x, const struct addr *client, struct str user,
                      struct exception_matches *ret)
{
    char key[USER_MAX];
    const struct exception_entry *list;
    unsigned at = 0;
    ret->client = client;
    ret->count = 0;
    if (fold(user, key) && (list = table_get(&x->by_user, key, user.n)))
        ret->list[ret->count++] = list;
    while ((list = prefix_index_next(&x->by_client, client, &at)))
        ret->list[ret->count++] = list;
}

const struct exception *exceptions_find(const struct exception_matches *m, enum finding f,
                                        const struct now *now, const struct exception **ret_expired)
{
    const struct exception *found = NULL, *expired = NULL;
    for (unsigned i = 0; !found && i < m->count; i++)
        found = in_force(m->list[i], f, m->client, now, &expired);
    *ret_expired = found ? NULL : expired;
    return found;
}

void exceptions_free(struct exceptions *x)
{
    table_free(&x->by_user);
    prefix_index_free(&x->by_client);
}
