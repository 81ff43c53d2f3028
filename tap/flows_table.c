/* SPDX-License-Identifier: Apache-2.0 */
/* The table itself: who is in it, in which order they leave, and what is told of them then. */
#include <stdlib.h>

#include "tap/flows_internal.h"

const char *const flow_ended_names[ENDEDS] = {
    [ENDED_SEEN] = "seen", [ENDED_FIN] = "fin", [ENDED_RST] = "rst",   [ENDED_IDLE] = "idle",
    [ENDED_FULL] = "full", [ENDED_GAP] = "gap", [ENDED_STOP] = "stop",
};

/* ---- the table -------------------------------------------------------------------- */

struct flow *flow_find(struct flows *f, const struct ends *e, uint32_t hash)
{
    for (uint32_t i = f->buckets[hash & f->mask]; i != NOBODY; i = f->all[i].bucket_next)
        if (f->all[i].hash == hash && memcmp(&f->all[i].ends, e, sizeof *e) == 0)
            return &f->all[i];
    return NULL;
}

static uint32_t index_of(const struct flows *f, const struct flow *x)
{
    return (uint32_t)(x - f->all);
}

static void list_remove(struct flows *f, struct flow *x)
{
    struct list *l = &f->lists[x->state];
    *(x->older == NOBODY ? &l->oldest : &f->all[x->older].newer) = x->newer;
    *(x->newer == NOBODY ? &l->newest : &f->all[x->newer].older) = x->older;
}

static void list_append(struct flows *f, struct flow *x)
{
    struct list *l = &f->lists[x->state];
    uint32_t i = index_of(f, x);
    x->newer = NOBODY;
    x->older = l->newest;
    *(l->newest == NOBODY ? &l->oldest : &f->all[l->newest].newer) = i;
    l->newest = i;
}

void flow_set_state(struct flows *f, struct flow *x, enum flow_state state)
{
    list_remove(f, x);
    x->state = (uint8_t)state;
    list_append(f, x);
}

static void bucket_remove(struct flows *f, struct flow *x)
{
    uint32_t *at = &f->buckets[x->hash & f->mask], i = index_of(f, x);
    while (*at != i)
        at = &f->all[*at].bucket_next;
    *at = x->bucket_next;
}

/* ---- ends ------------------------------------------------------------------------- */

static void tell(struct flows *f, const struct flow *x, enum flow_ended ended, int64_t at_us)
{
    struct opening none;
    struct flow_told told = {
        .client = {.bits = x->client_bits},
        .server = {.bits = x->server_bits},
        .client_port = x->ends.client_port,
        .server_port = x->ends.server_port,
        .opening = x->opening,
        .began_us = x->began_us,
        .ended_us = at_us,
        .first_us = x->first_us,
        .ended = ended,
        .dialogue = x->dialogue,
    };
    memcpy(told.client.b, x->ends.client, sizeof told.client.b);
    memcpy(told.server.b, x->ends.server, sizeof told.server.b);
    if (!told.opening) {
        opening_init(&none, (f->s.ports->is[x->ends.server_port] & PORT_PROXIED) != 0);
        none.proxy_missing = none.proxied;
        told.opening = &none;
    }
    f->counters.ended[ended]++;
    f->s.tell(f->s.context, &told);
}

/* Which ends mean that the client will say no more. */
static const bool closes[ENDEDS] = {
    [ENDED_FIN] = true,
    [ENDED_RST] = true,
    [ENDED_IDLE] = true,
};

void flow_end(struct flows *f, struct flow *x, enum flow_ended ended, int64_t at_us)
{
    bool missing = x->pending.count || (x->fin && seq_before(x->next_seq, x->fin_seq));
    if (missing && ended != ENDED_SEEN) {
        ended = ENDED_GAP; /* what is behind it never came to be read */
        if (x->opening)
            opening_gap(x->opening);
    }
    if (x->opening && closes[ended])
        opening_close(x->opening);
    if (x->state == HALF_OPEN)
        f->counters.half_open_ended++;
    else
        tell(f, x, ended, at_us);
    pending_clear(&x->pending, &f->pool);
    if (x->opening) {
        opening_free(x->opening);
        free(x->opening);
        f->counters.speaking--;
    }
    list_remove(f, x);
    bucket_remove(f, x);
    x->bucket_next = f->free_list;
    f->free_list = index_of(f, x);
    f->counters.open--;
}

static void expire(struct flows *f, enum flow_state state, int64_t limit_us)
{
    struct list *l = &f->lists[state];
    while (l->oldest != NOBODY) {
        struct flow *x = &f->all[l->oldest];
        if (x->last_us + limit_us > f->now_us)
            return;
        flow_end(f, x, ENDED_IDLE, x->last_us + limit_us);
    }
}

void flows_set_now(struct flows *f, int64_t now_us)
{
    if (now_us > f->now_us)
        f->now_us = now_us;
}

void flows_tick(struct flows *f, int64_t now_us)
{
    flows_set_now(f, now_us);
    expire(f, HALF_OPEN, f->s.half_open_us);
    expire(f, QUIET, f->s.idle_us);
    expire(f, SPEAKING, f->s.idle_us);
}

/* The oldest half-open one, else whoever was quiet longest. */
static void make_room(struct flows *f)
{
    uint32_t quiet = f->lists[QUIET].oldest, speaking = f->lists[SPEAKING].oldest;
    uint32_t goes = f->lists[HALF_OPEN].oldest;
    if (goes == NOBODY)
        goes = quiet == NOBODY                                     ? speaking
               : speaking == NOBODY                                ? quiet
               : f->all[quiet].last_us <= f->all[speaking].last_us ? quiet
                                                                   : speaking;
    flow_end(f, &f->all[goes], ENDED_FULL, f->now_us);
}

/* ---- beginnings --------------------------------------------------------------------- */

void flow_begin(struct flows *f, const struct segment *s, const struct ends *e, uint32_t hash)
{
    if (f->free_list == NOBODY && f->used == f->s.max)
        make_room(f);
    uint32_t i = f->free_list;
    if (i == NOBODY)
        i = f->used++;
    else
        f->free_list = f->all[i].bucket_next;
    struct flow *x = &f->all[i];
    *x = (struct flow){
        .ends = *e,
        .client_bits = s->client.bits,
        .server_bits = s->server.bits,
        .state = HALF_OPEN,
        .hash = hash,
        .bucket_next = f->buckets[hash & f->mask],
        .isn = s->seq,
        .next_seq = s->seq + 1,
        .began_us = f->now_us,
        .last_us = f->now_us,
        .first_us = -1,
    };
    f->buckets[hash & f->mask] = i;
    list_append(f, x);
    f->counters.begun++;
    f->counters.open++;
    if (f->counters.open > f->counters.open_most)
        f->counters.open_most = f->counters.open;
}
