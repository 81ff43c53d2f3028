/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return s->agrees;
}

const struct rule rule_listener_mode_mismatch = {
    .finding = FINDING_LISTENER_MODE_MISMATCH,
    .asks = "is the port what the policy says it is?",
    .roles = ROLES_ALL,
    .needs = FACT_BIT(FACT_AGREEMENT),
    .check = check,
};
