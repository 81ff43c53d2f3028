/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

/* RFC 4954 4 and 9; RFC 8314 4.1. */
static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return !s->cleartext_auth;
}

const struct rule rule_cleartext_auth = {
    .finding = FINDING_CLEARTEXT_AUTH,
    .asks = "was the password kept under TLS?",
    .roles = ROLES_ALL,
    .needs = FACT_BIT(FACT_CLEARTEXT_AUTH),
    .trusted_excused = true,
    .check = check,
};
