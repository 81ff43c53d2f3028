/* SPDX-License-Identifier: Apache-2.0 */
#include "core/table.h"

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->value = NULL)
#include <uthash.h>

struct table_entry {
    void *value;
    UT_hash_handle hh;
    char key[];
};

void table_init(struct table *t, struct arena *arena, const struct sipkey *key)
{
    *t = (struct table){.arena = arena, .key = *key};
}

static struct table_entry *find(const struct table *t, unsigned hash, const void *key, size_t n)
{
    struct table_entry *e = NULL, *head = t->head;
    if (head)
        HASH_FIND_BYHASHVALUE(hh, head, key, n, hash, e);
    return e;
}

void *table_get(const struct table *t, const void *key, size_t n)
{
    struct table_entry *e = find(t, (unsigned)siphash(&t->key, key, n), key, n);
    return e ? e->value : NULL;
}

bool table_put(struct table *t, const void *key, size_t n, void *value)
{
    unsigned hash = (unsigned)siphash(&t->key, key, n);
    struct table_entry *e = find(t, hash, key, n);
    if (e) {
        e->value = value;
        return true;
    }
    e = arena_alloc(t->arena, sizeof *e + n);
    if (!e)
        return false;
    memcpy(e->key, key, n);
    e->value = value;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, t->head, e->key, n, hash, e);
    return e->value != NULL; /* uthash_nonfatal_oom took it away again */
}

size_t table_count(const struct table *t)
{
    return HASH_COUNT(t->head);
}

void table_free(struct table *t)
{
    HASH_CLEAR(hh, t->head);
}
