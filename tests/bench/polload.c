/* SPDX-License-Identifier: Apache-2.0 */
/*
 * polload: a load generator for Postfix policy servers: many connections with at most one request
 * outstanding on each, which is how Postfix uses them.
 *
 *   closed loop (default)  the next request goes out as soon as the answer is in
 *   --rate R               R requests a second whatever the server does; the latency counts from
 *                          the moment a request was due, so a stalled server cannot hide its stall
 *
 * Every reply is checked: one line `action=...`, one empty line, and not a byte more. What is wrong
 * is counted by kind and makes the exit code 1. The result is one line of JSON on stdout.
 */
#include "load.h"
#include "polmix.h"
#include "polreply.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLY_MAX 600 /* Postfix cuts replies at 510 bytes */

struct conn {
    int fd;
    uint16_t got;
    bool busy, pass;
    uint64_t since; /* sent (closed loop) or due (paced) */
    char reply[REPLY_MAX];
};

static struct options {
    const char *mix;
    unsigned offenders;
    double rate;
    bool verdicts, reconnect;
} opt = {.mix = "all", .offenders = POPULATION};

static struct polmix mix;
static struct conn *conns;
static unsigned *free_conn, free_conns;
static uint64_t due, interval, late;

static bool conn_open(unsigned i)
{
    conns[i].got = 0;
    conns[i].busy = false;
    conns[i].fd = load_connect();
    return load_watch(conns[i].fd, i);
}

static void conn_close(struct conn *c)
{
    close(c->fd);
    c->fd = -1;
}

static void conn_fail(struct conn *c, enum load_fault why)
{
    load.fault[why]++;
    load.outstanding -= c->busy;
    c->busy = false;
    conn_close(c);
}

static void conn_ask(struct conn *c, uint64_t since)
{
    const struct polmix_request *r = polmix_next(&mix);

    c->since = since;
    c->pass = r->pass;
    c->got = 0;
    if (!load_send(c->fd, r->text.text, r->text.length)) {
        conn_close(c);
        return;
    }
    c->busy = true;
    load.outstanding++;
    load.total.units++;
}

/* Counts the reply in c; false if the connection had to be given up. */
static bool conn_answered(struct conn *c, uint64_t now)
{
    bool dunno = c->got == 14 && memcmp(c->reply, "action=DUNNO\n\n", 14) == 0;

    if (!dunno && !polreply_is_good(c->reply, c->got)) {
        conn_fail(c, MALFORMED);
        return false;
    }
    if (opt.verdicts && dunno != c->pass)
        load.fault[WRONG_VERDICT]++;
    c->busy = false;
    load.outstanding--;
    load.total.detail += dunno;
    load_took(now - c->since);
    return true;
}

static void conn_next(struct conn *c, uint64_t now)
{
    unsigned i = (unsigned)(c - conns);

    if (opt.reconnect) {
        conn_close(c);
        if (load.phase == DRAINING || !conn_open(i))
            return;
    }
    if (load.phase == DRAINING)
        return;
    if (interval > 0)
        free_conn[free_conns++] = i;
    else
        conn_ask(c, opt.reconnect ? load_clock(CLOCK_MONOTONIC) : now);
}

static void readable(unsigned i)
{
    struct conn *c = &conns[i];
    ssize_t n = recv(c->fd, c->reply + c->got, sizeof(c->reply) - c->got, MSG_DONTWAIT);
    char *end;
    uint64_t now;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !c->busy) {
        conn_fail(c, n <= 0 ? CLOSED : EXTRA_BYTES);
        return;
    }
    now = load_clock(CLOCK_MONOTONIC);
    c->got = (uint16_t)(c->got + n);
    end = memmem(c->reply, c->got, "\n\n", 2);
    if (end == NULL && c->got < sizeof(c->reply))
        return;
    if (end == NULL || end + 2 != c->reply + c->got)
        conn_fail(c, end == NULL ? MALFORMED : EXTRA_BYTES);
    else if (conn_answered(c, now))
        conn_next(c, now);
}

/* Sends what is due, as far as a connection is free; the rest waits and its latency runs. */
static bool turn(uint64_t now)
{
    while (interval > 0 && due <= now && free_conns > 0 && load.phase != DRAINING) {
        struct conn *c = &conns[free_conn[--free_conns]];

        if (c->fd >= 0)
            conn_ask(c, due);
        due += interval;
    }
    return false;
}

static void measured(uint64_t now)
{
    late = interval > 0 && due < now ? (now - due) / interval : 0;
}

static void begin(uint64_t now)
{
    due = now;
    for (unsigned i = 0; i < load.connections; i++)
        if (interval > 0)
            free_conn[free_conns++] = i;
        else
            conn_ask(&conns[i], now);
}

static int descriptor(unsigned i)
{
    return conns[i].busy ? -1 : conns[i].fd;
}

/* Idle connections ask once, then stay. */
static void open_idle(unsigned i)
{
    struct conn *c = &conns[i];
    const struct polmix_request *r = polmix_next(&mix);
    ssize_t n;

    c->fd = load_connect();
    if (c->fd < 0)
        return;
    if (send(c->fd, r->text.text, r->text.length, MSG_NOSIGNAL) != (ssize_t)r->text.length ||
        (n = recv(c->fd, c->reply, sizeof(c->reply), 0)) <= 0 ||
        !polreply_is_good(c->reply, (size_t)n))
        conn_fail(c, MALFORMED);
}

static bool open_memory(void)
{
    conns = calloc((size_t)load.connections + load.idle, sizeof(*conns));
    free_conn = calloc(load.connections, sizeof(*free_conn));
    return conns != NULL && free_conn != NULL;
}

static void report_more(void)
{
    printf(", \"late\": %llu", (unsigned long long)late);
}

static const char usage[] =
    "  -c, --connections N  that send requests (100)\n"
    "  -i, --idle N         that ask once and are then held open (0)\n"
    "  -r, --rate R         requests a second; without it, a closed loop; implies --busy\n"
    "  -m, --mix NAME       which requests: all, pass, smtp, submission (all)\n"
    "  -o, --offenders N    distinct clients that break rules (1000000)\n"
    "  -v, --verdicts       the default rules apply: check that DUNNO comes when it should\n"
    "  -n, --reconnect      a connection for every request\n";

static const struct option options[] = {{"rate", 1, NULL, 'r'},      {"mix", 1, NULL, 'm'},
                                        {"offenders", 1, NULL, 'o'}, {"verdicts", 0, NULL, 'v'},
                                        {"reconnect", 0, NULL, 'n'}, {NULL, 0, NULL, 0}};

static bool take_option(int letter, const char *value)
{
    switch (letter) {
    case 'r': return (opt.rate = atof(value)) > 0;
    case 'm': return opt.mix = value, true;
    case 'o': return (opt.offenders = (unsigned)atoi(value)) > 0;
    case 'v': return opt.verdicts = true;
    case 'n': return opt.reconnect = true;
    }
    return false;
}

static bool prepare(void)
{
    interval = opt.rate > 0 ? (uint64_t)(1e9 / opt.rate) : 0;
    load.spin |= interval > 0;
    return polmix_init(&mix, opt.mix, opt.offenders, (uint64_t)getpid()) == 0;
}

int main(int argc, char **argv)
{
    static const struct load_program polload = {.name = "polload",
                                                .unit = "requests",
                                                .detail = "dunno",
                                                .connections = 100,
                                                .options = options,
                                                .usage = usage,
                                                .take = take_option,
                                                .prepare = prepare,
                                                .open = open_memory,
                                                .open_idle = open_idle,
                                                .open_busy = conn_open,
                                                .descriptor = descriptor,
                                                .begin = begin,
                                                .readable = readable,
                                                .turn = turn,
                                                .measured = measured,
                                                .report = report_more};

    return load_main(argc, argv, &polload);
}
