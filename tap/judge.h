/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of a connection that was looked at: the facts of its session, for the core's rules
 * (core/verdict.h), and what the opening shows that no rule asks about.
 *
 * Nothing is said that was not seen: where bytes are missing, or we stopped looking, a finding
 * that rests on what did not come is left out. Where another reading is possible the finding is
 * `likely`.
 *
 * Pure; any thread. Nothing is allocated: a judgement has its texts within itself or in what
 * was told, and lives no longer than that. It must not be copied or moved.
 */
#ifndef TAP_JUDGE_H
#define TAP_JUDGE_H

#include "core/verdict.h"
#include "tap/flows.h"

/* How the client spoke, whether or not the port understands it. */
enum tap_mode {
    TAP_MODE_UNKNOWN,
    TAP_MODE_CLEARTEXT,
    TAP_MODE_STARTTLS,
    TAP_MODE_IMPLICIT,
    TAP_MODES
};
extern const char *const tap_mode_names[TAP_MODES]; /* "", "cleartext", "starttls", "implicit" */

enum { ADDRESS_TEXT = 64, WAITS_MS = 5000 };

struct judgement {
    const struct flow_told *told;
    struct session session;
    struct verdict verdict; /* its action is never a refusal: we only look on */
    finding_set likely;
    enum tap_mode mode;
    struct str proxy; /* who connected, where a PROXY header told the client; else empty */
    uint64_t silent_ms, duration_ms;
    char client_text[ADDRESS_TEXT], server_text[ADDRESS_TEXT], proxy_text[ADDRESS_TEXT];
};

void tap_judge(const struct policy *p, const struct flow_told *told, const struct now *now,
               struct judgement *ret);

#endif
