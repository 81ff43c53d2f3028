/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions of a log, counted: equal ones are one row. Judged at the end, because only then is
 * it known which users exist, and what the listeners' names stand for.
 *
 * Memory: `max_rows` rows; sessions that find no place are counted in `overflow` and are in no
 * table. One thread at a time.
 */
#ifndef AUDIT_TALLY_H
#define AUDIT_TALLY_H

#include "audit/session/judge.h"
#include "audit/session/sessions.h"

struct tally;

struct row {
    struct seen seen;
    uint64_t count;
    int64_t first_us, last_us; /* 0: no time was told */
};

/* `names` must outlive it, and the key is the one sessions_new() was given. NULL when memory ends.
 */
struct tally *tally_new(const struct names *names, const struct sipkey *key, uint32_t max_rows);
void tally_free(struct tally *t);

/* The key it was given. */
const struct sipkey *tally_key(const struct tally *t);

/* False: no place. */
bool tally_add(struct tally *t, const struct closed_session *c);

uint64_t tally_overflow(const struct tally *t);
size_t tally_rows(const struct tally *t);
/* Valid until the next tally_add(). */
const struct row *tally_row(const struct tally *t, size_t i);

/* A user who has logged in, anywhere in the logs; `failed` is a hash of seen.h: 0 if it is
 * nobody's. Known after all rows are there. */
uint32_t tally_user_of_hash(const struct tally *t, uint64_t failed);
/* The user who has logged in from that address, if it is one and no more; NAMES_MORE: several have,
 * or one whose name was not told, or it is the machine's own, where webmail is; 0: nobody has. */
uint32_t tally_user_at(const struct tally *t, const struct addr *client);
/* True if at least TALLY_GUESSES different names were tried from that address, and nobody ever
 * logged in from there: what is tried there is guessed. */
enum { TALLY_GUESSES = 3 };
bool tally_guesses(const struct tally *t, const struct addr *client);

#endif
