/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of line adds to what was seen of a session. Inside audit/session/ only.
 */
#ifndef AUDIT_FACTS_H
#define AUDIT_FACTS_H

#include "audit/session/names.h"
#include "audit/session/seen.h"

struct facts {
    struct names *names;
    const struct sipkey *key;
    const struct message *message;
    int64_t waited_us; /* the session has lasted that long at least; 0: not known */
    struct seen *seen;
};

/* True if a line of that kind may be the first that a log has of a session. */
bool facts_can_begin(const struct message *m);

/* Sendmail has no line at a session's end, and processes are numbered anew: true if this line
 * cannot belong to the session that was seen so far. */
bool facts_are_anothers(const struct facts *f);

void facts_add(const struct facts *f);

/* What the lines together say. */
void facts_complete(struct seen *s);

#endif
