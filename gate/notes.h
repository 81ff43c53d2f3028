/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal and the log of the gate: what is written of a refusal, and how a journal that is
 * not to be had is tried again.
 *
 * The user is written as a keyed hash only, whatever the setting for addresses: users
 * type passwords there. Without the journal's secret, or if OpenSSL fails, it is left out;
 * and so is an address that may not be written plainly. With no journal at all the key is random
 * and ends with the process.
 *
 * Thread use: one thread at a time; the scribe's.
 */
#ifndef GATE_NOTES_H
#define GATE_NOTES_H

#include "journal/status.h"
#include "edge/log_limits.h"
#include "edge/privacy.h"
#include "gate/scribe.h"

struct notes {
    const char *program;
    struct journal_settings settings; /* path "": no journal */
    struct privacy_settings may;
    struct journal *journal; /* NULL: not open */
    struct privacy *privacy; /* NULL: no secret */
    struct status *status;   /* NULL: the journal is not running */
    struct log_limits *limits;
    struct sandbox sandbox;    /* entered when the journal begins */
    int64_t retry_us, said_us; /* monotonic: when to open again, when that was last complained of */
    uint64_t refused, without_tls, without_user, not_journaled, dropped;
};

/* -1: memory is short. Opens no file. */
int notes_open(struct notes *n, const struct scribe_options *options);

/* Opens the journal and reads its secret, or what of it is not open, if it is time for that. May
 * wait for the disk. See journal_open() for owner and group. */
void notes_try_journal(struct notes *n, uid_t owner, gid_t group, const struct now *now);

/* Once a second: begins the journal that is open, tells of losses, shows the numbers. */
void notes_tick(struct notes *n, const struct now *now);

/* One refusal. */
void notes_refused(struct notes *n, const struct attempt *a, const struct now *now);

/* So many were lost before they came here. */
void notes_dropped(struct notes *n, uint64_t count);

/* The end: writes what there is, for some seconds at most, and gives everything back. */
void notes_close(struct notes *n);

#endif
