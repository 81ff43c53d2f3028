/* SPDX-License-Identifier: Apache-2.0 */
/* Files of log lines, and lines cut short, for tests of audit/dialect. */
#ifndef TESTS_DIALECT_HELP_H
#define TESTS_DIALECT_HELP_H

#include "core/str.h"

/* Each line of a file, without its newline; the test fails if there is no such file. */
void each_line(const char *path, void (*take)(void *context, struct str line), void *context);

/* Calls take() with a copy of each beginning of the text, in memory of exactly that size, so that
 * a sanitizer sees a byte read too many. */
void each_cut(struct str text, void (*take)(struct str cut));

#endif
