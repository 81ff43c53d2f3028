/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probe offers as a TLS client: each version alone, and ciphers that
 * no server should take. OpenSSL at security level 0, so that what a server accepts
 * is the server's doing and not ours. Nothing is verified here; certificate.h does that.
 *
 * Thread use: any.
 */
#ifndef PROBE_TLS_H
#define PROBE_TLS_H

#include <openssl/ssl.h>

#include "probe/seen.h"

enum tls_offer {
    OFFER_ANY, /* all versions, all ciphers with a certificate */
    OFFER_TLS_1_0,
    OFFER_TLS_1_1,
    OFFER_TLS_1_2,
    OFFER_TLS_1_3,
    OFFER_NULL,      /* ciphers that do not encrypt, and others below 112 bits (RFC 9325 4.1) */
    OFFER_ANONYMOUS, /* ciphers without a certificate */
    OFFERS
};

/* NULL: our OpenSSL cannot offer that. The caller frees it. */
SSL_CTX *tls_context(enum tls_offer offer);

enum handshake {
    HANDSHAKE_DONE,
    HANDSHAKE_ALERT,   /* refused in TLS, so TLS is spoken there */
    HANDSHAKE_REFUSED, /* by hanging up, or by what is not TLS */
    HANDSHAKE_UNABLE,  /* our OpenSSL cannot */
    HANDSHAKE_STALLS,  /* it began, and does not come to an end */
    HANDSHAKE_TIMEOUT  /* no answer at all */
};

/*
 * On a connected, non-blocking socket, until `deadline_us` (monotonic). `name`
 * goes into SNI; NULL: none. *ret is set when it is DONE; `why` otherwise.
 */
enum handshake tls_handshake(SSL_CTX *context, int fd, const char *name, int64_t deadline_us,
                             SSL **ret, char why[SAID]);

/* poll(2) one descriptor until the deadline: true if it is ready. */
bool tls_wait(int fd, short events, int64_t deadline_us);

/* "unexpected eof while reading": OpenSSL's oldest reason, or errno's; empties its queue. */
void tls_reason(char why[SAID], const char *otherwise);

#endif
