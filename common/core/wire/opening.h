/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opening of a session: what a client sends from its first byte, as far as somebody who only
 * looks on may look. That is the dialogue in clear text up to AUTH or MAIL, and of TLS the
 * ClientHello and the kind of the record that answers the server. Behind that nothing is looked at.
 *
 * Kept are facts, never text: the EHLO name, known verbs, a known mechanism's name. What AUTH
 * carries is never kept, and memory that held it is zeroed before the call returns. Commands that
 * are not known are counted.
 *
 * Fed with the client's bytes in their order, in pieces of any size: the result is the same.
 * Pure but for memory: at most OPENING_BUFFER bytes and a struct client_hello, freed by
 * opening_free(). One thread at a time for each.
 */
#ifndef CORE_WIRE_OPENING_H
#define CORE_WIRE_OPENING_H

#include "core/wire/client_hello.h"
#include "core/wire/proxy_header.h"
#include "core/wire/words.h"

enum {
    OPENING_LINE = 2048, /* a longer command is not one (RFC 5321 4.5.3.1.4: 512) */
    OPENING_BUFFER = HELLO_MAX + 64 * 5 + 4096, /* the most that is ever kept unread */
    OPENING_HELO_MAX = 255,                     /* a longer name is unknown */
    OPENING_VERBS = 8,                          /* that are kept in order; more are counted */
    OPENING_COMMANDS = 100,                     /* then it is over: no client that submits mail */
};

/* What the client's first bytes are (behind a PROXY header, if one is due). */
enum opening_first {
    FIRST_NOTHING, /* it has sent none */
    FIRST_TLS,     /* a ClientHello, or what begins like one */
    FIRST_SMTP,    /* a command of SMTP */
    FIRST_HTTP,
    FIRST_OTHER,
    FIRSTS
};
extern const char
    *const opening_first_names[FIRSTS]; /* "nothing", "tls", "smtp", "http", "other" */

/* What became of the ClientHello, as far as the client shows. */
enum hello_fate {
    FATE_UNKNOWN,  /* there was none, or looking on ended before it showed */
    FATE_ANSWERED, /* a record came that only a client sends that the server has answered, and that
                      has accepted what it got: key exchange, Finished, application data */
    FATE_ALERT,    /* an alert in clear text; `alert` says which (RFC 8446 6, RFC 5246 7.2) */
    FATE_HIDDEN_ALERT, /* the first encrypted record is as long as an alert and as nothing else
                          (TLS 1.3) */
    FATE_LEFT,         /* the client closed, and none of these had come */
    FATES
};
extern const char
    *const hello_fate_names[FATES]; /* "unknown", "answered", "alert", "hidden-alert", "left" */

enum opening_state {
    OPENING_GOES_ON,
    OPENING_OVER /* nothing that comes can add anything; give no more */
};

struct opening {
    enum opening_state state;
    bool proxied;              /* a PROXY header is due first */
    bool proxy_missing;        /* and did not come, or was wrong */
    struct proxy_header proxy; /* .told: it came and tells the client */

    enum opening_first first;
    uint8_t verb_count;
    uint8_t verbs[OPENING_VERBS]; /* enum smtp_verb, in order */
    uint32_t seen;                /* bits 1 << VERB_x, all that came in clear text */
    uint32_t commands, unknown;   /* lines in clear text; of these, with a verb that is not known */
    char helo[OPENING_HELO_MAX];  /* argument of the last HELO or EHLO in clear text */
    uint8_t helo_n;               /* 0: none, or it is too long */

    bool starttls; /* STARTTLS came in clear text, and what follows may be TLS */
    bool garbage;  /* behind STARTTLS, or in a line, came what is neither TLS nor a command */
    const char *mechanism; /* of AUTH; a known one's name, "" if it is not known; NULL: no AUTH */
    bool initial_response; /* AUTH had one (RFC 4954 4), other than "=" */
    bool gap;              /* bytes are missing; what came behind is not known */
    struct client_hello *hello;  /* NULL: none was complete */
    bool hello_begun, hello_bad; /* one began; it was wrong, or too long */
    bool unasked;                /* it began where a command was due, without STARTTLS */
    enum hello_fate fate;
    uint8_t alert; /* with FATE_ALERT: the description */

    struct opening_buffer *unread;
};

/* All zero but `proxied`. */
void opening_init(struct opening *o, bool proxied);

/* The next bytes. -1: memory is short; the state is then OPENING_OVER, with `gap`. */
int opening_feed(struct opening *o, struct str bytes);

/* Bytes were lost that came here. The state is OPENING_OVER then. */
void opening_gap(struct opening *o);

/* The client closed the connection, or its time is over. What is unread is judged as it is. */
void opening_close(struct opening *o);

/* Zeroes and frees what it holds; facts stay, but for `hello`. */
void opening_free(struct opening *o);

#endif
