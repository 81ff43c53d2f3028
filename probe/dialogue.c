/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/dialogue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "core/now.h"

enum { LEAVE_US = 1000 * 1000 };

bool endpoint_of(const char *address, uint16_t port, union endpoint *ret)
{
    *ret = (union endpoint){0};
    char text[INET6_ADDRSTRLEN + 16];
    snprintf(text, sizeof text, "%s", address);
    char *scope = strchr(text, '%'); /* fe80::1%2 */
    if (scope)
        *scope++ = '\0';
    if (inet_pton(AF_INET, text, &ret->in4.sin_addr) == 1) {
        ret->in4.sin_family = AF_INET;
        ret->in4.sin_port = htons(port);
        return true;
    }
    uint64_t number = 0;
    if (inet_pton(AF_INET6, text, &ret->in6.sin6_addr) != 1 ||
        (scope && !str_to_u64(str_of(scope), UINT32_MAX, &number)))
        return false;
    ret->in6.sin6_family = AF_INET6;
    ret->in6.sin6_port = htons(port);
    ret->in6.sin6_scope_id = (uint32_t)number;
    return true;
}

static int64_t deadline(const struct dialogue *d)
{
    int64_t step = clock_us(CLOCK_MONOTONIC) + d->step_us;
    return step < d->until_us ? step : d->until_us;
}

static enum step fail(struct dialogue *d, enum step step, const char *why)
{
    snprintf(d->why, sizeof d->why, "%s", why);
    return step;
}

static enum step fail_timeout(struct dialogue *d, const char *what)
{
    if (clock_us(CLOCK_MONOTONIC) >= d->until_us)
        snprintf(d->why, sizeof d->why, "there was no time left for it");
    else
        snprintf(d->why, sizeof d->why, "%s in %lld s", what, (long long)(d->step_us / US_PER_S));
    return STEP_TIMEOUT;
}

/* ---- opening ---------------------------------------------------------------------- */

int dialogue_open(struct dialogue *d, const union endpoint *to, int64_t step_us, int64_t until_us)
{
    d->ssl = NULL;
    d->n = d->taken = 0;
    d->why[0] = '\0';
    d->step_us = step_us;
    d->until_us = until_us;
    d->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = d->fd < 0 ? errno : 0;
    socklen_t n = to->any.sa_family == AF_INET ? sizeof to->in4 : sizeof to->in6;
    if (!error && connect(d->fd, &to->any, n) < 0) {
        error = errno;
        if (error == EINPROGRESS) {
            socklen_t size = sizeof error;
            if (!tls_wait(d->fd, POLLOUT, deadline(d))) {
                fail_timeout(d, "no answer");
                return ETIMEDOUT;
            }
            getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error == ECONNRESET) /* it was taken, and reset since: the first step will tell */
                error = 0;
        }
    }
    if (error)
        fail(d, STEP_CLOSED, strerror(error));
    return error;
}

/* ---- bytes ---------------------------------------------------------------------------- */

/* Waits for what SSL or the socket waits for; `error` is SSL's, or 0 for a bare socket. */
static bool wait_more(struct dialogue *d, int error, short bare, int64_t until)
{
    short events = error == SSL_ERROR_WANT_READ    ? POLLIN
                   : error == SSL_ERROR_WANT_WRITE ? POLLOUT
                                                   : bare;
    return tls_wait(d->fd, events, until);
}

/* Reads once what there is. > 0: bytes; 0: the end; -1: not now (*error is SSL's); -2: failed. */
static ssize_t read_some(struct dialogue *d, int *error)
{
    char *to = d->in + d->n;
    size_t room = sizeof d->in - d->n;
    *error = 0;
    errno = 0;
    if (!d->ssl) {
        ssize_t n = recv(d->fd, to, room, 0);
        return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? -1 : -2;
    }
    ERR_clear_error();
    int n = SSL_read(d->ssl, to, (int)room);
    *error = n > 0 ? 0 : SSL_get_error(d->ssl, n);
    if (n > 0 || *error == SSL_ERROR_ZERO_RETURN)
        return n > 0 ? n : 0;
    return *error == SSL_ERROR_WANT_READ || *error == SSL_ERROR_WANT_WRITE ? -1 : -2;
}

static enum step fill(struct dialogue *d, int64_t until)
{
    for (;;) {
        int error;
        ssize_t n = read_some(d, &error);
        if (n > 0) {
            d->n += (size_t)n;
            return clock_us(CLOCK_MONOTONIC) < until ? STEP_DONE
                                                     : fail_timeout(d, "no whole reply");
        }
        if (n == 0)
            return fail(d, STEP_CLOSED, "the server hangs up");
        if (n == -2) {
            int number = errno;
            if (d->ssl && !number)
                tls_reason(d->why, "the server hangs up");
            else
                fail(d, STEP_CLOSED, strerror(number));
            return STEP_CLOSED;
        }
        if (!wait_more(d, error, POLLIN, until))
            return fail_timeout(d, d->n ? "no whole reply" : "no reply");
    }
}

enum step dialogue_send(struct dialogue *d, struct str bytes)
{
    int64_t until = deadline(d);
    while (bytes.n) {
        errno = 0;
        ERR_clear_error();
        int n = d->ssl ? SSL_write(d->ssl, bytes.p, (int)bytes.n)
                       : (int)send(d->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        int error = d->ssl && n <= 0 ? SSL_get_error(d->ssl, n) : 0;
        bool later = d->ssl ? error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
                            : errno == EAGAIN || errno == EINTR;
        if (n > 0) {
            bytes = (struct str){bytes.p + n, bytes.n - (size_t)n};
        } else if (!later) {
            tls_reason(d->why, errno ? strerror(errno) : "the server hangs up");
            return STEP_CLOSED;
        } else if (!wait_more(d, error, POLLOUT, until)) {
            return fail_timeout(d, "the server does not take a command");
        }
    }
    return STEP_DONE;
}

/* ---- replies ------------------------------------------------------------------------------ */

static void drop_taken(struct dialogue *d)
{
    memmove(d->in, d->in + d->taken, d->n - d->taken);
    d->n -= d->taken;
    d->taken = 0;
}

static enum step not_smtp(struct dialogue *d, const char *why)
{
    char shown[SAID];
    said(shown, (struct str){d->in, d->n < 80 ? d->n : 80});
    snprintf(d->why, sizeof d->why, "%s: \"%.100s%s\"", why, shown, d->n > 80 ? "..." : "");
    return STEP_BAD;
}

enum step dialogue_reply(struct dialogue *d, struct reply *ret)
{
    int64_t until = deadline(d);
    drop_taken(d);
    for (;;) {
        const char *why = NULL;
        size_t used = 0;
        switch (reply_parse((struct str){d->in, d->n}, ret, &used, &why)) {
        case REPLY_ITEM: d->taken = used; return STEP_DONE;
        case REPLY_BAD: return not_smtp(d, why);
        case REPLY_MORE: break;
        }
        enum step step = fill(d, until);
        if (step != STEP_DONE)
            return step;
    }
}

enum step dialogue_command(struct dialogue *d, const char *line, struct reply *ret)
{
    drop_taken(d);
    if (d->n)
        return not_smtp(d, "it says more than it was asked");
    char command[640];
    int n = snprintf(command, sizeof command, "%s\r\n", line);
    if (n >= (int)sizeof command)
        return fail(d, STEP_BAD, "the command is too long");
    enum step step = dialogue_send(d, (struct str){command, (size_t)n});
    return step == STEP_DONE ? dialogue_reply(d, ret) : step;
}

/* ---- TLS, and the end ------------------------------------------------------------------------ */

enum handshake dialogue_tls(struct dialogue *d, SSL_CTX *context, const char *name)
{
    drop_taken(d);
    if (d->n) {
        not_smtp(d, "it says something in clear text behind its reply to STARTTLS");
        return HANDSHAKE_REFUSED;
    }
    return tls_handshake(context, d->fd, name, deadline(d), &d->ssl, d->why);
}

void dialogue_close(struct dialogue *d, bool politely)
{
    struct reply r;
    int64_t soon = clock_us(CLOCK_MONOTONIC) + LEAVE_US;
    d->until_us = soon < d->until_us ? soon : d->until_us;
    if (politely && d->fd >= 0)
        dialogue_command(d, "QUIT", &r);
    if (d->ssl && politely)
        SSL_shutdown(d->ssl);
    SSL_free(d->ssl);
    ERR_clear_error();
    if (d->fd >= 0)
        close(d->fd);
    d->ssl = NULL;
    d->fd = -1;
}
