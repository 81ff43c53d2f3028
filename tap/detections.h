/* SPDX-License-Identifier: Apache-2.0 */
/* What of a judgement is no rule's; judge.c and detections.c share it. */
#ifndef TAP_DETECTIONS_H
#define TAP_DETECTIONS_H

#include "core/policy.h"
#include "tap/judge.h"

/* Everything a detection may look at. */
struct tap_bench {
    const struct policy *policy;
    const struct flow_told *told;
    const struct opening *o;
    const struct now *now;
    struct judgement *ret;
    enum role role;
    bool tls_is_ours; /* whether the client uses TLS shows here: no proxy does it in front of us */
};

static inline bool has_verb(const struct opening *o, enum smtp_verb v)
{
    return o->seen & UINT32_C(1) << v;
}

/* A command of SMTP came in clear text, be it behind lines that are none. */
bool tap_spoke_smtp(const struct opening *o);

/* The last that came in clear text was STARTTLS: no command showed that it was refused. */
bool tap_starttls_stands(const struct opening *o);

/* The MTA answered in TLS: the client went on as only one does that has got its hello. */
bool tap_tls_answered(const struct opening *o);

/* The MTA answered clear text on a port that should begin with TLS. */
bool tap_clear_text_answered(const struct flow_told *told);

/* Adds what is detected to the judgement, after the rules. */
void tap_detect(struct tap_bench *b);

#endif
