/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ports are watched, and on which of them a PROXY header comes first and is believed: the
 * listeners' of the policy, and tap.proxied_ports.
 *
 * Pure; one thread at a time.
 */
#ifndef TAP_PORTS_H
#define TAP_PORTS_H

#include "config/config.h"

enum { PORT_WATCHED = 1, PORT_PROXIED = 2 };

/* A byte for each port, so that what is not ours costs one look. */
struct ports {
    uint8_t is[65536]; /* bits PORT_x; 0: not ours */
};

void ports_set(struct ports *p, const struct config *c);

/* "25 or 465 or 587", as the filter of libpcap takes it. At least one, of any configuration. */
void ports_format(struct buf *b, const struct ports *p);

#endif
