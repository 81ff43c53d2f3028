/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account: what the journals tell of one session, the events of several programs put together.
 * And how accounts and what the log has seen become one: the union of the facts.
 *
 * Pure. Texts go into the names that are given.
 */
#ifndef AUDIT_ACCOUNT_H
#define AUDIT_ACCOUNT_H

#include "audit/join/event.h"
#include "audit/session/names.h"
#include "audit/session/sessions.h"

struct account {
    struct seen seen;
    uint64_t key;              /* 0: not told */
    int64_t begun_us;          /* when the client connected; 0: not told */
    int64_t first_us, last_us; /* of its events; the tap's begin with the session */
    uint32_t mta_pid;
    uint32_t queue_id;   /* of its last mail; a number of names.h */
    uint32_t user;       /* of its last event, if that has one; likewise */
    bool user_is_hashed; /* it is the hash of who tried to log in */
    uint16_t client_port;
    bool unfinished; /* nobody has told its end */
};

/* Adds an event's facts. */
void account_add(struct account *a, const struct event *e, struct names *names);

/*
 * Adds what `from` tells to what `to` has seen. `to` has precedence where both tell the same thing
 * in other words, the tap where it has seen bytes that others only infer. If they contradict each
 * other about TLS, the port is not what it seems: listener-mode-mismatch is among `told`.
 */
void seen_unite(struct seen *to, const struct seen *from);

#endif
