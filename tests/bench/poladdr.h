/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as the bench programs take them: unix:PATH or inet:ADDRESS:PORT (IPv4). */
#ifndef POLADDR_H
#define POLADDR_H

#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct poladdr {
    socklen_t length;
    union {
        struct sockaddr sa;
        struct sockaddr_un sun;
        struct sockaddr_in sin;
    };
};

/* 0, or -1 if where is not an address or does not fit. */
static inline int poladdr_parse(struct poladdr *a, const char *where)
{
    const char *value = where + 5, *colon = strrchr(where, ':');
    char host[64];

    memset(a, 0, sizeof(*a));
    if (strncmp(where, "unix:", 5) == 0 && strlen(value) < sizeof(a->sun.sun_path)) {
        a->sun.sun_family = AF_UNIX;
        memcpy(a->sun.sun_path, value, strlen(value) + 1);
        a->length = sizeof(a->sun);
        return 0;
    }
    if (strncmp(where, "inet:", 5) != 0 || colon <= value ||
        (size_t)(colon - value) >= sizeof(host))
        return -1;
    memcpy(host, value, (size_t)(colon - value));
    host[colon - value] = '\0';
    a->sin.sin_family = AF_INET;
    a->sin.sin_port = htons((uint16_t)atoi(colon + 1));
    a->length = sizeof(a->sin);
    return inet_pton(AF_INET, host, &a->sin.sin_addr) == 1 ? 0 : -1;
}

#endif
