/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the table of connections share. Only flows*.c include this. */
#ifndef TAP_FLOWS_INTERNAL_H
#define TAP_FLOWS_INTERNAL_H

#include "tap/flows.h"
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

/* NULL: it is not there. */
struct flow *flow_find(struct flows *f, const struct ends *e, uint32_t hash);

/* Into the list of that state, as the newest. */
void flow_set_state(struct flows *f, struct flow *x, enum flow_state state);

/* A SYN; another gives way if there is no room. */
void flow_begin(struct flows *f, const struct segment *s, const struct ends *e, uint32_t hash);

/* Tells it, unless it was half-open, and takes it out of the table. */
void flow_end(struct flows *f, struct flow *x, enum flow_ended ended, int64_t at_us);

void flows_set_now(struct flows *f, int64_t now_us);

#endif
