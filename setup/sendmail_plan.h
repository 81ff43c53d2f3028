/* SPDX-License-Identifier: Apache-2.0 */
/* What setup/sendmail*.c share: what is there, and what is to become of it. */
#ifndef SETUP_SENDMAIL_PLAN_H
#define SETUP_SENDMAIL_PLAN_H

#include "mta/sendmail/cf.h"
#include "mta/sendmail/daemon.h"
#include "mta/sendmail/mc.h"
#include "setup/sendmail.h"

struct planned {
    const struct cf_daemon *daemon;
    const char *name; /* as Sendmail says it in {daemon_name} */
    uint16_t port;    /* 0: not known */
    enum role role;
    unsigned mc_line; /* of its DAEMON_OPTIONS; 0: the .mc file does not have it */
    unsigned mc_last_line;
    bool asks; /* Mailreeve is among its filters already */
};

struct sendmail_plan {
    const struct setup_sendmail *options;
    struct cf cf;
    struct mc mc;
    bool has_cf, has_mc;
    bool stale;                  /* the .mc file is newer than sendmail.cf */
    bool no_default_msa;         /* the .mc file has that FEATURE */
    bool has_tls;                /* as far as sendmail.cf says */
    bool has_filters;            /* Mailreeve's are defined already */
    unsigned first_feature_line; /* of FEATURE(`no_default_msa'), 0: it has none */
    struct planned daemons[CF_DAEMONS];
    unsigned count;
    const struct cf_daemon
        *like; /* the daemon for submission whose address a new one takes; or NULL */
    bool has_465;
    char mc_path[4096];
};

/* -1 and *e: nothing can be read. sendmail_plan_clear() in any case. */
int sendmail_plan_make(struct sendmail_plan *p, const struct setup_sendmail *options,
                       struct err *e);
void sendmail_plan_clear(struct sendmail_plan *p);

/* The lines for the .mc file. */
void sendmail_plan_print_mc(const struct sendmail_plan *p, FILE *out);
/* mailreeve.yaml, the same, the commands, and how to undo it. */
void sendmail_plan_print(const struct sendmail_plan *p, FILE *out);

#endif
