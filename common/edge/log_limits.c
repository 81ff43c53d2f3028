/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/log_limits.h"

#include <stdlib.h>

/* Entries are numbered from 1; 0 is "none". */
struct entry {
    uint64_t hash;
    int64_t said_us;       /* monotonic: when a line was last written */
    uint32_t suppressed;   /* since then */
    uint32_t chain;        /* next with the same bucket */
    uint32_t newer, older; /* by said_us */
};

struct log_limits {
    struct sipkey key;
    unsigned capacity, used, bucket_mask;
    uint32_t oldest, newest;
    struct log_limits_stats stats;
    struct entry *entries; /* capacity + 1 */
    uint32_t buckets[];
};

struct log_limits *log_limits_new(const struct sipkey *key, unsigned capacity)
{
    if (capacity == 0)
        capacity = LOG_LIMITS_DEFAULT;
    unsigned buckets = 1;
    while (buckets < capacity)
        buckets *= 2;
    struct log_limits *l = calloc(1, sizeof *l + buckets * sizeof *l->buckets);
    struct entry *entries = l ? calloc(capacity + (size_t)1, sizeof *entries) : NULL;
    if (!entries) {
        free(l);
        return NULL;
    }
    l->key = *key;
    l->capacity = capacity;
    l->bucket_mask = buckets - 1;
    l->entries = entries;
    return l;
}

void log_limits_free(struct log_limits *l)
{
    if (l)
        free(l->entries);
    free(l);
}

static uint64_t hash_of(const struct log_limits *l, const struct addr *client, struct str user,
                        unsigned finding)
{
    struct {
        uint64_t user;
        uint32_t finding;
        uint8_t bits, net[8];
        uint8_t none[3];
    } key = {siphash(&l->key, user.p, user.n), finding, client->bits, {0}, {0}};
    memcpy(key.net, client->b, client->bits == 32 ? 3 : client->bits == 128 ? 8 : 0);
    return siphash(&l->key, &key, sizeof key);
}

static uint32_t *bucket_of(struct log_limits *l, uint64_t hash)
{
    return &l->buckets[hash & l->bucket_mask];
}

/* ---- by age ------------------------------------------------------------- */

static void unlink_age(struct log_limits *l, uint32_t i)
{
    struct entry *e = &l->entries[i];
    *(e->newer ? &l->entries[e->newer].older : &l->newest) = e->older;
    *(e->older ? &l->entries[e->older].newer : &l->oldest) = e->newer;
}

static void link_newest(struct log_limits *l, uint32_t i)
{
    struct entry *e = &l->entries[i];
    e->newer = 0;
    e->older = l->newest;
    *(l->newest ? &l->entries[l->newest].newer : &l->oldest) = i;
    l->newest = i;
}

/* A place for a new entry: an unused one, else that of the oldest. */
static uint32_t take_place(struct log_limits *l)
{
    if (l->used < l->capacity)
        return ++l->used;
    uint32_t i = l->oldest;
    struct entry *e = &l->entries[i];
    unlink_age(l, i);
    uint32_t *at = bucket_of(l, e->hash);
    while (*at != i)
        at = &l->entries[*at].chain;
    *at = e->chain;
    l->stats.evicted++;
    l->stats.forgotten += e->suppressed;
    return i;
}

bool log_limits_admit(struct log_limits *l, const struct addr *client, struct str user,
                      unsigned finding, const struct now *now, uint64_t *ret_suppressed)
{
    uint64_t hash = hash_of(l, client, user, finding);
    uint32_t *bucket = bucket_of(l, hash), i = *bucket;
    while (i && l->entries[i].hash != hash)
        i = l->entries[i].chain;
    struct entry *e = &l->entries[i];
    *ret_suppressed = 0;
    if (i && now->mono_us - e->said_us < LOG_LIMITS_WINDOW_US) {
        if (e->suppressed < UINT32_MAX)
            e->suppressed++;
        l->stats.suppressed++;
        return false;
    }
    if (i) {
        *ret_suppressed = e->suppressed;
        unlink_age(l, i);
    } else {
        i = take_place(l);
        e = &l->entries[i];
        e->hash = hash;
        e->chain = *bucket; /* only now: taking the place may have changed it */
        *bucket = i;
    }
    e->said_us = now->mono_us;
    e->suppressed = 0;
    link_newest(l, i);
    l->stats.admitted++;
    return true;
}

void log_limits_get(const struct log_limits *l, struct log_limits_stats *ret)
{
    *ret = l->stats;
    ret->entries = l->used;
    ret->capacity = l->capacity;
}
