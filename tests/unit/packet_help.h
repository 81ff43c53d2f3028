/* SPDX-License-Identifier: Apache-2.0 */
/* Packets written by hand, for the tests of tap/. */
#ifndef PACKET_HELP_H
#define PACKET_HELP_H

#include "tap/packet.h"

enum { PACKET_ROOM = 70000 };

/* A packet in the making; headers are put in front of what is there. */
struct packet {
    uint8_t bytes[PACKET_ROOM];
    size_t at; /* where it begins; it ends at the end */
};

void packet_begin(struct packet *p, struct str payload);
/* `offset`: words of the header; 0: as many as it has, with `options` bytes of options. */
void packet_tcp(struct packet *p, uint16_t from, uint16_t to, uint32_t seq, uint8_t flags,
                unsigned options, unsigned offset);
/* Text form of the addresses. */
void packet_ip4(struct packet *p, const char *from, const char *to, unsigned options);
void packet_ip6(struct packet *p, const char *from, const char *to, uint8_t next);
/* An IPv6 extension header of 8 * (more + 1) bytes, with `next` in it. */
void packet_extension(struct packet *p, uint8_t next, uint8_t more);
/* Bytes in hexadecimal, such as a link's header. */
void packet_hex(struct packet *p, const char *hex);

static inline struct str packet_view(const struct packet *p)
{
    return (struct str){(const char *)p->bytes + p->at, sizeof p->bytes - p->at};
}

#endif
