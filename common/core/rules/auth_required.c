/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

/* RFC 6409 4.3. */
static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return s->auth;
}

const struct rule rule_auth_required = {
    .finding = FINDING_AUTH_REQUIRED,
    .asks = "has the client authenticated?",
    .roles = ROLES_SUBMISSION,
    .needs = FACT_BIT(FACT_AUTH),
    .trusted_excused = true,
    .check = check,
};
