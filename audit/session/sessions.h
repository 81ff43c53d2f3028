/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines to sessions. Postfix: by host and process, from "connect" to "disconnect", because the line
 * that tells why a handshake failed has no address; postscreen by address and port; cleanup by
 * queue id. Sendmail has one process a session and no line at the end: a session ends when the
 * process is used again, or after `idle_us` without a line.
 *
 * Memory is bounded: with `max_open` sessions open the one that was quiet longest is closed as it
 * is, and counted. Times may go back; only the idle time asks for them, and it takes the latest
 * time that was met.
 *
 * One thread at a time.
 */
#ifndef AUDIT_SESSIONS_H
#define AUDIT_SESSIONS_H

#include "audit/session/names.h"
#include "audit/session/seen.h"

struct sessions;

/* A session that is over. */
struct closed_session {
    const struct seen *seen;   /* valid during the call */
    uint64_t number;           /* as sessions_line() returned it */
    int64_t first_us, last_us; /* its first and last line; 0: without a time */
    uint64_t first_position;   /* of its first line, as it was passed */
    struct str queue_id;       /* of its last mail; may be empty */
    int64_t begun_us;          /* when the client connected; 0: not told */
    uint32_t pid;              /* the MTA's process; 0: not told */
    uint16_t client_port;      /* 0: not told */
};

struct sessions_settings {
    unsigned max_open; /* 0: 100,000 */
    int64_t idle_us;   /* 0: an hour */
    void (*closed)(void *context, const struct closed_session *c);
    void *context;
};

struct sessions_counts {
    uint64_t opened, closed;
    uint64_t incomplete; /* closed without their first or their last line, where there is one */
    uint64_t evicted;    /* closed because there were too many, or they were idle */
    uint64_t homeless;   /* lines that belong to no session that is known */
};

/* `names` and the key must outlive it. NULL when memory ends. */
struct sessions *sessions_new(struct names *names, const struct sipkey *key,
                              const struct sessions_settings *s);
void sessions_free(struct sessions *s);

/*
 * Takes one line. `position` is the caller's: where the line stands. The session's number (from 1,
 * never used again), or 0 if the line belongs to none. May call closed(), also for this line's
 * session.
 */
uint64_t sessions_line(struct sessions *s, const struct log_line *l, const struct message *m,
                       uint64_t position);

/* `us` microseconds have passed since the last line, by whatever clock: closes what is idle by
 * then. */
void sessions_quiet(struct sessions *s, int64_t us);

/* Closes all that is open, in the order in which they began. */
void sessions_end(struct sessions *s);

const struct sessions_counts *sessions_counts(const struct sessions *s);

/* The least first_position among open sessions; UINT64_MAX: none is open. */
uint64_t sessions_oldest(const struct sessions *s);

/* A name as sessions keep it of a login that failed; never 0. */
uint64_t sessions_user_hash(const struct sipkey *key, struct str user);

/* The constant text of seen.reason; NULL for 0. */
const char *sessions_reason(uint8_t reason);

#endif
