/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a daemon, from its command line to the last line of its journal:
 * configuration, journal, user, event loop, reload, numbers, end. What one
 * program adds is its row of functions.
 *
 * Thread use: everything here runs on the thread that called life_run(), the
 * loop thread. A program that answers on other threads takes `lock` there for
 * whatever it uses of this struct; the functions of the row are called without
 * it, except where it says so.
 */
#ifndef EDGE_LIFE_H
#define EDGE_LIFE_H

#include "edge/daemon.h"
#include "edge/failure.h"
#include "edge/notify.h"
#include "edge/record.h"
#include "edge/sandbox.h"
#include "edge/sentence.h"
#include "edge/tls.h"

struct event_base;
struct life;

/* What a program adds; `l` is within the program's own struct. */
struct life_of {
    /* It answers on other threads, which may go on until the process ends: what they use
     * without the lock is then not freed. */
    bool threads;
    enum sandbox_role sandbox; /* what is left to it once it begins */
    /* What `systemctl status` shows of its numbers; ends with an empty one. */
    const struct sentence_part *sentence;
    /* The configuration is read, `notify` and `sandbox` are there: may go on as several
     * processes. The exit code if this one is not to go on, else -1. May be NULL. */
    int (*branch)(struct life *l);
    /* Opens what needs the rights we were started with: sockets. */
    int (*open)(struct life *l, struct err *e);
    /* As the user we run as, before there is a second thread: gives up what other rights are
     * left. May be NULL. */
    int (*settle)(struct life *l, struct err *e);
    /* Begins to answer, as the user we run as, with everything below in place. Called with
     * the lock, so that answers on other threads come after the first line. */
    int (*begin)(struct life *l, struct err *e);
    /* The files of sockets that end() will remove, into `ret` (SOCKETS_MAX of them); how many.
     * May be NULL. */
    unsigned (*removes)(struct life *l, const char **ret);
    /* A configuration was read again and is in force. Called with the lock. May be NULL. */
    void (*reloaded)(struct life *l);
    /* Its own numbers, into `list`; how many. Called with the lock. */
    size_t (*count)(struct life *l, struct status_counter *list, size_t room);
    /* The loop has ended: answer nobody any more. May be NULL. */
    void (*stop)(struct life *l);
    /* Gives back what open() and begin() made, or only began to make. */
    void (*end)(struct life *l);
};

struct life {
    struct daemon daemon; /* program and reload_signal are set by the caller */
    const struct life_of *of;
    const char *writer; /* the journal's name for us; NULL: daemon.program */

    struct event_base *base;
    struct event *events[7];
    uint64_t files; /* how many descriptors we may have */
    pthread_mutex_t lock;
    struct policy *policy; /* the one in force; the configuration holds the reference */
    struct recorder recorder;
    struct status *status;
    struct ciphers *ciphers;
    struct notify notify;
    struct sandbox sandbox;
    struct failures failures;
    int ended; /* the exit code; a program that gives up by itself sets it and raises SIGTERM */
};

/* Descriptors that are kept for everything that is not a connection. */
enum { LIFE_DESCRIPTORS = 32 };

/* The whole life; returns the exit code. */
int life_run(struct life *l, int argc, char **argv);

#endif
