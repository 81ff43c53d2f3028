/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The join: sessions of the log and events of the journals become one session each, with the union
 * of the facts and the set of who saw it.
 *
 * First the events, in the order of their times; then the log's sessions as they close; then the
 * end. They are joined by exact keys where both have one: client address and port, the MTA's
 * process, the queue id. By address and time alone only if there is just one of each; else both
 * stay what they are, marked SEEN_AMBIGUOUS. Events among themselves: by `key`, by process and
 * address, and else likewise.
 *
 * Memory is bounded: JOIN_ACCOUNTS_MAX accounts and JOIN_WAITING_MAX sessions of the log that wait
 * for the end. Events that find no place are counted; a session that finds none is told with what
 * is certain by then, as ambiguous. One thread at a time.
 */
#ifndef AUDIT_JOIN_H
#define AUDIT_JOIN_H

#include "audit/join/account.h"
#include "audit/session/listeners.h"

struct join;

enum { JOIN_ACCOUNTS_MAX = 1000 * 1000, JOIN_WAITING_MAX = 1000 * 1000, JOIN_OF_ONE = 64 };

/* A session, joined or not. `accounts` are numbers of join_account_of(), JOIN_OF_ONE at most. */
struct joined {
    struct closed_session session; /* number 0: the log does not have it */
    const uint32_t *accounts;
    unsigned account_count;
};

struct join_counts {
    uint64_t events, accounts;
    uint64_t joined;    /* sessions of the log that journals tell of */
    uint64_t alone;     /* accounts of which the log has nothing, or no log was read */
    uint64_t ambiguous; /* sessions of the log and accounts that could be each other's */
    uint64_t overflow;  /* events that found no place */
};

struct join_settings {
    void (*closed)(void *context, const struct joined *j);
    /* The user of a hash (docs/journal.md, "Privacy"), a number of names.h; 0: nobody that is known
     * to have logged in. NULL: hashes stay hashes. */
    uint32_t (*user_of)(void *context, struct str hash);
    void *context;
};

/* NULL when memory ends. `names` and the key must outlive it. */
struct join *join_new(struct names *names, const struct sipkey *key, const struct join_settings *s);
void join_free(struct join *j);

/* Before the first session of the log. The number of its account, from 1; 0: it found no place. */
uint32_t join_event(struct join *j, const struct event *e);

/* May call closed(), at once or at the end. */
void join_session(struct join *j, const struct closed_session *c);

/* The rest. `listeners`: what the log's names stand for, resolved. */
void join_end(struct join *j, const struct log_listeners *listeners);

const struct join_counts *join_counts(const struct join *j);

#endif
