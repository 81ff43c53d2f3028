/* SPDX-License-Identifier: Apache-2.0 */
#include "core/prefix_index.h"

/* A prefix as a key: family and length, then the address. */
struct key {
    uint8_t bits, len, b[16];
};

static struct key key_of(const struct prefix *p)
{
    struct key k = {p->addr.bits, p->len, {0}};
    memcpy(k.b, p->addr.b, sizeof k.b);
    return k;
}

static int family(const struct addr *a)
{
    return a->bits == 128;
}

void prefix_index_init(struct prefix_index *ix, struct arena *arena, const struct sipkey *key)
{
    *ix = (struct prefix_index){0};
    table_init(&ix->table, arena, key);
}

/* Keeps the list of lengths in use, longest first. */
static void remember_length(struct prefix_index *ix, int f, uint8_t len)
{
    uint8_t *lens = ix->lens[f], i = ix->count[f];
    if (memchr(lens, len, i))
        return;
    for (; i > 0 && lens[i - 1] < len; i--)
        lens[i] = lens[i - 1];
    lens[i] = len;
    ix->count[f]++;
}

bool prefix_index_put(struct prefix_index *ix, const struct prefix *p, void *value)
{
    struct key k = key_of(p);
    if (!table_put(&ix->table, &k, sizeof k, value))
        return false;
    remember_length(ix, family(&p->addr), p->len);
    return true;
}

void *prefix_index_exact(const struct prefix_index *ix, const struct prefix *p)
{
    struct key k = key_of(p);
    return table_get(&ix->table, &k, sizeof k);
}

void *prefix_index_next(const struct prefix_index *ix, const struct addr *a, unsigned *at)
{
    if (a->bits == 0)
        return NULL;
    int f = family(a);
    while (*at < ix->count[f]) {
        struct prefix p = addr_prefix(a, ix->lens[f][(*at)++]);
        void *value = prefix_index_exact(ix, &p);
        if (value)
            return value;
    }
    return NULL;
}

void prefix_index_free(struct prefix_index *ix)
{
    table_free(&ix->table);
}
