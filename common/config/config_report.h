/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration does, in words for the person who wrote it: behind
 * `mailreeve check` and the daemons' -n.
 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include <stdio.h>

#include "config/config.h"

enum {
    CHECK_STRICT = 1, /* warnings alone are worth exit code 1 */
    CHECK_PRINT = 2,  /* the whole configuration, as a file, instead of the summary */
};

/*
 * Loads the file, prints what is wrong with it, each problem with its line and
 * a caret, and if it can be used what it does. Problems go to `out`, with
 * CHECK_PRINT to `err`. In colour only on a terminal and without NO_COLOR.
 * Returns the exit code: 0; 1 see above; EX_CONFIG (78) if it cannot be used.
 */
int check_report(const char *path, int flags, FILE *out, FILE *err);

/* The same without flags, all to `out`. */
int check_print(const char *path, FILE *out);

/* Only the summary, of a configuration that was loaded. */
void config_summary(FILE *out, const struct config *c);

#endif
