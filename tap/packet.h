/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One captured packet to one TCP segment (RFC 9293 3.1) over IPv4 (RFC 791) or IPv6 (RFC 8200), by
 * the link types that libpcap gives for Ethernet, for "any" and for interfaces without a header.
 *
 * Checksums are not looked at: what leaves a machine, and all on its loopback, is captured before
 * they are computed. Fragments are not put together: a mail client's TCP does not send any (path
 * MTU discovery), and whoever does only hides from us.
 *
 * Pure: the segment's payload is a view into the packet. Any thread.
 */
#ifndef TAP_PACKET_H
#define TAP_PACKET_H

#include "core/net.h"

enum {
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_ACK = 16,
};

struct segment {
    struct addr client, server; /* source and destination; an IPv4-mapped address is the IPv4 one */
    uint16_t client_port, server_port;
    uint32_t seq;
    uint8_t flags;      /* bits TCP_x */
    struct str payload; /* what was captured of it */
    uint32_t length;    /* how long it really was; never less than payload.n */
};

/* What a packet was. From PACKET_BAD on: it is wrong, or too little of it was captured. */
enum packet_kind {
#define PACKET(name, word) PACKET_##name,
#include "tap/packet_kinds.def"
#undef PACKET
    PACKET_KINDS
};
enum { PACKET_BAD = PACKET_LINK_CUT };

extern const char *const packet_kind_names[PACKET_KINDS]; /* "tcp", "fragment", ... */

/* How to read a link type (a LINKTYPE_ of pcap, DLT_ of libpcap); NULL: it is not known here. */
struct link_type;
const struct link_type *packet_link(int type);
const char *packet_link_name(const struct link_type *l);
bool packet_link_has_vlans(const struct link_type *l); /* libpcap's filter takes "vlan" on it */

/*
 * `captured` is what there is of a packet that was `length` bytes long on the link. *ret is set
 * with PACKET_TCP only. Segmentation and receive offload make packets of up to 64 KiB, and more
 * (their IP length is then 0), of which the end is usually not captured: payload.n < length.
 */
enum packet_kind packet_parse(const struct link_type *l, struct str captured, size_t length,
                              struct segment *ret);

#endif
