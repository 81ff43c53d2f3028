/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of one session: its mode, what was found, and what `mode: enforce` would do. The
 * rules and the verdict are the core's, the same as in the plug-ins; the detections are those that
 * a log can decide. What it cannot decide is said to be unknown, with the reason.
 *
 * Pure: the same session, listeners and policy give the same judgement.
 */
#ifndef AUDIT_JUDGE_H
#define AUDIT_JUDGE_H

#include "core/verdict.h"
#include "edge/tls.h"
#include "audit/session/listeners.h"

/* Why something cannot be said; a set. The words tell what to switch on. */
enum doubt {
#define DOUBT(name, id, what, remedy) DOUBT_##name,
#include "audit/session/doubts.def"
#undef DOUBT
    DOUBTS
};
typedef uint32_t doubt_set;
#define DOUBT_BIT(d) ((doubt_set)1 << (d))

struct doubt_info {
    const char *id, *what, *remedy; /* remedy: NULL if there is none */
};
extern const struct doubt_info doubts[DOUBTS];

struct judge {
    const struct policy *policy;
    const struct log_listeners *listeners;
    const struct names *names;
    const struct ciphers *ciphers;
};

struct judged {
    enum tls_mode mode;
    const struct listener *listener; /* NULL: unknown */
    finding_set
        found; /* with action log or stricter in `mode: enforce`, neither trusted nor excepted */
    finding_set
        likely; /* the part of `found` that is the likeliest reading of the log, not the only one */
    finding_set excepted, trusted;
    enum action would;    /* in `mode: enforce`: pass is ACTION_IGNORE or ACTION_LOG */
    enum finding because; /* what `would` follows from; FINDING_COUNT: nothing */
    doubt_set doubts;
};

/* `at_us`: when the session was, for exceptions. */
void judge(const struct judge *j, const struct seen *s, int64_t at_us, struct judged *ret);

#endif
