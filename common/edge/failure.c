/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/failure.h"

#include "edge/log.h"

static const struct {
    const char *name;
    enum action by_role[ROLE_COUNT];
    const char *what; /* behind "where: " */
    const char *consequence;
} rows[FAILURE_COUNT] = {
#define PASS_OR_DEFER                                                                              \
    {                                                                                              \
        ACTION_IGNORE, ACTION_DEFER, ACTION_DEFER                                                  \
    }
    [FAILURE_REQUEST_NOT_UNDERSTOOD] =
        {"request-not-understood", PASS_OR_DEFER, "a policy request was not understood",
         "connection closed without a reply; Postfix takes its default_action"},
    [FAILURE_REQUEST_UNFINISHED] =
        {"request-unfinished", PASS_OR_DEFER, "a policy request did not come to its end",
         "connection closed without a reply; Postfix takes its default_action"},
    [FAILURE_PEER_DOES_NOT_READ] = {"peer-does-not-read", PASS_OR_DEFER,
                                    "a client of the policy service does not read its reply",
                                    "connection closed"},
    [FAILURE_DESCRIPTORS] =
        {"descriptors", PASS_OR_DEFER, "as many connections as this process may have",
         "new ones wait until others end; raise LimitNOFILE, or lower Postfix's process limits"},
    [FAILURE_MEMORY] = {"memory", PASS_OR_DEFER, "memory is short",
                        "mail to port 25 passes, submission is put off"},
    [FAILURE_STOPPING] = {"stopping", PASS_OR_DEFER, "a session was going on at the end",
                          "mail to port 25 passes, submission is put off"},
};

enum { QUIET_S = 60 };

const char *failure_name(enum failure f)
{
    return rows[f].name;
}

enum action failure_action(enum failure f, enum role role)
{
    return rows[f].by_role[role];
}

void failure(struct failures *fs, enum failure f, const struct now *now, const char *where,
             const char *detail)
{
    fs->count[f]++;
    if (now->mono_us < fs->said[f].next_us) {
        fs->said[f].quiet++;
        return;
    }
    log_warn("%s: %s: %s; %s (%llu more since the last such line)", where, rows[f].what, detail,
             rows[f].consequence, (unsigned long long)fs->said[f].quiet);
    fs->said[f].next_us = now->mono_us + QUIET_S * US_PER_S;
    fs->said[f].quiet = 0;
}
