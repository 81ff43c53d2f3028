/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of opening have in common; nobody else includes this, but for its tests.
 *
 * What is unread is looked at by the step of the phase the session is in. A step says how many
 * bytes it has done with; they are zeroed at once.
 */
#ifndef CORE_WIRE_OPENING_INTERNAL_H
#define CORE_WIRE_OPENING_INTERNAL_H

#include "core/wire/opening.h"

enum opening_phase {
    PHASE_PROXY,        /* a PROXY header is due */
    PHASE_FIRST,        /* the first word of a client, or a ClientHello */
    PHASE_COMMAND,      /* a command, and only that */
    PHASE_STARTTLS,     /* behind STARTTLS: a ClientHello, or a command if it was refused */
    PHASE_REST_OF_LINE, /* of one that is not looked at */
    PHASE_MECHANISM,    /* behind AUTH */
    PHASE_NO_MECHANISM, /* in a word that is not a known one */
    PHASE_RESPONSE,     /* behind the mechanism */
    PHASE_HELLO,        /* in a ClientHello */
    PHASE_RECORDS,      /* behind it: headers of records, and the two bytes of an alert */
    PHASES
};

struct opening_buffer {
    enum opening_phase phase;
    uint32_t skip;       /* bytes that come next and are not looked at: inside a record */
    uint32_t hello_left; /* of a second ClientHello, in records that come */
    bool second_hello;   /* there was one */
    bool changed_cipher; /* ChangeCipherSpec came */
    uint32_t n, cap;     /* all bytes behind n are zero */
    char bytes[];
};

/*
 * `bytes`: all that is unread, at least one. False: it takes more of them to tell. True: the
 * session is in another phase or over, or *used (0 before) of them are done with.
 */
typedef bool opening_step(struct opening *o, struct str bytes, size_t *used);

opening_step opening_command; /* PHASE_FIRST, PHASE_COMMAND, PHASE_STARTTLS */
opening_step opening_rest_of_line, opening_mechanism, opening_no_mechanism, opening_response;
opening_step opening_hello, opening_record;

/* What is unread of a command when the client has closed. */
void opening_last_command(struct opening *o, struct str bytes);

static inline bool opening_over(struct opening *o)
{
    o->state = OPENING_OVER;
    return true;
}

static inline bool opening_go(struct opening *o, enum opening_phase phase)
{
    o->unread->phase = phase;
    return true;
}

#endif
