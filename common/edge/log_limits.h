/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which findings become a line in the log: the first of each (client network,
 * user, finding), then one an hour with the number of those left out, so that
 * one broken copier does not fill the log (RFC 6409 5.2). Pure: the time is
 * passed in, nothing is logged. Only the monotonic time counts.
 *
 * A network is the client's /24 or /64. The table is bounded; when it is full
 * the entry whose line is oldest goes, and what it had left out is counted in
 * `forgotten`. Keys come from strangers, so the hash is keyed; two different
 * keys share an entry with probability 2^-64.
 *
 * Thread use: one thread at a time.
 */
#ifndef EDGE_LOG_LIMITS_H
#define EDGE_LOG_LIMITS_H

#include "core/clock.h"
#include "core/net.h"
#include "core/siphash.h"

struct log_limits;

enum { LOG_LIMITS_DEFAULT = 16384 };
#define LOG_LIMITS_WINDOW_US (3600 * US_PER_S)

/* For `capacity` entries of 40 bytes (0: LOG_LIMITS_DEFAULT). NULL when memory ends. */
struct log_limits *log_limits_new(const struct sipkey *key, unsigned capacity);
void log_limits_free(struct log_limits *l);

/*
 * True: write the line, and if *ret_suppressed is not 0 say in it how many
 * like it were left out since the last. False: leave it out.
 * `finding` is any small number that stands for the kind of line.
 */
bool log_limits_admit(struct log_limits *l, const struct addr *client, struct str user,
                      unsigned finding, const struct now *now, uint64_t *ret_suppressed);

struct log_limits_stats {
    unsigned entries, capacity;
    uint64_t admitted, suppressed; /* since the start */
    uint64_t evicted;              /* entries that gave way to newer ones */
    uint64_t forgotten;            /* suppressed lines that no later line told of */
};
void log_limits_get(const struct log_limits *l, struct log_limits_stats *ret);

#endif
