/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journalctl(1) as a child: `journalctl --output=json` with the fields that entry.h takes, by a
 * pipe. No shell. Internal to input/.
 */
#ifndef AUDIT_JOURNALCTL_H
#define AUDIT_JOURNALCTL_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/err.h"

struct journalctl {
    pid_t pid;
    int out;  /* read entries from here, a line each */
    int told; /* a file in memory: what it writes on its standard error */
};

enum { JOURNALCTL_ARGS = 8 };

/* `args`: more of them (--file=..., --follow), up to a NULL, at most JOURNALCTL_ARGS. 0; -1 with
 * *err set: no journalctl, no process. */
int journalctl_start(struct journalctl *j, const char *const args[], struct err *err);

/* Reaps it, and frees what start() made. `stop`: it is ended, and that is no failure; otherwise
 * its output must have come to its end. 0; -1 with *err set to what it said: it failed. */
int journalctl_end(struct journalctl *j, bool stop, struct err *err);

#endif
