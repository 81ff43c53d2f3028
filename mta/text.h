/* SPDX-License-Identifier: Apache-2.0 */
/* Files whole, and lines as Sendmail folds them. Thread use: any. */
#ifndef MTA_TEXT_H
#define MTA_TEXT_H

#include "core/arena.h"
#include "core/err.h"

/* A whole file of at most `max` bytes into the arena. -1 and *e. */
int text_read(const char *path, size_t max, struct arena *a, struct str *ret, struct err *e);

/*
 * The next line with those that continue it (they begin with a blank or a tab; the newlines
 * stay in it), and its number. Comments and empty lines are lines, too. False at the end.
 */
bool text_line(struct str *rest, unsigned *line_no, struct str *ret, unsigned *ret_line);

/* Without blanks, tabs and line ends at both ends. */
struct str text_trim(struct str s);

/* A NUL-terminated copy of the trimmed text up to its first NUL; NULL when memory ends. */
const char *text_string(struct arena *a, struct str s);

#endif
