/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/ports.h"

void ports_set(struct ports *p, const struct config *c)
{
    memset(p, 0, sizeof *p);
    for (unsigned i = 0; i < c->policy->listener_count; i++)
        p->is[c->policy->listeners[i]->port] |= PORT_WATCHED;
    for (unsigned i = 0; i < c->tap.proxied_count; i++)
        p->is[c->tap.proxied_ports[i]] |= PORT_WATCHED | PORT_PROXIED;
}

void ports_format(struct buf *b, const struct ports *p)
{
    bool first = true;
    for (unsigned port = 0; port < sizeof p->is; port++) {
        if (!p->is[port])
            continue;
        buf_printf(b, "%s%u", first ? "" : " or ", port);
        first = false;
    }
}
