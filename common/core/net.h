/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internet addresses and networks, as MTAs write them. All text is numeric:
 * nothing here asks DNS. An IPv4-mapped IPv6 address (::ffff:192.0.2.1,
 * RFC 4291 2.5.5.2) *is* the IPv4 address, so that a policy need say it once.
 */
#ifndef CORE_NET_H
#define CORE_NET_H

#include "core/buf.h"

struct addr {
    uint8_t bits; /* 32 or 128: how long the address is; 0: unknown */
    uint8_t b[16];
};

struct prefix {
    struct addr addr; /* the bits behind `len` are zero */
    uint8_t len;
};

/*
 * "192.0.2.1", "2001:db8::1", "[2001:db8::1]" and the milter's and Sendmail's
 * "IPv6:2001:db8::1". False, with *ret unknown, for anything else (Postfix
 * says "unknown" where it does not know).
 */
bool addr_parse(struct str s, struct addr *ret);

/* The usual text form (RFC 5952 for IPv6); writes nothing if unknown. */
void addr_format(struct buf *b, const struct addr *a);

bool addr_eq(const struct addr *a, const struct addr *b);

/* The first `len` bits; `len` above the address's length means all of it. */
struct prefix addr_prefix(const struct addr *a, unsigned len);

/*
 * "192.0.2.0/24", or an address alone. The two ways to be wrong are told
 * apart for the person who wrote it: PREFIX_HOST_BITS means a network whose
 * host part is not zero, and *ret is the network it lies in.
 */
enum prefix_result { PREFIX_OK, PREFIX_BAD, PREFIX_HOST_BITS };
enum prefix_result prefix_parse(struct str s, struct prefix *ret);

void prefix_format(struct buf *b, const struct prefix *p);

/* False if the address is unknown or of the other family. */
bool prefix_contains(const struct prefix *p, const struct addr *a);

#endif
