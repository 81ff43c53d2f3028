/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

static bool check(const struct session *s, const struct listener *l)
{
    for (unsigned i = 0; i < l->mechanism_count; i++)
        if (str_eq_nocase(s->mechanism, l->mechanisms[i]))
            return true;
    return l->mechanism_count == 0;
}

const struct rule rule_auth_mechanism = {
    .finding = FINDING_AUTH_MECHANISM,
    .asks = "is the SASL mechanism on the policy's list?",
    .roles = ROLES_SUBMISSION,
    .needs = FACT_BIT(FACT_MECHANISM),
    .check = check,
};
