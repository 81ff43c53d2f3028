/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer of DNS: what is taken from it is within bounds, in order, and may be
 * shown. */
#include <stdint.h>
#include <stdlib.h>

#include "probe/dns.h"

static void must(bool what)
{
    if (!what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct srv_seen srv;
    static struct addresses list;
    memset(&srv, 0, sizeof srv);
    memset(&list, 0, sizeof list);
    dns_parse_srv(p, n, &srv);
    dns_parse_addresses(p, n, &list);
    must(srv.count <= SRV_RECORDS && list.count <= ADDRESSES_MAX);
    for (unsigned i = 0; i < srv.count; i++) {
        const struct srv_record *r = &srv.records[i];
        must(strlen(r->target) < sizeof r->target);
        for (const char *c = r->target; *c; c++)
            must(*c > 0x20 && *c < 0x7f);
        must(i == 0 || r[-1].priority < r->priority ||
             (r[-1].priority == r->priority && r[-1].weight >= r->weight));
        must((r->leads == SRV_NOT_OFFERED) == !*r->target);
    }
    for (unsigned i = 0; i < list.count; i++) {
        union endpoint e;
        must(endpoint_of(list.text[i], 25, &e));
    }
    return 0;
}
