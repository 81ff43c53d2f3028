/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: a session and a policy in, a verdict out. Pure: the same facts,
 * policy and time always give the same verdict, in every front end.
 */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include "core/rule.h"

enum outcome {
    OUTCOME_NOT_ASKED, /* not for this role, or the policy ignores it */
    OUTCOME_NO_DATA,   /* a fact it needs is unknown */
    OUTCOME_HOLDS,
    OUTCOME_TRUSTED,  /* broken, by a client that need not keep it */
    OUTCOME_EXCEPTED, /* broken, under an exception */
    OUTCOME_BROKEN,
    OUTCOME_COUNT
};
extern const char *const outcome_names[OUTCOME_COUNT];

/* One rule's answer, for `mailreeve explain`. */
struct answer {
    enum outcome outcome;
    fact_set lacks;                    /* OUTCOME_NO_DATA: the facts that were missing */
    const struct exception *exception; /* OUTCOME_EXCEPTED: which; */
    const struct exception *expired;   /* OUTCOME_BROKEN: one that would have, once */
    enum action action;                /* what the policy says of the finding here */
};

/* Why the action is milder than `would`. */
enum held {
    HELD_NOT,
    HELD_AUDIT,
    HELD_BEFORE_MAIL,
    HELD_PASSIVE, /* who decided only looks on (mailreeve-tap); decide() never says so */
};

struct verdict {
    enum action action; /* what to do; ACTION_IGNORE: nothing was found */
    enum action would;  /* what the policy says, were it enforced now */
    enum held held;
    enum finding finding; /* the one that decides `would`; FINDING_COUNT: none */
    finding_set broken;   /* all that count as found (action log or stricter) */
    finding_set excepted, trusted, no_data;
};

/*
 * Decides. `answers`, if not NULL, receives RULE_COUNT of them, in the order of
 * `rules`. A session without a listener gets ACTION_IGNORE. Before MAIL nothing
 * is refused, because the refusal would stop STARTTLS too.
 */
void decide(const struct policy *p, const struct session *s, const struct now *now,
            struct verdict *ret, struct answer *answers);

/*
 * The same for something that was seen rather than asked about: one finding. It is
 * refused only if the listener says disconnect_implicit_tls and that is what it is. Under an
 * exception it is `excepted`; where the policy ignores it, or the session has no listener, nothing
 * is set.
 */
void decide_detected(const struct policy *p, const struct session *s, enum finding f,
                     const struct now *now, struct verdict *ret);

#endif
