/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a line of Postfix's smtpd and postscreen, or of Sendmail, says. One table of messages
 * (messages.def): kind and template. What is not in the table is MESSAGE_NONE, and if it has
 * words of TLS or SASL it is counted as drift (shape.h).
 *
 * Views point into the line. `sent` is what a client sent, escaped by the MTA: it can hold a
 * password and is there to be looked at, never to be kept or shown; the same is true of the user of
 * a login that failed.
 *
 * Pure; nothing is allocated; any thread.
 */
#ifndef AUDIT_MESSAGE_H
#define AUDIT_MESSAGE_H

#include "core/net.h"
#include "audit/dialect/line.h"
#include "audit/dialect/reason.h"

enum mta { MTA_UNKNOWN, MTA_POSTFIX, MTA_SENDMAIL };

enum message_kind {
    MESSAGE_NONE, /* not in the table */
#define MESSAGE_KIND(name, word) MESSAGE_##name,
#include "audit/dialect/message_kinds.def"
#undef MESSAGE_KIND
    MESSAGE_KINDS
};

/* Words for people (`mailreeve audit --lines`); "" for MESSAGE_NONE. */
extern const char *const message_words[MESSAGE_KINDS];

/* What the first bytes are that a client sent where an SMTP command was due. */
enum first_bytes {
    BYTES_NOT_TOLD,
    BYTES_TLS,  /* a TLS record with a ClientHello, or an SSLv2 one (RFC 8446 5.1, RFC 5246 E.2) */
    BYTES_SMTP, /* a command, only too early */
    BYTES_HTTP, /* GET, POST, CONNECT, ... */
    BYTES_HEADER, /* a line of a message where a command was due */
    BYTES_OTHER,  /* not SMTP */
};

/* Postfix 3.0 and later count commands: "auth=0/1" is {0, 1}. */
struct count {
    uint32_t ok, all;
};

enum counted {
    COUNT_HELO,
    COUNT_EHLO,
    COUNT_STARTTLS,
    COUNT_AUTH,
    COUNT_MAIL,
    COUNT_RCPT,
    COUNT_DATA,
    COUNT_BDAT,
    COUNT_QUIT,
    COUNT_UNKNOWN,
    COUNT_COMMANDS,
    COUNTS
};

struct message {
    enum mta mta;
    enum message_kind kind;
    /*
     * The listener's name as the log has it. Postfix: the tag without the program,
     * "postfix/submission", or "postfix" where the service has no syslog_name of its own. Sendmail:
     * the daemon's name (daemon=, "connection to MSA"). Empty: this line does not tell.
     */
    struct str listener;
    bool listener_bare; /* Postfix: the name is shared by all services without syslog_name */
    bool postscreen;
    struct str client_name; /* "unknown" is told as empty */
    struct addr client;     /* unknown: not told, or "unknown" */
    uint16_t client_port, server_port;
    struct str queue_id;  /* without NOQUEUE */
    struct str user;      /* of AUTH and AUTH_FAILED; of a REJECT, who was logged in */
    struct str mechanism; /* of a login that failed only if it is a known one */
    struct str helo;
    struct str tls_version, cipher;
    unsigned bits;
    bool no_certificate; /* TLS: the client showed none; false: it did, or the line does not tell */
    struct str
        after; /* LOST, TIMEOUT, TOO_EARLY: the stage, "CONNECT", "STARTTLS", "AUTH", "mail" */
    enum first_bytes first;
    struct str sent;
    struct reason reason; /* of TLS_FAILED and TLS_REASON; see reason.h */
    struct str header;    /* SOFTWARE: the value of User-Agent or X-Mailer */
    bool counted;         /* DISCONNECT: counts[] are there */
    struct count counts[COUNTS];
    unsigned reply;   /* REJECT: the code, 554 */
    struct str proto; /* Sendmail's from= line: "ESMTPSA" (RFC 3848): S with TLS, A with AUTH */
};

/* True if the line is one of ours, known or not: smtpd and postscreen of any syslog_name,
 * cleanup's about a header, sendmail; or a line without a tag that matches. False: another
 * program's; the kind is then MESSAGE_NONE, and nothing else is set. */
bool message_parse(const struct log_line *l, struct message *ret);

#endif
