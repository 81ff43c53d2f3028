/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filter says at each stage of a session: facts, verdict, record.
 * libmilter's side of it (contexts, replies on the wire) is in callbacks.c.
 *
 * Thread use: any thread. What is decided needs no lock, since a connection's
 * policy does not change; life.lock is taken for as long as a record is written into
 * memory, which is a microsecond, and nobody waits for a disk or a peer with it.
 */
#ifndef MILTER_FILTER_H
#define MILTER_FILTER_H

#include "core/reply.h"
#include "edge/life.h"
#include "edge/sock.h"
#include "milter/connection.h"

struct filter_counters {
    atomic_uint_fast64_t open, accepted, mails, lists_refused, helo_too_long;
};

struct filter {
    struct life life;
    struct listening socket; /* what libmilter listens on */
    bool is_tcp;
    bool wants_headers; /* there is a journal to tell the client's software in */
    bool stopping;      /* answers go by the failure table; nothing is recorded any more */
    bool warned_lists, warned_tcp, warned_certificates;
    struct filter_counters counters;
};

/* What is to be done with a mail. */
enum answer_kind {
    ANSWER_PASS,    /* and nothing more is wanted of this message */
    ANSWER_HEADERS, /* pass, and show the headers */
    ANSWER_REFUSE,  /* with the reply */
};

/* A connection begins; NULL when memory ends. */
struct connection *filter_open(struct filter *f, bool our_lists);

/* CONNECT: pins the policy, and finds out whether the port is what the policy says. */
void filter_connect(struct filter *f, struct connection *c, const struct sockaddr *client,
                    const struct told *told);

/* HELO or EHLO. */
void filter_helo(struct filter *f, struct connection *c, const char *argument,
                 const struct told *told);

/* A command that the MTA does not know. True: answer 421, which closes the
 * connection (listener option disconnect_implicit_tls). */
bool filter_unknown(struct filter *f, struct connection *c, struct str command,
                    const struct told *told);

/* MAIL; *ret_reply is set with ANSWER_REFUSE. `c` may be NULL, memory was short; then `told`
 * is what was told at CONNECT. */
enum answer_kind filter_mail(struct filter *f, struct connection *c, struct str sender,
                             const struct told *told, struct reply *ret_reply);

/* A header field, and the end of them. */
void filter_header(struct connection *c, struct str name, struct str value);
void filter_end_of_headers(struct filter *f, struct connection *c, const struct told *told);

/* The connection ends; frees `c`, which may be NULL. */
void filter_close(struct filter *f, struct connection *c, const struct told *told);

#endif
