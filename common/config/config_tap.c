/* SPDX-License-Identifier: Apache-2.0 */
/* What mailreeve-tap looks at. */
#include <stdio.h>

#include "config/config_internal.h"

static void read_port(struct reader *r, const struct yaml_node *n, struct tap_settings *ret)
{
    struct value v;
    struct complaint c;
    if (!value_parse(&options[OPTION_LISTENER_PORT], n->text, &v, &c)) {
        bad_value(r, n, "proxied_ports", n->text, &c);
        return;
    }
    for (unsigned i = 0; i < ret->proxied_count; i++) {
        if (ret->proxied_ports[i] == v.number) {
            problem_at(r, SEVERITY_ERROR, n, "proxied_ports: %u is there twice",
                       (unsigned)v.number);
            return;
        }
    }
    ret->proxied_ports[ret->proxied_count++] = (uint16_t)v.number;
}

void build_tap(struct reader *r, const struct value root[OPTION_COUNT])
{
    struct value v[OPTION_COUNT];
    struct tap_settings *t = &r->config->tap;
    read_section(r, IN_TAP, root[OPTION_TAP].bad ? NULL : root[OPTION_TAP].node, v);
    snprintf(t->interface, sizeof t->interface, "%.*s", STR_ARG(v[OPTION_TAP_INTERFACE].text));

    unsigned count;
    const struct yaml_node *n = list_items(&v[OPTION_TAP_PROXIED_PORTS], &count);
    if (count > TAP_PROXIED_MAX)
        problem_at(r, SEVERITY_ERROR, v[OPTION_TAP_PROXIED_PORTS].node,
                   "proxied_ports: at most %d, not %u", TAP_PROXIED_MAX, count);
    for (unsigned i = 0; i < count && i < TAP_PROXIED_MAX; i++, n = n->next)
        read_port(r, n, t);
}
