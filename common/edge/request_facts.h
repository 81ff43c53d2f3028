/* SPDX-License-Identifier: Apache-2.0 */
/* From what Postfix says to what is known: one request to one session. */
#ifndef EDGE_REQUEST_FACTS_H
#define EDGE_REQUEST_FACTS_H

#include "core/session.h"
#include "edge/tls.h"
#include "edge/request.h"

/*
 * `socket_name` is the listener that the socket is bound to, or empty. The
 * session's views point into the request's bytes; *ret is overwritten.
 */
void facts_of_request(const struct request *r, const struct policy *p,
                      const struct ciphers *ciphers, struct str socket_name, struct session *ret);

#endif
