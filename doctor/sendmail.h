/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of doctor/sendmail*.c share: a Sendmail as its checks see it. */
#ifndef DOCTOR_SENDMAIL_H
#define DOCTOR_SENDMAIL_H

#include "doctor/doctor.h"
#include "mta/sendmail/access.h"
#include "mta/sendmail/daemon.h"

/* Whether something can be had on a port; UNSURE: the configuration does not decide it. */
enum possible { IMPOSSIBLE, POSSIBLE, UNSURE };

/* A daemon: one of DaemonPortOptions, and what follows for its clients. */
struct sm_port {
    const struct cf_daemon *cf;
    uint16_t port;  /* 0: the name of a service that is not known */
    enum role role; /* see sm_says_itself(); of other ports by mailreeve.yaml, or cf_role() */
    bool local;     /* loopback, or a unix socket: no customers */
    bool at_once;   /* M=s */
    const struct listener *listener; /* of mailreeve.yaml; NULL: none */
    struct srv_features features;
    enum possible auth;
    bool clear_passwords;  /* PLAIN and LOGIN work without TLS */
    bool clear_challenges; /* CRAM-MD5, DIGEST-MD5 and the like do */
    const struct cf_filter *filters[CF_LIST];
    unsigned filter_count;
    const struct cf_filter *ours; /* Mailreeve's among them; NULL: it is not asked */
};

struct sm_doctor {
    const struct doctor_input *in;
    struct faults *fs;
    struct cf cf;
    struct access access;
    struct sm_port ports[CF_DAEMONS];
    unsigned count;
};

/* Can mail be submitted there? */
static inline bool sm_submits(const struct sm_port *p)
{
    return p->role != ROLE_SMTP;
}

/* Is its role plain from its number or from s in M=, whatever mailreeve.yaml says? */
bool sm_says_itself(const struct sm_port *p);

/* Does Mailreeve refuse there for that reason? */
bool sm_enforces(const struct sm_port *p, enum finding f);

/* Can a client have TLS there? */
bool sm_offers_tls(const struct sm_doctor *s, const struct sm_port *p);

/* Does it belong to Mailreeve? By a socket of mailreeve.yaml, or by name. */
bool sm_is_ours(const struct sm_doctor *s, const struct cf_filter *f);

/* What every fault of a daemon begins with: where it stands, and its text. */
struct fault *sm_fault(struct sm_doctor *s, enum fault_id id, const struct sm_port *p);
/* The same for an option; NULL: it is not set. */
struct fault *sm_option_fault(struct sm_doctor *s, enum fault_id id, const char *option);

/* The line of DAEMON_OPTIONS as it should be: with `more` added to M=, without those in `less`. */
void sm_fix_modifiers(struct fault *f, const struct sm_port *p, const char *more, const char *less);
/* The line with its filters set. */
void sm_fix_filters(struct fault *f, const struct sm_port *p, const char *filters);
/* "make -C /etc/mail && systemctl restart sendmail" */
void sm_fix_make(struct fault *f);

/* The checks, a function each; doctor/sendmail.c has the tables. */
typedef void sm_check(struct sm_doctor *s);
typedef void sm_port_check(struct sm_doctor *s, const struct sm_port *p);

/* sendmail_auth.c */
sm_port_check sm_auth_on_25, sm_auth_without_tls, sm_auth_unsure, sm_submission_without_auth,
    sm_submission_open;
sm_check sm_passwords_in_log;
/* sendmail_tls.c */
sm_port_check sm_tls_mode, sm_submission_without_tls, sm_tls_not_required;
sm_check sm_ports_missing, sm_tls_required_on_25, sm_tls_versions, sm_certificates;
/* sendmail_filters.c */
sm_port_check sm_listener, sm_milter_asked, sm_filter_flags, sm_filters_lost;
sm_check sm_milter_nowhere, sm_sockets;

#endif
