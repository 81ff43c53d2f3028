/* SPDX-License-Identifier: Apache-2.0 */
#include "core/wire/proxy_header.h"

#include "core/wire/reader.h"

enum {
    V1_BEGIN = 6, /* bytes of "PROXY " */
    V1_MAX = 107, /* CR LF included (2.1) */
    V2_BEGIN = 12,
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
};

/* ---- version 1: a line (2.1) ------------------------------------------------------------ */

static const struct {
    struct str name;
    const char *characters; /* of its addresses; NULL: they are not looked at */
    char separator;         /* each has one */
} protocols[] = {
    {{"TCP4", 4}, "0123456789.", '.'},
    {{"TCP6", 4}, "0123456789abcdefABCDEF:.", ':'},
    {{"UNKNOWN", 7}, NULL, 0},
};

/* Only as the protocol writes it: addr_parse() takes more. */
static bool address_parse(struct str s, size_t protocol, struct addr *ret)
{
    if (s.n == 0 || !memchr(s.p, protocols[protocol].separator, s.n))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(protocols[protocol].characters, s.p[i]))
            return false;
    return addr_parse(s, ret);
}

static bool port_parse(struct str s, uint16_t *ret)
{
    uint64_t v;
    if ((s.n > 1 && s.p[0] == '0') || !str_to_u64(s, UINT16_MAX, &v))
        return false;
    *ret = (uint16_t)v;
    return true;
}

static bool fields_parse(struct str line, struct proxy_header *h)
{
    struct str protocol = str_cut(&line, " ");
    size_t i = 0, count = sizeof protocols / sizeof *protocols;
    while (i < count && !str_eq(protocol, protocols[i].name))
        i++;
    if (i == count)
        return false;
    if (!protocols[i].characters)
        return true;
    struct str client = str_cut(&line, " "), server = str_cut(&line, " ");
    struct str client_port = str_cut(&line, " ");
    h->told = true;
    return address_parse(client, i, &h->client) && address_parse(server, i, &h->server) &&
           port_parse(client_port, &h->client_port) && port_parse(line, &h->server_port);
}

static enum proxy_result v1_parse(struct str bytes, struct proxy_header *h, size_t *ret_used)
{
    size_t n = bytes.n < V1_MAX ? bytes.n : V1_MAX;
    const char *end = memchr(bytes.p, '\n', n);
    if (!end)
        return n < V1_MAX ? PROXY_MORE : PROXY_BAD;
    *ret_used = (size_t)(end - bytes.p) + 1;
    if (end[-1] != '\r')
        return PROXY_BAD;
    struct str line = {bytes.p + V1_BEGIN, (size_t)(end - 1 - bytes.p) - V1_BEGIN};
    return fields_parse(line, h) ? PROXY_ITEM : PROXY_BAD;
}

/* ---- version 2: binary (2.2) ------------------------------------------------------------ */

/* Bytes of an address, by family: none, IPv4, IPv6, a path of a Unix socket (told as none). */
static const uint8_t address_size[] = {0, 4, 16, 108};

/* Through its text: an IPv4 address in IPv6's clothes is an IPv4 address, and net.h knows how. */
static struct addr address_of(struct str bytes)
{
    struct addr a = {.bits = (uint8_t)(bytes.n * 8)};
    char text[64];
    struct buf b = BUF(text);
    memcpy(a.b, bytes.p, bytes.n);
    addr_format(&b, &a);
    addr_parse(buf_view(&b), &a);
    return a;
}

static bool block_parse(struct reader *r, unsigned family, unsigned transport,
                        struct proxy_header *h)
{
    enum { TRANSPORTS = 3, UNIX = 3 };
    if (family >= sizeof address_size || transport >= TRANSPORTS)
        return false; /* "must be rejected" */
    if (family == 0 || transport == 0)
        return true;
    struct str client = read_bytes(r, address_size[family]);
    struct str server = read_bytes(r, address_size[family]);
    if (r->bad || family == UNIX)
        return !r->bad;
    h->told = true;
    h->client = address_of(client);
    h->server = address_of(server);
    h->client_port = (uint16_t)read_number(r, 2);
    h->server_port = (uint16_t)read_number(r, 2);
    return !r->bad;
}

static enum proxy_result v2_parse(struct str bytes, struct proxy_header *h, size_t *ret_used)
{
    struct reader r = {bytes, false};
    read_bytes(&r, V2_BEGIN);
    if (r.left.n == 0)
        return PROXY_MORE;
    uint32_t command = read_number(&r, 1);
    if (command != V2_LOCAL && command != V2_PROXY)
        return PROXY_BAD;
    uint32_t family = read_number(&r, 1);
    struct reader block = read_vector(&r, 2);
    if (r.bad)
        return PROXY_MORE;
    *ret_used = bytes.n - r.left.n;
    if (command == V2_LOCAL) /* a check by the proxy itself: what it says of addresses is void */
        return PROXY_ITEM;
    return block_parse(&block, family >> 4, family & 0x0f, h) ? PROXY_ITEM : PROXY_BAD;
}

/* ----------------------------------------------------------------------------------------- */

static const struct {
    struct str begin;
    enum proxy_result (*parse)(struct str, struct proxy_header *, size_t *);
} versions[] = {
    {{"PROXY ", V1_BEGIN}, v1_parse},
    {{"\r\n\r\n\0\r\nQUIT\n", V2_BEGIN}, v2_parse},
};

enum proxy_result proxy_header_parse(struct str bytes, struct proxy_header *ret, size_t *ret_used)
{
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct str begin = versions[i].begin;
        size_t n = bytes.n < begin.n ? bytes.n : begin.n;
        if (n && memcmp(bytes.p, begin.p, n))
            continue;
        if (n < begin.n)
            return PROXY_MORE;
        struct proxy_header h = {0};
        size_t used = 0;
        enum proxy_result result = versions[i].parse(bytes, &h, &used);
        if (result == PROXY_ITEM) {
            *ret = h;
            *ret_used = used;
        }
        return result;
    }
    return PROXY_NONE;
}
