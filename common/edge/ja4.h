/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JA4, the TLS client fingerprint (FoxIO, "JA4: TLS Client Fingerprinting", BSD 3-clause; the
 * other methods of the family have another licence and are not here): the same program with the
 * same TLS library gives the same 36 characters, whatever it connects to.
 */
#ifndef EDGE_JA4_H
#define EDGE_JA4_H

#include "core/buf.h"
#include "core/wire/client_hello.h"

enum { JA4_N = 36 };

/* Appends it; nothing, and false, if OpenSSL has no SHA-256, or the hello is in SSLv2's form or had
 * more than its lists hold (`dropped`). Over TCP. Any thread. */
bool ja4_format(struct buf *b, const struct client_hello *h);

#endif
