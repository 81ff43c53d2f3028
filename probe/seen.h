/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probe has seen of a host: filled by visit.c (ports) and lookup.c
 * (SRV records), judged by judge.c, shown by report.c. All texts are fit to be shown.
 */
#ifndef PROBE_SEEN_H
#define PROBE_SEEN_H

#include "core/finding.h"
#include "mta/certificate.h"
#include "probe/reply.h"

enum known { UNKNOWN, NO, YES };

/* `why` is what shows it, or why it is not known. */
struct answer {
    enum known is;
    char why[SAID];
};

enum begins {
    BEGINS_UNKNOWN, /* cannot be reached from here, or there was no time */
    BEGINS_CLOSED,  /* nobody answers */
    BEGINS_CLEAR,
    BEGINS_TLS,
    BEGINS_SILENT, /* takes the connection and says nothing, neither in clear text nor in TLS */
    BEGINS_OTHER,  /* says something that is not SMTP */
    BEGINS_COUNT
};

enum { TLS_VERSIONS = 4 }; /* 1.0, 1.1, 1.2, 1.3 */

/* MAIL and RCPT without AUTH. */
struct transaction {
    enum refusal refusal;
    char said[SAID]; /* the command and the reply; or why there is none */
};

struct port_seen {
    char address[48];
    uint16_t port;
    enum role role;
    bool named;       /* by the user, the configuration file or an SRV record: it should answer */
    unsigned min_tls; /* enum tls_version */
    bool public;      /* role smtp: other servers deliver here */

    enum begins begins;
    char begins_why[SAID];
    char greeting[SAID]; /* "": none */
    const char *software;
    char refused[SAID]; /* a greeting that refuses to serve us; "": it does not */
    char broken[SAID];  /* where the session broke off; "": it did not */
    struct capabilities clear, tls;
    struct answer tls_works; /* by STARTTLS or at once; NO: it was offered and failed */
    struct answer version[TLS_VERSIONS];
    struct answer null_cipher, anonymous_cipher;
    struct answer injected;
    struct transaction mail_clear, mail_tls;
    bool has_certificate;
    char certificate_why[SAID]; /* why there is none, although there is TLS */
    struct certificate certificate;
};

enum srv_service { SRV_SUBMISSIONS, SRV_SUBMISSION, SRV_SERVICES };

/* Where an SRV record leads. */
enum srv_leads {
    SRV_NOT_OFFERED, /* target "." */
    SRV_HERE,        /* to an address of the host */
    SRV_ELSEWHERE,   /* to another host, which is not probed */
    SRV_NOWHERE,     /* the target has no address */
    SRV_UNKNOWN,     /* its address could not be looked up */
    SRV_LEADS
};

struct srv_record {
    uint16_t priority, weight, port;
    char target[256]; /* without the dot at the end */
    enum srv_leads leads;
};

enum { SRV_RECORDS = 8, ADDRESSES_MAX = 16, PORTS_MAX = 16, NAMES_MAX = 16 };

struct srv_seen {
    struct answer found; /* YES: there are records; NO: DNS says that there are none */
    struct srv_record records[SRV_RECORDS];
    unsigned count, dropped;
};

struct host_seen {
    const char *host;
    char addresses[ADDRESSES_MAX][48];
    unsigned address_count, addresses_dropped;
    const char *names[NAMES_MAX + 2 * SRV_RECORDS]; /* that clients use, for the certificate */
    unsigned name_count;
    bool mail_tried; /* MAIL and RCPT may be sent */
    struct port_seen *ports;
    unsigned port_count;
    char domain[256]; /* of the SRV records; "": not looked up */
    struct srv_seen srv[SRV_SERVICES];
};

/*
 * Must a client use TLS, must it log in, before it may send mail? From what was
 * answered to MAIL and RCPT. (On role smtp the second is not asked.)
 */
enum known seen_demands_tls(const struct port_seen *p);
enum known seen_demands_auth(const struct port_seen *p);

/* ---- in a few words: the columns of the table ---------------------------------- */

enum { CELL = 64 };

struct column {
    const char *title;
    /* What to show; "?": not known, "-": there can be none. */
    void (*show)(const struct port_seen *p, int64_t now_s, char cell[CELL]);
    bool of_host; /* should be the same at each address of a host */
};
enum { COLUMNS = 11 };
extern const struct column columns[COLUMNS];

extern const char *const begins_words[BEGINS_COUNT];

extern const char *const srv_labels[SRV_SERVICES]; /* "_submissions._tcp", ... */

#endif
