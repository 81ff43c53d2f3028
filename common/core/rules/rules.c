/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules/rules.h"

const struct rule *const rules[RULE_COUNT] = {
    &rule_auth_on_smtp_port,      &rule_tls_required,    &rule_auth_required,
    &rule_cleartext_auth,         &rule_tls_version,     &rule_tls_cipher,
    &rule_tls_cipher_strength,    &rule_tls_cipher_weak, &rule_auth_mechanism,
    &rule_listener_mode_mismatch,
};
