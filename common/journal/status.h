/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon is doing, for people: <journal path>/<program>/status, one
 * JSON object, replaced as a whole (temporary file and rename) by the journal's
 * writer thread, so a frozen disk stops no answer.
 *
 * It is written at the start, at the stop, after a reload, and when numbers
 * changed, about every two seconds; without a change every STATUS_IDLE_S.
 * Without a journal there is no status.
 *
 * Thread use: the loop thread calls everything here.
 */
#ifndef JOURNAL_STATUS_H
#define JOURNAL_STATUS_H

#include "journal/journal.h"

struct status;

enum {
    STATUS_PERIOD_S = 2,
    STATUS_IDLE_S = 30,
    STATUS_COUNTERS_MAX = 128,
    STATUS_FILE_MAX = 32 * 1024 /* bytes; counters that do not fit are left out and counted */
};

struct status_counter {
    const char *name; /* a literal, as in journal names */
    uint64_t value;
};

/*
 * Call it after journal_open() and before journal_start(). `program` and
 * `version` outlive it. NULL when memory ends.
 */
struct status *status_open(struct journal *j, const char *program, const char *version,
                           const struct now *now);

/* Before journal_free(), after journal_stop(). NULL is allowed. */
void status_free(struct status *st);

/* What is being enforced. Texts are copied; `mode` is a summary for people
 * such as "enforce (submission, submissions), audit (smtp)". */
void status_set_policy(struct status *st, const char *file, const char *digest, const char *mode);

/* What edge/sandbox.h tells; copied. */
void status_set_sandbox(struct status *st, const char *told);

/* A reload was tried. `why` if it failed: the first problem, one line. */
void status_set_reload(struct status *st, bool ok, const char *why, const struct now *now);

/*
 * Hands the numbers over; call it about every STATUS_PERIOD_S and just before
 * journal_stop(), then with `force`. Never blocks; if the writer thread is busy with the
 * one before, this one is skipped.
 */
void status_publish(struct status *st, const struct now *now, const struct status_counter *counters,
                    size_t count, bool force);

#endif
