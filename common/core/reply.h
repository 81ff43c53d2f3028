/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the client is told: one row of the table for each (finding, edge).
 */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include "core/finding.h"
#include "core/policy.h"

/* Who speaks to the client: the same finding is another code at AUTH than at MAIL. */
enum edge {
    EDGE_MAIL, /* policyd and milter, at MAIL or RCPT */
    EDGE_AUTH, /* gate, at AUTH */
};

struct reply {
    unsigned code;  /* RFC 5321 4.2 */
    char dsn[8];    /* RFC 3463; its class is the code's */
    char text[384]; /* one line of printable ASCII */
};

/*
 * The reply for a finding with ACTION_DEFER or ACTION_REJECT, the policy's
 * help_url behind it. False if the finding has no reply at that edge (it can
 * then only be logged; findings.def says so and a test holds them together).
 */
bool reply_for(const struct policy *p, enum finding f, enum action a, enum edge edge,
               struct reply *ret);

#endif
