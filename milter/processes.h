/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmilter serves one socket in a process, so each socket has a process of
 * its own when there are several: the first process then only looks after them.
 */
#ifndef MILTER_PROCESSES_H
#define MILTER_PROCESSES_H

struct life;

/*
 * With `count` above 1, starts that many processes. -1: go on and serve socket
 * *ret_which (from 0); call processes_bind() as the user we run as. Otherwise this is the process
 * that looked after the others, they have ended, and this is the exit code.
 * SIGTERM, SIGINT and SIGHUP end all, SIGUSR1 goes to all, and when one ends
 * by itself, the others are ended too: half a filter would be worse than none,
 * whose absence the MTA notices.
 *
 * The service manager hears the first process alone: that it is ready when all are, and a
 * sign of life when there was one of each.
 */
int processes_branch(struct life *l, unsigned count, unsigned *ret_which);

/* One of several: to end when the first one does. */
void processes_bind(void);

#endif
