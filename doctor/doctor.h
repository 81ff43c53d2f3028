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

enum { DOCTOR_LISTENERS = 64 };

/* One port of the MTA, in words. */
struct doctor_listener {
    char service[64];   /* what the MTA calls it: "submission/inet" */
    uint16_t port;      /* 0: its name is in no table */
    const char *role;   /* of core/finding.h, or "internal", or "" */
    const char *tls;    /* "none", "STARTTLS", "STARTTLS required", "at once" */
    const char *auth;   /* "no", "yes", "under TLS", "not known" */
    const char *asks;   /* "policyd", "milter", "policyd and milter", "nobody" */
    const char *policy; /* mailreeve.yaml's mode for it; "": it is not named there */
};

/* What was looked at. */
struct doctor_view {
    char version[32];    /* "3.7.11"; "": not known */
    char known_from[96]; /* what to know about it: whose it is, or why it is not known */
    struct doctor_listener listeners[DOCTOR_LISTENERS];
    unsigned count;
};

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
    bool live;                /* the directory is the running MTA's: sockets are tried */
    struct doctor_view *view; /* is filled; NULL: nobody wants to know */
};

/* Loads mailreeve.yaml. NULL if it cannot be used, which is then a fault. The caller frees it. */
struct config *doctor_configuration(const char *yaml, struct faults *fs);

/* Each adds what it finds. -1 and *e: the configuration cannot be read at all. */
int doctor_postfix(const struct doctor_input *in, struct faults *fs, struct err *e);
int doctor_sendmail(const struct doctor_input *in, struct faults *fs, struct err *e);
/* The jails that read this MTA's log. */
void doctor_fail2ban(const struct doctor_input *in, struct faults *fs);

#endif
