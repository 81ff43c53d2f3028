/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-tap: looks on how clients begin their sessions, and says who uses the wrong mode. */
#include <event2/event.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#include "core/now.h"
#include "edge/life.h"
#include "edge/log.h"
#include "tap/capture.h"
#include "tap/read.h"
#include "tap/rights.h"
#include "tap/watch.h"

enum { TICK_S = 1, SHOUT_S = 60 };

struct tap {
    struct life life;
    struct capture *capture;
    struct watch watch;
    struct event *readable, *tick;
    struct now read; /* when packets were fetched last */
    uint64_t dropped, dropped_told;
    int64_t shout_us; /* monotonic: not again before */
};

static struct tap *tap_of(struct life *l)
{
    return (struct tap *)l; /* its first member */
}

/* ---- packets -------------------------------------------------------------------------- */

/* Records have the time at which they are written. */
static struct now record_time(int64_t packet_us)
{
    (void)packet_us;
    return clock_now();
}

/* The kernel stamps packets with the wall clock, which may jump; durations are of the other. */
static void on_packet(void *context, struct str captured, size_t length, int64_t wall_us)
{
    struct tap *t = context;
    int64_t ago_us = t->read.wall_us - wall_us;
    watch_packet(&t->watch, capture_link(t->capture), captured, length,
                 t->read.mono_us - (ago_us > 0 ? ago_us : 0));
}

static void give_up(struct tap *t, const char *why)
{
    log_error("capturing has ended: %s; mailreeve-tap ends, to be started again", why);
    event_del(t->readable);
    t->life.ended = EX_UNAVAILABLE;
    raise(SIGTERM);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct tap *t = arg;
    struct err e = {""};
    (void)fd;
    (void)what;
    t->read = clock_now();
    int failed = capture_read(t->capture, on_packet, t, &e);
    if (failed)
        give_up(t, e.text);
}

static void watch_drops(struct tap *t, const struct now *now)
{
    t->dropped = capture_dropped(t->capture);
    if (t->dropped == t->dropped_told || now->mono_us < t->shout_us)
        return;
    log_warn("%llu packets were lost because there was no time for them; sessions may be missing "
             "or end as \"gap\"",
             (unsigned long long)(t->dropped - t->dropped_told));
    t->dropped_told = t->dropped;
    t->shout_us = now->mono_us + SHOUT_S * US_PER_S;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct tap *t = arg;
    struct now now = clock_now();
    (void)fd;
    (void)what;
    flows_tick(t->watch.flows, now.mono_us);
    watch_drops(t, &now);
}

/* ---- life ------------------------------------------------------------------------------- */

static int open_capture(struct life *l, struct err *e)
{
    struct tap *t = tap_of(l);
    const struct config *c = l->daemon.config;
    ports_set(&t->watch.ports, c);
    t->capture = capture_open(c->tap.interface, &t->watch.ports, e);
    rights_bound();
    return t->capture ? 0 : -1;
}

static int settle(struct life *l, struct err *e)
{
    (void)l;
    return rights_drop(e);
}

static int begin(struct life *l, struct err *e)
{
    struct tap *t = tap_of(l);
    const struct config *c = l->daemon.config;
    char ports[1024];
    struct buf b = BUF(ports);
    struct timeval tick = {.tv_sec = TICK_S};
    t->watch.recorder = &l->recorder;
    t->watch.record_time = record_time;
    if (watch_begin(&t->watch, c, 0, e) != 0)
        return -1;
    t->readable = event_new(l->base, capture_fd(t->capture), EV_READ | EV_PERSIST, on_readable, t);
    t->tick = event_new(l->base, -1, EV_PERSIST, on_tick, t);
    if (!t->readable || !t->tick || event_add(t->readable, NULL) != 0 ||
        event_add(t->tick, &tick) != 0)
        return err_set(e, "memory is short");
    ports_format(&b, &t->watch.ports);
    log_info("looking on at port %s, interface %s (%s)", buf_cstr(&b), c->tap.interface,
             packet_link_name(capture_link(t->capture)));
    return 0;
}

/* Called with the lock. */
static void reloaded(struct life *l)
{
    struct tap *t = tap_of(l);
    struct err e = {""};
    watch_use(&t->watch, l->daemon.config);
    if (capture_use(t->capture, &t->watch.ports, &e) != 0)
        log_error("ports stay as they were: %s", e.text);
}

static size_t count(struct life *l, struct status_counter *list, size_t room)
{
    struct tap *t = tap_of(l);
    size_t n = watch_list_counters(&t->watch, list, room);
    if (n < room)
        list[n++] = (struct status_counter){"packets-dropped", t->dropped};
    return n;
}

/* The kernel holds packets back until it has many, or for CAPTURE_TIMEOUT_MS: what came before the
 * end is waited for. */
static void read_the_rest(struct tap *t)
{
    struct pollfd readable = {.fd = capture_fd(t->capture), .events = POLLIN};
    struct err e = {""};
    int64_t end_us = clock_us(CLOCK_MONOTONIC) + 2 * 1000 * CAPTURE_TIMEOUT_MS, left_us;
    int failed = 0;
    while (!failed && (left_us = end_us - clock_us(CLOCK_MONOTONIC)) > 0) {
        poll(&readable, 1, (int)(left_us / 1000) + 1);
        t->read = clock_now();
        failed = capture_read(t->capture, on_packet, t, &e);
    }
}

static void stop(struct life *l)
{
    struct tap *t = tap_of(l);
    if (l->ended == EX_OK)
        read_the_rest(t);
    flows_stop(t->watch.flows, clock_us(CLOCK_MONOTONIC));
}

static void end(struct life *l)
{
    struct tap *t = tap_of(l);
    if (t->readable)
        event_free(t->readable);
    if (t->tick)
        event_free(t->tick);
    watch_end(&t->watch);
    capture_close(t->capture);
}

/* ---- the command line --------------------------------------------------------------------- */

#define MORE_USAGE                                                                                 \
    "       mailreeve-tap --read FILE [-c FILE] [--json]\n"                                        \
    "  --read FILE  read a capture (pcap, pcapng; - is standard input); needs no rights\n"         \
    "  --json       with --read: the lines of the journal\n"

enum { READ = 256, JSON };

/* True: it is --read. A mistake in it is said; the rest is the daemon's to read. */
static bool asks_to_read(int argc, char **argv)
{
    bool asks = false;
    for (int i = 1; i < argc; i++)
        asks |= strncmp(argv[i], "--read", strlen("--read")) == 0 || strcmp(argv[i], "--json") == 0;
    return asks;
}

static int wrong(const char *what)
{
    fprintf(stderr, "mailreeve-tap: %s\nusage:\n" MORE_USAGE, what);
    return EX_USAGE;
}

static int read_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"read", required_argument, NULL, READ},
        {"json", no_argument, NULL, JSON},
        {0},
    };
    struct read_options o = {0};
    int option;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case READ: o.file = optarg; break;
        case JSON: o.json = true; break;
        case 'c': o.config = optarg; break;
        default: return wrong("--read goes with -c and --json only");
        }
    }
    if (!o.file)
        return wrong("--json goes with --read");
    if (optind < argc)
        return wrong("--read takes one file");
    return read_capture(&o);
}

int main(int argc, char **argv)
{
    static const struct sentence_part sentence[] = {
        {"connection open", "connections open", "connections-open"},
        {"looked at", "looked at", "connections"},
        {"packet lost", "packets lost", "packets-dropped"},
        {0},
    };
    static const struct life_of of = {
        .sandbox = SANDBOX_TAP,
        .sentence = sentence,
        .open = open_capture,
        .settle = settle,
        .begin = begin,
        .reloaded = reloaded,
        .count = count,
        .stop = stop,
        .end = end,
    };
    static struct tap t = {
        .life = {.daemon = {.program = "mailreeve-tap",
                            .reload_signal = SIGHUP,
                            .more_usage = MORE_USAGE},
                 .of = &of},
    };
    if (asks_to_read(argc, argv))
        return read_main(argc, argv);
    return life_run(&t.life, argc, argv);
}
