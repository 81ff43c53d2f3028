/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live traffic through libpcap: only what clients send to the watched ports, the beginning of each
 * packet. Never promiscuous, never blocking. One thread.
 */
#ifndef TAP_CAPTURE_H
#define TAP_CAPTURE_H

#include "core/clock.h"
#include "core/err.h"
#include "tap/packet.h"
#include "tap/ports.h"

enum {
    /*
     * A ClientHello with a post-quantum key is 1.7 to 2.2 KiB (ML-KEM-768: 1,184 bytes of key), in
     * one packet wherever a card or the loopback joins segments; behind a PROXY header with TLVs
     * and a tag or two. What is longer is a gap, and counted. A packet of bulk mail is 1.5 KiB on
     * most networks, so a larger value costs nothing there.
     */
    CAPTURE_SNAPLEN = 4096,
    CAPTURE_BUFFER = 8 * 1024 * 1024, /* the kernel's ring: 2,000 packets as long as that */
    CAPTURE_TIMEOUT_MS = 100,         /* how late packets may come, so that they come together */
    CAPTURE_AT_ONCE = 4096,           /* packets; then it is somebody else's turn */
};

struct capture;

typedef void capture_packet(void *context, struct str captured, size_t length, int64_t wall_us);

/* Needs CAP_NET_RAW. `interface`: "any", or a name. NULL with *e set. */
struct capture *capture_open(const char *interface, const struct ports *ports, struct err *e);
void capture_close(struct capture *c); /* NULL is allowed */

/* Other ports; needs no right. -1 with *e set: the old ones stay. */
int capture_use(struct capture *c, const struct ports *ports, struct err *e);

const struct link_type *capture_link(const struct capture *c);

/* Readable when there are packets. */
int capture_fd(const struct capture *c);

/* Gives what there is to `packet`, at most CAPTURE_AT_ONCE. -1 with *e set: the capture is over. */
int capture_read(struct capture *c, capture_packet *packet, void *context, struct err *e);

/* Packets that the kernel had no room for, since the start. */
uint64_t capture_dropped(struct capture *c);

#endif
