/* SPDX-License-Identifier: Apache-2.0 */
/* After the reload: does Postfix greet on each port? A wrong line would let smtpd die, and nobody
 * but clients would notice. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/now.h"
#include "setup/setup_internal.h"

enum { GREETING_S = 20 };

/* One try; true: it greets (or, with TLS at once, takes the connection). */
static bool greets(const struct pf_listener *l, int64_t end_us)
{
    char host[256], port[8], heard[4] = "";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *to;
    struct str h = str_of(*l->host ? l->host : "127.0.0.1");
    if (h.n >= 2 && h.p[0] == '[')
        h.p++, h.n -= 2;
    snprintf(host, sizeof host, "%.*s", STR_ARG(h));
    snprintf(port, sizeof port, "%u", l->port);
    if (getaddrinfo(host, port, &hints, &to) != 0)
        return true; /* a name that only Postfix knows: not ours to judge */
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0;
    freeaddrinfo(to);
    size_t n = 0;
    while (good && !l->implicit && n < 3) {
        int left_ms = (int)((end_us - clock_us(CLOCK_MONOTONIC)) / 1000);
        struct pollfd p = {fd, POLLIN, 0};
        if (left_ms <= 0 || (poll(&p, 1, left_ms) < 0 && errno != EINTR))
            break;
        ssize_t got = p.revents ? read(fd, heard + n, 3 - n) : 0;
        if (p.revents && got <= 0)
            break;
        n += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    return good && (l->implicit || l->proxied || memcmp(heard, "220", 3) == 0);
}

int verify_ports(struct setup *s, struct err *e)
{
    struct pf_listener there[PF_LISTENERS];
    unsigned n = postfix_listeners(&s->postfix, there);
    for (unsigned i = 0; i < n; i++) {
        int64_t end_us = clock_us(CLOCK_MONOTONIC) + GREETING_S * US_PER_S;
        bool good = !there[i].role_known || there[i].port == 0;
        while (!good && !(good = greets(&there[i], end_us)) && clock_us(CLOCK_MONOTONIC) < end_us)
            poll(NULL, 0, 100);
        if (!good)
            return err_set(e,
                           "after the reload, Postfix does not greet on port %u (%s/%s); its log "
                           "says why",
                           there[i].port, there[i].front->name, there[i].front->type);
    }
    return 0;
}
