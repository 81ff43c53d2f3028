/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/now.h"
#include "core/str.h"

enum { PATIENCE_S = 1 };

/* ---- who listens ------------------------------------------------------------ */

static bool connect_to_manager(struct notify *n)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    if (n->fd >= 0)
        close(n->fd);
    n->fd = n->address_n ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (n->fd < 0)
        return false;
    if (setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(n->fd, (struct sockaddr *)&n->address, n->address_n) == 0)
        return true;
    close(n->fd);
    n->fd = -1;
    return false;
}

static void find_manager(struct notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof n->address.sun_path)
        return;
    n->address.sun_family = AF_UNIX;
    memcpy(n->address.sun_path, path, strlen(path));
    if (path[0] == '@')
        n->address.sun_path[0] = '\0'; /* the abstract namespace */
    n->address_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
}

/* Half of the time after which it is taken for dead. */
static void find_watchdog(struct notify *n)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t every, whose;
    if (!us || !str_to_u64(str_of(us), INT64_MAX, &every))
        return;
    if (pid && (!str_to_u64(str_of(pid), INT32_MAX, &whose) || (pid_t)whose != getpid()))
        return;
    n->pulse_us = every / 2;
}

void notify_open(struct notify *n)
{
    *n = (struct notify){.fd = -1, .parent = -1};
    find_manager(n);
    if (!n->address_n)
        return;
    find_watchdog(n);
    connect_to_manager(n);
}

void notify_to_parent(struct notify *n, int pipe_fd, unsigned char number)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
    n->address_n = 0;
    n->parent = pipe_fd;
    n->number = number;
    n->pulse_us /= 2;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    if (n->parent >= 0)
        close(n->parent);
    n->fd = n->parent = -1;
    n->address_n = 0;
}

/* ---- what is told ------------------------------------------------------------- */

/* True: taken, or nobody is there to. */
static bool tell(struct notify *n, const char *text, int flags)
{
    flags |= MSG_NOSIGNAL;
    for (int tries = 0; n->address_n && tries < 2; tries++) {
        if (n->fd < 0 && !connect_to_manager(n))
            return false;
        if (send(n->fd, text, strlen(text), flags) >= 0)
            return true;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return false;
        if (errno != EINTR) { /* a manager that was restarted has a new socket */
            close(n->fd);
            n->fd = -1;
        }
    }
    return !n->address_n;
}

/* A pipe that is full has enough signs of life in it. */
static void tell_parent(struct notify *n)
{
    if (n->parent >= 0 && write(n->parent, &n->number, 1) < 0 && errno == EPIPE) {
        close(n->parent);
        n->parent = -1;
    }
}

void notify_ready(struct notify *n)
{
    tell(n, "READY=1", 0);
    tell_parent(n);
}

void notify_reloading(struct notify *n)
{
    char text[80];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_us(CLOCK_MONOTONIC));
    tell(n, text, 0);
}

void notify_stopping(struct notify *n)
{
    tell(n, "STOPPING=1", 0);
}

void notify_alive(struct notify *n)
{
    if (!n->pulse_us)
        return;
    tell(n, "WATCHDOG=1", MSG_DONTWAIT);
    tell_parent(n);
}

void notify_status(struct notify *n, const char *sentence)
{
    char text[sizeof n->text + 8];
    if (!n->address_n || strncmp(n->text, sentence, sizeof n->text - 1) == 0)
        return;
    snprintf(text, sizeof text, "STATUS=%s", sentence);
    text[strcspn(text, "\n")] = '\0'; /* the next line would be another message */
    if (tell(n, text, MSG_DONTWAIT))
        snprintf(n->text, sizeof n->text, "%s", sentence);
}
