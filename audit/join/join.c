/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/join.h"

#include <stdlib.h>

#include "audit/join/accounts.h"

struct join {
    struct names *names;
    struct sipkey key;
    struct join_settings settings;
    struct join_counts counts;
    struct accounts accounts;
    struct waiting *waiting; /* at the end: by address and time */
    uint32_t waiting_count, waiting_room;
};

struct join *join_new(struct names *names, const struct sipkey *key, const struct join_settings *s)
{
    struct join *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    *j = (struct join){.names = names, .key = *key, .settings = *s};
    accounts_init(&j->accounts, key, JOIN_ACCOUNTS_MAX);
    return j;
}

void join_free(struct join *j)
{
    if (!j)
        return;
    accounts_free(&j->accounts);
    free(j->waiting);
    free(j);
}

const struct join_counts *join_counts(const struct join *j)
{
    return &j->counts;
}

uint32_t join_event(struct join *j, const struct event *e)
{
    uint32_t number = accounts_add(&j->accounts, e, j->names);
    j->counts.events++;
    j->counts.accounts = j->accounts.count;
    j->counts.overflow += number == ACCOUNT_NONE;
    return number;
}

/* ---- telling ------------------------------------------------------------------------------ */

/* Who tried to log in is a hash in the journals; whoever logs in is known by name. */
static void name_user(struct join *j, struct account *a)
{
    uint32_t user = 0;
    if (a->user_is_hashed && j->settings.user_of)
        user = j->settings.user_of(j->settings.context, names_text(j->names, a->user));
    if (user > NAMES_MORE)
        a->seen.failed_user = sessions_user_hash(&j->key, names_text(j->names, user));
}

static void add_account(struct join *j, struct waiting *to, uint32_t number)
{
    struct account_node *n = accounts_at(&j->accounts, number);
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
    unsigned certain_count, perhaps_count; /* of the latter, up to two */
    uint32_t perhaps;
};

struct search {
    struct join *join;
    struct waiting *session;
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

static bool take_certain(void *context, uint32_t number)
{
    struct search *s = context;
    const struct account_node *n = accounts_at(&s->join->accounts, number);
    struct candidates *c = &s->of[account_kind(&n->account)];
    if (n->taken || match_session(&n->account, s->session) != CERTAIN)
        return true;
    for (unsigned i = 0; i < c->certain_count; i++)
        if (c->certain[i] == number)
            return true;
    if (c->certain_count < JOIN_OF_ONE)
        c->certain[c->certain_count++] = number;
    return true;
}

static bool take_perhaps(void *context, uint32_t number)
{
    struct search *s = context;
    const struct account_node *n = accounts_at(&s->join->accounts, number);
    struct candidates *c = &s->of[account_kind(&n->account)];
    if (n->taken || match_session(&n->account, s->session) != PERHAPS ||
        !on_its_port(s, &n->account, s->session))
        return true;
    c->perhaps = number;
    return ++c->perhaps_count < 2;
}

static bool is_open(const struct candidates *c)
{
    return !c->certain_count && !c->perhaps_count;
}

static void search(struct search *s)
{
    const struct waiting *w = s->session;
    int64_t from_us, to_us;
    accounts_exact(&s->join->accounts, w, take_certain, s);
    match_span(w->begun_us, w->first_us, w->last_us, &from_us, &to_us);
    /* One connection has one key: if several are as certain, none is. */
    if (s->of[KEYED].certain_count > 1)
        s->of[KEYED] = (struct candidates){.perhaps_count = 2};
    for (int k = 0; k < KINDS && w->seen.client.bits; k++) {
        struct candidates *c = &s->of[k];
        if (is_open(c) &&
            !accounts_near(&s->join->accounts, &w->seen.client, k, from_us, to_us, take_perhaps, s))
            c->perhaps_count = 2; /* among so many nothing can be told */
    }
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
        awaits |= accounts_at(&s->join->accounts, c->certain[i])->account.user_is_hashed;
    return awaits;
}

static bool wait_for_end(struct join *j, const struct waiting *w)
{
    if (j->waiting_count == JOIN_WAITING_MAX)
        return false;
    if (j->waiting_count == j->waiting_room) {
        uint32_t room = j->waiting_room ? 2 * j->waiting_room : 256;
        struct waiting *list = realloc(j->waiting, room * sizeof *list);
        if (!list)
            return false;
        j->waiting = list;
        j->waiting_room = room;
    }
    memcpy(&j->waiting[j->waiting_count++], w, sizeof *w);
    return true;
}

static bool mark_ambiguous(void *context, uint32_t number)
{
    struct search *s = context;
    struct account_node *n = accounts_at(&s->join->accounts, number);
    if (!n->taken && match_session(&n->account, s->session) != ANOTHER)
        n->ambiguous = true;
    return true;
}

/* Which account it has is not decided, nor whose these accounts are. */
static void leave_open(struct search *s)
{
    struct join *j = s->join;
    const struct waiting *w = s->session;
    int64_t from_us, to_us;
    match_span(w->begun_us, w->first_us, w->last_us, &from_us, &to_us);
    for (int k = 0; k < KINDS; k++)
        if (!is_settled(&s->of[k]))
            accounts_near(&j->accounts, &w->seen.client, k, from_us, to_us, mark_ambiguous, s);
    s->session->seen.flags |= SEEN_AMBIGUOUS;
    j->counts.ambiguous++;
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
    bool settled = w.settled == (1 << KINDS) - 1 && !awaits_name(&s);
    if (!settled && wait_for_end(j, &w))
        return;
    if (!settled)
        leave_open(&s);
    tell(j, &w, certain, all_certain(&s, certain));
}

/* ---- the end -------------------------------------------------------------------------------- */

static int compare_waiting(const struct waiting *w, const struct addr *client, int64_t first_us)
{
    int d = memcmp(&w->seen.client, client, sizeof *client);
    return d ? d : (w->first_us > first_us) - (w->first_us < first_us);
}

static int by_place(const void *pa, const void *pb)
{
    const struct waiting *a = pa, *b = pb;
    int d = compare_waiting(a, &b->seen.client, b->first_us);
    return d ? d : (a->number > b->number) - (a->number < b->number);
}

/* Has another session of the log, before or behind this one, the same right to that account? */
static bool has_rival(const struct search *s, uint32_t at, uint32_t number, int kind)
{
    const struct join *j = s->join;
    const struct account *a = &accounts_at(&j->accounts, number)->account;
    const struct waiting *list = j->waiting, *w = &list[at];
    for (int step = -1; step <= 1; step += 2) {
        uint32_t looked = 0;
        for (uint32_t i = at + (uint32_t)step; i < j->waiting_count; i += (uint32_t)step) {
            if (!addr_eq(&list[i].seen.client, &w->seen.client))
                break;
            if (looked++ == ACCOUNTS_LOOK)
                return true; /* among so many nothing can be told */
            if (!(list[i].settled & 1 << kind) && match_session(a, &list[i]) != ANOTHER &&
                on_its_port(s, a, &list[i]))
                return true;
        }
    }
    return false;
}

static void end_waiting(struct join *j, uint32_t at, const struct log_listeners *listeners)
{
    struct waiting *w = &j->waiting[at];
    struct search s = {.join = j, .session = w, .listeners = listeners};
    uint32_t certain[JOIN_OF_ONE];
    bool settled = true;
    search(&s);
    for (int k = 0; k < KINDS; k++) {
        struct candidates *c = &s.of[k];
        if (!is_settled(c) && c->perhaps_count == 1 && !has_rival(&s, at, c->perhaps, k))
            c->certain[c->certain_count++] = c->perhaps;
        settled &= is_settled(c);
    }
    if (!settled)
        leave_open(&s);
    tell(j, w, certain, all_certain(&s, certain));
}

/* The accounts of the other kind that go with one. */
struct others {
    const struct join *join;
    const struct account *account;
    uint32_t found;
    unsigned count;
};

static bool take_other(void *context, uint32_t number)
{
    struct others *o = context;
    const struct account_node *n = accounts_at(&o->join->accounts, number);
    const struct account *a = o->account, *b = &n->account;
    if (n->taken || (a->key ? match_account(b, a) : match_account(a, b)) == ANOTHER)
        return true;
    o->found = number;
    return ++o->count < 2;
}

/* The only one; ACCOUNT_NONE: there is none, or more than one. */
static uint32_t only_other(struct join *j, uint32_t number)
{
    const struct account *a = &accounts_at(&j->accounts, number)->account;
    struct others o = {.join = j, .account = a};
    int64_t from_us, to_us;
    match_span(0, a->first_us, account_over_us(a), &from_us, &to_us);
    bool all = accounts_near(&j->accounts, &a->seen.client, a->key ? KEYLESS : KEYED, from_us,
                             to_us, take_other, &o);
    return all && o.count == 1 ? o.found : ACCOUNT_NONE;
}

static void end_account(struct join *j, uint32_t number)
{
    struct waiting none;
    uint32_t both[2] = {number, ACCOUNT_NONE};
    memset(&none, 0, sizeof none);
    if (accounts_at(&j->accounts, number)->account.seen.client.bits)
        both[1] = only_other(j, number);
    if (both[1] != ACCOUNT_NONE && only_other(j, both[1]) != number)
        both[1] = ACCOUNT_NONE;
    tell(j, &none, both, both[1] == ACCOUNT_NONE ? 1 : 2);
}

void join_end(struct join *j, const struct log_listeners *listeners)
{
    if (j->waiting_count)
        qsort(j->waiting, j->waiting_count, sizeof *j->waiting, by_place);
    for (uint32_t i = 0; i < j->waiting_count; i++)
        end_waiting(j, i, listeners);
    for (uint32_t i = 1; i <= j->accounts.count; i++)
        if (!accounts_at(&j->accounts, i)->taken)
            end_account(j, i);
}
