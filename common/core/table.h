/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from bytes to a pointer: open addressing, at most half full, and in each slot the
 * hash beside the pointer, so that to find nothing costs one cache line. SipHash with a secret
 * key, because the keys come from strangers.
 *
 * Entries live in the arena given and are freed with it; a key is copied.
 * Reading from several threads is safe as long as nobody writes.
 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include "core/arena.h"
#include "core/siphash.h"

struct table {
    struct table_slot *slots;
    size_t mask; /* slots - 1 */
    size_t count;
    struct arena *arena;
    struct sipkey key;
};

void table_init(struct table *t, struct arena *arena, const struct sipkey *key);

/* The value put last under that key, or NULL. */
void *table_get(const struct table *t, const void *key, size_t n);

/* Puts or replaces. False when memory ends; the table is then unchanged. */
bool table_put(struct table *t, const void *key, size_t n, void *value);

size_t table_count(const struct table *t);

/* Frees what does not lie in the arena. */
void table_free(struct table *t);

#endif
