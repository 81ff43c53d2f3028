/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/join.h"

#include <stdlib.h>

#include "core/table.h"
#include "audit/join/match.h"

enum { NONE = 0 };

/* What is found by a key is a chain of accounts, the newest first. */
enum chain { BY_ADDRESS, BY_QUEUE_ID, CHAINS };

/* Accounts without ports are of the gate, and of policyd on an old Postfix; a session may have one
 * of each kind. */
enum { KEYLESS, KEYED, KINDS };

struct node {
    struct account account;
    uint32_t next[CHAINS];
    bool taken;     /* it is a part of a session that was, or will be told */
    bool ambiguous; /* a session of the log may be its, or another's */
};

struct join {
    struct names *names;
    struct sipkey key;
    struct join_settings settings;
    struct join_counts counts;
    struct node *nodes; /* from 1 */
    uint32_t count, room;
    struct waiting *waiting; /* from 1 */
    uint32_t waiting_count, waiting_room;
    struct arena arena;
    /* To the number of a node; waiting_at: of one that waits. */
    struct table by_key, chains[CHAINS], waiting_at;
};

struct join *join_new(struct names *names, const struct sipkey *key, const struct join_settings *s)
{
    struct join *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    *j = (struct join){.names = names, .key = *key, .settings = *s};
    table_init(&j->by_key, &j->arena, key);
    table_init(&j->waiting_at, &j->arena, key);
    for (int c = 0; c < CHAINS; c++)
        table_init(&j->chains[c], &j->arena, key);
    return j;
}

void join_free(struct join *j)
{
    if (!j)
        return;
    table_free(&j->by_key);
    table_free(&j->waiting_at);
    for (int c = 0; c < CHAINS; c++)
        table_free(&j->chains[c]);
    arena_free(&j->arena);
    free(j->nodes);
    free(j->waiting);
    free(j);
}

const struct join_counts *join_counts(const struct join *j)
{
    return &j->counts;
}

static uint32_t number_in(const struct table *t, const void *key, size_t n)
{
    return (uint32_t)(uintptr_t)table_get(t, key, n);
}

static bool put_number(struct table *t, const void *key, size_t n, uint32_t number)
{
    return table_put(t, key, n, (void *)(uintptr_t)number);
}

/* Room for one more behind `count`, of a list from 1 that may have `max`. */
static bool make_room(void **list, uint32_t count, uint32_t *room, uint32_t max, size_t size)
{
    if (count == max)
        return false;
    if (count + 1 < *room)
        return true;
    uint32_t more = *room ? 2 * *room : 1024;
    void *grown = realloc(*list, more * size);
    if (!grown)
        return false;
    *list = grown;
    *room = more;
    return true;
}

/* ---- events to accounts ------------------------------------------------------------------ */

static uint32_t new_node(struct join *j)
{
    void *list = j->nodes;
    bool ok = make_room(&list, j->count, &j->room, JOIN_ACCOUNTS_MAX, sizeof *j->nodes);
    j->nodes = list;
    if (!ok)
        return NONE;
    memset(&j->nodes[++j->count], 0, sizeof *j->nodes);
    j->counts.accounts++;
    return j->count;
}

/* Puts an account into a chain, once. */
static bool enchain(struct join *j, enum chain c, const void *key, size_t n, uint32_t at)
{
    uint32_t first = number_in(&j->chains[c], key, n);
    if (first == at || j->nodes[at].next[c] != NONE)
        return true;
    j->nodes[at].next[c] = first;
    return put_number(&j->chains[c], key, n, at);
}

static uint32_t find_account(const struct join *j, const struct event *e, uint32_t pid)
{
    if (e->key) {
        uint32_t i = number_in(&j->by_key, &e->key, sizeof e->key);
        return i != NONE && match_event(&j->nodes[i].account, e) ? i : NONE;
    }
    uint32_t i =
        e->client.bits ? number_in(&j->chains[BY_ADDRESS], &e->client, sizeof e->client) : NONE;
    while (i != NONE && !match_process(&j->nodes[i].account, e, pid))
        i = j->nodes[i].next[BY_ADDRESS];
    return i;
}

uint32_t join_event(struct join *j, const struct event *e)
{
    uint32_t at = find_account(j, e, event_pid(e));
    bool ok = true;
    j->counts.events++;
    if (at == NONE) {
        at = new_node(j);
        ok = at != NONE && (!e->key || put_number(&j->by_key, &e->key, sizeof e->key, at));
    }
    if (ok) {
        struct account *a = &j->nodes[at].account;
        account_add(a, e, j->names);
        if (a->seen.client.bits)
            ok = enchain(j, BY_ADDRESS, &a->seen.client, sizeof a->seen.client, at);
        if (ok && a->queue_id > NAMES_MORE)
            ok = enchain(j, BY_QUEUE_ID, &a->queue_id, sizeof a->queue_id, at);
    }
    j->counts.overflow += !ok;
    return ok ? at : NONE;
}

/* ---- telling ------------------------------------------------------------------------------ */

/* Who tried to log in is a hash in the journals; whoever logs in is known by name. */
static void name_user(struct join *j, struct account *a)
{
    uint32_t user = 0;
    if (a->hashed_user && j->settings.user_of)
        user = j->settings.user_of(j->settings.context, names_text(j->names, a->hashed_user));
    if (user > NAMES_MORE)
        a->seen.failed_user = sessions_user_hash(&j->key, names_text(j->names, user));
}

static void add_account(struct join *j, struct waiting *to, uint32_t at)
{
    struct node *n = &j->nodes[at];
    const struct account *a = &n->account;
    n->taken = true;
    name_user(j, &n->account);
    seen_unite(&to->seen, &a->seen);
    if (n->ambiguous && !to->number)
        to->seen.flags |= SEEN_AMBIGUOUS;
    if (!to->client_port)
        to->client_port = a->client_port;
    if (!to->queue_id)
        to->queue_id = a->queue_id;
    if (!to->first_us || a->first_us < to->first_us)
        to->first_us = a->first_us;
    if (a->last_us > to->last_us)
        to->last_us = a->last_us;
}

static void tell(struct join *j, const struct waiting *w, const uint32_t *accounts, unsigned count)
{
    struct waiting all;
    memcpy(&all, w, sizeof all);
    for (unsigned i = 0; i < count; i++)
        add_account(j, &all, accounts[i]);
    struct joined joined = {
        .session =
            {
                .seen = &all.seen,
                .number = all.number,
                .first_us = all.first_us,
                .last_us = all.last_us,
                .first_position = all.first_position,
                .queue_id = names_text(j->names, all.queue_id),
                .begun_us = all.begun_us,
                .pid = all.pid,
                .client_port = all.client_port,
            },
        .accounts = accounts,
        .account_count = count,
    };
    j->counts.joined += count && all.number;
    j->counts.alone += all.number == 0;
    j->settings.closed(j->settings.context, &joined);
}

/* ---- which go together ---------------------------------------------------------------------- */

/* Accounts of one kind that a session may have. */
struct candidates {
    uint32_t certain[JOIN_OF_ONE];
    unsigned certain_count, perhaps_count;
    uint32_t perhaps; /* one of them */
};

struct search {
    struct join *join;
    const struct waiting *session;
    const struct log_listeners *listeners; /* NULL: their ports are not known yet */
    struct candidates of[KINDS];
};

static bool is_called(const struct listener *l, struct str name)
{
    for (unsigned i = 0; i < l->name_count; i++)
        if (str_eq(l->names[i], name))
            return true;
    return false;
}

/* What the log's name stands for, where that is known. Behind a PROXY header the journals have the
 * proxy's port; then they mean the same listener if they call it so. */
static bool on_its_port(const struct search *s, const struct account *a, const struct waiting *w)
{
    const struct log_listener *on =
        s->listeners ? log_listeners_find(s->listeners, &w->seen) : NULL;
    bool told = on && on->listener && !on->shared && on->known_by != KNOWN_BY_ASSUMPTION;
    return !told || !a->seen.server_port || on->listener->port == a->seen.server_port ||
           is_called(on->listener, names_text(s->join->names, a->seen.listener));
}

static void weigh(struct search *s, uint32_t at)
{
    const struct node *n = &s->join->nodes[at];
    struct candidates *c = &s->of[n->account.key ? KEYED : KEYLESS];
    enum likeness like = n->taken ? ANOTHER : match_session(&n->account, s->session);
    for (unsigned i = 0; i < c->certain_count; i++)
        if (c->certain[i] == at)
            return;
    if (like == CERTAIN && c->certain_count < JOIN_OF_ONE) {
        c->certain[c->certain_count++] = at;
    } else if (like == PERHAPS && on_its_port(s, &n->account, s->session)) {
        c->perhaps = at;
        c->perhaps_count++;
    }
}

static void search(struct search *s)
{
    const struct join *j = s->join;
    const struct waiting *w = s->session;
    uint32_t at = w->queue_id > NAMES_MORE
                      ? number_in(&j->chains[BY_QUEUE_ID], &w->queue_id, sizeof w->queue_id)
                      : NONE;
    for (; at != NONE; at = j->nodes[at].next[BY_QUEUE_ID])
        weigh(s, at);
    at = w->seen.client.bits
             ? number_in(&j->chains[BY_ADDRESS], &w->seen.client, sizeof w->seen.client)
             : NONE;
    for (; at != NONE; at = j->nodes[at].next[BY_ADDRESS])
        weigh(s, at);
}

static bool is_settled(const struct candidates *c)
{
    return c->certain_count || !c->perhaps_count;
}

/* Whose name is a hash is known at the end, when all are known who log in. */
static bool awaits_name(const struct search *s)
{
    const struct candidates *c = &s->of[KEYLESS];
    bool awaits = false;
    for (unsigned i = 0; s->join->settings.user_of && i < c->certain_count; i++)
        awaits |= s->join->nodes[c->certain[i]].account.hashed_user != 0;
    return awaits;
}

static bool wait_for_end(struct join *j, const struct waiting *w)
{
    void *list = j->waiting;
    bool ok =
        make_room(&list, j->waiting_count, &j->waiting_room, JOIN_WAITING_MAX, sizeof *j->waiting);
    j->waiting = list;
    if (!ok)
        return false;
    struct waiting *at = &j->waiting[j->waiting_count + 1];
    memcpy(at, w, sizeof *at);
    at->next = number_in(&j->waiting_at, &w->seen.client, sizeof w->seen.client);
    if (!put_number(&j->waiting_at, &w->seen.client, sizeof w->seen.client, j->waiting_count + 1))
        return false;
    j->waiting_count++;
    return true;
}

static unsigned all_certain(const struct search *s, uint32_t *ret)
{
    unsigned n = 0;
    for (int k = 0; k < KINDS; k++)
        for (unsigned i = 0; i < s->of[k].certain_count && n < JOIN_OF_ONE; i++)
            ret[n++] = s->of[k].certain[i];
    return n;
}

void join_session(struct join *j, const struct closed_session *c)
{
    struct waiting w;
    memset(&w, 0, sizeof w);
    memcpy(&w.seen, c->seen, sizeof w.seen);
    w.number = c->number;
    w.first_position = c->first_position;
    w.first_us = c->first_us;
    w.last_us = c->last_us;
    w.begun_us = c->begun_us;
    w.pid = c->pid;
    w.queue_id = names_id(j->names, c->queue_id);
    w.client_port = c->client_port;

    struct search s = {.join = j, .session = &w};
    uint32_t certain[JOIN_OF_ONE];
    search(&s);
    for (int k = 0; k < KINDS; k++)
        w.settled |= (uint8_t)(is_settled(&s.of[k]) << k);
    bool settled = is_settled(&s.of[KEYLESS]) && is_settled(&s.of[KEYED]) && !awaits_name(&s);
    if (settled || !wait_for_end(j, &w))
        tell(j, &w, certain, all_certain(&s, certain));
}

/* ---- the end -------------------------------------------------------------------------------- */

/* How many sessions of the log that wait may have that account. */
static unsigned count_rivals(const struct search *s, uint32_t at, int kind)
{
    const struct join *j = s->join;
    const struct account *a = &j->nodes[at].account;
    unsigned count = 0;
    uint32_t i = number_in(&j->waiting_at, &s->session->seen.client, sizeof(struct addr));
    for (; i != NONE; i = j->waiting[i].next) {
        const struct waiting *w = &j->waiting[i];
        count +=
            !(w->settled & 1 << kind) && match_session(a, w) != ANOTHER && on_its_port(s, a, w);
    }
    return count;
}

static void mark_ambiguous(struct join *j, const struct waiting *w)
{
    uint32_t at = number_in(&j->chains[BY_ADDRESS], &w->seen.client, sizeof w->seen.client);
    for (; at != NONE; at = j->nodes[at].next[BY_ADDRESS])
        if (!j->nodes[at].taken && match_session(&j->nodes[at].account, w) == PERHAPS)
            j->nodes[at].ambiguous = true;
}

static void end_waiting(struct join *j, struct waiting *w, const struct log_listeners *listeners)
{
    struct search s = {.join = j, .session = w, .listeners = listeners};
    uint32_t certain[JOIN_OF_ONE];
    search(&s);
    for (int k = 0; k < KINDS; k++) {
        struct candidates *c = &s.of[k];
        if (is_settled(c))
            continue;
        if (c->perhaps_count == 1 && count_rivals(&s, c->perhaps, k) == 1) {
            c->certain[c->certain_count++] = c->perhaps;
        } else {
            w->seen.flags |= SEEN_AMBIGUOUS;
            mark_ambiguous(j, w);
        }
    }
    j->counts.ambiguous += (w->seen.flags & SEEN_AMBIGUOUS) != 0;
    tell(j, w, certain, all_certain(&s, certain));
}

/* The one account of the other kind that goes with it; NONE: there is none, or more than one. */
static uint32_t only_other(const struct join *j, uint32_t at)
{
    const struct account *a = &j->nodes[at].account;
    uint32_t found = NONE,
             i = number_in(&j->chains[BY_ADDRESS], &a->seen.client, sizeof a->seen.client);
    for (; i != NONE; i = j->nodes[i].next[BY_ADDRESS]) {
        const struct account *b = &j->nodes[i].account;
        if (j->nodes[i].taken || !a->key == !b->key ||
            (a->key ? match_account(b, a) : match_account(a, b)) == ANOTHER)
            continue;
        if (found != NONE)
            return NONE;
        found = i;
    }
    return found;
}

static void end_account(struct join *j, uint32_t at)
{
    struct waiting none;
    uint32_t both[2] = {at, NONE};
    memset(&none, 0, sizeof none);
    if (j->nodes[at].account.seen.client.bits)
        both[1] = only_other(j, at);
    if (both[1] != NONE && only_other(j, both[1]) != at)
        both[1] = NONE;
    tell(j, &none, both, 1 + (both[1] != NONE));
}

void join_end(struct join *j, const struct log_listeners *listeners)
{
    for (uint32_t i = 1; i <= j->waiting_count; i++)
        end_waiting(j, &j->waiting[i], listeners);
    for (uint32_t i = 1; i <= j->count; i++)
        if (!j->nodes[i].taken)
            end_account(j, i);
}
