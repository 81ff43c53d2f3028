/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

enum { BITS_RECOMMENDED = 128 }; /* RFC 9325 4.1 and 4.2 */

static bool check(const struct session *s, const struct listener *l)
{
    (void)l;
    return s->cipher.forward_secrecy && s->cipher.aead && s->cipher.bits >= BITS_RECOMMENDED;
}

const struct rule rule_tls_cipher_weak = {
    .finding = FINDING_TLS_CIPHER_WEAK,
    .asks = "has the cipher forward secrecy, AEAD and 128 bits?",
    .roles = ROLES_ALL,
    .needs = FACT_BIT(FACT_CIPHER),
    .trusted_excused = true,
    .check = check,
};
