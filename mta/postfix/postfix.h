/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postfix's configuration as a program of a given service sees it: main.cf and
 * master.cf with their lines, the defaults that this version has (postconf),
 * and $name expanded in the service's context (postconf(1), postconf(5), master(5)).
 *
 * Everything returned lives in the model, NUL-terminated, until postfix_free().
 * Thread use: one thread; looking up allocates in the model.
 */
#ifndef MTA_POSTFIX_H
#define MTA_POSTFIX_H

#include "core/arena.h"
#include "core/err.h"
#include "core/finding.h"

enum { POSTFIX_FILE_MAX = 4 * 1024 * 1024 };

/* "name = value" of main.cf, or "-o name=value" of a service, as it is written. */
struct pf_setting {
    const char *name, *value; /* value: raw, trimmed, continuation lines joined */
    unsigned line;
};

/* One line of master.cf. */
struct pf_service {
    const char *name, *type; /* "submission", "inet" */
    bool chroot;
    const char *command;              /* "smtpd" */
    const struct pf_setting *options; /* its -o, in order; of two with one name the later counts */
    unsigned option_count;
    bool verbose; /* -v: what clients send is written to the log */
    unsigned line;
};

struct postfix {
    struct arena arena;
    const char *directory;
    const struct pf_setting *main; /* in order; of two with one name the later counts */
    unsigned main_count;
    const struct pf_service *services;
    unsigned service_count;
    const struct pf_setting *defaults; /* of what main.cf does not say; sorted by name; line is 0 */
    unsigned default_count;
    unsigned version;     /* 30711 is 3.7.11; 0: not known */
    bool asked;           /* postconf was there and told the defaults and the version */
    const char *warnings; /* what postconf says on stderr about these files; "": nothing */
};

/*
 * Reads `directory`/main.cf and master.cf, and asks `postconf`. Where there is
 * none (a copy of a configuration on another machine), defaults.def has the
 * defaults of 3.7 that matter here, what depends on the machine is unknown, and `asked` is false.
 * -1 and *e if a file cannot be read, is too large, or has a line that Postfix would not take.
 */
int postfix_load(const char *directory, struct postfix *ret, struct err *e);

/* The same from texts, without postconf: for tests and fuzzing. NULL and *e as above. */
int postfix_parse(struct str main_cf, struct str master_cf, struct postfix *ret, struct err *e);

void postfix_free(struct postfix *p);

/* ---- values ----------------------------------------------------------------- */

enum pf_source { PF_DEFAULT, PF_MAIN, PF_MASTER };

struct pf_value {
    const char *text; /* expanded; NULL: not known (no such default here, or it refers to itself) */
    const char *raw;  /* as it is written; NULL as above */
    enum pf_source source; /* where the value comes from */
    unsigned line;         /* there; 0: PF_DEFAULT */
};

/* What a process of `service` has for this parameter; service NULL: what main.cf says. */
struct pf_value postfix_value(struct postfix *p, const struct pf_service *service,
                              const char *name);

/* Only the text; "" where it is not known. */
const char *postfix_text(struct postfix *p, const struct pf_service *service, const char *name);

/* "yes" of Postfix; `otherwise` if it is not known, or neither yes nor no. */
bool postfix_yes(struct postfix *p, const struct pf_service *service, const char *name,
                 bool otherwise);

/* "main.cf:12", "master.cf:17, submission/inet", "default"; for `where` of a fault. */
const char *postfix_where(struct postfix *p, const struct pf_service *service, struct pf_value v);

/* A service by name and type; NULL: none. */
const struct pf_service *postfix_service(const struct postfix *p, const char *name,
                                         const char *type);

/* ---- lists ------------------------------------------------------------------- */

/* The next word of a list, separated by blanks and commas; {...} is one word, braces kept. "": no
 * more. */
struct str pf_word(struct str *rest);

/* The inside of {...}, trimmed; a word without braces as it is. */
struct str pf_unbrace(struct str word);

/* ---- listeners ---------------------------------------------------------------- */

/* A port on which smtpd speaks with clients. */
struct pf_listener {
    const struct pf_service *service; /* the smtpd: of postscreen, the "smtpd pass" behind it */
    const struct pf_service *front;   /* the inet service: the same, or postscreen */
    const char *host;                 /* the address it is bound to; "": all */
    uint16_t port;                    /* 0: the name is in no table */
    bool loopback;   /* only this machine reaches it: by its address, or by inet_interfaces */
    bool internal;   /* loopback and no mail port: a content filter's way back */
    enum role role;  /* what the configuration makes of it, not what it should be */
    bool role_known; /* false: neither a mail port nor AUTH; left alone */
    bool implicit;   /* smtpd_tls_wrappermode */
    bool auth;       /* smtpd_sasl_auth_enable, and no keyword is taken away for all */
    bool proxied;    /* smtpd_upstream_proxy_protocol, or postscreen's */
};

enum { PF_LISTENERS = 64 };

/*
 * All of them, in the order of master.cf; how many. Port 25 is role smtp; 465
 * and what has wrappermode is submissions; 587, 2525 and every other port with AUTH is
 * submission.
 */
unsigned postfix_listeners(struct postfix *p, struct pf_listener ret[PF_LISTENERS]);

/* ---- restrictions ------------------------------------------------------------- */

/* A policy service or a milter as a list names it: "unix:x" or { unix:x, name=value, ... }. */
struct pf_client {
    const char *endpoint;       /* "unix:mailreeve/policyd.sock" */
    const char *default_action; /* what is written for it; NULL: nothing */
    const char *context;        /* policy_context; NULL: none */
    const char *timeout;        /* NULL: none */
};

enum pf_effect {
    PF_OTHER,
    PF_PERMIT, /* ends this list for clients that it fits */
    PF_REJECT, /* refuses some clients: reject, reject_*, defer_* */
    PF_ACCESS, /* check_*_access: may do either */
    PF_POLICY, /* check_policy_service */
};

struct pf_restriction {
    const char *name, *argument; /* argument NULL: it takes none */
    enum pf_effect effect;
    bool always; /* for every client: "permit", "reject", "defer" */
    const char
        *condition; /* NULL, or the table behind which it stands: check_sasl_access static:CLASS */
    const char *list;        /* the parameter: "smtpd_relay_restrictions" */
    struct pf_client client; /* PF_POLICY */
};

enum { PF_RESTRICTIONS = 256 };

/*
 * What a service asks of a client at RCPT, in the order in which Postfix does it
 * with smtpd_delay_reject=yes: client, helo, sender, then relay and recipient
 * (smtpd_relay_before_recipient_restrictions). Restriction classes and
 * check_*_access static:CLASS are written out. How many; PF_RESTRICTIONS: perhaps more.
 */
unsigned postfix_restrictions(struct postfix *p, const struct pf_service *service,
                              struct pf_restriction ret[PF_RESTRICTIONS]);

/* The five parameters in that order, for this service. */
void postfix_restriction_lists(struct postfix *p, const struct pf_service *service,
                               const char *ret[5]);

enum { PF_MILTERS = 32 };
/* smtpd_milters of a service. How many. */
unsigned postfix_milters(struct postfix *p, const struct pf_service *service,
                         struct pf_client ret[PF_MILTERS]);

#endif
