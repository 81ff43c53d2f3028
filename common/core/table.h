/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from bytes to a pointer. The one place that knows uthash: here
 * it gets a keyed hash (its own has none) and reports the end of memory
 * (its default is to end the process).
 *
 * Entries live in the arena given and are freed with it; a key is copied.
 * Reading from several threads is safe as long as nobody writes.
 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include "core/arena.h"
#include "core/siphash.h"

struct table {
    struct table_entry *head;
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
