/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of the policy service: bytes in, requests out, replies back.
 * Everything runs on the event loop's thread.
 *
 * Every request gets exactly one reply, in order. What cannot be understood
 * gets none: the connection is closed, and Postfix does what its
 * default_action says.
 */
#ifndef POLICYD_SERVER_H
#define POLICYD_SERVER_H

#include "core/clock.h"
#include "edge/failure.h"
#include "edge/sock.h"
#include "edge/request.h"

struct event_base;
struct server;

/* The longest reply: `action=`, a code, an enhanced code, a text, two newlines. */
enum { REPLY_MAX = 512 };

/*
 * Answers one request into `reply` (empty, REPLY_MAX bytes of room): one
 * `action=...` line and an empty line. `socket_name` is the listener that the
 * socket stands for, or empty.
 */
typedef void answer_fn(void *context, const struct request *r, struct str socket_name,
                       const struct now *now, struct buf *reply);

struct server_counters {
    uint64_t open, accepted, requests, duplicate_attributes;
};

/*
 * Serves the sockets in `list`, which must stay in place, until server_free().
 * `max_open` is the number of connections beyond which accepting stops until
 * one ends. NULL when memory ends.
 */
struct server *server_new(struct event_base *base, struct listening *list, int count,
                          uint64_t max_open, answer_fn *answer, void *context,
                          struct failures *failures);
const struct server_counters *server_counters(const struct server *s);
void server_free(struct server *s);

#endif
