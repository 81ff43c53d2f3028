/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as they came over the wire, for tests of core/wire. The recordings are the fuzz corpora's:
 * OpenSSL 3.0's s_client, curl 7.88, Python 3.11's smtplib, GnuTLS 3.7's gnutls-cli, Node.js 20,
 * each with a server on the same machine; of encrypted records only the beginning is kept.
 */
#ifndef TESTS_WIRE_HELP_H
#define TESTS_WIRE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/str.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Each in memory of exactly its size, so that a sanitizer sees a byte read too many. */
struct str wire_copy(struct str s);
struct str wire_hex(const char *hex); /* digits, and blanks anywhere between bytes */
struct str wire_recording(const char *corpus, const char *name);
void wire_free(struct str s);

#endif
