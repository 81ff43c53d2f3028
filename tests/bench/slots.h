/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of which some parts change every time they are sent: rendered once, then only the slots are
 * overwritten, all of a fixed width.
 *
 *   %A %B %C  three numbers 100..199 of an address    %U  six digits of a user
 *   %P %p     a client's port: five digits, two bytes %Q  a queue id, eleven hexadecimal digits
 *   %I        an `instance` of Postfix
 *
 * Address and user come from a million, so that a cache cannot make a server look faster than it
 * would be on a mail system.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS_MAX 64
#define SLOTTED_MAX 4096
#define POPULATION 1000000 /* addresses, and users */

struct slot {
    uint16_t offset;
    char kind; /* the letter behind the % */
};

struct slotted {
    uint16_t length, slots;
    struct slot slot[SLOTS_MAX];
    char text[SLOTTED_MAX];
};

/* What goes into the slots. */
struct draw {
    uint32_t number; /* of the address and the user */
    uint32_t seconds, micros;
    uint64_t random;
};

struct draws {
    uint64_t random;
    uint32_t offenders; /* distinct clients that break rules, 1..POPULATION */
    uint32_t seconds;   /* the clock inside `instance`: one tick a draw, so never twice the same */
    uint32_t micros;
};

/* seed: any number; two with the same one draw the same. */
struct draws draws_init(uint32_t offenders, uint64_t seed);
struct draw draws_next(struct draws *d, bool offender);

/* Adds text, with room for each %x in it. 0, or -1 if it does not fit. */
int slotted_add(struct slotted *s, const char *text);

/* Adds bytes as they are. */
int slotted_add_bytes(struct slotted *s, const void *bytes, size_t size);

/* Overwrites the slots from..to-1. */
void slotted_fill(struct slotted *s, unsigned from, unsigned to, const struct draw *d);

/* The kinds of the mix called name ("all", "pass", "smtp", "submission"): bit n stands for the nth
 * of the ten, which polmix.c and milmix.c have in one order: first three that pass on port 25 and
 * are only counted, then those that are a line of the journal each. 0: there is no such mix. */
unsigned mix_kinds(const char *name);

#endif
