/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of a Postfix share: one examination of one configuration. */
#ifndef DOCTOR_POSTFIX_H
#define DOCTOR_POSTFIX_H

#include "doctor/doctor.h"
#include "mta/postfix/postfix.h"

/* What Mailreeve has to do with a listener. */
struct asked {
    bool policyd, milter;          /* is it in a list of that service? */
    const struct listener *policy; /* what mailreeve.yaml says of the port; NULL: nothing */
};

struct exam {
    const struct doctor_input *in;
    struct faults *fs;
    struct postfix p;
    struct pf_listener listeners[PF_LISTENERS]; /* one for each smtpd service */
    struct asked asked[PF_LISTENERS];
    unsigned count;
    bool with_mailreeve; /* it is meant to be in this Postfix */
    bool uses_policyd, uses_milter;
    char postconf[300]; /* the command and the directory: "postconf", "postconf -c DIR" */
};

/* All checks, of a model that has been loaded. */
void exam_all(struct exam *x);

/* Each finds what it is named after. */
void postfix_check_settings(struct exam *x);     /* ports, TLS modes, AUTH */
void postfix_check_mixups(struct exam *x);       /* smtp_ and smtpd_, syslog_name, misspelt names */
void postfix_check_certificates(struct exam *x); /* files, names, dates, chain */
void postfix_check_mailreeve(struct exam *x);    /* is it asked, in time, on every port? */
void postfix_check_failure(struct exam *x);      /* what happens when it does not answer? */
void postfix_check_trust(struct exam *x);        /* networks that need not log in */
void postfix_check_sockets(struct exam *x);      /* can smtpd connect? */
void postfix_check_versions(struct exam *x);     /* what differs between versions of Postfix */

/* ---- postfix_words.c: how a place, a value and a repair are written -------------- */

/* "master.cf:17, submission/inet". */
void exam_where_service(struct fault *f, const struct pf_service *s);
/* Where the value stands: "main.cf:12"; of a default, the service. */
void exam_where(struct exam *x, struct fault *f, const struct pf_service *s, const char *name);
/* As it is written, or "name = value (default of Postfix 3.7.11)". */
void exam_evidence(struct exam *x, struct fault *f, const struct pf_service *s, const char *name);
/* postconf -P 'submission/inet/name=value'; without blanks, which it refuses. */
void exam_set(struct exam *x, struct fault *f, const struct pf_service *s, const char *name,
              const char *value);
/* postconf -e 'name = value' */
void exam_set_main(struct exam *x, struct fault *f, const char *name, const char *value);
/* mailreeve setup postfix, of this directory */
void exam_setup(const struct exam *x, struct fault *f);
/* "submission/inet and submissions/inet", of the listeners whose bit is set. In the arena. */
const char *exam_services(struct exam *x, uint64_t members);

/* ---- postfix_lists.c: restrictions ------------------------------------------------- */

/* Who refuses mail of a stranger, one that is in no network and has not logged in. */
enum strangers { STRANGERS_REFUSED, STRANGERS_MAYBE, STRANGERS_WELCOME };
enum strangers exam_strangers(struct exam *x, const struct pf_listener *l);

/* Is it Mailreeve's? By its name, by the variable it comes from, or by policyd.listen or
 * milter.listen. */
bool exam_is_ours(struct exam *x, const struct pf_service *s, const char *endpoint,
                  const struct program_settings *program);

/* Fills x->asked and what follows from it. */
void exam_look_for_mailreeve(struct exam *x);

/*
 * The words of a list with commas and no blanks, `first` in front (NULL: as it
 * is) and those that name Mailreeve's policy service left out. In the arena; NULL: one has blanks
 * in it.
 */
const char *exam_list_with(struct exam *x, const struct pf_service *s, const char *raw,
                           const char *first);

/* ---- small questions ------------------------------------------------------------------ */

enum tls_use { TLS_NOT, TLS_OFFERED, TLS_DEMANDED };
/* What smtpd makes of wrappermode, security level and their older names. */
enum tls_use exam_tls(struct exam *x, const struct pf_listener *l);

/* Clients elsewhere use it to submit mail. */
bool exam_is_submission(const struct pf_listener *l);

/* Nothing speaks against those who need not log in (mynetworks). */
bool exam_networks_are_safe(struct exam *x, const struct pf_listener *l);

/* Mailreeve is asked there and refuses what breaks this rule. */
bool exam_refuses(const struct exam *x, const struct pf_listener *l, enum finding finding);

/* A word in a list of words, without regard to case. */
bool exam_has_word(const char *list, const char *word);

#endif
