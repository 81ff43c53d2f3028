/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with an MTA's configuration, and with Mailreeve in it: read
 * from files, so that no MTA need be running; sockets are tried if one is.
 *
 * Thread use: one thread; children are forked. Nothing is changed anywhere.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "config/config.h"
#include "core/err.h"
#include "mta/fault.h"

struct doctor_input {
    const char
        *directory;   /* of the MTA's configuration: /etc/postfix, /etc/mail, or a copy of one */
    const char *yaml; /* mailreeve.yaml; NULL: there is none */
    const struct config
        *config; /* loaded from it; NULL: none, or it cannot be used (a fault already) */
    const char *const
        *names; /* that clients use for this server; what the MTA calls itself is added */
    unsigned name_count;
    const char *ca_file;  /* NULL: the system's store */
    const char *fail2ban; /* /etc/fail2ban; NULL: not looked at */
    int64_t now_s;
    bool live; /* the directory is the running MTA's: sockets are tried */
};

/* Each adds what it finds. -1 and *e: the configuration cannot be read at all. */
int doctor_postfix(const struct doctor_input *in, struct faults *fs, struct err *e);
int doctor_sendmail(const struct doctor_input *in, struct faults *fs, struct err *e);
void doctor_fail2ban(const struct doctor_input *in, struct faults *fs);

#endif
