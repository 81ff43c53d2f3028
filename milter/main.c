/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-milter: the filter of Sendmail and Postfix that keeps the policy, on libmilter. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "edge/log.h"
#include "milter/callbacks.h"
#include "milter/processes.h"

#define PROGRAM "mailreeve-milter"

enum { BACKLOG = 4096, POKE_NS = 20 * 1000 * 1000, NS_PER_S = 1000 * 1000 * 1000 };

struct milter {
    struct filter filter;
    unsigned which; /* our socket among milter.listen */
    bool opened;    /* libmilter has it */
    pthread_t thread;
};

static struct milter *milter_of(struct life *l)
{
    return (struct milter *)l; /* the first member of its first member */
}

static const struct program_settings *settings(const struct life *l)
{
    return &l->daemon.config->milter;
}

/* Each process has a journal of its own: one writer to a directory. */
static int branch(struct life *l)
{
    static char writer[sizeof PROGRAM + 4] = PROGRAM;
    struct milter *m = milter_of(l);
    int ended = processes_branch(&l->daemon, settings(l)->listen_count, &m->which);
    if (ended < 0 && m->which > 0)
        snprintf(writer, sizeof writer, PROGRAM "-%u", (m->which + 1) % 100);
    l->writer = writer;
    return ended;
}

/* The socket as smfi_setconn() wants it. */
static void name_for_libmilter(const struct socket_spec *spec, char *ret, size_t size)
{
    struct buf b = {ret, 0, size, false};
    if (spec->is_unix) {
        buf_printf(&b, "local:%s", spec->path);
    } else {
        buf_printf(&b, "inet%s:%u@", spec->addr.bits == 128 ? "6" : "", (unsigned)spec->port);
        addr_format(&b, &spec->addr);
    }
    buf_cstr(&b);
}

/* libmilter logs by itself, to syslog. */
static int open_socket(struct life *l, struct err *e)
{
    struct milter *m = milter_of(l);
    char name[160];
    if (settings(l)->listen_count == 0)
        return err_set(e, "there is no socket to listen on; see milter.listen");
    const struct socket_spec *spec = &settings(l)->listen[m->which];
    openlog(PROGRAM, LOG_PID, LOG_MAIL);
    if (sock_prepare(settings(l), m->which, &m->filter.socket, e) != 0)
        return -1;
    m->filter.is_tcp = !spec->is_unix;
    name_for_libmilter(spec, name, sizeof name);
    mode_t old = umask(0177); /* nobody gets in before the group is right */
    m->opened = smfi_setconn(name) == MI_SUCCESS && smfi_setbacklog(BACKLOG) == MI_SUCCESS &&
                callbacks_register(&m->filter) && smfi_opensocket(false) == MI_SUCCESS;
    umask(old);
    if (!m->opened)
        return err_set(e, "libmilter cannot open %s; syslog has its reason", m->filter.socket.name);
    return sock_settle(settings(l), m->which, l->daemon.uid, l->daemon.gid, e);
}

static void *serve(void *arg)
{
    struct milter *m = arg;
    int result = smfi_main();
    pthread_mutex_lock(&m->filter.life.lock);
    bool expected = m->filter.stopping;
    if (!expected)
        m->filter.life.ended = EX_SOFTWARE;
    pthread_mutex_unlock(&m->filter.life.lock);
    if (expected)
        return NULL;
    log_error("libmilter has ended by itself (%d); see its lines in syslog", result);
    kill(getpid(), SIGTERM);
    return NULL;
}

static int begin(struct life *l, struct err *e)
{
    struct milter *m = milter_of(l);
    m->filter.wants_headers = l->recorder.journaling;
    int failed = daemon_thread(&m->thread, serve, m);
    if (failed)
        return err_set(e, "no thread for libmilter: %s", strerror(failed));
    log_info("listening on %s", m->filter.socket.name);
    processes_ready();
    return 0;
}

static size_t count(struct life *l, struct status_counter *list, size_t room)
{
    const struct filter_counters *c = &milter_of(l)->filter.counters;
    const struct status_counter own[] = {
        {"connections-open", c->open},
        {"connections-accepted", c->accepted},
        {"mails", c->mails},
        {"macro-lists-refused", c->lists_refused},
        {"helo-too-long", c->helo_too_long},
    };
    size_t n = sizeof own / sizeof *own;
    memcpy(list, own, sizeof own);
    return n <= room ? n : 0;
}

static void *stop_libmilter(void *arg)
{
    (void)arg;
    smfi_stop();
    return NULL;
}

/* smfi_stop() waits until the listener looks up from its sleep of five seconds: a
 * connection wakes it. */
static void stop_listening(const struct socket_spec *spec)
{
    pthread_t stopper;
    struct timespec moment;
    if (daemon_thread(&stopper, stop_libmilter, NULL) != 0) {
        smfi_stop();
        return;
    }
    do {
        sock_answers(spec);
        clock_gettime(CLOCK_REALTIME, &moment);
        moment.tv_nsec += POKE_NS;
        moment.tv_sec += moment.tv_nsec / NS_PER_S;
        moment.tv_nsec %= NS_PER_S;
    } while (pthread_timedjoin_np(stopper, NULL, &moment) == ETIMEDOUT);
}

/* Sessions that are going on are cut off: libmilter tells nobody, so what was to be said of
 * them has been journaled. Its threads may still be in a callback, which sees `stopping`. */
static void stop(struct life *l)
{
    struct milter *m = milter_of(l);
    pthread_mutex_lock(&l->lock);
    m->filter.stopping = true;
    pthread_mutex_unlock(&l->lock);
    stop_listening(&settings(l)->listen[m->which]);
    pthread_join(m->thread, NULL);
}

static void end(struct life *l)
{
    struct milter *m = milter_of(l);
    if (m->opened && settings(l)->listen[m->which].is_unix)
        unlink(settings(l)->listen[m->which].path);
}

int main(int argc, char **argv)
{
    static const struct life_of of = {
        .branch = branch,
        .open = open_socket,
        .begin = begin,
        .count = count,
        .stop = stop,
        .end = end,
    };
    static struct milter m = {
        .filter.life = {.daemon = {.program = PROGRAM, .reload_signal = SIGUSR1}, .of = &of},
    };
    mallopt(M_ARENA_MAX, 1); /* libmilter's few threads need no heap each */
    return life_run(&m.filter.life, argc, argv);
}
