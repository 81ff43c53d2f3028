/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probe asks DNS: the addresses of a name, and SRV records (RFC 2782,
 * RFC 6186). The system's resolver, or one server that the user names; it asks again over
 * TCP when an answer was cut. Answers are a stranger's: parsed within bounds.
 *
 * "There is none" and "could not be asked" are never the same.
 *
 * Thread use: any.
 */
#ifndef PROBE_DNS_H
#define PROBE_DNS_H

#include "probe/dialogue.h"

struct resolver {
    bool given; /* ask `server`; false: as the system does */
    union endpoint server;
    unsigned seconds; /* about how long a question may take */
};

/* "192.0.2.53", "192.0.2.53:5353", "[2001:db8::1]:5353". False: it is none of these. */
bool resolver_parse(const char *text, struct resolver *ret);

struct addresses {
    char text[ADDRESSES_MAX][48];
    unsigned count, dropped;
};

/* YES: it has some; NO: it has none. A numeric address is its own. */
void dns_addresses(const struct resolver *r, const char *name, struct addresses *ret,
                   struct answer *found);

/* The records of `name`, by priority; `leads` is left alone but for SRV_NOT_OFFERED. */
void dns_srv(const struct resolver *r, const char *name, struct srv_seen *ret);

/* ---- parsing an answer (RFC 1035 4) --------------------------------------------- */

/* Adds to *ret. False: it is not a whole DNS message. */
bool dns_parse_srv(const unsigned char *p, size_t n, struct srv_seen *ret);
bool dns_parse_addresses(const unsigned char *p, size_t n, struct addresses *ret);

#endif
