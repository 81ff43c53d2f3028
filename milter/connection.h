/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of one milter connection, which is one SMTP session: as little
 * as possible, since thousands wait. What the MTA tells at each stage is asked
 * for again there (macros.h).
 *
 * Thread use: libmilter calls the callbacks of one connection one after the
 * other, each perhaps on another thread.
 */
#ifndef MILTER_CONNECTION_H
#define MILTER_CONNECTION_H

#include "core/catalogue.h"
#include "core/policy.h"
#include "milter/macros.h"

enum { HELO_MAX = 255 };

struct connection {
    struct policy *policy; /* what it began with, across reloads; holds a reference */
    struct addr client, server;
    uint16_t client_port, server_port; /* 0: unknown */
    enum mta mta;
    bool our_lists; /* told.our_lists */
    bool mail_seen;
    uint8_t tls_at_connect; /* enum known */
    uint8_t tls_at_helo;    /* enum known, at the last HELO or EHLO; KNOWN_NOTHING before one */
    finding_set recorded;   /* findings of this session that are in the journal */
    char *listener_told;    /* the name the MTA has for the port; NULL: none that counts */
    char *helo;             /* of the last HELO or EHLO; NULL: none, or longer than HELO_MAX */
    const char *software;   /* id in the catalogue; NULL: not recognised */
    char software_version[CATALOGUE_VERSION_MAX + 1];
};

/* NULL when memory ends. */
struct connection *connection_new(bool our_lists);
void connection_free(struct connection *c);

/* CONNECT: both ends. `client` is as libmilter has it; NULL: none (sendmail -bs). */
void connection_begins(struct connection *c, const struct sockaddr *client,
                       const struct told *told);

/* A HELO or EHLO. False: it is too long to keep, or memory is short; then it is unknown. */
bool connection_helo(struct connection *c, const char *argument, const struct told *told);

/* The client's software, recognised. */
void connection_software(struct connection *c, const struct software *software);

#endif
