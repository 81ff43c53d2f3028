/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/life.h"

#include <event2/event.h>
#include <signal.h>
#include <sysexits.h>

#include "core/now.h"
#include "edge/log.h"
#include "edge/process.h"

enum { TICK_S = 1, DRAIN_MS = 5000 };

static void lock(struct life *l)
{
    pthread_mutex_lock(&l->lock);
}

static void unlock(struct life *l)
{
    pthread_mutex_unlock(&l->lock);
}

/* ---- what people can see; all of it with the lock ------------------------ */

static void tell_policy(struct life *l)
{
    char modes[400];
    struct buf b = BUF(modes);
    const struct policy *p = l->policy;
    for (unsigned i = 0; i < p->listener_count; i++)
        buf_printf(&b, "%s%s:%u %s", i ? ", " : "", p->listeners[i]->names[0].p,
                   (unsigned)p->listeners[i]->port, mode_names[p->listeners[i]->mode]);
    status_set_policy(l->status, p->file, p->digest, buf_cstr(&b));
    log_info("policy %s: %s", p->digest, buf_cstr(&b));
}

static void tell_manager(struct life *l, const struct now *now, const struct status_counter *list,
                         size_t n)
{
    static const struct sentence_part listeners[] = {{"listener", "listeners", "listeners"}, {0}};
    const struct status_counter known = {"listeners", l->policy->listener_count};
    struct journal_state state;
    char text[NOTIFY_TEXT_MAX];
    struct buf b = BUF(text);
    journal_get_state(l->recorder.journal, now, &state);
    sentence_put(&b, listeners, &known, 1);
    sentence_put(&b, l->of->sentence, list, n);
    sentence_put_journal(&b, &state);
    notify_status(&l->notify, buf_cstr(&b));
}

static void publish(struct life *l, const struct now *now, bool force)
{
    struct status_counter list[STATUS_COUNTERS_MAX];
    size_t n = l->of->count(l, list, STATUS_COUNTERS_MAX);
    n += record_list_counters(&l->recorder.counters, list + n, STATUS_COUNTERS_MAX - n);
    for (int f = 0; f < FAILURE_COUNT && n < STATUS_COUNTERS_MAX; f++)
        list[n++] = (struct status_counter){failure_name(f), l->failures.count[f]};
    status_publish(l->status, now, list, n, force);
    tell_manager(l, now, list, n);
}

static void watch_journal(struct life *l, const struct now *now)
{
    struct journal_state state;
    enum journal_change change = journal_tick(l->recorder.journal, now);
    if (change == JOURNAL_SAME)
        return;
    journal_get_state(l->recorder.journal, now, &state);
    if (change == JOURNAL_STALLED)
        log_error("JOURNAL STALLED: %s; mail goes on, events may be lost", state.why);
    else
        log_warn("journal resumed; %llu events were lost so far", (unsigned long long)state.lost);
}

/* ---- events of the loop -------------------------------------------------- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct life *l = arg;
    struct now now = clock_now();
    (void)fd;
    (void)what;
    lock(l);
    watch_journal(l, &now);
    if (now.mono_us / US_PER_S % STATUS_PERIOD_S == 0)
        publish(l, &now, false);
    unlock(l);
}

/* A sign of life: the loop turns, and whoever has the lock gives it back. A disk has no part in
 * either. */
static void on_pulse(evutil_socket_t fd, short what, void *arg)
{
    struct life *l = arg;
    (void)fd;
    (void)what;
    lock(l);
    unlock(l);
    notify_alive(&l->notify);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct life *l = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(l->base);
}

static void on_reload(evutil_socket_t fd, short what, void *arg)
{
    struct life *l = arg;
    (void)fd;
    (void)what;
    notify_reloading(&l->notify);
    daemon_reload_begin(&l->daemon);
}

static void use(struct life *l, const struct config *c)
{
    struct err e;
    l->policy = c->policy;
    privacy_reconfigure(l->recorder.privacy, &c->privacy);
    if (journal_reconfigure(l->recorder.journal, &c->journal, &e) != 0)
        log_warn("%s", e.text);
    if (l->of->reloaded)
        l->of->reloaded(l);
    tell_policy(l);
}

static void on_reloaded(evutil_socket_t fd, short what, void *arg)
{
    struct life *l = arg;
    struct config *old = NULL;
    struct err why = {""};
    struct now now = clock_now();
    (void)fd;
    (void)what;
    bool ok = daemon_reload_end(&l->daemon, &old, &why);
    lock(l);
    if (ok)
        use(l, l->daemon.config);
    record_life(&l->recorder, "reload", l->policy, why.text, &now);
    status_set_reload(l->status, ok, why.text, &now);
    publish(l, &now, true);
    unlock(l);
    if (ok)
        daemon_release(old);
    notify_ready(&l->notify);
}

/* ---- life ---------------------------------------------------------------- */

/* Before there is a second thread, and with all open that is not opened again. */
static void give_up_the_rest(struct life *l)
{
    struct sandbox_places places = {
        .read = {l->daemon.config_path, config_exceptions_path(l->daemon.config)},
        .journal = journal_directory(l->recorder.journal),
    };
    if (l->of->removes)
        places.removed_count = l->of->removes(l, places.removed);
    sandbox_enter(&l->sandbox, l->of->sandbox, &places);
    status_set_sandbox(l->status, l->sandbox.told);
}

/* Everything that needs a right we give up, then the user, then the rest. */
static int set_up(struct life *l, struct err *e)
{
    struct now now = clock_now();
    struct daemon *d = &l->daemon;
    if (!l->writer)
        l->writer = d->program;
    if (d->uid == 0)
        return daemon_become_user(d, e); /* which says why not */
    if (recorder_open(&l->recorder, d->config, l->writer, d->uid, d->gid, e) != 0 ||
        l->of->open(l, e) != 0 || daemon_become_user(d, e) != 0 ||
        (l->of->settle && l->of->settle(l, e) != 0))
        return -1;
    l->status = status_open(l->recorder.journal, l->writer, MAILREEVE_VERSION, &now);
    if (!l->status)
        return err_set(e, "memory is short");
    if (!(l->ciphers = ciphers_new(e)))
        return -1;
    l->policy = d->config->policy;
    l->files = process_limits();
    if (l->files <= 2 * LIFE_DESCRIPTORS)
        return err_set(e, "the limit of open files is %llu; at least %d are needed",
                       (unsigned long long)l->files, 2 * LIFE_DESCRIPTORS + 1);
    give_up_the_rest(l);
    return journal_start(l->recorder.journal, e);
}

static int set_up_loop(struct life *l, struct err *e)
{
    struct event_config *settings = event_config_new();
    if (settings) {
        event_config_set_flag(settings, EVENT_BASE_FLAG_NOLOCK);
        l->base = event_base_new_with_config(settings);
        event_config_free(settings);
    }
    if (!l->base)
        return err_set(e, "no event loop to be had");
    if (daemon_reload_prepare(&l->daemon, e) != 0)
        return -1;
    const struct {
        int fd_or_signal, what;
        event_callback_fn call;
        int64_t every_us;
    } wanted[] = {
        {SIGTERM, EV_SIGNAL, on_stop},
        {SIGINT, EV_SIGNAL, on_stop},
        {SIGHUP, EV_SIGNAL, l->daemon.reload_signal == SIGHUP ? on_reload : on_stop},
        {SIGUSR1, EV_SIGNAL, l->daemon.reload_signal == SIGUSR1 ? on_reload : NULL},
        {l->daemon.done_fd, EV_READ, on_reloaded},
        {-1, 0, on_tick, TICK_S * US_PER_S},
        {-1, 0, l->notify.pulse_us ? on_pulse : NULL, (int64_t)l->notify.pulse_us},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!wanted[i].call)
            continue;
        l->events[i] = event_new(l->base, wanted[i].fd_or_signal,
                                 (short)(wanted[i].what | EV_PERSIST), wanted[i].call, l);
        struct timeval every = {.tv_sec = wanted[i].every_us / US_PER_S,
                                .tv_usec = wanted[i].every_us % US_PER_S};
        if (!l->events[i] || event_add(l->events[i], wanted[i].every_us ? &every : NULL) != 0)
            return err_set(e, "memory is short");
    }
    return 0;
}

static int start(struct life *l, struct err *e)
{
    struct now now = clock_now();
    lock(l);
    int failed = l->of->begin(l, e);
    if (!failed) {
        tell_policy(l);
        record_life(&l->recorder, "start", l->policy, "", &now);
        publish(l, &now, true);
    }
    unlock(l);
    return failed;
}

static void serve(struct life *l)
{
    struct now now;
    log_info("ready");
    notify_ready(&l->notify);

    event_base_dispatch(l->base);

    notify_stopping(&l->notify);
    if (l->of->stop)
        l->of->stop(l);
    now = clock_now();
    lock(l);
    record_life(&l->recorder, "stop", l->policy, "", &now);
    publish(l, &now, true);
    unlock(l);
    uint64_t lost = journal_stop(l->recorder.journal, DRAIN_MS);
    if (lost)
        log_error("%llu events could not be written to the journal", (unsigned long long)lost);
    log_info("stopped");
}

static void tear_down(struct life *l)
{
    sigset_t all; /* one more signal to end would end us before we are done */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    l->of->end(l);
    for (size_t i = 0; i < sizeof l->events / sizeof *l->events; i++)
        if (l->events[i])
            event_free(l->events[i]);
    if (l->base)
        event_base_free(l->base);
    if (!l->of->threads)
        ciphers_free(l->ciphers);
    if (l->recorder.journal) /* again, or for the first time if we never served */
        journal_stop(l->recorder.journal, DRAIN_MS);
    status_free(l->status);
    recorder_free(&l->recorder);
    daemon_end(&l->daemon);
    notify_close(&l->notify);
}

int life_run(struct life *l, int argc, char **argv)
{
    struct err e = {""};
    signal(SIGPIPE, SIG_IGN);                 /* a reader of our log may go away */
    signal(l->daemon.reload_signal, SIG_IGN); /* until there is something to reload */
    pthread_mutex_init(&l->lock, NULL);
    notify_open(&l->notify);
    l->ended = daemon_begin(&l->daemon, argc, argv);
    if (l->ended < 0)
        sandbox_begin(&l->sandbox);
    if (l->ended < 0 && l->of->branch)
        l->ended = l->of->branch(l);
    if (l->ended < 0) {
        l->ended = EX_OK;
        if (set_up(l, &e) != 0 || set_up_loop(l, &e) != 0 || start(l, &e) != 0) {
            log_fatal("not started: %s", e.text);
            l->ended = EX_UNAVAILABLE;
        } else {
            serve(l);
        }
    }
    tear_down(l);
    return l->ended;
}
