/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmilter serves one socket in a process, so each socket has a process of
 * its own when there are several: the first process then only looks after them.
 */
#ifndef MILTER_PROCESSES_H
#define MILTER_PROCESSES_H

struct daemon;

/*
 * With `count` above 1, starts that many processes. -1: go on and serve socket
 * *ret_which (from 0); call processes_ready() when it is served. Otherwise this is the process
 * that looked after the others, they have ended, and this is the exit code.
 * SIGTERM, SIGINT and SIGHUP end all, SIGUSR1 goes to all, and when one ends
 * by itself, the others are ended too: half a filter would be worse than none,
 * whose absence the MTA notices.
 */
int processes_branch(struct daemon *d, unsigned count, unsigned *ret_which);

void processes_ready(void);

#endif
