/* SPDX-License-Identifier: Apache-2.0 */
/* The time at the beginning of a line, in all its spellings. Internal to dialect/. */
#ifndef AUDIT_STAMP_H
#define AUDIT_STAMP_H

#include "audit/dialect/line.h"

/*
 * Moves the cursor behind a stamp and the blanks after it; false: there is none. *ret_us is 0 if it
 * has the form of one, and there is no such time, or its month is of another language; NULL: not
 * asked for.
 */
bool take_stamp(struct stamps *t, struct str *s, int64_t *ret_us);

#endif
