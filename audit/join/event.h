/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of the journal (docs/journal.md) as an event about a session: who wrote it, when, about
 * whom, and what it tells. Names that are not known are passed over, as the contract asks.
 *
 * Pure; one thread at a time for each `struct event_parser`.
 */
#ifndef AUDIT_EVENT_H
#define AUDIT_EVENT_H

#include "journal/journal.h"
#include "journal/journal_reader.h"
#include "audit/session/seen.h"

enum event_kind {
    EVENT_OTHER, /* of a program's life, or one that we do not know */
    EVENT_DECISION,
    EVENT_FINDING,
    EVENT_SOFTWARE,
    EVENT_SESSION,
    EVENT_AUTH_REFUSED
};

/* Known-no and known-yes, and zero is unknown. */
enum told { TOLD_NOTHING, TOLD_NO, TOLD_YES };

enum { EVENT_TEXT_MAX = JOURNAL_LINE_MAX };

/* Texts are decoded; empty: not told. Numbers: 0. They live until the next event_parse(). */
struct event {
    enum event_kind kind;
    enum source source;
    int64_t wall_us;  /* when it was written */
    int64_t begun_us; /* when the session began, if that is told (the tap's) */
    uint64_t key;
    struct addr client; /* unknown also where it was written as a hash or a network */
    struct str host, client_text, listener, role, stage, queue_id, user, mechanism, helo;
    struct str software, software_version, tls_version, cipher, tls_sni, tls_alpn, ja4;
    struct str tls_mode, first_bytes, handshake, ended, action, would, instance, proxy;
    struct str commands, offered; /* raw strings of JSON, for json_next_string() */
    int64_t client_port, server_port, mta_pid, bits, silent_ms, duration_ms, alert,
        unknown_commands;
    struct str offered_highest;
    enum told tls, auth;
    finding_set found, likely;
};

struct event_parser {
    struct stamps stamps;
    char text[EVENT_TEXT_MAX]; /* decoded values of the last line */
};

/* Sixteen hex digits, as journals write a session's key; 0: it is none. */
uint64_t event_key(struct str hex);

/* The MTA's process: told, or in Postfix's instance. 0: not told. */
uint32_t event_pid(const struct event *e);

void event_parser_init(struct event_parser *p);

/* False: a line that is no event about a session, or has no time; ret->kind is EVENT_OTHER then. */
bool event_parse(struct event_parser *p, const struct journal_line *l, struct event *ret);

#endif
