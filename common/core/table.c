/* SPDX-License-Identifier: Apache-2.0 */
#include "core/table.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 16 };

struct table_entry {
    void *value;
    size_t n;
    char key[];
};

struct table_slot {
    uint64_t hash;
    struct table_entry *entry; /* NULL: free */
};

void table_init(struct table *t, struct arena *arena, const struct sipkey *key)
{
    *t = (struct table){.arena = arena, .key = *key};
}

/* The slot of that key, or the free one where it belongs. There is always a free one. */
static struct table_slot *find(const struct table *t, uint64_t hash, const void *key, size_t n)
{
    for (size_t i = hash & t->mask;; i = (i + 1) & t->mask) {
        struct table_slot *s = &t->slots[i];
        if (!s->entry ||
            (s->hash == hash && s->entry->n == n && memcmp(s->entry->key, key, n) == 0))
            return s;
    }
}

void *table_get(const struct table *t, const void *key, size_t n)
{
    if (t->count == 0)
        return NULL;
    struct table_slot *s = find(t, siphash(&t->key, key, n), key, n);
    return s->entry ? s->entry->value : NULL;
}

static bool grow(struct table *t)
{
    size_t old = t->slots ? t->mask + 1 : 0, n = old ? 2 * old : FIRST_SLOTS;
    struct table_slot *slots = calloc(n, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < old; i++) {
        if (!t->slots[i].entry)
            continue;
        size_t at = t->slots[i].hash & (n - 1);
        while (slots[at].entry)
            at = (at + 1) & (n - 1);
        slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->mask = n - 1;
    return true;
}

bool table_put(struct table *t, const void *key, size_t n, void *value)
{
    if ((!t->slots || 2 * t->count > t->mask) && !grow(t))
        return false;
    uint64_t hash = siphash(&t->key, key, n);
    struct table_slot *s = find(t, hash, key, n);
    if (!s->entry) {
        struct table_entry *e = arena_alloc(t->arena, sizeof *e + n);
        if (!e)
            return false;
        e->n = n;
        memcpy(e->key, key, n);
        *s = (struct table_slot){hash, e};
        t->count++;
    }
    s->entry->value = value;
    return true;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

void table_free(struct table *t)
{
    free(t->slots);
    t->slots = NULL;
    t->count = 0;
}
