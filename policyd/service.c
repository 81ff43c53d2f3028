/* SPDX-License-Identifier: Apache-2.0 */
#include "policyd/service.h"

#include "core/reply.h"

/*
 * An empty or all-digits action means PERMIT to Postfix, so what is written
 * here is either DUNNO or begins with a code that refuses and has a text.
 */
static void write_reply(struct buf *b, const struct policy *p, const struct decision *d)
{
    struct reply reply;
    buf_str(b, STR("action="));
    if (refuses(d->action) && reply_for(p, d->finding, d->action, EDGE_MAIL, &reply)) {
        buf_u64(b, reply.code);
        buf_char(b, ' ');
        buf_cstring(b, reply.dsn);
        buf_char(b, ' ');
        buf_cstring(b, reply.text);
    } else {
        buf_str(b, STR("DUNNO"));
    }
    buf_str(b, STR("\n\n"));
}

void service_answer(void *context, const struct request *r, struct str socket_name,
                    const struct now *now, struct buf *reply)
{
    struct service *service = context;
    struct life *life = service->life;
    const struct policy *policy = life->policy;
    struct session s;
    struct decision d;
    facts_of_request(r, policy, life->ciphers, socket_name, &s);
    if (transactions_find(service->transactions, &s, &d)) {
        service->repeated++;
    } else {
        struct verdict v;
        decide(policy, &s, now, &v, NULL);
        d = (struct decision){v.action, v.finding};
        transactions_put(service->transactions, &s, &d);
        record_decision(&life->recorder, policy, &s, &v, now);
    }
    write_reply(reply, policy, &d);
}
