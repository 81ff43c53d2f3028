/* SPDX-License-Identifier: Apache-2.0 */
/* Is it the same session? Inside audit/join/ only. Pure. */
#ifndef AUDIT_MATCH_H
#define AUDIT_MATCH_H

#include "audit/join/account.h"

/* A session of the log, until it is told. */
struct waiting {
    struct seen seen;
    uint64_t number, first_position;
    int64_t first_us, last_us, begun_us;
    uint32_t pid, queue_id; /* queue_id: a number of names.h */
    uint16_t client_port;
    uint8_t settled; /* bits 1 << is_keyed: it has its account, or there is none */
};

enum likeness {
    ANOTHER,
    PERHAPS, /* by address and time, and nothing speaks against it */
    CERTAIN  /* by an exact key */
};

/* The account of a session with these times began between these: events come when it has begun, and
 * if that is not told (0) it may have been long before the first line. */
void match_span(int64_t begun_us, int64_t first_us, int64_t last_us, int64_t *ret_from_us,
                int64_t *ret_to_us);

/* When it was over, or at the latest is. */
int64_t account_over_us(const struct account *a);

enum likeness match_session(const struct account *a, const struct waiting *w);

/* The same of an account without ports, and one with them. */
enum likeness match_account(const struct account *keyless, const struct account *keyed);

/* Is the event about the connection that the account is of, both having its key? The tap tells each
 * connection once, and a port comes back. */
bool match_event(const struct account *a, const struct event *e);

/* Is it about the session of a process that the account is of, both without a key? One process has
 * the same client again sometimes, so the user has to be the same: `user` is a number of names.h.
 */
bool match_process(const struct account *a, const struct event *e, uint32_t pid, uint32_t user);

#endif
