/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks whose clients need not log in: may everyone who comes from there be
 * meant? A proxy or a container's gateway stands for everybody behind it.
 *
 * Thread use: any.
 */
#ifndef DOCTOR_NETWORKS_H
#define DOCTOR_NETWORKS_H

#include "core/net.h"
#include "doctor/doctor.h"

enum network_danger {
    NETWORK_SAFE,     /* nothing speaks against it */
    NETWORK_DOUBTFUL, /* such addresses are often those of containers */
    NETWORK_PROXY,    /* a container's bridge of this machine is in it */
    NETWORK_LARGE,    /* addresses of the Internet, more than a /16 */
};

/* `live`: this machine's interfaces are those of the mail server. `why` is one sentence. */
enum network_danger network_judge(const struct prefix *p, bool live, char why[200]);

/* As main.cf writes one: "192.0.2.0/24", "[2001:db8::]/32". False: it is none, but a table or a
 * name. */
bool network_read(struct str word, struct prefix *ret);

/* Faults of trusted.networks in mailreeve.yaml. */
void networks_check_trusted(const struct doctor_input *in, struct faults *fs);

#endif
