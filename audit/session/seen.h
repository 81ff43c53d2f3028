/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log has told of one session, without what is told of it at one moment only (times): two
 * sessions that look alike have equal bytes, so that a report counts them as one row. A plain
 * value, zeroed before it is filled, padding included. Texts are numbers of names.h. What journals
 * tell of the same session is joined to it (audit/join/).
 */
#ifndef AUDIT_SEEN_H
#define AUDIT_SEEN_H

#include "core/finding.h"
#include "core/net.h"
#include "audit/dialect/message.h"

/* DESIGN's words; UNKNOWN is zero. */
enum tls_mode {
    TLS_MODE_UNKNOWN,
    TLS_MODE_CLEARTEXT,
    TLS_MODE_STARTTLS,
    TLS_MODE_IMPLICIT,
    TLS_MODES
};
extern const char *const tls_mode_names[TLS_MODES];

/* Who saw something; a set of bits. */
enum source { SOURCE_LOG, SOURCE_POLICYD, SOURCE_MILTER, SOURCE_GATE, SOURCE_TAP, SOURCES };
typedef uint8_t source_set;
#define SOURCE_BIT(s) ((source_set)(1 << (s)))
extern const char *const source_names[SOURCES]; /* "log", "policyd", "milter", "gate", "tap" */

enum {
    SEEN_CONNECT = 1 << 0,  /* the first line is there: nothing came before */
    SEEN_END = 1 << 1,      /* so is the last */
    SEEN_COUNTS = 1 << 2,   /* and it has counters, so what they do not have did not happen */
    SEEN_TLS = 1 << 3,      /* TLS was up */
    SEEN_TLS_LINE = 1 << 4, /* and a line told version and cipher */
    SEEN_STARTTLS = 1 << 5, /* STARTTLS was accepted */
    SEEN_STARTTLS_REFUSED = 1 << 6,
    SEEN_AUTH = 1 << 7,            /* a login succeeded */
    SEEN_AUTH_FAILED = 1 << 8,     /* one was tried and did not */
    SEEN_AUTH_BEFORE_TLS = 1 << 9, /* one succeeded while there was no TLS */
    SEEN_MAIL = 1 << 10,           /* MAIL was said (RFC 5321 4.1.1.2), accepted or not */
    SEEN_MAIL_TAKEN = 1 << 11,     /* and a mail was begun: it has a queue id */
    SEEN_HELO = 1 << 12,           /* HELO or EHLO was said */
    SEEN_QUIT = 1 << 13,
    SEEN_POSTSCREEN = 1 << 14,
    SEEN_BARE = 1 << 15,   /* the listener's name is the one of all services without a name */
    SEEN_SILENT = 1 << 16, /* a handshake failed after 5 s or more in which the client sent nothing
                              that was told */
    SEEN_UNRECOGNISED = 1 << 17, /* bytes came that were no command */
    SEEN_TLS_FAILED = 1 << 18,   /* a handshake failed; `handshake` says why, if it was told */
    SEEN_PROTOCOL = 1 << 19, /* Sendmail: proto= told whether there was TLS and AUTH (RFC 3848) */
    SEEN_NO_CERTIFICATE = 1 << 20, /* TLS was up, and the client showed none */
    SEEN_PROXIED = 1 << 21,   /* the client's address is not the one that connected: a proxy told it
                                 (XCLIENT), and of TLS between the two the log knows nothing */
    SEEN_NO_AUTH = 1 << 22,   /* a plug-in was told that nobody had logged in when mail came */
    SEEN_AMBIGUOUS = 1 << 23, /* journals tell of it, or of another session of that client */
    SEEN_MUTE = 1 << 24,      /* the client sent no byte, from its SYN until it closed: the tap's */
};

struct seen {
    uint32_t flags;
    uint32_t host;     /* whose log it is; 0: not told */
    uint32_t listener; /* as message.h has it; 0: not told */
    uint32_t client_name;
    uint32_t user; /* who logged in */
    uint32_t mechanism;
    uint32_t cipher;
    uint32_t software_version;
    uint32_t ja4;         /* fingerprint of its ClientHello */
    finding_set told;     /* what the tap and the plug-ins have noticed; not what rules ask about */
    finding_set likely;   /* of these, what is the likeliest reading */
    uint64_t failed_user; /* a keyed hash of who did not; 0: nobody, or no name was told */
    struct addr client;
    uint8_t software;     /* enum software_id + 1; 0: not recognised */
    uint16_t server_port; /* 0: not told */
    uint16_t tls_version; /* enum tls_version; 0: not told */
    uint16_t bits;
    uint16_t offered;   /* the highest TLS version of its ClientHello; 0: not told */
    source_set sources; /* who saw it */
    uint8_t mta;        /* enum mta */
    uint8_t mode;       /* enum tls_mode, as far as the session's own lines tell */
    uint8_t handshake;  /* enum handshake: why one failed */
    uint8_t first;      /* enum first_bytes */
    uint8_t reason;     /* why, in OpenSSL's words; see sessions_reason() */
};

#endif
