/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gate says, to whatever it is told: one connection's side of the Dovecot authentication
 * protocol. Every AUTH is refused with the same text, whatever the credentials; of them nothing
 * but the user's name is ever looked at, for the caller to hash.
 *
 * Pure: no I/O, no clock, nothing allocated, no globals.
 */
#ifndef GATE_DIALOGUE_H
#define GATE_DIALOGUE_H

#include "core/net.h"
#include "gate/mechanisms.h"
#include "gate/protocol.h"

/*
 * The only smtpd_sasl_service that is refused. Any other means that a port which ought to check
 * passwords was pointed here by mistake: it must not tell its clients that their password is wrong.
 */
#define GATE_SERVICE "mailreeve-25"

enum {
    GATE_TEXT_MAX = 384, /* of the reason */
    GATE_PENDING = 4,    /* LOGINs whose user name was asked for, on one connection */
    GATE_REPLY_MAX = 2 * (GATE_TEXT_MAX + 64),
    GATE_HELLO_MAX = 1024,
};

struct dialogue {
    uint32_t mta_pid; /* 0: not told */
    unsigned pending_count;
    struct pending { /* the oldest first */
        uint32_t id;
        bool secured;
        struct addr client, server;
    } pending[GATE_PENDING];
};

/* One that was refused. The name is as the client gave it: wipe it. */
struct attempt {
    uint32_t mta_pid;                  /* 0: not told */
    const struct mechanism *mechanism; /* NULL: not a known one */
    bool secured;
    struct addr client, server; /* unknown where they were not told */
    uint8_t user_n;             /* 0: not told */
    char user[USER_MAX];
};

/* What to send first: a handshake as Dovecot 2.3's. `pid` is ours, `number` the connection's. */
void dialogue_hello(struct buf *out, uint32_t pid, uint32_t number);

enum dialogue_result {
    DIALOGUE_SILENT,  /* nothing to say */
    DIALOGUE_ASKED,   /* `reply` asks for the user name */
    DIALOGUE_REFUSED, /* `reply` refuses; *ret is who was refused. There may be a question in it,
                         too */
    DIALOGUE_WRONG_SERVICE, /* close the connection: the MTA tells its client to come again */
    DIALOGUE_BAD,           /* close it: nothing that we understand */
};

/*
 * The answer to one command, appended to `reply` (room for GATE_REPLY_MAX). *ret is set with
 * DIALOGUE_REFUSED only, *why with DIALOGUE_BAD only: a clause of our own.
 */
enum dialogue_result dialogue_answer(struct dialogue *d, const struct auth_command *c,
                                     struct str text, struct buf *reply, struct attempt *ret,
                                     const char **why);

#endif
