/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/config_report.h"
#include "edge/log.h"
#include "edge/process.h"

#define CONFIG_PATH "/etc/mailreeve/mailreeve.yaml"

static void usage(const struct daemon *d, FILE *to)
{
    fprintf(to,
            "usage: %s [-c FILE] [-u USER] [-n] [--stderr]\n"
            "  -c FILE    configuration (default: " CONFIG_PATH ")\n"
            "  -u USER    open sockets and journal, then become USER (when started as root)\n"
            "  -n         check the configuration, say what it does, and exit\n"
            "  --stderr   log to standard error, not to syslog\n"
            "  -V, -h     version, this help\n"
            "Signals: %s reads the configuration again, SIGTERM ends.\n"
            "%s",
            d->program, d->reload_signal == SIGHUP ? "SIGHUP" : "SIGUSR1",
            d->more_usage ? d->more_usage : "");
}

static void log_problems(const struct problems *ps)
{
    for (unsigned i = 0; i < ps->count; i++) {
        char text[1200];
        struct buf b = BUF(text);
        problem_format(&b, &ps->list[i], false);
        if (ps->list[i].help[0])
            buf_printf(&b, " (%s)", ps->list[i].help);
        if (ps->list[i].severity == SEVERITY_ERROR)
            log_error("%s", buf_cstr(&b));
        else
            log_warn("%s", buf_cstr(&b));
    }
}

int daemon_begin(struct daemon *d, int argc, char **argv)
{
    static const struct option options[] = {
        {"stderr", no_argument, NULL, 'e'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool check_only = false;
    int o;
    d->config_path = CONFIG_PATH;
    d->done_fd = -1;
    while ((o = getopt_long(argc, argv, "c:u:nVh", options, NULL)) != -1) {
        switch (o) {
        case 'c': d->config_path = optarg; break;
        case 'u': d->user = optarg; break;
        case 'n': check_only = true; break;
        case 'e': d->to_stderr = true; break;
        case 'V': printf("%s %s\n", d->program, MAILREEVE_VERSION); return EX_OK;
        case 'h': usage(d, stdout); return EX_OK;
        default: usage(d, stderr); return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: what is \"%s\"?\n", d->program, argv[optind]);
        usage(d, stderr);
        return EX_USAGE;
    }
    if (check_only)
        return check_print(d->config_path, stdout);

    log_open(d->program, d->to_stderr);
    if (process_look_up(d->user, &d->uid, &d->gid) != 0) {
        log_fatal("there is no user \"%s\" (-u)", d->user);
        return EX_NOUSER;
    }
    d->config = config_load(d->config_path, &d->problems);
    log_problems(&d->problems);
    problems_free(&d->problems);
    if (!d->config) {
        log_fatal("%s: not started; see the errors above, or run: mailreeve check -c %s",
                  d->config_path, d->config_path);
        return EX_CONFIG;
    }
    return -1;
}

int daemon_become_user(struct daemon *d, struct err *e)
{
    return process_become(d->user, d->uid, d->gid, e);
}

/* ---- reload ------------------------------------------------------------- */

int daemon_reload_prepare(struct daemon *d, struct err *e)
{
    d->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return d->done_fd < 0 ? err_set(e, "eventfd: %s", strerror(errno)) : 0;
}

static void *load(void *arg)
{
    struct daemon *d = arg;
    d->loaded = config_load(d->config_path, &d->problems);
    uint64_t one = 1;
    while (write(d->done_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

void daemon_reload_begin(struct daemon *d)
{
    if (d->loading) {
        d->again = true;
        return;
    }
    int failed = process_thread(&d->loader, load, d);
    if (failed)
        log_error("reload not begun: %s; policy %s stays", strerror(failed),
                  d->config->policy->digest);
    d->loading = !failed;
}

/* What a reload cannot change is said, not done in half. */
static void warn_of_restart(const struct config *old, const struct config *new)
{
    const struct {
        const char *key;
        bool changed;
    } fixed[] = {
        {"policyd", memcmp(&old->policyd, &new->policyd, sizeof old->policyd) != 0},
        {"milter", memcmp(&old->milter, &new->milter, sizeof old->milter) != 0},
        {"tap.interface", strcmp(old->tap.interface, new->tap.interface) != 0},
        {"journal.path", strcmp(old->journal.path, new->journal.path) != 0},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (fixed[i].changed)
            log_warn("the change of \"%s\" needs a restart; the rest is in force", fixed[i].key);
}

bool daemon_reload_end(struct daemon *d, struct config **ret_old, struct err *why)
{
    uint64_t count;
    while (read(d->done_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    pthread_join(d->loader, NULL);
    d->loading = false;

    struct config *new = d->loaded;
    d->loaded = NULL;
    log_problems(&d->problems);
    if (new) {
        warn_of_restart(d->config, new);
        log_info("%s read again: policy %s replaces %s", d->config_path, new->policy->digest,
                 d->config->policy->digest);
        *ret_old = d->config;
        d->config = new;
    } else {
        const struct problem *first = d->problems.list;
        while (first && first->severity != SEVERITY_ERROR)
            first++;
        struct buf b = BUF(why->text);
        if (first)
            problem_format(&b, first, false);
        buf_cstr(&b);
        log_error("%s REJECTED: policy %s stays in force; correct the errors above and reload "
                  "again",
                  d->config_path, d->config->policy->digest);
    }
    problems_free(&d->problems);
    if (d->again) {
        d->again = false;
        daemon_reload_begin(d);
    }
    return new != NULL;
}

static void *release(void *arg)
{
    config_free(arg);
    malloc_trim(0); /* a million exceptions are 200 MB, which a mail server can use elsewhere */
    return NULL;
}

void daemon_release(struct config *c)
{
    pthread_t thread;
    if (process_thread(&thread, release, c) != 0)
        config_free(c);
    else
        pthread_detach(thread);
}

void daemon_end(struct daemon *d)
{
    if (d->loading) {
        pthread_join(d->loader, NULL);
        config_free(d->loaded);
        problems_free(&d->problems);
    }
    config_free(d->config);
    if (d->done_fd >= 0)
        close(d->done_fd);
}
