/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process is to the system, whatever the program: its user, its limits,
 * its threads. Needs nothing but the C library, so that a program without a
 * configuration can have it, too.
 */
#ifndef EDGE_PROCESS_H
#define EDGE_PROCESS_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"

/* Who `user` is; NULL: who we are. -1: there is no such user. */
int process_look_up(const char *user, uid_t *ret_uid, gid_t *ret_gid);

/*
 * Becomes that user (process_look_up()) with all of its groups, for good. As
 * root without a user it refuses: no program here has a use for root. Before
 * the first thread. -1 with *e set.
 */
int process_become(const char *user, uid_t uid, gid_t gid, struct err *e);

/* Raises the limit of open files as far as allowed and returns it; no core dumps. */
uint64_t process_limits(void);

/* A thread that takes no signals: they are for the loop's. 0, or an errno. */
int process_thread(pthread_t *thread, void *(*body)(void *), void *arg);

#endif
