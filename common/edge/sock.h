/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: made from the configuration, or handed over by systemd
 * (sd_listen_fds(3)). All are non-blocking and closed on exec.
 */
#ifndef EDGE_SOCK_H
#define EDGE_SOCK_H

#include <sys/types.h>

#include "core/err.h"
#include "config/config.h"

struct listening {
    int fd;
    char name[160];    /* as in the configuration: "unix:/run/...", "inet:127.0.0.1:10040" */
    char listener[64]; /* the listener it stands for; "": any */
};

/*
 * Opens every socket of `settings` into `ret` (SOCKETS_MAX of them), unix
 * sockets with mode 0660 and, where a group is set, that group. A socket file
 * that nobody answers on is replaced; one that somebody does is an error. The
 * number opened, or -1 with *e set and none left open.
 */
int sock_listen_all(const struct program_settings *settings, struct listening *ret, struct err *e);

/*
 * For a library that opens its socket itself: makes sure that it can, says why
 * not, and names it (fd stays -1); and, once it is there, gives a unix socket its owner, mode 0660,
 * and the configured group, or else this one. -1 with *e set. Between the two, umask 0177 keeps
 * everybody out.
 */
int sock_prepare(const struct program_settings *settings, unsigned which, struct listening *ret,
                 struct err *e);
int sock_settle(const struct program_settings *settings, unsigned which, uid_t owner, gid_t group,
                struct err *e);

/*
 * The sockets systemd passed to this process, if it did: 0 if not. A socket's
 * FileDescriptorName= may be the name of the listener it stands for. Takes the
 * variables out of the environment, so that it works once.
 */
int sock_from_systemd(struct listening *ret, struct err *e);

/* The files that sock_close_all() will remove, into `ret` (one for each at most); how many. */
unsigned sock_files(const struct listening *list, int count, const char **ret);

/* Closes them and removes the files of unix sockets made by sock_listen_all(). */
void sock_close_all(struct listening *list, int count);

#endif
