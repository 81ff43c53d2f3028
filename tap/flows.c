/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tap/flows_internal.h"

static void ends_of(const struct segment *s, struct ends *ret)
{
    memcpy(ret->client, s->client.b, sizeof ret->client);
    memcpy(ret->server, s->server.b, sizeof ret->server);
    ret->client_port = s->client_port;
    ret->server_port = s->server_port;
}

static void seen_again(struct flows *f, struct flow *x)
{
    x->last_us = f->now_us;
    flow_set_state(f, x, (enum flow_state)x->state);
}

/* Data in a SYN (RFC 7413) are left to their retransmission: nobody knows yet who sent them. */
static void syn(struct flows *f, struct flow *x, const struct segment *s, const struct ends *e,
                uint32_t hash)
{
    if (x && x->isn == s->seq) {
        f->counters.retransmitted++;
        if (x->state == HALF_OPEN)
            seen_again(f, x);
        return;
    }
    if (x)
        flow_end(f, x, ENDED_GAP, f->now_us); /* how it ended was not seen */
    flow_begin(f, s, e, hash);
}

/* ---- bytes -------------------------------------------------------------------------- */

static bool begin_speaking(struct flows *f, struct flow *x)
{
    if (f->counters.speaking == f->s.speaking_max)
        flow_end(f, &f->all[f->lists[SPEAKING].oldest], ENDED_FULL, f->now_us);
    x->opening = malloc(sizeof *x->opening);
    if (!x->opening) {
        f->counters.memory++;
        return false;
    }
    opening_init(x->opening, (f->s.ports->is[x->ends.server_port] & PORT_PROXIED) != 0);
    f->counters.speaking++;
    flow_set_state(f, x, SPEAKING);
    return true;
}

enum { GREETED = 1 << VERB_EHLO | 1 << VERB_HELO };
enum { ACTED = 1 << VERB_STARTTLS | 1 << VERB_AUTH | 1 << VERB_MAIL };

/* The bytes that were due: `captured` of `length`. How it ended, or ENDEDS: it goes on. */
static enum flow_ended take(struct flows *f, struct flow *x, struct str captured, uint32_t length)
{
    if (length == 0)
        return ENDEDS;
    if (!x->opening && !begin_speaking(f, x))
        return ENDED_GAP;
    struct opening *o = x->opening;
    uint32_t before = o->seen;
    x->next_seq += length;
    int failed = captured.n ? opening_feed(o, captured) : 0;
    f->counters.memory += failed != 0;
    if (x->first_us < 0 && (o->first != FIRST_NOTHING || !o->proxied))
        x->first_us = f->now_us; /* a PROXY header is not the client's */
    x->dialogue |= (before & GREETED) && (o->seen & ~before & ACTED);
    if (o->state == OPENING_OVER)
        return o->gap ? ENDED_GAP : ENDED_SEEN;
    if (captured.n == length)
        return ENDEDS;
    opening_gap(o); /* the rest of it was not captured, and would have mattered */
    return ENDED_GAP;
}

/* What was kept and is due now. */
static enum flow_ended take_pending(struct flows *f, struct flow *x)
{
    struct pending *p;
    struct str captured;
    uint32_t length;
    enum flow_ended ended = ENDEDS;
    while (ended == ENDEDS && (p = pending_take(&x->pending, x->next_seq, &captured, &length))) {
        ended = take(f, x, captured, length);
        pending_release(&f->pool, p);
    }
    return ended;
}

static enum flow_ended keep(struct flows *f, struct flow *x, const struct segment *s)
{
    if (pending_keep(&x->pending, &f->pool, x->next_seq, s->seq, s->payload, s->length))
        return take_pending(f, x);
    if (x->opening)
        opening_gap(x->opening);
    return ENDED_GAP;
}

static enum flow_ended payload(struct flows *f, struct flow *x, const struct segment *s)
{
    struct str captured = s->payload;
    uint32_t length = s->length, old = x->next_seq - s->seq;
    if (length == 0)
        return ENDEDS;
    if (seq_before(x->next_seq, s->seq)) {
        f->counters.out_of_order++;
        return keep(f, x, s);
    }
    if (old >= length) {
        f->counters.retransmitted++;
        return ENDEDS;
    }
    if (length - old > pending_room(&x->pending, x->next_seq))
        return keep(f, x, s); /* of what waits already the first copy counts */
    uint32_t cut = old < captured.n ? old : (uint32_t)captured.n;
    captured = (struct str){captured.p + cut, captured.n - cut};
    enum flow_ended ended = take(f, x, captured, length - old);
    return ended == ENDEDS && x->pending.count ? take_pending(f, x) : ended;
}

static void segment(struct flows *f, struct flow *x, const struct segment *s)
{
    x->last_us = f->now_us;
    if (x->state == HALF_OPEN && !(s->flags & TCP_RST)) {
        f->counters.completed++;
        flow_set_state(f, x, QUIET);
    } else {
        flow_set_state(f, x, (enum flow_state)x->state);
    }
    enum flow_ended ended = payload(f, x, s);
    if (s->flags & TCP_FIN && !x->fin) {
        x->fin = true;
        x->fin_seq = s->seq + s->length;
    }
    if (ended == ENDEDS && s->flags & TCP_RST)
        ended = seq_before(x->next_seq, s->seq) ? ENDED_GAP : ENDED_RST;
    if (ended == ENDEDS && x->fin && !seq_before(x->next_seq, x->fin_seq))
        ended = ENDED_FIN;
    if (ended != ENDEDS)
        flow_end(f, x, ended, f->now_us);
}

void flows_segment(struct flows *f, const struct segment *s, int64_t now_us)
{
    struct ends e;
    flows_set_now(f, now_us);
    ends_of(s, &e);
    uint32_t hash = (uint32_t)siphash(&f->key, &e, sizeof e);
    struct flow *x = flow_find(f, &e, hash);
    if (s->flags & TCP_SYN) {
        if (!(s->flags & (TCP_ACK | TCP_RST | TCP_FIN)))
            syn(f, x, s, &e, hash);
        return; /* a server's answer; other mixtures nobody takes for a SYN */
    }
    if (!x) {
        f->counters.midstream++;
        return;
    }
    segment(f, x, s);
}

/* ---- life --------------------------------------------------------------------------- */

void flows_stop(struct flows *f, int64_t now_us)
{
    flows_set_now(f, now_us);
    for (int state = 0; state < STATES; state++)
        while (f->lists[state].oldest != NOBODY)
            flow_end(f, &f->all[f->lists[state].oldest], ENDED_STOP, f->now_us);
}

static void settle(struct flows_settings *s)
{
    s->max = s->max ? s->max : FLOWS_MAX;
    s->speaking_max = s->speaking_max ? s->speaking_max : FLOWS_SPEAKING;
    s->idle_us = s->idle_us ? s->idle_us : FLOWS_IDLE_US;
    s->half_open_us = s->half_open_us ? s->half_open_us : FLOWS_HALF_OPEN_US;
}

struct flows *flows_new(const struct sipkey *key, const struct flows_settings *s)
{
    struct flows *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->s = *s;
    settle(&f->s);
    f->key = *key;
    f->now_us = INT64_MIN;
    f->free_list = NOBODY;
    for (int state = 0; state < STATES; state++)
        f->lists[state] = (struct list){NOBODY, NOBODY};
    uint32_t buckets = 1;
    while (buckets < f->s.max)
        buckets *= 2;
    f->mask = buckets - 1;
    f->all = calloc(f->s.max, sizeof *f->all);
    f->buckets = malloc(buckets * sizeof *f->buckets);
    if (!f->all || !f->buckets) {
        flows_free(f);
        return NULL;
    }
    memset(f->buckets, 0xff, buckets * sizeof *f->buckets);
    return f;
}

void flows_free(struct flows *f)
{
    if (!f)
        return;
    for (int state = 0; state < STATES; state++) {
        for (uint32_t i = f->lists[state].oldest; i != NOBODY; i = f->all[i].newer) {
            pending_clear(&f->all[i].pending, &f->pool);
            if (f->all[i].opening) {
                opening_free(f->all[i].opening);
                free(f->all[i].opening);
            }
        }
    }
    free(f->all);
    free(f->buckets);
    free(f);
}

const struct flows_counters *flows_counters(const struct flows *f)
{
    return &f->counters;
}

size_t flows_entry_size(void)
{
    return sizeof(struct flow);
}
