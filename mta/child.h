/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs another program and keeps what it says: postconf, postfix, postmap,
 * diff, systemctl. Never through a shell; standard input is empty.
 *
 * Thread use: any; it forks, so not while other threads hold locks.
 */
#ifndef MTA_CHILD_H
#define MTA_CHILD_H

#include "core/arena.h"
#include "core/err.h"

enum { CHILD_OUTPUT_MAX = 4 * 1024 * 1024 };

struct child_result {
    int code;            /* its exit code */
    struct str out, err; /* NUL-terminated; in the arena */
};

/*
 * argv[0] is a path, or a name that is looked for in PATH and then in
 * /usr/sbin and /sbin. Runs in `directory` (NULL: here), with LC_ALL=C. -1 and *e: it is not there,
 * it was ended by a signal, by us after `seconds`, or said more than CHILD_OUTPUT_MAX. Any exit
 * code is a success of this function.
 */
int child_run(const char *const argv[], const char *directory, unsigned seconds,
              struct arena *arena, struct child_result *ret, struct err *e);

/* True if there is such a program, by the same rules. */
bool child_exists(const char *name);

#endif
