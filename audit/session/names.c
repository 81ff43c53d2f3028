/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/session/names.h"

#include <stdlib.h>

#include "core/arena.h"

/*
 * What is longer is no name: user@host is at most 64 + 1 + 255 bytes (RFC 5321 4.5.3.1). With the
 * limit of strings it bounds the memory.
 */
enum { TEXT_MAX = 320, FIRST_SLOTS = 1024, FIRST_TEXTS = 512 };

/* Nothing but the hash is compared, 64 bits under a secret key: of two million strings, two have
 * the same one in 10^7 logs. So a string that is known costs one look into memory far away. */
struct slot {
    uint64_t hash;
    uint32_t id; /* 0: free */
};

struct names {
    struct sipkey key;
    struct arena arena;
    struct slot *slots;
    uint32_t mask; /* slots - 1 */
    struct str *texts;
    uint32_t count, room, max;
    uint64_t overflow;
};

struct names *names_new(const struct sipkey *key, uint32_t max)
{
    struct names *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct names){.key = *key, .mask = FIRST_SLOTS - 1, .room = FIRST_TEXTS};
    n->max = max < UINT32_MAX / 4 ? max : UINT32_MAX / 4;
    n->slots = calloc(FIRST_SLOTS, sizeof *n->slots);
    n->texts = calloc(FIRST_TEXTS, sizeof *n->texts);
    if (!n->slots || !n->texts) {
        names_free(n);
        return NULL;
    }
    n->texts[n->count++] = STR("");
    n->texts[n->count++] = STR("(more)");
    return n;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    arena_free(&n->arena);
    free(n->slots);
    free(n->texts);
    free(n);
}

/* The slot of that string, or the free one where it belongs. There is always a free one. */
static struct slot *find(const struct names *n, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & n->mask;; i = (i + 1) & n->mask) {
        struct slot *at = &n->slots[i];
        if (!at->id || at->hash == hash)
            return at;
    }
}

/* At most half full. */
static bool grow_slots(struct names *n)
{
    uint32_t mask = 2 * n->mask + 1;
    struct slot *slots = calloc((size_t)mask + 1, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i <= n->mask; i++) {
        uint32_t at = (uint32_t)n->slots[i].hash & mask;
        while (n->slots[i].id && slots[at].id)
            at = (at + 1) & mask;
        if (n->slots[i].id)
            slots[at] = n->slots[i];
    }
    free(n->slots);
    n->slots = slots;
    n->mask = mask;
    return true;
}

static bool make_room(struct names *n)
{
    if (2 * n->count > n->mask && !grow_slots(n))
        return false;
    if (n->count < n->room)
        return true;
    struct str *texts = realloc(n->texts, 2 * (size_t)n->room * sizeof *texts);
    if (!texts)
        return false;
    n->texts = texts;
    n->room *= 2;
    return true;
}

static uint64_t hash_of(const struct names *n, struct str s)
{
    return siphash(&n->key, s.p, s.n);
}

uint32_t names_id(struct names *n, struct str s)
{
    if (s.n == 0)
        return 0;
    if (s.n > TEXT_MAX) {
        n->overflow++;
        return NAMES_MORE;
    }
    uint64_t hash = hash_of(n, s);
    struct slot *at = find(n, hash);
    if (at->id)
        return at->id;
    char *copy = n->count - 2 < n->max && make_room(n) ? arena_strdup(&n->arena, s) : NULL;
    if (!copy) {
        n->overflow++;
        return NAMES_MORE;
    }
    n->texts[n->count] = (struct str){copy, s.n};
    *find(n, hash) = (struct slot){hash, n->count};
    return n->count++;
}

uint32_t names_find(const struct names *n, struct str s)
{
    return s.n && s.n <= TEXT_MAX ? find(n, hash_of(n, s))->id : 0;
}

struct str names_text(const struct names *n, uint32_t id)
{
    return n->texts[id < n->count ? id : NAMES_MORE];
}

uint64_t names_overflow(const struct names *n)
{
    return n->overflow;
}
