/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define EVENTS 256
#define OPTIONS_MAX 24

static const char *const fault_name[LOAD_FAULTS] = {[MALFORMED] = "malformed",
                                                    [EXTRA_BYTES] = "extra_bytes",
                                                    [WRONG_VERDICT] = "wrong_verdict",
                                                    [NEGOTIATION] = "negotiation",
                                                    [MISSING] = "missing",
                                                    [CLOSED] = "closed",
                                                    [NOT_SENT] = "not_sent",
                                                    [NO_CONNECTION] = "no_connection"};

struct load load;
static const struct load_program *program;
static double seconds = 2, warmup = 0.3, timeout = 2;
static pid_t server_pid;
static int ep;

uint64_t load_clock(clockid_t id)
{
    struct timespec ts = {0, 0};

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* The CPU that all threads of the server have used, exact to the nanosecond (not clock ticks). */
static uint64_t server_cpu(void)
{
    clockid_t id;

    if (server_pid == 0 || clock_getcpuclockid(server_pid, &id) != 0)
        return 0;
    return load_clock(id);
}

int load_connect(void)
{
    int one = 1, fd = socket(load.server.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, &load.server.sa, load.server.length) == 0) {
        if (load.server.sa.sa_family == AF_INET)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        return fd;
    }
    load.fault[NO_CONNECTION]++;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool load_watch(int fd, unsigned i)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};

    return fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0;
}

bool load_send(int fd, const void *data, size_t size)
{
    if (send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size) {
        load.fault[NOT_SENT]++;
        return false;
    }
    load.total.bytes += size;
    return true;
}

void load_took(uint64_t ns)
{
    if (load.phase == MEASURING)
        polhist_add(&load.latency, ns);
}

static void change_phase(uint64_t now)
{
    if (load.phase == WARMING && now >= load.start) {
        load.server_cpu = server_cpu();
        load.used_cpu = load_clock(CLOCK_PROCESS_CPUTIME_ID);
        load.start = now;
        load.measured = load.total;
        load.phase = MEASURING;
    } else if (load.phase == MEASURING && now >= load.end) {
        load.server_cpu = server_cpu() - load.server_cpu;
        load.used_cpu = load_clock(CLOCK_PROCESS_CPUTIME_ID) - load.used_cpu;
        load.end = now;
        load.measured.units = load.total.units - load.measured.units;
        load.measured.bytes = load.total.bytes - load.measured.bytes;
        load.measured.detail = load.total.detail - load.measured.detail;
        load.phase = DRAINING;
        if (program->measured != NULL)
            program->measured(now);
    }
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    uint64_t now = load_clock(CLOCK_MONOTONIC), give_up;
    bool more = true;

    load.start = now + (uint64_t)(warmup * 1e9);
    load.end = load.start + (uint64_t)(seconds * 1e9);
    give_up = load.end + (uint64_t)(timeout * 1e9);
    if (program->begin != NULL)
        program->begin(now);
    while (now < give_up && (load.phase != DRAINING || load.outstanding > 0)) {
        int n = epoll_wait(ep, events, EVENTS, load.spin || more ? 0 : 50);

        for (int i = 0; i < n; i++)
            program->readable(events[i].data.u32);
        now = load_clock(CLOCK_MONOTONIC);
        change_phase(now);
        more = program->turn(now);
    }
    load.fault[MISSING] += load.outstanding;
}

/* Where no answer is due, nothing may come, and the connection must still be open. */
static void check_quiet(unsigned from, unsigned to)
{
    char byte;

    for (unsigned i = from; i < to; i++) {
        int fd = program->descriptor(i);
        ssize_t n = fd < 0 ? -1 : recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

        if (n >= 0)
            load.fault[n == 0 ? CLOSED : EXTRA_BYTES]++;
    }
}

static int report(void)
{
    double took = load.phase == DRAINING ? (double)(load.end - load.start) / 1e9 : seconds;
    double units = load.measured.units > 0 ? (double)load.measured.units : 1;
    uint64_t failed = 0;

    printf("{\"%s\": %llu, \"total_%s\": %llu, \"seconds\": %.4f, \"rate\": %.1f", program->unit,
           (unsigned long long)load.measured.units, program->unit,
           (unsigned long long)load.total.units, took, (double)load.measured.units / took);
    printf(", \"bytes\": %.1f, \"%s\": %llu, \"total_%s\": %llu",
           (double)load.measured.bytes / units, program->detail,
           (unsigned long long)load.measured.detail, program->detail,
           (unsigned long long)load.total.detail);
    printf(", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f",
           polhist_us(&load.latency, .5), polhist_us(&load.latency, .99),
           polhist_us(&load.latency, .999), (double)load.latency.max / 1e3);
    printf(", \"server_us\": %.4f, \"client_us\": %.4f", (double)load.server_cpu / 1e3 / units,
           (double)load.used_cpu / 1e3 / units);
    program->report();
    printf(", \"faults\": {");
    for (int i = 0; i < LOAD_FAULTS; i++) {
        printf("%s\"%s\": %llu", i > 0 ? ", " : "", fault_name[i],
               (unsigned long long)load.fault[i]);
        failed += load.fault[i];
    }
    printf("}, \"failed\": %llu}\n", (unsigned long long)failed);
    return failed > 0 || (load.measured.units == 0 && !load.hold);
}

/* ---- options ----------------------------------------------------------------- */

static const struct option common_options[] = {
    {"connections", 1, NULL, 'c'}, {"idle", 1, NULL, 'i'},   {"hold", 0, NULL, 'k'},
    {"seconds", 1, NULL, 's'},     {"warmup", 1, NULL, 'w'}, {"timeout", 1, NULL, 't'},
    {"server-pid", 1, NULL, 'p'},  {"busy", 0, NULL, 'b'},   {NULL, 0, NULL, 0}};

static void print_usage(void)
{
    fprintf(
        stderr,
        "usage: %s [options] unix:PATH | inet:ADDRESS:PORT\n"
        "%s"
        "  -k, --hold           only open the idle ones, say so in a line on stdout, and end when\n"
        "                       stdin ends\n"
        "  -s, --seconds S      measured (2)\n"
        "  -w, --warmup S       before that (0.3)\n"
        "  -t, --timeout S      for answers still out at the end (2)\n"
        "  -b, --busy           never sleep (needs a CPU of its own): waking us is work that a\n"
        "                       server slower than we are would have and a faster one not\n"
        "  -p, --server-pid P   whose CPU time is to be measured\n",
        program->name, program->usage);
}

static bool take_option(int letter, const char *value)
{
    switch (letter) {
    case 'c': return (load.connections = (unsigned)atoi(value)) > 0;
    case 'i': return load.idle = (unsigned)atoi(value), true;
    case 'k': return load.hold = true;
    case 's': return (seconds = atof(value)) > 0;
    case 'w': return (warmup = atof(value)) >= 0;
    case 't': return (timeout = atof(value)) > 0;
    case 'b': return load.spin = true;
    case 'p': return (server_pid = atoi(value)) > 0;
    }
    return program->take(letter, value);
}

static bool take_options(int argc, char **argv)
{
    struct option all[OPTIONS_MAX];
    char letters[2 * OPTIONS_MAX + 1];
    unsigned count = 0, used = 0;
    int letter;

    for (const struct option *o = program->options; o->name != NULL; o++)
        all[count++] = *o;
    for (const struct option *o = common_options; o->name != NULL; o++)
        all[count++] = *o;
    all[count] = (struct option){NULL, 0, NULL, 0};
    for (unsigned i = 0; i < count; i++) {
        letters[used++] = (char)all[i].val;
        if (all[i].has_arg)
            letters[used++] = ':';
    }
    letters[used] = '\0';
    while ((letter = getopt_long(argc, argv, letters, all, NULL)) != -1)
        if (!take_option(letter, optarg))
            return false;
    return optind + 1 == argc && poladdr_parse(&load.server, argv[optind]) == 0 &&
           program->prepare();
}

/* ---- the whole --------------------------------------------------------------- */

static bool open_all(void)
{
    unsigned busy = load.hold ? 0 : load.connections;

    if (program->first != NULL && !program->first())
        return false;
    for (unsigned i = 0; i < load.idle; i++)
        program->open_idle(load.connections + i);
    for (unsigned i = 0; i < busy; i++)
        if (program->open_busy != NULL && !program->open_busy(i))
            return false;
    return true;
}

static void hold(void)
{
    printf("holding %u\n", load.idle);
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

int load_main(int argc, char **argv, const struct load_program *p)
{
    struct rlimit files;

    program = p;
    load.connections = p->connections;
    if (!take_options(argc, argv)) {
        print_usage();
        return 64;
    }
    files.rlim_cur = files.rlim_max = load.connections + load.idle + 64;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        fprintf(stderr, "%s: cannot raise the limit of open files\n", program->name);
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0 || !program->open()) {
        perror(program->name);
        return 71;
    }
    if (open_all()) {
        if (load.hold)
            hold();
        else
            run();
        check_quiet(load.hold ? load.connections : 0, load.connections + load.idle);
    }
    return report();
}
