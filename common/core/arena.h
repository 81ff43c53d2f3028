/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory with one lifetime: many small pieces, freed by one call. A policy and
 * everything it points to lives in one.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/str.h"

struct arena {
    struct arena_block *last;
    size_t total; /* bytes taken from malloc */
};

/* Zeroed, aligned for any type; NULL when memory ends. */
void *arena_alloc(struct arena *a, size_t n);

/* A NUL-terminated copy; NULL when memory ends. */
char *arena_strdup(struct arena *a, struct str s);

/* Frees every piece. The arena may be used again. */
void arena_free(struct arena *a);

#endif
