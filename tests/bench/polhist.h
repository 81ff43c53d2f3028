/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of durations in nanoseconds: every power of two is cut into 128 equal buckets, so a
 * percentile is right to 0.8 % at any size, in fixed memory.
 */
#ifndef POLHIST_H
#define POLHIST_H

#include <stdint.h>

#define POLHIST_BITS 7
#define POLHIST_BUCKETS ((64 - POLHIST_BITS + 1) << POLHIST_BITS)

struct polhist {
    uint64_t total, max;
    uint64_t bucket[POLHIST_BUCKETS];
};

static inline unsigned polhist_index(uint64_t ns)
{
    unsigned shift;

    if (ns < 2u << POLHIST_BITS)
        return (unsigned)ns;
    shift = 63u - (unsigned)__builtin_clzll(ns) - POLHIST_BITS;
    return (shift << POLHIST_BITS) + (unsigned)(ns >> shift);
}

static inline void polhist_add(struct polhist *h, uint64_t ns)
{
    h->bucket[polhist_index(ns)]++;
    h->total++;
    if (ns > h->max)
        h->max = ns;
}

/* The upper end, in microseconds, of the bucket that the share (0..1) falls into; 0 if empty. */
static inline double polhist_us(const struct polhist *h, double share)
{
    uint64_t rank = (uint64_t)((double)h->total * share), seen = 0;

    for (unsigned i = 0; i < POLHIST_BUCKETS; i++) {
        unsigned shift = i >> POLHIST_BITS;

        seen += h->bucket[i];
        if (h->bucket[i] == 0 || seen <= rank)
            continue;
        if (shift < 2)
            return i / 1e3;
        shift--;
        return (double)(((uint64_t)i - ((uint64_t)shift << POLHIST_BITS) + 1) << shift) / 1e3;
    }
    return (double)h->max / 1e3;
}

#endif
