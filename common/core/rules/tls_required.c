/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

/* RFC 8314 4, RFC 9325 3.2; on role smtp only where the policy asks for it (RFC 3207 4). */
static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return s->tls;
}

const struct rule rule_tls_required = {
    .finding = FINDING_TLS_REQUIRED,
    .asks = "is TLS up?",
    .roles = ROLES_ALL,
    .needs = FACT_BIT(FACT_TLS),
    .trusted_excused = true,
    .check = check,
};
