/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#include <stdalign.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *before;
    size_t used, size;
    alignas(max_align_t) unsigned char p[];
};

enum { BLOCK = 64 * 1024, ALIGN = alignof(max_align_t) };

static bool grow(struct arena *a, size_t n)
{
    /* Small policies stay small: the first block is a page, later ones are larger. */
    size_t size = n > BLOCK ? n : a->last ? BLOCK : 4096 > n ? 4096 : n;
    struct arena_block *b = calloc(1, sizeof *b + size);
    if (!b)
        return false;
    b->size = size;
    b->before = a->last;
    a->last = b;
    a->total += sizeof *b + size;
    return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if ((!a->last || a->last->size - a->last->used < n) && !grow(a, n))
        return NULL;
    void *p = a->last->p + a->last->used;
    a->last->used += n;
    return p;
}

char *arena_strdup(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.n + 1);
    if (copy && s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

void arena_free(struct arena *a)
{
    while (a->last) {
        struct arena_block *before = a->last->before;
        free(a->last);
        a->last = before;
    }
    a->total = 0;
}
