/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

/* RFC 9325 4.1. The strength is a question of its own: an MTA can tell it of a cipher that
 * our TLS library does not have. */
static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return s->cipher.authenticated && !s->cipher.rc4;
}

const struct rule rule_tls_cipher = {
    .finding = FINDING_TLS_CIPHER,
    .asks = "is the cipher authenticated, and not RC4?",
    .roles = ROLES_ALL,
    .needs = FACT_BIT(FACT_CIPHER),
    .trusted_excused = true,
    .check = check,
};
