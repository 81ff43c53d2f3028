/* SPDX-License-Identifier: Apache-2.0 */
#include "core/finding.h"

const char *const role_names[ROLE_COUNT] = {
    [ROLE_SMTP] = "smtp",
    [ROLE_SUBMISSION] = "submission",
    [ROLE_SUBMISSIONS] = "submissions",
};

const char *const action_names[ACTION_COUNT] = {
    [ACTION_NONE] = "none",   [ACTION_IGNORE] = "ignore", [ACTION_LOG] = "log",
    [ACTION_DEFER] = "defer", [ACTION_REJECT] = "reject",
};

const char *const mode_names[MODE_COUNT] = {
    [MODE_AUDIT] = "audit",
    [MODE_ENFORCE] = "enforce",
};

const struct finding_info findings[FINDING_COUNT] = {
#define FINDING(name, id, smtp, submission, submissions, strictest, what, fix)                     \
    [FINDING_##name] = {                                                                           \
        id,  {ACTION_##smtp, ACTION_##submission, ACTION_##submissions}, ACTION_##strictest, what, \
        fix,                                                                                       \
    },
#include "core/findings.def"
#undef FINDING
};

enum finding finding_of(struct str id)
{
    int f = 0;
    while (f < FINDING_COUNT && !str_eq(id, str_of(findings[f].id)))
        f++;
    return (enum finding)f;
}

int name_index(const char *const *names, int count, struct str s)
{
    for (int i = 0; i < count; i++)
        if (str_eq(s, str_of(names[i])))
            return i;
    return -1;
}
