/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that came before those in front of them, in the order of their sequence numbers, which
 * wrap (RFC 9293 3.4). Of what came twice the first copy counts, wholly or in part.
 *
 * Bounded for each connection and for all together; memory is the list's own, each segment copied.
 * One thread at a time.
 */
#ifndef TAP_PENDING_H
#define TAP_PENDING_H

#include "core/str.h"

enum {
    PENDING_SEGMENTS = 32,     /* of one connection */
    PENDING_BYTES = 64 * 1024, /* of one connection */
    PENDING_ALL = 16 * 1024 * 1024,
};

/* Is a before b? Right as long as they are less than 2 GiB apart. */
static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

struct pending; /* one segment */

struct pending_list {
    struct pending *first;
    uint32_t bytes;
    uint8_t count;
};

/* Shared by all lists of one table of flows. */
struct pending_pool {
    size_t bytes; /* allocated in all lists */
};

/*
 * Keeps a segment: `payload` was captured, `length` is how long it was. Bytes before `next` and
 * those that are there already are left out. False: no room, or memory is short; the list is then
 * as it was.
 */
bool pending_keep(struct pending_list *l, struct pending_pool *pool, uint32_t next, uint32_t seq,
                  struct str payload, uint32_t length);

/* How many bytes from `next` on are in none of them, until the first one begins. */
uint32_t pending_room(const struct pending_list *l, uint32_t next);

/*
 * If the first one begins at or before `next`: takes it off the list, with what of it is behind
 * `next` in *ret_payload (captured) and *ret_length (real). pending_release() when it was used.
 * NULL: there is none that fits.
 */
struct pending *pending_take(struct pending_list *l, uint32_t next, struct str *ret_payload,
                             uint32_t *ret_length);
void pending_release(struct pending_pool *pool, struct pending *p);

/* Zeroes and frees all of it: it may hold what AUTH sends. */
void pending_clear(struct pending_list *l, struct pending_pool *pool);

#endif
