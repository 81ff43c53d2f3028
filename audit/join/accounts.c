/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/accounts.h"

#include <stdlib.h>

/* Accounts with the same key, the newest first. */
struct link {
    struct link *next;
    uint32_t number;
};

enum { LINKS_LOOK = 256 }; /* older ones of the same key are of other days */

/* What a table is asked for; all bytes count. */
struct client_key {
    struct addr client;
    uint8_t padding[3];
    uint32_t number; /* a port, a process */
};

void accounts_init(struct accounts *a, const struct sipkey *key, uint32_t max)
{
    *a = (struct accounts){.max = max};
    table_init(&a->by_key, &a->arena, key);
    for (int i = 0; i < BY_KEYS; i++)
        table_init(&a->by[i], &a->arena, key);
}

void accounts_free(struct accounts *a)
{
    table_free(&a->by_key);
    for (int i = 0; i < BY_KEYS; i++)
        table_free(&a->by[i]);
    arena_free(&a->arena);
    free(a->nodes);
    free(a->sorted);
}

/* ---- keys ------------------------------------------------------------------------------- */

static struct link *links(const struct accounts *a, int by, const void *key, size_t n)
{
    return table_get(&a->by[by], key, n);
}

static void add_link(struct accounts *a, int by, const void *key, size_t n, uint32_t number)
{
    struct link *first = links(a, by, key, n);
    if (first && first->number == number)
        return;
    struct link *l = arena_alloc(&a->arena, sizeof *l);
    if (l)
        *l = (struct link){first, number};
    a->failed |= !l || !table_put(&a->by[by], key, n, l);
}

static struct client_key client_key(const struct addr *client, uint32_t number)
{
    struct client_key k;
    memset(&k, 0, sizeof k);
    k.client = *client;
    k.number = number;
    return k;
}

static void index_account(struct accounts *a, uint32_t number)
{
    const struct account *x = &a->nodes[number].account;
    struct client_key port = client_key(&x->seen.client, x->client_port);
    struct client_key process = client_key(&x->seen.client, x->mta_pid);
    if (x->queue_id > NAMES_MORE)
        add_link(a, BY_QUEUE_ID, &x->queue_id, sizeof x->queue_id, number);
    if (x->seen.client.bits && x->client_port)
        add_link(a, BY_PORT, &port, sizeof port, number);
    if (x->seen.client.bits && x->mta_pid)
        add_link(a, BY_PROCESS, &process, sizeof process, number);
}

/* ---- events ----------------------------------------------------------------------------- */

static uint32_t new_node(struct accounts *a)
{
    if (a->count == a->max)
        return ACCOUNT_NONE;
    if (a->count + 1 >= a->room) {
        uint32_t room = a->room ? 2 * a->room : 1024;
        struct account_node *nodes = realloc(a->nodes, room * sizeof *nodes);
        if (!nodes)
            return ACCOUNT_NONE;
        a->nodes = nodes;
        a->room = room;
    }
    memset(&a->nodes[++a->count], 0, sizeof *a->nodes);
    return a->count;
}

/* The newest of those that match; NULL for pid 0. */
static uint32_t find(const struct accounts *a, const struct event *e, uint32_t pid, uint32_t user)
{
    if (e->key) {
        uint32_t i = (uint32_t)(uintptr_t)table_get(&a->by_key, &e->key, sizeof e->key);
        return i && match_event(&a->nodes[i].account, e) ? i : ACCOUNT_NONE;
    }
    struct client_key process = client_key(&e->client, pid);
    const struct link *l =
        pid && e->client.bits ? links(a, BY_PROCESS, &process, sizeof process) : NULL;
    for (unsigned n = 0; l && n < LINKS_LOOK; l = l->next, n++)
        if (match_process(&a->nodes[l->number].account, e, pid, user))
            return l->number;
    return ACCOUNT_NONE;
}

uint32_t accounts_add(struct accounts *a, const struct event *e, struct names *names)
{
    uint32_t number = find(a, e, event_pid(e), names_find(names, e->user));
    if (number == ACCOUNT_NONE) {
        number = new_node(a);
        if (number == ACCOUNT_NONE)
            return ACCOUNT_NONE;
        if (e->key && !table_put(&a->by_key, &e->key, sizeof e->key, (void *)(uintptr_t)number))
            a->failed = true;
    }
    account_add(&a->nodes[number].account, e, names);
    index_account(a, number);
    return a->failed ? ACCOUNT_NONE : number;
}

/* ---- by an exact key ---------------------------------------------------------------------- */

void accounts_exact(const struct accounts *a, const struct waiting *w, accounts_each *each,
                    void *context)
{
    struct client_key port = client_key(&w->seen.client, w->client_port);
    struct client_key process = client_key(&w->seen.client, w->pid);
    const struct {
        int by;
        bool told;
        const void *key;
        size_t n;
    } ways[] = {
        {BY_QUEUE_ID, w->queue_id > NAMES_MORE, &w->queue_id, sizeof w->queue_id},
        {BY_PORT, w->seen.client.bits && w->client_port, &port, sizeof port},
        {BY_PROCESS, w->seen.client.bits && w->pid, &process, sizeof process},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const struct link *l = ways[i].told ? links(a, ways[i].by, ways[i].key, ways[i].n) : NULL;
        for (unsigned n = 0; l && n < LINKS_LOOK; l = l->next, n++)
            if (!each(context, l->number))
                return;
    }
}

/* ---- by address and time ------------------------------------------------------------------- */

static int compare(const struct account *x, const struct addr *client, int kind, int64_t us)
{
    int d = memcmp(&x->seen.client, client, sizeof *client);
    if (d == 0)
        d = account_kind(x) - kind;
    if (d == 0)
        d = (x->first_us > us) - (x->first_us < us);
    return d;
}

static int by_place(const void *pa, const void *pb, void *context)
{
    const struct accounts *a = context;
    const struct account *x = &a->nodes[*(const uint32_t *)pa].account;
    const struct account *y = &a->nodes[*(const uint32_t *)pb].account;
    int d = compare(x, &y->seen.client, account_kind(y), y->first_us);
    return d ? d : (x > y) - (x < y);
}

static bool sort(struct accounts *a)
{
    if (a->sorted || a->count == 0)
        return true;
    a->sorted = malloc(a->count * sizeof *a->sorted);
    if (!a->sorted)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        a->sorted[i] = i + 1;
    qsort_r(a->sorted, a->count, sizeof *a->sorted, by_place, a);
    return true;
}

bool accounts_near(struct accounts *a, const struct addr *client, int kind, int64_t from_us,
                   int64_t to_us, accounts_each *each, void *context)
{
    if (!sort(a))
        return false;
    uint32_t low = 0, high = a->count, looked = 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(&a->nodes[a->sorted[middle]].account, client, kind, from_us) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < a->count; low++) {
        uint32_t number = a->sorted[low];
        if (compare(&a->nodes[number].account, client, kind, to_us) > 0)
            return true;
        if (looked++ == ACCOUNTS_LOOK)
            return false;
        if (!each(context, number))
            return true;
    }
    return true;
}
