/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decisions of the mail transactions that are going on, so that every
 * recipient of a transaction gets the same one, also across a reload, and it
 * is recorded once.
 *
 * Postfix names a transaction by `instance`, which is empty before the first
 * RCPT. A decision made at MAIL (smtpd_delay_reject = no) is handed on to the
 * instance of the RCPT that follows in the same session. Everything else without an
 * instance is decided each time: between two EHLOs there may be a STARTTLS.
 *
 * Of fixed size. When it is full the decision that was used longest ago makes
 * room; a transaction that comes back after that is decided and recorded anew.
 */
#ifndef POLICYD_TRANSACTIONS_H
#define POLICYD_TRANSACTIONS_H

#include "core/siphash.h"
#include "core/verdict.h"

struct transactions;

struct decision {
    enum action action;
    enum finding finding;
};

/* NULL when memory ends. */
struct transactions *transactions_new(const struct sipkey *key);
void transactions_free(struct transactions *t);

/* True: decided before, and *ret is what. */
bool transactions_find(struct transactions *t, const struct session *s, struct decision *ret);

/* Remembers what was decided, for transactions_find(). */
void transactions_put(struct transactions *t, const struct session *s, const struct decision *d);

#endif
