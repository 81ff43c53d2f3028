/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions that milload plays: ten kinds, each as Postfix 3.7 or Sendmail 8.17 would tell it to
 * a filter that has negotiated certain terms, with the macros it asked for and no others.
 *
 * An event that needs no answer does not go out at once with Postfix: it stays in a buffer until
 * an answer is waited for, or the end. Sendmail writes every packet, and the macros, by itself.
 *
 * A mail of which the filter would want to see the headers has a sender that begins with "c.", else
 * with "a."; to our filter that means nothing.
 */
#ifndef MILMIX_H
#define MILMIX_H

#include "milterms.h"
#include "slots.h"

#define MILMIX_KINDS 10
#define MILMIX_PIECES 40

/* What is sent in one write; it begins where the one before ends. */
struct milmix_piece {
    uint16_t end, slots_end;
    char awaits; /* the command (SMFIC_*) that is then answered; SMFIC_QUIT: the end; 0: none */
};

enum milmix_wants { WANTS_NOTHING, WANTS_ONCE, WANTS_ALWAYS };

struct milmix_kind {
    const char *name;
    const char *refusal;     /* how the reply at MAIL must begin; NULL: it passes */
    enum milmix_wants wants; /* whether the headers of a mail are to be asked for */
    uint16_t hello;          /* bytes up to the last HELO, and slots in them */
    uint16_t hello_slots;
    unsigned headers, again, end; /* the pieces where these begin; again: the next mail */
    unsigned pieces;
    struct milmix_piece piece[MILMIX_PIECES];
    struct slotted text;
};

struct milmix {
    struct milmix_kind kind[MILMIX_KINDS];
    unsigned count, next;
    struct draws draws;
};

/* Renders the kinds of the mix called name. 0, or -1 if there is none, or no such number of
 * offenders, or something would not fit. */
int milmix_init(struct milmix *mix, const char *name, const struct milterms *terms,
                uint32_t offenders, uint64_t seed);

/* The kind whose turn it is, and who its client is. */
struct milmix_kind *milmix_next(struct milmix *mix, struct draw *ret);

/* Are the headers asked for of this mail, the nth (from 0) of a session? */
bool milmix_wants(const struct milmix_kind *kind, const struct milterms *terms, unsigned n);

#endif
