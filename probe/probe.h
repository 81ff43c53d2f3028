/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole probe of one host: addresses and SRV records, then a visit (visit.h)
 * to each port at each address, WORKERS at a time. docs/probe.md says what is sent.
 *
 * Thread use: one run at a time; it starts threads and ends them. SIGPIPE must be ignored.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdio.h>

#include "core/policy.h"
#include "probe/dns.h"

enum { WORKERS = 8, STEPS_A_VISIT = 6 /* a visit may take that many times a step */ };

struct probe_port {
    uint16_t port;
    enum role role;
    bool has_role; /* false: the policy's, or that of the port */
};

struct probe_options {
    const char *host; /* a name or an address */
    const char *names[NAMES_MAX];
    unsigned name_count; /* that clients use, besides the host's */
    struct probe_port ports[PORTS_MAX];
    unsigned port_count;        /* 0: the policy's listeners */
    const char *domain;         /* of the SRV records; NULL: the host's name, or what is behind its
                                   first dot */
    const char *helo, *ca_file; /* NULL: see visit.h */
    struct resolver resolver;
    unsigned step_s; /* how long one step may take */
    bool mail;       /* MAIL and RCPT may be sent */
    const struct policy *policy;
    FILE *progress; /* told once it lasts over a second; NULL: nobody is */
};

/*
 * 0 with *ret filled in, or what sysexits calls it with *e: EX_NOHOST (the host has no address),
 * EX_OSERR. probe_free() in each case.
 */
int probe_run(const struct probe_options *o, struct host_seen *ret, struct err *e);

/* Did any port answer? */
bool probe_answered(const struct host_seen *h);

void probe_free(struct host_seen *h);

#endif
