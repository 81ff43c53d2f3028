/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program gives up for good once it has opened what it needs, so that whoever takes it over
 * has little: no new privileges (prctl(2)), and as far as the kernel has it Landlock (landlock(7)):
 * no files but its own, no program to start, no TCP to bind or connect, no signals to others.
 * sandbox.c has a table of what each program may; docs/hardening.md is about it.
 *
 * Nothing here ends a program: without a sandbox mail goes on. What there is is logged, and told in
 * `told`.
 *
 * Thread use: sandbox_begin() before there is a second thread. sandbox_enter() holds for the thread
 * that calls it and for those that it starts afterwards, and no others.
 */
#ifndef EDGE_SANDBOX_H
#define EDGE_SANDBOX_H

#include "config/config.h"

/* Whoever has this variable set to "off" runs without Landlock. */
#define SANDBOX_VARIABLE "MAILREEVE_SANDBOX"

enum sandbox_role {
    SANDBOX_POLICYD,
    SANDBOX_MILTER,
    SANDBOX_MILTER_PARENT, /* looks after a process for each socket */
    SANDBOX_TAP,
    SANDBOX_GATE,
    SANDBOX_GATE_SCRIBE, /* its thread that writes the journal */
    SANDBOX_ROLES
};

struct sandbox {
    unsigned landlock; /* the version of the kernel's (its ABI); 0: none is to be had */
    char told[160];    /* "landlock 7", or "none: " and why; for people and the status file */
};

/* What a role's row means on this machine. */
struct sandbox_places {
    const char *read[2];              /* files, to be read again, also after an editor replaced
                                         them: what is beneath their directories; NULL: none */
    int journal;                      /* the journal's own directory; -1: none */
    const char *removed[SOCKETS_MAX]; /* sockets, removed at the end */
    unsigned removed_count;
};

/* Makes no_new_privs, and asks the kernel what it has. A child process tries first what a filter
 * of system calls might end a process for (systemd's SystemCallFilter=). */
void sandbox_begin(struct sandbox *s);

/* From here on only what the role's row says. Says in the log what came of it. */
void sandbox_enter(struct sandbox *s, enum sandbox_role role, const struct sandbox_places *places);

#endif
