/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that polload sends: ten kinds of session, each with the 29 attributes of Postfix 3.7
 * in Postfix's order, about 730 bytes on average. No two are the same: each has an `instance` and a
 * client port of its own, and draws its address and user (slots.h).
 *
 * Not thread safe: one struct polmix per thread.
 */
#ifndef POLMIX_H
#define POLMIX_H

#include "slots.h"

#define POLMIX_KINDS 10

struct polmix_request {
    bool pass; /* what the default rules in mode enforce answer: DUNNO, or a refusal */
    struct slotted text;
};

struct polmix {
    struct polmix_request request[POLMIX_KINDS];
    unsigned count; /* how many of request[] are in the mix */
    unsigned next;  /* the one whose turn it is */
    struct draws draws;
};

/* Renders the kinds of the mix called name. Returns 0, or -1 if there is no such mix, no such
 * number of offenders, or a request would not fit. */
int polmix_init(struct polmix *mix, const char *name, uint32_t offenders, uint64_t seed);

/* The next request, in turn. It belongs to mix and is overwritten when its kind comes again. */
const struct polmix_request *polmix_next(struct polmix *mix);

#endif
