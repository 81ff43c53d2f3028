/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net.h"

#include <arpa/inet.h>

static struct addr unmap(const uint8_t b[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct addr a = {.bits = 128};
    if (memcmp(b, mapped, sizeof mapped) == 0) {
        a.bits = 32;
        memcpy(a.b, b + 12, 4);
    } else {
        memcpy(a.b, b, 16);
    }
    return a;
}

bool addr_parse(struct str s, struct addr *ret)
{
    *ret = (struct addr){0};
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = (struct str){s.p + 1, s.n - 2};
    if (s.n > 5 && s.p[4] == ':' && str_eq_nocase((struct str){s.p, 5}, STR("IPv6:")))
        s = (struct str){s.p + 5, s.n - 5};

    char text[INET6_ADDRSTRLEN];
    if (s.n == 0 || s.n >= sizeof text || memchr(s.p, '\0', s.n))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';

    uint8_t b[16];
    if (inet_pton(AF_INET, text, ret->b) == 1) {
        ret->bits = 32;
        return true;
    }
    if (inet_pton(AF_INET6, text, b) != 1)
        return false;
    *ret = unmap(b);
    return true;
}

void addr_format(struct buf *b, const struct addr *a)
{
    char text[INET6_ADDRSTRLEN];
    if (a->bits && inet_ntop(a->bits == 32 ? AF_INET : AF_INET6, a->b, text, sizeof text))
        buf_cstring(b, text);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->bits == b->bits && memcmp(a->b, b->b, a->bits / 8) == 0;
}

struct prefix addr_prefix(const struct addr *a, unsigned len)
{
    struct prefix p = {.addr = {.bits = a->bits}, .len = (uint8_t)(len < a->bits ? len : a->bits)};
    memcpy(p.addr.b, a->b, p.len / 8);
    if (p.len % 8)
        p.addr.b[p.len / 8] = (uint8_t)(a->b[p.len / 8] & (0xff << (8 - p.len % 8)));
    return p;
}

enum prefix_result prefix_parse(struct str s, struct prefix *ret)
{
    struct str rest = s, host = str_cut(&rest, "/");
    struct addr a;
    uint64_t len;
    *ret = (struct prefix){0};
    if (!addr_parse(host, &a))
        return PREFIX_BAD;
    if (!rest.p)
        len = a.bits;
    else if (!str_to_u64(rest, 128, &len))
        return PREFIX_BAD;
    else if (a.bits == 32 && memchr(host.p, ':', host.n) && len >= 96)
        len -= 96; /* a network of IPv4-mapped addresses */
    if (len > a.bits)
        return PREFIX_BAD;
    *ret = addr_prefix(&a, (unsigned)len);
    return addr_eq(&ret->addr, &a) ? PREFIX_OK : PREFIX_HOST_BITS;
}

void prefix_format(struct buf *b, const struct prefix *p)
{
    addr_format(b, &p->addr);
    if (p->len < p->addr.bits) {
        buf_char(b, '/');
        buf_u64(b, p->len);
    }
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
    if (p->addr.bits != a->bits || a->bits == 0)
        return false;
    struct prefix of = addr_prefix(a, p->len);
    return addr_eq(&of.addr, &p->addr);
}
