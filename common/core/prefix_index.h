/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks, each with a value, found by an address that lies in them: one
 * lookup for each prefix length in use, of which there are few.
 */
#ifndef CORE_PREFIX_INDEX_H
#define CORE_PREFIX_INDEX_H

#include "core/net.h"
#include "core/table.h"

struct prefix_index {
    struct table table;
    uint8_t lens[2][129]; /* for IPv4 and IPv6: lengths in use, longest first */
    uint8_t count[2];
};

void prefix_index_init(struct prefix_index *ix, struct arena *arena, const struct sipkey *key);

/* False when memory ends. The same prefix again replaces its value. */
bool prefix_index_put(struct prefix_index *ix, const struct prefix *p, void *value);

/* The value of exactly that prefix, or NULL. */
void *prefix_index_exact(const struct prefix_index *ix, const struct prefix *p);

/*
 * Walks the networks around an address, the narrowest first: *at starts at 0
 * and is moved on; NULL when there are no more. An unknown address is in none.
 */
void *prefix_index_next(const struct prefix_index *ix, const struct addr *a, unsigned *at);

void prefix_index_free(struct prefix_index *ix);

#endif
