/* SPDX-License-Identifier: Apache-2.0 */
/*
 * polload: a load generator for Postfix policy servers. One thread, raw epoll, many connections
 * with at most one request outstanding on each, which is how Postfix uses them.
 *
 *   closed loop (default)  the next request goes out as soon as the answer is in
 *   --rate R               R requests a second whatever the server does; the latency counts from
 *                          the moment a request was due, so a stalled server cannot hide its stall
 *
 * Every reply is checked: one line `action=...`, one empty line, and not a byte more. What is wrong
 * is counted by kind and makes the exit code 1. The result is one line of JSON on stdout.
 */
#include "poladdr.h"
#include "polhist.h"
#include "polmix.h"
#include "polreply.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define EVENTS 256
#define REPLY_MAX 600 /* Postfix cuts replies at 510 bytes */

enum fault {
    MALFORMED,
    EXTRA_BYTES,
    WRONG_VERDICT,
    MISSING,
    CLOSED,
    NOT_SENT,
    NO_CONNECTION,
    FAULTS
};
static const char *const fault_name[FAULTS] = {
    "malformed", "extra_bytes", "wrong_verdict", "missing", "closed", "not_sent", "no_connection"};

struct conn {
    int fd;
    uint16_t got;
    bool busy, pass;
    uint64_t since; /* sent (closed loop) or due (paced) */
    char reply[REPLY_MAX];
};

enum phase { WARMING, MEASURING, DRAINING };

struct counts {
    uint64_t requests, bytes, dunno;
};

static struct options {
    const char *where, *mix;
    unsigned connections, idle, offenders;
    double seconds, warmup, rate, timeout;
    bool verdicts, reconnect, spin;
    pid_t server;
} opt = {.mix = "all",
         .connections = 100,
         .offenders = POLMIX_POPULATION,
         .seconds = 2,
         .warmup = 0.3,
         .timeout = 2};

static struct poladdr server;
static struct polmix mix;
static struct polhist latency;
static struct conn *conns;
static int ep;
static enum phase phase = WARMING;
static unsigned outstanding, *free_conn, free_conns;
static struct counts measured, everything;
static uint64_t fault[FAULTS], due, interval, late;
static uint64_t measure_start, measure_end, server_cpu, client_cpu;

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts = {0, 0};

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* The CPU that all threads of the server have used, exact to the nanosecond (not clock ticks). */
static uint64_t server_cpu_ns(void)
{
    clockid_t id;

    if (opt.server == 0 || clock_getcpuclockid(opt.server, &id) != 0)
        return 0;
    return clock_ns(id);
}

/* Connecting blocks (else a full backlog of a unix socket answers EAGAIN); traffic does not. */
static int connect_server(void)
{
    int one = 1, fd = socket(server.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, &server.sa, server.length) == 0) {
        if (server.sa.sa_family == AF_INET)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        return fd;
    }
    fault[NO_CONNECTION]++;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool conn_open(struct conn *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    c->got = 0;
    c->busy = false;
    c->fd = connect_server();
    return c->fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

static void conn_fail(struct conn *c, enum fault why)
{
    fault[why]++;
    outstanding -= c->busy;
    c->busy = false;
    close(c->fd);
    c->fd = -1;
}

static void conn_ask(struct conn *c, uint64_t since)
{
    const struct polmix_request *r = polmix_next(&mix);

    c->since = since;
    c->pass = r->pass;
    c->got = 0;
    if (send(c->fd, r->text, r->length, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)r->length) {
        conn_fail(c, NOT_SENT);
        return;
    }
    c->busy = true;
    outstanding++;
    everything.requests++;
    everything.bytes += r->length;
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
        fault[WRONG_VERDICT]++;
    c->busy = false;
    outstanding--;
    everything.dunno += dunno;
    if (phase == MEASURING)
        polhist_add(&latency, now - c->since);
    return true;
}

static void conn_next(struct conn *c, uint64_t now)
{
    if (opt.reconnect) {
        close(c->fd);
        if (phase == DRAINING || !conn_open(c))
            return;
    }
    if (phase == DRAINING)
        return;
    if (interval > 0)
        free_conn[free_conns++] = (unsigned)(c - conns);
    else
        conn_ask(c, opt.reconnect ? clock_ns(CLOCK_MONOTONIC) : now);
}

static void conn_readable(struct conn *c)
{
    ssize_t n = recv(c->fd, c->reply + c->got, sizeof(c->reply) - c->got, MSG_DONTWAIT);
    char *end;
    uint64_t now;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !c->busy) {
        conn_fail(c, n <= 0 ? CLOSED : EXTRA_BYTES);
        return;
    }
    now = clock_ns(CLOCK_MONOTONIC);
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
static void send_due(uint64_t now)
{
    while (due <= now && free_conns > 0 && phase != DRAINING) {
        struct conn *c = &conns[free_conn[--free_conns]];

        if (c->fd >= 0)
            conn_ask(c, due);
        due += interval;
    }
}

static void change_phase(uint64_t now)
{
    struct counts at = everything;

    if (phase == WARMING && now >= measure_start) {
        server_cpu = server_cpu_ns();
        client_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        measure_start = now;
        measured = at;
        phase = MEASURING;
    } else if (phase == MEASURING && now >= measure_end) {
        server_cpu = server_cpu_ns() - server_cpu;
        client_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - client_cpu;
        measure_end = now;
        measured.requests = at.requests - measured.requests;
        measured.bytes = at.bytes - measured.bytes;
        measured.dunno = at.dunno - measured.dunno;
        late = interval > 0 && due < now ? (now - due) / interval : 0;
        phase = DRAINING;
    }
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    uint64_t now = clock_ns(CLOCK_MONOTONIC), give_up;

    measure_start = due = now;
    measure_start += (uint64_t)(opt.warmup * 1e9);
    measure_end = measure_start + (uint64_t)(opt.seconds * 1e9);
    give_up = measure_end + (uint64_t)(opt.timeout * 1e9);
    for (unsigned i = 0; i < opt.connections; i++)
        if (interval > 0)
            free_conn[free_conns++] = i;
        else
            conn_ask(&conns[i], now);
    while (now < give_up && (phase != DRAINING || outstanding > 0)) {
        int n = epoll_wait(ep, events, EVENTS, opt.spin ? 0 : 50);

        for (int i = 0; i < n; i++)
            conn_readable(events[i].data.ptr);
        now = clock_ns(CLOCK_MONOTONIC);
        change_phase(now);
        if (interval > 0)
            send_due(now);
    }
    fault[MISSING] += outstanding;
}

/* Idle connections ask once, then stay; they must still be open in the end, and silent. */
static void check_idle(const struct conn *c, unsigned count)
{
    char byte;

    for (unsigned i = 0; i < count; i++) {
        ssize_t n = c[i].fd < 0 ? 0 : recv(c[i].fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

        if (c[i].fd >= 0 && !c[i].busy && n >= 0)
            fault[n == 0 ? CLOSED : EXTRA_BYTES]++;
    }
}

static void open_idle(struct conn *c, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct polmix_request *r = polmix_next(&mix);
        ssize_t n;

        if ((c[i].fd = connect_server()) < 0)
            continue;
        if (send(c[i].fd, r->text, r->length, MSG_NOSIGNAL) != (ssize_t)r->length ||
            (n = recv(c[i].fd, c[i].reply, sizeof(c[i].reply), 0)) <= 0 ||
            !polreply_is_good(c[i].reply, (size_t)n))
            conn_fail(&c[i], MALFORMED);
    }
}

static int report(void)
{
    double seconds = (double)(measure_end - measure_start) / 1e9;
    double requests = measured.requests > 0 ? (double)measured.requests : 1;
    uint64_t failed = 0;

    printf("{\"requests\": %llu, \"total_requests\": %llu, \"seconds\": %.4f, \"rate\": %.1f",
           (unsigned long long)measured.requests, (unsigned long long)everything.requests, seconds,
           (double)measured.requests / seconds);
    printf(", \"request_bytes\": %.1f, \"dunno\": %llu, \"late\": %llu",
           (double)measured.bytes / requests, (unsigned long long)measured.dunno,
           (unsigned long long)late);
    printf(", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f",
           polhist_us(&latency, .5), polhist_us(&latency, .99), polhist_us(&latency, .999),
           (double)latency.max / 1e3);
    printf(", \"server_us\": %.4f, \"client_us\": %.4f", (double)server_cpu / 1e3 / requests,
           (double)client_cpu / 1e3 / requests);
    for (int i = 0; i < FAULTS; i++) {
        printf(", \"%s\": %llu", fault_name[i], (unsigned long long)fault[i]);
        failed += fault[i];
    }
    printf(", \"failed\": %llu}\n", (unsigned long long)failed);
    return failed > 0 || measured.requests == 0;
}

static const char usage[] =
    "usage: polload [options] unix:PATH | inet:ADDRESS:PORT\n"
    "  -c, --connections N  that send requests (100)\n"
    "  -i, --idle N         that ask once and are then held open (0)\n"
    "  -s, --seconds S      measured (2)\n"
    "  -w, --warmup S       before that (0.3)\n"
    "  -t, --timeout S      for answers still out at the end (2)\n"
    "  -r, --rate R         requests a second; without it, a closed loop\n"
    "  -m, --mix NAME       which requests: all, pass, smtp, submission (all)\n"
    "  -o, --offenders N    distinct clients that break rules (1000000)\n"
    "  -v, --verdicts       the default rules apply: check that DUNNO comes when it should\n"
    "  -n, --reconnect      a connection for every request\n"
    "  -b, --busy           never sleep (needs a CPU of its own): waking us is work that a server\n"
    "                       slower than we are would have and a faster one not; implied by -r\n"
    "  -p, --server-pid P   whose CPU time is to be measured\n";

static const struct option long_options[] = {{"connections", 1, NULL, 'c'},
                                             {"idle", 1, NULL, 'i'},
                                             {"seconds", 1, NULL, 's'},
                                             {"warmup", 1, NULL, 'w'},
                                             {"timeout", 1, NULL, 't'},
                                             {"rate", 1, NULL, 'r'},
                                             {"mix", 1, NULL, 'm'},
                                             {"offenders", 1, NULL, 'o'},
                                             {"verdicts", 0, NULL, 'v'},
                                             {"reconnect", 0, NULL, 'n'},
                                             {"server-pid", 1, NULL, 'p'},
                                             {"busy", 0, NULL, 'b'},
                                             {NULL, 0, NULL, 0}};

static bool take_option(int letter, const char *value)
{
    switch (letter) {
    case 'c': return (opt.connections = (unsigned)atoi(value)) > 0;
    case 'i': return opt.idle = (unsigned)atoi(value), true;
    case 's': return (opt.seconds = atof(value)) > 0;
    case 'w': return (opt.warmup = atof(value)) >= 0;
    case 't': return (opt.timeout = atof(value)) > 0;
    case 'r': return (opt.rate = atof(value)) > 0;
    case 'm': return opt.mix = value, true;
    case 'o': return (opt.offenders = (unsigned)atoi(value)) > 0;
    case 'v': return opt.verdicts = true;
    case 'n': return opt.reconnect = true;
    case 'b': return opt.spin = true;
    case 'p': return (opt.server = atoi(value)) > 0;
    }
    return false;
}

static bool setup(int argc, char **argv)
{
    int letter;

    while ((letter = getopt_long(argc, argv, "c:i:s:w:t:r:m:o:vnp:b", long_options, NULL)) != -1)
        if (!take_option(letter, optarg))
            return false;
    if (optind + 1 != argc || poladdr_parse(&server, argv[optind]) < 0 ||
        polmix_init(&mix, opt.mix, opt.offenders, (uint64_t)getpid()) < 0)
        return false;
    interval = opt.rate > 0 ? (uint64_t)(1e9 / opt.rate) : 0;
    opt.spin |= interval > 0;
    return true;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (!setup(argc, argv)) {
        fputs(usage, stderr);
        return 64;
    }
    files.rlim_cur = files.rlim_max = opt.connections + opt.idle + 64;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        perror("polload: cannot raise the limit of open files");
    conns = calloc((size_t)opt.connections + opt.idle, sizeof(*conns));
    free_conn = calloc(opt.connections, sizeof(*free_conn));
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (conns == NULL || free_conn == NULL || ep < 0) {
        perror("polload");
        return 71;
    }
    open_idle(conns + opt.connections, opt.idle);
    for (unsigned i = 0; i < opt.connections; i++)
        if (!conn_open(&conns[i]))
            return report();
    run();
    check_idle(conns, opt.connections + opt.idle);
    return report();
}
