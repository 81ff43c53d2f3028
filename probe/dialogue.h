/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SMTP client on a connection of its own: one command, then its reply, as
 * RFC 5321 2.1 and 4.3.1 want it, each with a deadline; plain, and under TLS from
 * dialogue_tls() on. It never sends a credential and never DATA, because there
 * is no function for it: commands are a closed list in visit.c.
 *
 * Thread use: a dialogue is one thread's.
 */
#ifndef PROBE_DIALOGUE_H
#define PROBE_DIALOGUE_H

#include <netinet/in.h>

#include "probe/tls.h"

struct dialogue {
    int fd;
    SSL *ssl;
    int64_t step_us, until_us; /* how long a step may take; when the last one must be over */
    char in[REPLY_MAX];
    size_t n, taken; /* bytes in `in`, and how many of them the last reply was */
    char why[SAID];  /* why the last step failed */
};

enum step {
    STEP_DONE,
    STEP_TIMEOUT,
    STEP_CLOSED, /* by the server, or by an error of the network */
    STEP_BAD     /* what is said is not SMTP, or more than was asked */
};

union endpoint {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

/* From the text of an address. False if it is none. */
bool endpoint_of(const char *address, uint16_t port, union endpoint *ret);

/*
 * Connects. Zero, or errno (ETIMEDOUT also if it takes too long), `why` set. *d is
 * to be closed in both cases.
 */
int dialogue_open(struct dialogue *d, const union endpoint *to, int64_t step_us, int64_t until_us);

/* The next reply; its lines are good until the next step. */
enum step dialogue_reply(struct dialogue *d, struct reply *ret);

/* Sends bytes as they are. */
enum step dialogue_send(struct dialogue *d, struct str bytes);

/* Sends a line (without its end), then waits for its reply. */
enum step dialogue_command(struct dialogue *d, const char *line, struct reply *ret);

/* Handshake. REFUSED also if something was said in clear text behind the last reply. */
enum handshake dialogue_tls(struct dialogue *d, SSL_CTX *context, const char *name);

/* Takes leave if `politely` (QUIT and its reply, for a second), and frees what it holds. */
void dialogue_close(struct dialogue *d, bool politely);

#endif
