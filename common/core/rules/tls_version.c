/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

/* RFC 8996, RFC 9325 3.1.1. */
static bool check(const struct session *s, const struct listener *l)
{
    return s->tls_version >= l->min_tls;
}

const struct rule rule_tls_version = {
    .finding = FINDING_TLS_VERSION,
    .asks = "is the TLS version at least min_tls?",
    .roles = ROLES_ALL,
    .needs = FACT_BIT(FACT_TLS_VERSION),
    .trusted_excused = true,
    .check = check,
};
