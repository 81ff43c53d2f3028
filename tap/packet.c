/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/packet.h"

enum {
    LINK_NULL = 0, /* LINKTYPE_ numbers, and where libpcap's DLT_ differs, those */
    LINK_EN10MB = 1,
    LINK_RAW_DLT = 12, /* DLT_RAW on Linux */
    LINK_RAW_BSD = 14, /* DLT_RAW on OpenBSD */
    LINK_RAW = 101,
    LINK_LOOP = 108,
    LINK_LINUX_SLL = 113,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_LINUX_SLL2 = 276,
};

enum {
    ETHER_IPV4 = 0x0800,
    ETHER_IPV6 = 0x86dd,
    ETHER_VLAN = 0x8100,     /* 802.1Q */
    ETHER_QINQ = 0x88a8,     /* 802.1ad */
    ETHER_QINQ_OLD = 0x9100, /* what came before it */
    ETHER_TAGS = 2,          /* an outer and an inner one */
    ANY_IP = 0,              /* the link does not say which: the first half byte does */
    IPPROTO_IS_TCP = 6,      /* RFC 5237 */
    IPV4_HEADER = 20,
    IPV6_HEADER = 40,
    IPV6_EXTENSIONS = 8, /* RFC 8200 4.1: each at most once, but one twice */
    TCP_HEADER = 20,
};

/* The extension headers of RFC 8200 4 that can stand before TCP. */
enum { EXT_HOP_BY_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_DESTINATION = 60 };

const char *const packet_kind_names[PACKET_KINDS] = {
#define PACKET(name, word) [PACKET_##name] = word,
#include "tap/packet_kinds.def"
#undef PACKET
};

/* What is left of a packet: `at` counts the captured bytes, `length` the real ones. */
struct rest {
    const uint8_t *p;
    size_t n, length;
};

static bool skip(struct rest *r, size_t n)
{
    if (n > r->n || n > r->length)
        return false;
    r->p += n;
    r->n -= n;
    r->length -= n;
    return true;
}

static uint16_t two(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t four(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- links ----------------------------------------------------------------------- */

/* What protocol lies behind it, and where. */
struct link_type {
    int type;
    const char *name;
    bool vlans;       /* tags may stand there, and libpcap's filter knows "vlan" */
    uint8_t header;   /* bytes */
    uint8_t protocol; /* where its two bytes stand; with `family`: four of the host that wrote */
    bool family;      /* an address family of some BSD, in some order of bytes */
    uint16_t always;  /* no header says it: this is it */
};

static const struct link_type links[] = {
    {LINK_EN10MB, "Ethernet", true, 14, 12},
    {LINK_LINUX_SLL, "Linux cooked", false, 16, 14},
    {LINK_LINUX_SLL2, "Linux cooked 2", false, 20, 0},
    {LINK_NULL, "BSD loopback", false, 4, 0, .family = true},
    {LINK_LOOP, "OpenBSD loopback", false, 4, 0, .family = true},
    {LINK_RAW_DLT, "raw IP", false, 0, 0, .always = ANY_IP},
    {LINK_RAW_BSD, "raw IP", false, 0, 0, .always = ANY_IP},
    {LINK_RAW, "raw IP", false, 0, 0, .always = ANY_IP},
    {LINK_IPV4, "raw IPv4", false, 0, 0, .always = ETHER_IPV4},
    {LINK_IPV6, "raw IPv6", false, 0, 0, .always = ETHER_IPV6},
};

const struct link_type *packet_link(int type)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (links[i].type == type)
            return &links[i];
    return NULL;
}

const char *packet_link_name(const struct link_type *l)
{
    return l->name;
}

bool packet_link_has_vlans(const struct link_type *l)
{
    return l->vlans;
}

/* AF_INET is 2 everywhere; AF_INET6 is 10 (Linux), 24, 28 or 30 (the BSDs, macOS). */
static uint16_t of_family(const uint8_t *p)
{
    uint32_t big = four(p), family = big > 0xffff ? p[0] | (uint32_t)p[1] << 8 : big;
    switch (family) {
    case 2: return ETHER_IPV4;
    case 10:
    case 24:
    case 28:
    case 30: return ETHER_IPV6;
    default: return 1;
    }
}

/* Skips the link's header, VLAN tags included; *ret_protocol is an EtherType, or ANY_IP. */
static enum packet_kind skip_link(const struct link_type *l, struct rest *r, uint16_t *ret_protocol)
{
    const uint8_t *header = r->p;
    *ret_protocol = l->always;
    if (!l->header)
        return PACKET_TCP;
    if (!skip(r, l->header))
        return PACKET_LINK_CUT;
    uint16_t protocol = l->family ? of_family(header) : two(header + l->protocol);
    int tags = 0;
    while (protocol == ETHER_VLAN || protocol == ETHER_QINQ || protocol == ETHER_QINQ_OLD) {
        const uint8_t *tag = r->p;
        if (tags++ == ETHER_TAGS)
            return PACKET_VLAN_DEPTH;
        if (!skip(r, 4))
            return PACKET_LINK_CUT;
        protocol = two(tag + 2);
    }
    *ret_protocol = protocol;
    return protocol == ETHER_IPV4 || protocol == ETHER_IPV6 ? PACKET_TCP : PACKET_NOT_IP;
}

/* ---- IP -------------------------------------------------------------------------- */

static void set_ipv4(struct addr *a, const uint8_t *p)
{
    memset(a->b + 4, 0, sizeof a->b - 4);
    memcpy(a->b, p, 4);
    a->bits = 32;
}

static void set_ipv6(struct addr *a, const uint8_t *p)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(p, mapped, sizeof mapped) == 0) {
        set_ipv4(a, p + sizeof mapped);
        return;
    }
    memcpy(a->b, p, sizeof a->b);
    a->bits = 128;
}

/* The link may have padded the packet. What IP says is 0 is too long for its field. */
static bool set_length(struct rest *r, size_t said)
{
    if (said > r->length)
        return false;
    if (said) {
        r->length = said;
        r->n = r->n < said ? r->n : said;
    }
    return true;
}

static enum packet_kind skip_ipv4(struct rest *r, struct segment *ret)
{
    const uint8_t *h = r->p;
    if (r->n < IPV4_HEADER)
        return PACKET_IP_CUT;
    size_t header = (size_t)(h[0] & 15) * 4, total = two(h + 2);
    if (header < IPV4_HEADER)
        return PACKET_IP_HEADER;
    if ((total && total < header) || !set_length(r, total))
        return PACKET_IP_LENGTH;
    if (two(h + 6) & 0x3fff) /* more fragments, or an offset */
        return PACKET_FRAGMENT;
    if (h[9] != IPPROTO_IS_TCP)
        return PACKET_NOT_TCP;
    set_ipv4(&ret->client, h + 12);
    set_ipv4(&ret->server, h + 16);
    return skip(r, header) ? PACKET_TCP : PACKET_IP_CUT;
}

static enum packet_kind skip_extensions(struct rest *r, uint8_t next)
{
    for (int i = 0; next != IPPROTO_IS_TCP; i++) {
        const uint8_t *h = r->p;
        if (next == EXT_FRAGMENT)
            return PACKET_FRAGMENT;
        if (next != EXT_HOP_BY_HOP && next != EXT_ROUTING && next != EXT_DESTINATION)
            return PACKET_NOT_TCP;
        if (i == IPV6_EXTENSIONS)
            return PACKET_IP_EXTENSIONS;
        if (r->length < 8)
            return PACKET_IP_LENGTH;
        if (r->n < 8)
            return PACKET_IP_CUT;
        size_t header = ((size_t)h[1] + 1) * 8;
        if (header > r->length)
            return PACKET_IP_LENGTH;
        if (!skip(r, header))
            return PACKET_IP_CUT;
        next = h[0];
    }
    return PACKET_TCP;
}

static enum packet_kind skip_ipv6(struct rest *r, struct segment *ret)
{
    const uint8_t *h = r->p;
    if (r->n < IPV6_HEADER)
        return PACKET_IP_CUT;
    size_t payload = two(h + 4);
    skip(r, IPV6_HEADER);
    if (!set_length(r, payload))
        return PACKET_IP_LENGTH;
    set_ipv6(&ret->client, h + 8);
    set_ipv6(&ret->server, h + 24);
    return skip_extensions(r, h[6]);
}

static enum packet_kind skip_ip(uint16_t protocol, struct rest *r, struct segment *ret)
{
    if (r->n == 0)
        return PACKET_IP_CUT;
    unsigned version = r->p[0] >> 4;
    if (version == 4 && protocol != ETHER_IPV6)
        return skip_ipv4(r, ret);
    if (version == 6 && protocol != ETHER_IPV4)
        return skip_ipv6(r, ret);
    return PACKET_IP_VERSION;
}

/* ---- TCP ------------------------------------------------------------------------- */

static enum packet_kind take_tcp(struct rest *r, struct segment *ret)
{
    const uint8_t *h = r->p;
    if (r->length < TCP_HEADER)
        return PACKET_IP_LENGTH;
    if (r->n < TCP_HEADER)
        return PACKET_TCP_CUT;
    size_t header = (size_t)(h[12] >> 4) * 4;
    if (header < TCP_HEADER || header > r->length)
        return PACKET_TCP_HEADER;
    ret->client_port = two(h);
    ret->server_port = two(h + 2);
    ret->seq = four(h + 4);
    ret->flags = h[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
    if (!skip(r, header))
        return PACKET_TCP_CUT;
    ret->payload = (struct str){(const char *)r->p, r->n};
    ret->length = (uint32_t)r->length;
    return PACKET_TCP;
}

enum packet_kind packet_parse(const struct link_type *l, struct str captured, size_t length,
                              struct segment *ret)
{
    struct rest r = {(const uint8_t *)captured.p, captured.n, length};
    uint16_t protocol;
    if (r.length < r.n) /* only a broken capture says so */
        r.length = r.n;
    enum packet_kind kind = skip_link(l, &r, &protocol);
    if (kind == PACKET_TCP)
        kind = skip_ip(protocol, &r, ret);
    return kind == PACKET_TCP ? take_tcp(&r, ret) : kind;
}
