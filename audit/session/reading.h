/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a log: lines in, sessions out. It puts the steps together - message, drift, sessions,
 * listeners - and counts what went by; where the lines come from and what becomes of the sessions
 * is the caller's.
 *
 * One thread at a time.
 */
#ifndef AUDIT_READING_H
#define AUDIT_READING_H

#include "core/err.h"
#include "audit/dialect/shape.h"
#include "audit/session/listeners.h"
#include "audit/session/sessions.h"

enum { READING_NAMES_MAX = 2 * 1000 * 1000 };

struct reading {
    struct sipkey key; /* random: hashes of this run mean nothing in another */
    struct names *names;
    struct sessions *sessions;
    struct log_listeners listeners;
    struct shapes shapes;
    uint64_t lines, ours, unknown; /* all; of an MTA that we know; of these, in no table */
    int64_t first_us, last_us;     /* of all that has a time; 0: nothing had */
    int64_t since_us;              /* sessions whose last line is earlier are dropped; 0: none */
    void (*closed)(void *context, const struct closed_session *c);
    void *context;
};

/* Sessions go to closed(), those before since_us excepted. -1 with *err set when memory or
 * randomness ends. */
int reading_open(struct reading *r, int64_t since_us,
                 void (*closed)(void *context, const struct closed_session *c), void *context,
                 struct err *err);
void reading_close(struct reading *r);

/* Something was at that time, in a log or beside it; 0: nobody knows when. */
void reading_span(struct reading *r, int64_t wall_us);

/* One line; *ret_message says what it was. As sessions_line(). */
uint64_t reading_line(struct reading *r, const struct log_line *l, uint64_t position,
                      struct message *ret_message);

#endif
