/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

enum { BITS_MIN = 112 }; /* RFC 9325 4.1; NULL has 0 */

static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return s->cipher.bits >= BITS_MIN;
}

const struct rule rule_tls_cipher_strength = {
    .finding = FINDING_TLS_CIPHER,
    .asks = "has the cipher at least 112 bits?",
    .roles = ROLES_ALL,
    .needs = FACT_BIT(FACT_CIPHER_BITS),
    .trusted_excused = true,
    .check = check,
};
