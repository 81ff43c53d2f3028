/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule: one question to a session, answered from facts that are all known.
 *
 * check() does not log, allocate, block, read a clock or choose an SMTP code.
 * The engine calls it only when every fact in `needs` is known and the
 * listener has one of the roles; otherwise the answer is "no data" or "not
 * asked". Several rules may serve one finding: it is broken as soon as one of
 * them is, and holds only when all of them do.
 *
 * To add one: a file in rules/, a line in rules.c, a row in findings.def if
 * the finding is new, a case file in tests/rules/, a page in docs/findings/.
 */
#ifndef CORE_RULE_H
#define CORE_RULE_H

#include "core/policy.h"
#include "core/session.h"

struct rule {
    enum finding finding;
    const char *asks; /* one question, for `mailreeve explain` */
    unsigned roles;   /* bits 1 << ROLE_x */
    fact_set needs;
    bool trusted_excused; /* a trusted client may break it (RFC 6409 4.3) */
    /* True: the rule holds. */
    bool (*check)(const struct session *s, const struct listener *l);
};

#define ROLE_BIT(r) (1u << (r))
#define ROLES_SUBMISSION (ROLE_BIT(ROLE_SUBMISSION) | ROLE_BIT(ROLE_SUBMISSIONS))
#define ROLES_ALL (ROLE_BIT(ROLE_SMTP) | ROLES_SUBMISSION)

enum { RULE_COUNT = 10 };
extern const struct rule *const rules[RULE_COUNT];

#endif
