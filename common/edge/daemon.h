/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every daemon does alike: its options, its configuration, the user it
 * runs as, and reloading without stopping.
 */
#ifndef EDGE_DAEMON_H
#define EDGE_DAEMON_H

#include <pthread.h>
#include <sys/types.h>

#include "core/err.h"
#include "config/config.h"

struct daemon {
    const char *program;    /* "mailreeve-policyd"; set by the caller */
    int reload_signal;      /* SIGHUP; SIGUSR1 for the milter; set by the caller */
    const char *more_usage; /* lines of the help that are the program's own; NULL: none */
    const char *config_path;
    const char *user; /* -u; NULL: stay who we are */
    bool to_stderr;
    uid_t uid; /* who we shall be */
    gid_t gid;
    struct config *config; /* the one in force */

    /* Reloading. */
    pthread_t loader;
    bool loading, again;
    int done_fd;           /* readable when the loader has ended */
    struct config *loaded; /* its result; NULL: rejected */
    struct problems problems;
};

/*
 * Reads the command line and the configuration and opens the log; it also
 * carries out -h, -V and -n. The exit code if the program ends here, else -1.
 * What is wrong has been said.
 */
int daemon_begin(struct daemon *d, int argc, char **argv);

/*
 * Becomes the user of -u, for good. Started as root without -u it refuses:
 * a policy service has no use for root. -1 with *e set.
 */
int daemon_become_user(struct daemon *d, struct err *e);

/* Makes done_fd; in each process that reloads, so after a fork. */
int daemon_reload_prepare(struct daemon *d, struct err *e);

/*
 * Starts reading the configuration again in a thread of its own; done_fd is
 * readable when it has ended, and then daemon_reload_end() tells. A second
 * call in the meantime is not lost: it is done after the first.
 */
void daemon_reload_begin(struct daemon *d);

/*
 * True: d->config is the new one, and *ret_old is the one it replaced; the
 * caller moves over and passes it to daemon_release(). False: the new one was
 * rejected, the old one stays, and `why` says why (the problems themselves
 * have been logged).
 */
bool daemon_reload_end(struct daemon *d, struct config **ret_old, struct err *why);

/* Frees a configuration away from the calling thread: a large one takes its time. */
void daemon_release(struct config *c);

/* Waits for a reload that is going on and frees everything. */
void daemon_end(struct daemon *d);

#endif
