/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of mta/sendmail/ share: files, and lines as Sendmail folds them. */
#ifndef MTA_SENDMAIL_TEXT_H
#define MTA_SENDMAIL_TEXT_H

#include "core/arena.h"
#include "core/err.h"

/* A whole file of at most `max` bytes into the arena. -1 and *e. */
int sm_read_file(const char *path, size_t max, struct arena *a, struct str *ret, struct err *e);

/*
 * The next line with those that continue it (they begin with a blank or a tab; the newlines
 * stay in it), and its number. Comments and empty lines are lines, too. False at the end.
 */
bool sm_line(struct str *rest, unsigned *line_no, struct str *ret, unsigned *ret_line);

/* Without blanks, tabs and line ends at both ends. */
struct str sm_trim(struct str s);

/* A NUL-terminated copy of the trimmed text up to its first NUL; NULL when memory ends. */
const char *sm_string(struct arena *a, struct str s);

#endif
