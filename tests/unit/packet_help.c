/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/packet_help.h"

#include <arpa/inet.h>
#include <stdlib.h>

static uint8_t *in_front(struct packet *p, size_t n)
{
    if (p->at < n)
        abort();
    p->at -= n;
    return memset(p->bytes + p->at, 0, n);
}

static void two(uint8_t *at, size_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

void packet_begin(struct packet *p, struct str payload)
{
    p->at = sizeof p->bytes;
    if (payload.n)
        memcpy(in_front(p, payload.n), payload.p, payload.n);
}

void packet_tcp(struct packet *p, uint16_t from, uint16_t to, uint32_t seq, uint8_t flags,
                unsigned options, unsigned offset)
{
    uint8_t *h = in_front(p, 20 + options);
    two(h, from);
    two(h + 2, to);
    two(h + 4, seq >> 16);
    two(h + 6, seq & 0xffff);
    h[12] = (uint8_t)((offset ? offset : 5 + options / 4) << 4);
    h[13] = flags;
}

void packet_ip4(struct packet *p, const char *from, const char *to, unsigned options)
{
    size_t behind = sizeof p->bytes - p->at;
    uint8_t *h = in_front(p, 20 + options);
    h[0] = (uint8_t)(0x45 + options / 4);
    two(h + 2, behind + 20 + options);
    h[8] = 64;
    h[9] = 6;
    inet_pton(AF_INET, from, h + 12);
    inet_pton(AF_INET, to, h + 16);
}

void packet_ip6(struct packet *p, const char *from, const char *to, uint8_t next)
{
    size_t behind = sizeof p->bytes - p->at;
    uint8_t *h = in_front(p, 40);
    h[0] = 0x60;
    two(h + 4, behind);
    h[6] = next;
    inet_pton(AF_INET6, from, h + 8);
    inet_pton(AF_INET6, to, h + 24);
}

void packet_extension(struct packet *p, uint8_t next, uint8_t more)
{
    uint8_t *h = in_front(p, 8 * (1u + more));
    h[0] = next;
    h[1] = more;
}

void packet_hex(struct packet *p, const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *at = in_front(p, n);
    for (size_t i = 0; i < n; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        at[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}
