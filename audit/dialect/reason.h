/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a TLS handshake failed, from the texts of OpenSSL 1.0 to 4.0 and of LibreSSL (reasons.def).
 * The same words mean different things in different functions ("wrong version number" of a record
 * is no TLS at all, of a ClientHello it is an old client), so function or source file count too.
 */
#ifndef AUDIT_REASON_H
#define AUDIT_REASON_H

#include "core/str.h"

enum handshake {
    HANDSHAKE_NOT_TOLD,
    HANDSHAKE_CLEARTEXT,   /* what came was not TLS */
    HANDSHAKE_HTTP,        /* it was HTTP in clear text */
    HANDSHAKE_VERSION,     /* no TLS version in common */
    HANDSHAKE_CIPHER,      /* no cipher in common */
    HANDSHAKE_CERTIFICATE, /* the client rejected our certificate, by its alert (RFC 8446 6.2) */
    HANDSHAKE_GONE,        /* the client closed or reset */
    HANDSHAKE_TIMEOUT,     /* the client went silent */
    HANDSHAKE_SERVER,      /* the server's fault: key, certificate, memory */
    HANDSHAKE_OTHER,       /* told, and none of these; `text` says what */
    HANDSHAKES
};

struct reason {
    enum handshake handshake;
    const char *text; /* OpenSSL's words as the table has them, a constant; NULL: not told or not in
                         the table */
};

extern const char *const handshake_words[HANDSHAKES]; /* for people */
extern const char *const handshake_ids[HANDSHAKES];   /* for programs: "version"; "": not told */

/* A line of OpenSSL's error queue: "error:0A00010B:SSL routines::wrong version number:...". */
struct reason reason_of_error(struct str error);

/* The bare words, as Sendmail's "reason=" has them. */
struct reason reason_of_words(struct str words);

/* What Postfix writes behind "SSL_accept error from X: ": "-1", "0", "lost connection", an errno
 * text. */
struct reason reason_of_accept(struct str why);

/* A reason's text as one byte, within one run: 0 for none. reason_at() gives it back. */
uint8_t reason_index(struct reason r);
struct reason reason_at(uint8_t index);

#endif
