/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-policyd: answers Postfix's SMTPD policy requests. */
#include <event2/event.h>
#include <openssl/rand.h>
#include <signal.h>
#include <sysexits.h>

#include "core/now.h"
#include "edge/daemon.h"
#include "edge/log.h"
#include "policyd/server.h"
#include "policyd/service.h"

#define PROGRAM "mailreeve-policyd"

enum {
    TICK_S = 1,
    DRAIN_MS = 5000,
    DESCRIPTORS_KEPT = 32, /* for everything that is not a connection */
};

struct policyd {
    struct daemon daemon;
    struct event_base *base;
    struct event *signals[3], *reloaded, *tick;
    struct listening sockets[SOCKETS_MAX];
    int socket_count;
    struct recorder recorder;
    struct status *status;
    struct ciphers *ciphers;
    struct service service;
    struct server *server;
    struct failures failures;
};

/* ---- what people can see ------------------------------------------------- */

static void tell_policy(struct policyd *d)
{
    char modes[400];
    struct buf b = BUF(modes);
    const struct policy *p = d->daemon.config->policy;
    for (unsigned i = 0; i < p->listener_count; i++)
        buf_printf(&b, "%s%s:%u %s", i ? ", " : "", p->listeners[i]->names[0].p,
                   (unsigned)p->listeners[i]->port, mode_names[p->listeners[i]->mode]);
    status_set_policy(d->status, p->file, p->digest, buf_cstr(&b));
    log_info("policy %s: %s", p->digest, buf_cstr(&b));
}

static void publish(struct policyd *d, const struct now *now, bool force)
{
    const struct server_counters *c = server_counters(d->server);
    struct status_counter list[STATUS_COUNTERS_MAX] = {
        {"connections-open", c->open},
        {"connections-accepted", c->accepted},
        {"requests", c->requests},
        {"requests-repeated", d->service.repeated},
        {"duplicate-attributes", c->duplicate_attributes},
    };
    size_t n = 5;
    n += record_list_counters(&d->recorder.counters, list + n, STATUS_COUNTERS_MAX - n);
    for (int f = 0; f < FAILURE_COUNT && n < STATUS_COUNTERS_MAX; f++)
        list[n++] = (struct status_counter){failure_name(f), d->failures.count[f]};
    status_publish(d->status, now, list, n, force);
}

/* ---- events of the loop -------------------------------------------------- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct policyd *d = arg;
    struct now now = clock_now();
    struct journal_state state;
    (void)fd;
    (void)what;
    switch (journal_tick(d->recorder.journal, &now)) {
    case JOURNAL_STALLED:
        journal_get_state(d->recorder.journal, &now, &state);
        log_error("JOURNAL STALLED: %s; mail goes on, events may be lost", state.why);
        break;
    case JOURNAL_RESUMED:
        journal_get_state(d->recorder.journal, &now, &state);
        log_warn("journal resumed; %llu events were lost so far", (unsigned long long)state.lost);
        break;
    case JOURNAL_SAME: break;
    }
    if (now.mono_us / US_PER_S % STATUS_PERIOD_S == 0)
        publish(d, &now, false);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct policyd *d = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(d->base);
}

static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
    struct policyd *d = arg;
    (void)fd;
    (void)what;
    sock_notify("RELOADING=1");
    daemon_reload_begin(&d->daemon);
}

static void on_reloaded(evutil_socket_t fd, short what, void *arg)
{
    struct policyd *d = arg;
    struct config *old = NULL;
    struct err why = {""}, e;
    struct now now = clock_now();
    (void)fd;
    (void)what;
    bool ok = daemon_reload_end(&d->daemon, &old, &why);
    if (ok) {
        const struct config *c = d->daemon.config;
        d->service.policy = c->policy;
        privacy_reconfigure(d->recorder.privacy, &c->privacy);
        if (journal_reconfigure(d->recorder.journal, &c->journal, &e) != 0)
            log_warn("%s", e.text);
        tell_policy(d);
        daemon_release(old);
    }
    record_life(&d->recorder, "reload", d->service.policy, why.text, &now);
    status_set_reload(d->status, ok, why.text, &now);
    publish(d, &now, true);
    sock_notify("READY=1");
}

/* ---- life ---------------------------------------------------------------- */

static int open_sockets(struct policyd *d, struct err *e)
{
    d->socket_count = sock_from_systemd(d->sockets, e);
    if (d->socket_count == 0)
        d->socket_count = sock_listen_all(&d->daemon.config->policyd, d->sockets, e);
    if (d->socket_count == 0)
        return err_set(e, "there is no socket to listen on; see policyd.listen");
    return d->socket_count < 0 ? -1 : 0;
}

/* Everything that needs a right we give up, then the user, then the rest. */
static int set_up(struct policyd *d, struct err *e)
{
    struct now now = clock_now();
    struct sipkey key;
    if (d->daemon.uid == 0)
        return daemon_become_user(&d->daemon, e); /* which says why not */
    if (recorder_open(&d->recorder, d->daemon.config, PROGRAM, d->daemon.uid, d->daemon.gid, e) ||
        open_sockets(d, e) || daemon_become_user(&d->daemon, e))
        return -1;
    d->status = status_open(d->recorder.journal, PROGRAM, MAILREEVE_VERSION, &now);
    if (!d->status || RAND_bytes((unsigned char *)&key, sizeof key) != 1)
        return err_set(e, "memory or random bytes are short");
    if (journal_start(d->recorder.journal, e) != 0 || !(d->ciphers = ciphers_new(e)))
        return -1;
    d->service = (struct service){
        .policy = d->daemon.config->policy,
        .ciphers = d->ciphers,
        .transactions = transactions_new(&key),
        .recorder = &d->recorder,
    };
    return d->service.transactions ? 0 : err_set(e, "memory is short");
}

static int set_up_loop(struct policyd *d, struct err *e)
{
    struct event_config *settings = event_config_new();
    if (settings) {
        event_config_set_flag(settings, EVENT_BASE_FLAG_NOLOCK);
        d->base = event_base_new_with_config(settings);
        event_config_free(settings);
    }
    if (!d->base)
        return err_set(e, "no event loop to be had");
    uint64_t files = daemon_limits();
    if (files <= 2 * DESCRIPTORS_KEPT)
        return err_set(e, "the limit of open files is %llu; at least %d are needed",
                       (unsigned long long)files, 2 * DESCRIPTORS_KEPT + 1);
    d->server = server_new(d->base, d->sockets, d->socket_count, files - DESCRIPTORS_KEPT,
                           service_answer, &d->service, &d->failures);
    d->signals[0] = evsignal_new(d->base, SIGTERM, on_stop, d);
    d->signals[1] = evsignal_new(d->base, SIGINT, on_stop, d);
    d->signals[2] = evsignal_new(d->base, SIGHUP, on_hangup, d);
    d->reloaded = event_new(d->base, d->daemon.done_fd, EV_READ | EV_PERSIST, on_reloaded, d);
    d->tick = event_new(d->base, -1, EV_PERSIST, on_tick, d);
    if (!d->server || !d->signals[0] || !d->signals[1] || !d->signals[2] || !d->reloaded ||
        !d->tick)
        return err_set(e, "memory is short");
    for (int i = 0; i < 3; i++)
        event_add(d->signals[i], NULL);
    event_add(d->reloaded, NULL);
    event_add(d->tick, &(struct timeval){.tv_sec = TICK_S});
    return 0;
}

static void serve(struct policyd *d)
{
    struct now now = clock_now();
    tell_policy(d);
    record_life(&d->recorder, "start", d->service.policy, "", &now);
    publish(d, &now, true);
    for (int i = 0; i < d->socket_count; i++)
        log_info("listening on %s", d->sockets[i].name);
    log_info("ready");
    sock_notify("READY=1");

    event_base_dispatch(d->base);

    sock_notify("STOPPING=1");
    now = clock_now();
    record_life(&d->recorder, "stop", d->service.policy, "", &now);
    publish(d, &now, true);
    uint64_t lost = journal_stop(d->recorder.journal, DRAIN_MS);
    if (lost)
        log_error("%llu events could not be written to the journal", (unsigned long long)lost);
    log_info("stopped");
}

static void tear_down(struct policyd *d)
{
    server_free(d->server);
    for (int i = 0; i < 3; i++)
        if (d->signals[i])
            event_free(d->signals[i]);
    if (d->reloaded)
        event_free(d->reloaded);
    if (d->tick)
        event_free(d->tick);
    if (d->base)
        event_base_free(d->base);
    sock_close_all(d->sockets, d->socket_count);
    transactions_free(d->service.transactions);
    ciphers_free(d->ciphers);
    if (d->recorder.journal) /* again, or for the first time if we never served */
        journal_stop(d->recorder.journal, DRAIN_MS);
    status_free(d->status);
    recorder_free(&d->recorder);
    daemon_end(&d->daemon);
}

int main(int argc, char **argv)
{
    static struct policyd d = {.daemon.program = PROGRAM};
    struct err e = {""};
    signal(SIGPIPE, SIG_IGN); /* a reader of our log may go away */
    signal(SIGHUP, SIG_IGN);  /* until there is something to reload */
    int ended = daemon_begin(&d.daemon, argc, argv);
    if (ended < 0) {
        ended = EX_OK;
        if (set_up(&d, &e) != 0 || set_up_loop(&d, &e) != 0) {
            log_fatal("not started: %s", e.text);
            ended = EX_UNAVAILABLE;
        } else {
            serve(&d);
        }
    }
    tear_down(&d);
    return ended;
}
