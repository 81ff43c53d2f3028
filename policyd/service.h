/* SPDX-License-Identifier: Apache-2.0 */
/* The policy service: a request to a session, a verdict, a record, a reply. */
#ifndef POLICYD_SERVICE_H
#define POLICYD_SERVICE_H

#include "edge/life.h"
#include "edge/request_facts.h"
#include "policyd/transactions.h"

struct service {
    struct life *life; /* policy, recorder, ciphers */
    struct transactions *transactions;
    uint64_t repeated; /* requests of a transaction that was decided before */
};

/* An answer_fn (server.h); `context` is the service. */
void service_answer(void *context, const struct request *r, struct str socket_name,
                    const struct now *now, struct buf *reply);

#endif
