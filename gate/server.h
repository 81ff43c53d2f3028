/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's connections: one loop over epoll(7), without a library that might fail before a client
 * has its answer. A connection stays as long as the MTA's process has it, however idle.
 *
 * Bounded: connections by the limit of open files (then nobody is accepted until one leaves; they
 * wait in the socket's backlog), a line by AUTH_LINE_MAX, and what a peer has not read by
 * SERVER_OUT_MAX. Lines are wiped once they are answered.
 *
 * Thread use: one thread.
 */
#ifndef GATE_SERVER_H
#define GATE_SERVER_H

#include "core/err.h"
#include "gate/dialogue.h"

enum {
    SERVER_DESCRIPTORS = 32,    /* kept for everything that is no connection */
    SERVER_OUT_MAX = 32 * 1024, /* bytes that a peer may leave unread before it is dropped */
};

struct server;

struct server_options {
    int listening;     /* stays the caller's; non-blocking */
    int signals;       /* readable: end; a signalfd(2), stays the caller's */
    uint64_t max_open; /* connections */
    struct str text;   /* the reason, GATE_TEXT_MAX bytes at most, printable ASCII */
    /* Called when an answer is on its way. */
    void (*refused)(void *context, const struct attempt *a);
    void *context;
};

/* NULL with *e set: no epoll, no memory. */
struct server *server_new(const struct server_options *o, struct err *e);

/* Answers until `signals` is readable. */
void server_run(struct server *s);

/* Closes all connections. NULL is allowed. */
void server_free(struct server *s);

#endif
