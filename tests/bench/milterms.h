/* SPDX-License-Identifier: Apache-2.0 */
/* What a filter wants of the MTA: its answer to SMFIC_OPTNEG. */
#ifndef MILTERMS_H
#define MILTERMS_H

#include <stddef.h>
#include <stdint.h>

#define MILTERMS_LIST 512
#define MILTERMS_STAGES 7

struct milterms {
    uint32_t version, actions, steps;
    char list[MILTERMS_STAGES][MILTERMS_LIST]; /* of macros, by SMFIM_*; empty: none asked for */
};

/* data: everything after the length and the letter. 0, or -1: not well formed, or not what milload
 * plays (it needs answers at MAIL and EOH, and sends neither recipients nor body). */
int milterms_read(struct milterms *terms, const char *data, size_t size);

#endif
