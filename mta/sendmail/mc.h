/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in sendmail.mc a macro of m4 is called, at the top level: DAEMON_OPTIONS
 * and the like. m4 is not run: what stands in an include(), or inside quotes, is not
 * seen; sendmail.cf has the truth, this has the lines.
 *
 * Thread use: any; nothing is kept.
 */
#ifndef MTA_SENDMAIL_MC_H
#define MTA_SENDMAIL_MC_H

#include "core/arena.h"
#include "core/err.h"

enum { MC_TEXT_MAX = 4 * 1024 * 1024, MC_CALLS = 1024, MC_ARGUMENTS = 4 };

/* Strings are NUL-terminated. */
struct mc_call {
    const char *macro;                   /* "DAEMON_OPTIONS" */
    const char *arguments[MC_ARGUMENTS]; /* without their quotes; "" if not given */
    unsigned line, last_line;
};

struct mc {
    struct arena arena;
    struct mc_call *calls;
    unsigned count;
};

/* -1 and *e: more than MC_CALLS, or no memory. The caller clears it in any case. */
int mc_parse(struct str text, struct mc *ret, struct err *e);

/* The same from a file; -1 also if it cannot be read. */
int mc_read(const char *path, struct mc *ret, struct err *e);

void mc_clear(struct mc *m);

/* The next call of that macro from `*i` on, which it moves behind it; NULL: there is no more. */
const struct mc_call *mc_next(const struct mc *m, unsigned *i, const char *macro);

#endif
