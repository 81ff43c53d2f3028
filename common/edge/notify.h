/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the service manager how we are (sd_notify(3)), if one listens: ready, a sentence that
 * `systemctl status` shows, and a sign of life for its watchdog.
 *
 * Thread use: one thread.
 */
#ifndef EDGE_NOTIFY_H
#define EDGE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { NOTIFY_TEXT_MAX = 256 };

struct notify {
    int fd; /* a socket; -1: not connected */
    struct sockaddr_un address;
    socklen_t address_n; /* 0: nobody listens */
    int parent;          /* a pipe to the process that tells it for us; -1: none */
    unsigned char number;
    uint64_t pulse_us; /* how often a sign of life is due; 0: never */
    char text[NOTIFY_TEXT_MAX];
};

/*
 * Finds out who listens, by NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Before the sandbox:
 * later there is no way to a socket of the abstract namespace.
 */
void notify_open(struct notify *n);

/*
 * For a process that was forked off: to be ready and each sign of life are one byte, `number`, into
 * that pipe, twice as often as we would have to; nothing else is told.
 */
void notify_to_parent(struct notify *n, int pipe_fd, unsigned char number);

/* How we are. These may wait, a second at most, if the manager does not read. */
void notify_ready(struct notify *n);
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n);

/* These never wait; what the manager does not take is lost. */
void notify_alive(struct notify *n);
void notify_status(struct notify *n, const char *sentence); /* if it is another than the last */

void notify_close(struct notify *n);

#endif
