/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client of the Dovecot authentication protocol says, line by line: fields
 * separated by tabs, a newline at the end. The client is Postfix's smtpd
 * (src/xsasl/xsasl_dovecot_server.c); the protocol is Dovecot's, version 1.
 *
 * Pure: nothing is allocated or kept. The views in a command point into the
 * line and end with it. A line holds passwords: whoever has the memory wipes it.
 */
#ifndef GATE_PROTOCOL_H
#define GATE_PROTOCOL_H

#include "core/str.h"

/*
 * The longest line, newline included. Postfix passes on what a client sent up to
 * smtpd_sasl_response_limit, 12,288 bytes (RFC 4954 4), and some 200 of its own.
 */
enum { AUTH_LINE_MAX = 16384 };

enum auth_verb {
    VERB_OTHER, /* not for us; later versions may have more */
    VERB_VERSION,
    VERB_CPID,
    VERB_AUTH,
    VERB_CONT,
};

struct auth_command {
    enum auth_verb verb;
    uint32_t number; /* VERSION: the major one; CPID: the pid; AUTH, CONT: the id */
    /* Of AUTH. */
    struct str mechanism, service, client_address, server_address;
    bool secured; /* TLS is up */
    /* Of AUTH and CONT: base64, as the client sent it. */
    bool has_response;
    struct str response;
};

enum auth_parsed { AUTH_MORE, AUTH_ITEM, AUTH_BAD };

/*
 * The command at the beginning of `in`. AUTH_ITEM: *ret is it and *used bytes are its
 * line. AUTH_MORE: its end is not there yet. AUTH_BAD: no line that we can answer, and *why says
 * in a clause of our own what is wrong with it. The rest of *ret is set with AUTH_ITEM only.
 */
enum auth_parsed auth_parse(struct str in, struct auth_command *ret, size_t *used,
                            const char **why);

#endif
