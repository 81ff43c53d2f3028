/* SPDX-License-Identifier: Apache-2.0 */
/* The rules, one file each; rules.c lists them. */
#ifndef CORE_RULES_RULES_H
#define CORE_RULES_RULES_H

#include "core/rule.h"

extern const struct rule rule_auth_on_smtp_port, rule_tls_required, rule_auth_required,
    rule_cleartext_auth, rule_tls_version, rule_tls_cipher, rule_tls_cipher_strength,
    rule_tls_cipher_weak, rule_auth_mechanism, rule_listener_mode_mismatch;

#endif
