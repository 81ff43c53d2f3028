/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-milter: the filter of Sendmail and Postfix that keeps the policy, on libmilter. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "edge/log.h"
#include "edge/process.h"
#include "milter/callbacks.h"
#include "milter/processes.h"

#define PROGRAM "mailreeve-milter"

enum { BACKLOG = 4096 };

struct milter {
    struct filter filter;
    unsigned which; /* our socket among milter.listen */
    bool opened;    /* libmilter has it */
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
    int ended = processes_branch(l, settings(l)->listen_count, &m->which);
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

/*
 * libmilter waits in a thread of its own for the signals that end it, and its way to end takes up
 * to five seconds and locks mutexes that it has destroyed. They are life's (edge/life.h), but
 * the kernel may give one to whoever waits; so what stands here in place of the C
 * library's function never has one. Nobody else in this program calls it.
 */
int sigwait(const sigset_t *signals, int *ret)
{
    (void)signals;
    (void)ret;
    for (;;)
        pause();
}

/* Until the process ends, unless libmilter gives up by itself. With the lock, because once we
 * are stopping nobody waits for the signal any more. */
static void *serve(void *arg)
{
    struct milter *m = arg;
    int result = smfi_main();
    pthread_mutex_lock(&m->filter.life.lock);
    if (!m->filter.stopping) {
        if (result != MI_SUCCESS) {
            log_error("libmilter has given up; syslog has its reason");
            m->filter.life.ended = EX_SOFTWARE;
        }
        kill(getpid(), SIGTERM);
    }
    pthread_mutex_unlock(&m->filter.life.lock);
    return NULL;
}

static int begin(struct life *l, struct err *e)
{
    struct milter *m = milter_of(l);
    m->filter.wants_headers = l->recorder.journaling;
    pthread_t thread;
    int failed = process_thread(&thread, serve, m);
    if (failed)
        return err_set(e, "no thread for libmilter: %s", strerror(failed));
    pthread_detach(thread);
    log_info("listening on %s", m->filter.socket.name);
    processes_bind();
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

/*
 * Sessions that are going on are cut off when the process ends; what was to be said of them has
 * been journaled. Until then libmilter's threads go on, and callbacks see `stopping`.
 * smfi_stop() would end none of this sooner: it waits for a listener that sleeps five
 * seconds, and takes a mutex that the listener destroys.
 */
static void stop(struct life *l)
{
    struct milter *m = milter_of(l);
    pthread_mutex_lock(&l->lock);
    m->filter.stopping = true;
    policy_ref(l->policy); /* they ask it until the process ends */
    pthread_mutex_unlock(&l->lock);
}

static unsigned removes(struct life *l, const char **ret)
{
    const struct milter *m = milter_of(l);
    return m->opened ? sock_files(&m->filter.socket, 1, ret) : 0;
}

static void end(struct life *l)
{
    const char *file; /* not the configuration's: that may be another by now */
    if (removes(l, &file))
        unlink(file);
}

int main(int argc, char **argv)
{
    static const struct sentence_part sentence[] = {
        {"connection", "connections", "connections-open"},
        {"mail", "mails", "mails"},
        {"refused", "refused", "*-rejected"},
        {"put off", "put off", "*-deferred"},
        {0},
    };
    static const struct life_of of = {
        .threads = true,
        .sandbox = SANDBOX_MILTER,
        .sentence = sentence,
        .branch = branch,
        .open = open_socket,
        .removes = removes,
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
