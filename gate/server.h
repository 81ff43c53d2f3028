/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's connections: one loop over epoll(7), without a library that might fail before a client
 * has its answer. A connection stays as long as the MTA's process has it, however idle.
 *
 * Bounded: connections by the limit of open files (then nobody is accepted until one leaves; they
 * wait in the socket's backlog), a line by AUTH_LINE_MAX, and what a peer has not read by
 * GATE_OUT_MAX. Lines are wiped once they are answered.
 *
 * Thread use: one thread.
 */
#ifndef GATE_SERVER_H
#define GATE_SERVER_H

#include "core/err.h"
#include "gate/dialogue.h"

enum {
    GATE_DESCRIPTORS = 32,    /* kept for everything that is no connection */
    GATE_OUT_MAX = 32 * 1024, /* bytes that a peer may leave unread before it is dropped */
};

struct gate_server;

struct gate_server_options {
    int listening;     /* stays the caller's; non-blocking */
    int signals;       /* readable: end; a signalfd(2), stays the caller's */
    uint64_t max_open; /* connections */
    struct str text;   /* the reason, GATE_TEXT_MAX bytes at most, printable ASCII */
    /* Called when an answer is on its way. */
    void (*refused)(void *context, const struct attempt *a);
    /* Called between two turns of the loop, with the connections there are; in how many
     * milliseconds it is to be called again at the latest, -1: whenever there is a turn. */
    int (*turned)(void *context, uint64_t open);
    void *context;
};

/* NULL with *e set: no epoll, no memory. */
struct gate_server *gate_server_new(const struct gate_server_options *o, struct err *e);

/* Answers until `signals` is readable. */
void gate_server_run(struct gate_server *s);

/* Closes all connections. NULL is allowed. */
void gate_server_free(struct gate_server *s);

#endif
