/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can go wrong with ourselves, once: the reason, its name in counters and
 * records, and what it means for the mail. Role smtp passes, submission roles
 * defer: mail from other servers must not stop because of us, and a submission
 * client keeps what it could not send. Call sites only name the reason.
 *
 * Thread use: one thread at a time, except failure_action() and failure_name().
 */
#ifndef EDGE_FAILURE_H
#define EDGE_FAILURE_H

#include "core/clock.h"
#include "core/finding.h"

enum failure {
    FAILURE_REQUEST_NOT_UNDERSTOOD,
    FAILURE_REQUEST_UNFINISHED,
    FAILURE_PEER_DOES_NOT_READ,
    FAILURE_DESCRIPTORS,
    FAILURE_MEMORY,
    FAILURE_STOPPING,
    FAILURE_COUNT
};

struct failures {
    uint64_t count[FAILURE_COUNT];
    struct {
        int64_t next_us; /* monotonic: not logged again before */
        uint64_t quiet;  /* how many were not logged since */
    } said[FAILURE_COUNT];
};

const char *failure_name(enum failure f);

/* What becomes of the mail if it is up to us: ACTION_IGNORE (pass) or ACTION_DEFER. */
enum action failure_action(enum failure f, enum role role);

/*
 * Counts it and, at most once a minute for each reason, logs it: where, and
 * `detail` (one clause, never what a peer sent).
 */
void failure(struct failures *fs, enum failure f, const struct now *now, const char *where,
             const char *detail);

#endif
