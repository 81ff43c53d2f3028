/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return !s->auth;
}

const struct rule rule_auth_on_smtp_port = {
    .finding = FINDING_AUTH_ON_SMTP_PORT,
    .asks = "is the session without AUTH, on the port for mail from other servers?",
    .roles = ROLE_BIT(ROLE_SMTP),
    .needs = FACT_BIT(FACT_AUTH),
    .check = check,
};
