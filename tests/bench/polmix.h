/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that the load generator sends: ten kinds of session, each with the 29 attributes
 * of Postfix 3.7 in Postfix's order, about 730 bytes on average.
 *
 * No two requests are the same: each has an `instance` and a client port of its own, and its
 * address and user come from a million, so that a cache cannot make a server look faster than it
 * would be on a mail system. Not thread safe: one struct polmix per thread.
 */
#ifndef POLMIX_H
#define POLMIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLMIX_KINDS 10
#define POLMIX_REQUEST_MAX 2048
#define POLMIX_SLOTS_MAX 32
#define POLMIX_POPULATION 1000000 /* addresses, and users */

struct polmix_slot {
    uint16_t offset;
    char kind; /* the letter behind the % in the table of sessions */
};

/* One kind of request, rendered once; only the slots change from request to request. */
struct polmix_request {
    const char *name;
    bool pass;     /* what the default rules in mode enforce answer: DUNNO, or a refusal */
    bool offender; /* breaks a rule: its address and user come from the offenders */
    uint16_t length;
    uint16_t slots;
    struct polmix_slot slot[POLMIX_SLOTS_MAX];
    char text[POLMIX_REQUEST_MAX];
};

struct polmix {
    struct polmix_request request[POLMIX_KINDS];
    unsigned count;     /* how many of request[] are in the mix */
    unsigned next;      /* the one whose turn it is */
    uint32_t offenders; /* distinct clients that break rules, 1..POLMIX_POPULATION */
    uint64_t random;
    uint32_t seconds; /* the clock inside `instance`: one tick a request, so never twice the same */
    uint32_t micros;
};

/*
 * Renders the kinds of the mix called name. seed: any number, two runs with the same one send the
 * same addresses. Returns 0, or -1 if there is no such mix or a request would not fit.
 */
int polmix_init(struct polmix *mix, const char *name, uint32_t offenders, uint64_t seed);

/* The names that polmix_init() takes, separated by spaces; static. */
const char *polmix_names(void);

/* The next request, in turn. It belongs to mix and is overwritten when its kind comes again. */
const struct polmix_request *polmix_next(struct polmix *mix);

#endif
