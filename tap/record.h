/* SPDX-License-Identifier: Apache-2.0 */
/* What the tap writes of a session besides what every program does: the fields of the event
 * "session" (docs/journal.md), through edge/record.h. One thread. */
#ifndef TAP_RECORD_H
#define TAP_RECORD_H

#include "edge/record.h"
#include "tap/judge.h"

/* True: something was found, and the client is no monitor. */
bool tap_record(struct recorder *r, const struct policy *p, const struct judgement *j,
                const struct now *now);

/* The versions of a ClientHello, in its order, at most HELLO_VERSIONS; those that have no name are
 * left out. How many. */
size_t tap_versions(const struct client_hello *h, struct str ret[HELLO_VERSIONS]);

#endif
