/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that the probe does at one port of one address, one connection
 * after the other:
 *
 *  1. greeting (or TLS at once), EHLO, STARTTLS, EHLO, MAIL, RCPT, RSET, QUIT
 *  2. the same without STARTTLS, up to RCPT, if mail may be tried
 *  3. each version of TLS, ciphers that nobody should take
 *  4. STARTTLS and NOOP in one packet (CVE-2011-0411)
 *
 * All commands that it can send stand in visit.c.
 *
 * Thread use: any; visits may go on side by side.
 */
#ifndef PROBE_VISIT_H
#define PROBE_VISIT_H

#include "probe/seen.h"

struct visit_rules {
    const char *sni;       /* NULL: none */
    const char *helo;      /* NULL: the address literal of our side of the connection */
    const char *recipient; /* "postmaster@mail.example.com"; NULL: MAIL and RCPT are not sent */
    const char *ca_file;   /* NULL: the system's store */
    int64_t now_s;         /* for the certificate */
    int64_t step_us;       /* how long one step may take */
    int64_t budget_us;     /* how long the whole visit may take */
};

/* p->address, port and role are given; the rest is filled in. What there was no time for stays
 * unknown. */
void visit_port(const struct visit_rules *rules, struct port_seen *p);

#endif
