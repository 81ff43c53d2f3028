/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/flows.h"

#include <stdlib.h>

#include "tap/pending.h"

enum flow_state { HALF_OPEN, QUIET, SPEAKING, STATES };
enum { NOBODY = UINT32_MAX };

/* What finds a connection; all bytes of it count, so nothing in it may be padding. */
struct ends {
    uint8_t client[16], server[16];
    uint16_t client_port, server_port;
};
_Static_assert(sizeof(struct ends) == 36, "struct ends has padding");

struct flow {
    struct ends ends;
    uint8_t client_bits, server_bits;
    uint8_t state; /* enum flow_state */
    bool fin, dialogue;
    uint32_t bucket_next;  /* the next with the same hash */
    uint32_t newer, older; /* in the list of its state */
    uint32_t hash;
    uint32_t isn;      /* of the SYN */
    uint32_t next_seq; /* of the byte that is due */
    uint32_t fin_seq;
    int64_t began_us, last_us, first_us;
    struct opening *opening; /* NULL: no byte yet */
    struct pending_list pending;
};
_Static_assert(sizeof(struct flow) <= 160, "an entry must be small before its first byte");

struct list {
    uint32_t oldest, newest;
};

struct flows {
    struct flows_settings s;
    struct sipkey key;
    struct flow *all;  /* s.max of them; not touched before they are used */
    uint32_t *buckets; /* first of each, or NOBODY */
    uint32_t mask;
    uint32_t used;      /* entries that were used at some time */
    uint32_t free_list; /* by bucket_next */
    struct list lists[STATES];
    struct pending_pool pool;
    struct flows_counters counters;
    int64_t now_us;
};

const char *const flow_ended_names[ENDEDS] = {
    [ENDED_SEEN] = "seen", [ENDED_FIN] = "fin", [ENDED_RST] = "rst",   [ENDED_IDLE] = "idle",
    [ENDED_FULL] = "full", [ENDED_GAP] = "gap", [ENDED_STOP] = "stop",
};

/* ---- the table -------------------------------------------------------------------- */

static void ends_of(const struct segment *s, struct ends *ret)
{
    memcpy(ret->client, s->client.b, sizeof ret->client);
    memcpy(ret->server, s->server.b, sizeof ret->server);
    ret->client_port = s->client_port;
    ret->server_port = s->server_port;
}

static struct flow *find(struct flows *f, const struct ends *e, uint32_t hash)
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

static void set_state(struct flows *f, struct flow *x, enum flow_state state)
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

static void end(struct flows *f, struct flow *x, enum flow_ended ended, int64_t at_us)
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
        end(f, x, ENDED_IDLE, x->last_us + limit_us);
    }
}

static void set_now(struct flows *f, int64_t now_us)
{
    if (now_us > f->now_us)
        f->now_us = now_us;
}

void flows_tick(struct flows *f, int64_t now_us)
{
    set_now(f, now_us);
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
    end(f, &f->all[goes], ENDED_FULL, f->now_us);
}

/* ---- beginnings --------------------------------------------------------------------- */

static void begin(struct flows *f, const struct segment *s, const struct ends *e, uint32_t hash)
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

static void seen_again(struct flows *f, struct flow *x)
{
    x->last_us = f->now_us;
    set_state(f, x, (enum flow_state)x->state);
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
        end(f, x, ENDED_GAP, f->now_us); /* how it ended was not seen */
    begin(f, s, e, hash);
}

/* ---- bytes -------------------------------------------------------------------------- */

static bool begin_speaking(struct flows *f, struct flow *x)
{
    if (f->counters.speaking == f->s.speaking_max)
        end(f, &f->all[f->lists[SPEAKING].oldest], ENDED_FULL, f->now_us);
    x->opening = malloc(sizeof *x->opening);
    if (!x->opening) {
        f->counters.memory++;
        return false;
    }
    opening_init(x->opening, (f->s.ports->is[x->ends.server_port] & PORT_PROXIED) != 0);
    f->counters.speaking++;
    set_state(f, x, SPEAKING);
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
        set_state(f, x, QUIET);
    } else {
        set_state(f, x, (enum flow_state)x->state);
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
        end(f, x, ended, f->now_us);
}

void flows_segment(struct flows *f, const struct segment *s, int64_t now_us)
{
    struct ends e;
    set_now(f, now_us);
    ends_of(s, &e);
    uint32_t hash = (uint32_t)siphash(&f->key, &e, sizeof e);
    struct flow *x = find(f, &e, hash);
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
    set_now(f, now_us);
    for (int state = 0; state < STATES; state++)
        while (f->lists[state].oldest != NOBODY)
            end(f, &f->all[f->lists[state].oldest], ENDED_STOP, f->now_us);
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
