/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>

#include "core/now.h"

static const struct {
    int least, most; /* protocol versions; 0: what OpenSSL has */
    const char *ciphers;
} offers[OFFERS] = {
    [OFFER_ANY] = {TLS1_VERSION, 0, "ALL:!aNULL:!eNULL:@SECLEVEL=0"},
    [OFFER_TLS_1_0] = {TLS1_VERSION, TLS1_VERSION, "ALL:!aNULL:@SECLEVEL=0"},
    [OFFER_TLS_1_1] = {TLS1_1_VERSION, TLS1_1_VERSION, "ALL:!aNULL:@SECLEVEL=0"},
    [OFFER_TLS_1_2] = {TLS1_2_VERSION, TLS1_2_VERSION, "ALL:!aNULL:@SECLEVEL=0"},
    [OFFER_TLS_1_3] = {TLS1_3_VERSION, TLS1_3_VERSION, "ALL:!aNULL:@SECLEVEL=0"},
    [OFFER_NULL] = {TLS1_VERSION, TLS1_2_VERSION, "eNULL:RC4:EXP:LOW:!aNULL:!PSK:!SRP:@SECLEVEL=0"},
    [OFFER_ANONYMOUS] = {TLS1_VERSION, TLS1_2_VERSION, "aNULL:!eNULL:@SECLEVEL=0"},
};

SSL_CTX *tls_context(enum tls_offer offer)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context && SSL_CTX_set_min_proto_version(context, offers[offer].least) &&
        SSL_CTX_set_max_proto_version(context, offers[offer].most) &&
        SSL_CTX_set_cipher_list(context, offers[offer].ciphers)) {
        SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return context;
    }
    SSL_CTX_free(context);
    ERR_clear_error();
    return NULL;
}

bool tls_wait(int fd, short events, int64_t deadline_us)
{
    for (;;) {
        int64_t left_us = deadline_us - clock_us(CLOCK_MONOTONIC);
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, left_us > 0 ? (int)(left_us / 1000 + 1) : 0);
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
}

void tls_reason(char why[SAID], const char *otherwise)
{
    unsigned long code = ERR_peek_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    said(why, str_of(text ? text : otherwise));
    ERR_clear_error();
}

static enum handshake failure(void)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == SSL_R_NO_PROTOCOLS_AVAILABLE || reason == SSL_R_NO_CIPHERS_AVAILABLE)
        return HANDSHAKE_UNABLE; /* our own doing, before a byte was sent */
    return reason >= SSL_AD_REASON_OFFSET ? HANDSHAKE_ALERT : HANDSHAKE_REFUSED;
}

enum handshake tls_handshake(SSL_CTX *context, int fd, const char *name, int64_t deadline_us,
                             SSL **ret, char why[SAID])
{
    ERR_clear_error();
    SSL *ssl = SSL_new(context);
    enum handshake outcome = HANDSHAKE_UNABLE;
    if (!ssl || !SSL_set_fd(ssl, fd) || (name && !SSL_set_tlsext_host_name(ssl, name))) {
        tls_reason(why, "out of memory");
        SSL_free(ssl);
        return outcome;
    }
    for (;;) {
        errno = 0;
        int done = SSL_connect(ssl), error = SSL_get_error(ssl, done);
        if (done == 1) {
            *ret = ssl;
            return HANDSHAKE_DONE;
        }
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            outcome = failure();
            tls_reason(why, errno ? strerror(errno) : "the server hangs up");
            break;
        }
        if (!tls_wait(fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_us)) {
            bool began = BIO_number_read(SSL_get_rbio(ssl)) > 0;
            outcome = began ? HANDSHAKE_STALLS : HANDSHAKE_TIMEOUT;
            snprintf(why, SAID,
                     began ? "the TLS handshake begins and does not come to an end"
                           : "no answer to the TLS handshake");
            break;
        }
    }
    SSL_free(ssl);
    return outcome;
}
