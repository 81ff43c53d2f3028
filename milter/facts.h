/* SPDX-License-Identifier: Apache-2.0 */
/* From what the MTA tells a milter to what is known: the state of one connection to one session. */
#ifndef MILTER_FACTS_H
#define MILTER_FACTS_H

#include "core/session.h"
#include "edge/tls.h"
#include "milter/connection.h"

/* Texts that are not in the MTA's own words; the session's views may point here. */
struct facts_texts {
    char client[64], server[64];
    char user[320];
};

/*
 * `stage` is how far the SMTP session is; `socket_name` the listener that our
 * socket stands for, or empty; `sender` the argument of MAIL, or empty. The
 * session's views point into `told`, `c`, `sender` and `texts`; *ret is
 * overwritten. Pure.
 */
void facts_of_connection(const struct connection *c, const struct told *told, enum stage stage,
                         const struct ciphers *ciphers, struct str socket_name, struct str sender,
                         struct facts_texts *texts, struct session *ret);

/* The first bytes of a TLS handshake where a command should be (RFC 8446 5.1: a
 * record of type handshake and version 3.x). */
enum { TLS_HANDSHAKE = 0x16, TLS_MAJOR_VERSION = 0x03 };
bool facts_is_tls_hello(struct str command);

#endif
