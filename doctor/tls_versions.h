/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which TLS versions a list of Postfix allows: smtpd_tls_protocols and
 * smtpd_tls_mandatory_protocols, in all their spellings (postconf(5)).
 *
 * Thread use: any; a pure function.
 */
#ifndef DOCTOR_TLS_VERSIONS_H
#define DOCTOR_TLS_VERSIONS_H

#include "core/str.h"

/* Bits of what tls_versions() returns. */
enum {
    TLS_VERSION_SSL_2 = 1,
    TLS_VERSION_SSL_3 = 2,
    TLS_VERSION_1_0 = 4,
    TLS_VERSION_1_1 = 8,
    TLS_VERSION_1_2 = 16,
    TLS_VERSION_1_3 = 32,
    TLS_VERSIONS_ALL = 63,
    TLS_VERSIONS_OLD = 15, /* RFC 8996 */
};

/* False if a word is no version: Postfix then logs a warning and does no TLS. */
bool tls_versions(struct str list, unsigned *ret);

#endif
