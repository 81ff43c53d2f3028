/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pollimit: the least a policy server can do. One thread, raw epoll, looks for the empty line that
 * ends a request and answers `action=DUNNO` whatever was asked. What our daemon costs beyond this
 * is what our code costs; the rest is the kernel's.
 *
 * With -t it does not even search: it takes a piece that ends in an empty line for one request.
 * That is true of Postfix, which never sends two at once, and it is as little as can be done.
 *
 * Usage: pollimit [-t] unix:PATH | inet:ADDRESS:PORT     (prints "ready"; SIGTERM ends it)
 */
#include "poladdr.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FDS_MAX 65536
#define EVENTS 256
#define REQUEST_MAX 16384

static bool tail_only;
static const char answer[] = "action=DUNNO\n\n";

/* The end of the last thing read, per descriptor: an empty line may arrive in two pieces. */
static unsigned char last_was_newline[FDS_MAX];

static int listen_at(const char *where)
{
    struct poladdr a;
    int one = 1, fd;

    if (poladdr_parse(&a, where) < 0)
        return -1;
    fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && a.sa.sa_family == AF_INET) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* accept4() inherits it */
    } else {
        unlink(a.sun.sun_path);
    }
    if (fd < 0 || bind(fd, &a.sa, a.length) < 0 || listen(fd, 4096) < 0)
        return -1;
    return fd;
}

static void accept_all(int ep, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

        if (fd >= FDS_MAX || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0) {
            close(fd);
            continue;
        }
        last_was_newline[fd] = 0;
    }
}

/* How many requests end in this piece. */
static unsigned count_ends(int fd, const char *data, size_t length)
{
    const char *end = data + length, *at = data;
    unsigned ends = 0;

    if (tail_only && length > 1)
        return memcmp(end - 2, "\n\n", 2) == 0;
    if (last_was_newline[fd] && data[0] == '\n') {
        ends++;
        at++;
    }
    while ((at = memmem(at, (size_t)(end - at), "\n\n", 2)) != NULL) {
        ends++;
        at += 2;
    }
    /* A newline that already closed a request does not open the next empty line. */
    last_was_newline[fd] = end[-1] == '\n' && !(length > 1 ? end[-2] == '\n' : ends > 0);
    return ends;
}

static void serve(int fd)
{
    char data[REQUEST_MAX];
    ssize_t n = recv(fd, data, sizeof(data), 0);

    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        close(fd);
        return;
    }
    for (unsigned ends = count_ends(fd, data, (size_t)n); ends > 0; ends--)
        if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(answer) - 1) {
            close(fd);
            return;
        }
}

int main(int argc, char **argv)
{
    struct rlimit files = {FDS_MAX, FDS_MAX};
    struct epoll_event ev = {.events = EPOLLIN}, events[EVENTS];
    int listener, ep = epoll_create1(EPOLL_CLOEXEC);

    tail_only = argc == 3 && strcmp(argv[1], "-t") == 0;
    if (argc != 2 + tail_only || ep < 0 || (listener = listen_at(argv[argc - 1])) < 0) {
        fprintf(stderr, "usage: pollimit [-t] unix:PATH | inet:ADDRESS:PORT\n");
        return 64;
    }
    setrlimit(RLIMIT_NOFILE, &files);
    ev.data.fd = listener;
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
    fprintf(stderr, "pollimit: ready\n");
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(ep, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
