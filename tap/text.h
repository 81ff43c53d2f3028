/* SPDX-License-Identifier: Apache-2.0 */
/* What --read shows to people: a line for each session with something found, and the numbers. */
#ifndef TAP_TEXT_H
#define TAP_TEXT_H

#include <stdio.h>

#include "tap/watch.h"

/* Writes to `out`; the first call writes the head of the table, too. */
void text_session(FILE *out, struct privacy *privacy, const struct judgement *j,
                  const struct now *now, bool first);

/* All numbers; `file` names what was read. */
void text_summary(FILE *out, const char *file, const struct watch *w, uint64_t found);

#endif
