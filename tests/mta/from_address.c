/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a mail client, this gives its connections the source address FROM_ADDRESS, so that
 * its sessions are found again in a log. Nothing else about the client changes. IPv6 is refused, as
 * on a machine without it: there a loopback has one address only.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef int connect_call(int fd, const struct sockaddr *to, socklen_t n);

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
    const char *address = getenv("FROM_ADDRESS");
    struct sockaddr_in from = {.sin_family = AF_INET};
    connect_call *next;

    *(void **)&next = dlsym(RTLD_NEXT, "connect");
    if (to->sa_family == AF_INET6) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    /* A second call on a socket that connects without blocking finds it bound: no matter. */
    if (to->sa_family == AF_INET && address && inet_pton(AF_INET, address, &from.sin_addr) == 1)
        (void)bind(fd, (const struct sockaddr *)&from, sizeof from);
    return next(fd, to, n);
}
