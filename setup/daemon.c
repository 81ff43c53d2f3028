/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemons before Postfix asks them: the sockets' directories, the daemon
 * started or made to read its configuration, and a real question as smtpd would put it.
 */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/now.h"
#include "journal/status_reader.h"
#include "setup/setup_internal.h"

enum { RELOAD_S = 15, START_S = 15 };

const struct daemon_site daemons[DAEMONS] = {
    {"mailreeve-policyd", "mailreeve", "unix:mailreeve/policyd.sock", SIGHUP, 0750, WITH_POLICYD,
     peer_ask_policyd},
    {"mailreeve-milter", "mailreeve-milter", "unix:mailreeve-milter/milter.sock", SIGUSR1, 02750,
     WITH_MILTER, peer_connect},
};

/* ---- asking ------------------------------------------------------------------------- */

static enum peer_outcome ask(struct setup *s, const struct daemon_site *d, char why[256])
{
    const char *queue = postfix_text(&s->postfix, NULL, "queue_directory");
    const char *user = postfix_text(&s->postfix, NULL, "mail_owner");
    struct pf_listener there[PF_LISTENERS];
    unsigned n = postfix_listeners(&s->postfix, there);
    enum peer_outcome outcome = PEER_ANSWERS;
    for (int chrooted = 0; chrooted < 2 && outcome == PEER_ANSWERS; chrooted++) {
        struct peer p = {
            .user = user, .root = chrooted ? queue : NULL, .directory = chrooted ? "/" : queue};
        for (unsigned i = 0; i < n; i++)
            if (there[i].role_known && !there[i].internal &&
                there[i].service->chroot == (chrooted == 1)) {
                outcome = d->ask(&p, d->endpoint, why);
                break;
            }
    }
    return outcome;
}

int daemons_ask(struct setup *s, struct err *e)
{
    char why[256];
    for (int i = 0; i < DAEMONS; i++)
        if (s->options.with & daemons[i].with && ask(s, &daemons[i], why) != PEER_ANSWERS)
            return err_set(e, "%s does not answer user %s of Postfix: %s", daemons[i].program,
                           postfix_text(&s->postfix, NULL, "mail_owner"), why);
    return 0;
}

static bool answers_within(struct setup *s, const struct daemon_site *d, int seconds, char why[256])
{
    int64_t end_us = clock_us(CLOCK_MONOTONIC) + seconds * US_PER_S;
    while (ask(s, d, why) != PEER_ANSWERS) {
        if (clock_us(CLOCK_MONOTONIC) > end_us)
            return false;
        poll(NULL, 0, 100);
    }
    return true;
}

/* ---- directories ---------------------------------------------------------------------- */

/* QUEUE/mailreeve, with owner, group and mode as tmpfiles.d would make it. */
static int make_folder(struct setup *s, const struct daemon_site *d, struct err *e)
{
    char path[MANIFEST_PATH];
    struct passwd *user = getpwnam(d->program);
    struct group *group = getgrnam(s->options.group);
    snprintf(path, sizeof path, "%.400s/%s", postfix_text(&s->postfix, NULL, "queue_directory"),
             d->folder);
    if (access(path, F_OK) == 0)
        return 0;
    if (!user || !group)
        return err_set(e, "there is no user %s: run systemd-sysusers (README.md, \"Install\")",
                       d->program);
    if (store_made(&s->store, path, e) < 0)
        return -1;
    if (mkdir(path, 0700) < 0 || chown(path, user->pw_uid, group->gr_gid) < 0 ||
        chmod(path, d->mode) < 0)
        return err_set(e, "%s: %s", path, strerror(errno));
    return 0;
}

/* ---- systemd ----------------------------------------------------------------------------- */

bool has_systemd(void)
{
    return access("/run/systemd/system", F_OK) == 0;
}

static int systemctl_code(struct setup *s, const char *verb, const char *unit, const char *more,
                          struct str *said)
{
    const char *const argv[] = {"systemctl", verb, more ? more : unit, more ? unit : NULL, NULL};
    struct child_result r;
    struct err e;
    if (child_run(argv, NULL, COMMAND_S, &s->arena, &r, &e) < 0)
        return -1;
    if (said)
        *said = r.err;
    return r.code;
}

void systemctl(struct setup *s, const char *verb, const char *unit, const char *more)
{
    systemctl_code(s, verb, unit, more, NULL);
}

static const char *journal_of(const struct setup *s)
{
    return s->wanted ? s->wanted->journal.path : "";
}

/* Has it read mailreeve.yaml again, and waits until it has said how that went. */
static int reload(struct setup *s, const struct daemon_site *d, struct err *e)
{
    static struct status_report before, after;
    int64_t end_us = clock_us(CLOCK_MONOTONIC) + RELOAD_S * US_PER_S;
    if (status_read(journal_of(s), d->program, &before, e) < 0)
        return -1;
    if (!before.running || before.pid <= 0)
        return err_set(e, "%s answers, but its process is not found below %s", d->program,
                       *journal_of(s) ? journal_of(s) : "a journal (there is none)");
    if (*before.config && strcmp(before.config, s->o->yaml) != 0)
        return err_set(e, "%s runs with %s; run setup with --config %s", d->program, before.config,
                       before.config);
    if (has_systemd() ? systemctl_code(s, "reload", d->program, NULL, NULL) != 0
                      : kill((pid_t)before.pid, d->reload) < 0)
        return err_set(e, "%s (pid %ld): %s", d->program, before.pid, strerror(errno));
    while (clock_us(CLOCK_MONOTONIC) < end_us) {
        if (status_read(journal_of(s), d->program, &after, e) == 0 && after.running &&
            after.reloads + !after.reload_ok > before.reloads + !before.reload_ok)
            return 0;
        if (after.running && strcmp(after.reload_at, before.reload_at) != 0)
            return after.reload_ok ? 0
                                   : err_set(e, "%s does not take mailreeve.yaml: %.300s",
                                             d->program, after.reload_why);
        poll(NULL, 0, 50);
    }
    return err_set(e, "%s (pid %ld) was told to read mailreeve.yaml and has not, in %d s",
                   d->program, before.pid, RELOAD_S);
}

static int bring_with_systemd(struct setup *s, const struct daemon_site *d, struct err *e)
{
    char why[256];
    struct str said = {"", 0};
    bool enabled = systemctl_code(s, "is-enabled", d->program, "--quiet", NULL) == 0;
    bool active = systemctl_code(s, "is-active", d->program, "--quiet", NULL) == 0;
    struct manifest *m = &s->store.manifest;
    if (!enabled && m->unit_count < MANIFEST_UNITS) {
        bool noted = false;
        for (unsigned i = 0; i < m->unit_count; i++)
            noted |= strcmp(m->units[i], d->program) == 0;
        if (!noted)
            snprintf(m->units[m->unit_count++], sizeof m->units[0], "%s", d->program);
        if (store_save(&s->store, e) < 0)
            return -1;
    }
    if (!enabled || !active) {
        if (systemctl_code(s, "enable", d->program, "--now", &said) != 0)
            return err_set(e, "systemctl cannot start %s: %.300s", d->program, said.p);
    }
    if (active && reload(s, d, e) < 0)
        return -1;
    if (active && !answers_within(s, d, 2, why)) /* a reload opens no new socket */
        systemctl(s, "restart", d->program, NULL);
    return answers_within(s, d, START_S, why)
               ? 0
               : err_set(e, "%s does not answer Postfix: %s", d->program, why);
}

/* ---- without systemd ------------------------------------------------------------------------ */

/* 0; -1 and *e; 1: it has to be started by whoever supervises it. */
static int bring_alone(struct setup *s, const struct daemon_site *d, struct err *e)
{
    static struct status_report report;
    char why[256];
    enum peer_outcome outcome = ask(s, d, why);
    bool running = *journal_of(s) && status_read(journal_of(s), d->program, &report, NULL) == 0 &&
                   report.running;
    if (!running && outcome != PEER_ANSWERS)
        return 1;
    if (outcome == PEER_ANSWERS && s->now[YAML].there &&
        strcmp(s->now[YAML].sum, s->then[YAML].sum) == 0)
        return 0; /* it has what it needs */
    if (reload(s, d, e) < 0)
        return -1;
    if (ask(s, d, why) == PEER_ANSWERS)
        return 0;
    if (outcome == PEER_ABSENT || outcome == PEER_REFUSED)
        return 1; /* a reload opens no new socket */
    return err_set(e, "%s does not answer Postfix: %s", d->program, why);
}

/* ---- both -------------------------------------------------------------------------------------
 */

static int has_to_be_started(struct setup *s, const struct daemon_site *d)
{
    static struct status_report report;
    bool running = *journal_of(s) && status_read(journal_of(s), d->program, &report, NULL) == 0 &&
                   report.running;
    setup_say(
        s,
        "\n%s is written. Postfix is as it was: %s %s, and there is no systemd here to do\n"
        "it. Under your supervisor, as root:\n\n    %s -u %s%s%s\n\nThen run the same command "
        "again. `mailreeve setup postfix --undo` takes back what was done.\n",
        s->o->yaml, d->program,
        running ? "has to be started anew for its new socket" : "has to be started first",
        d->program, d->program, strcmp(s->o->yaml, "/etc/mailreeve/mailreeve.yaml") ? " -c " : "",
        strcmp(s->o->yaml, "/etc/mailreeve/mailreeve.yaml") ? s->o->yaml : "");
    return EX_TEMPFAIL;
}

int daemons_bring(struct setup *s)
{
    struct err e;
    for (int i = 0; i < DAEMONS; i++) {
        const struct daemon_site *d = &daemons[i];
        if (!(s->options.with & d->with))
            continue;
        int failed = make_folder(s, d, &e);
        if (!failed)
            failed = has_systemd() ? bring_with_systemd(s, d, &e) : bring_alone(s, d, &e);
        if (failed > 0)
            return has_to_be_started(s, d);
        if (failed < 0)
            return setup_fail(s, EX_UNAVAILABLE, "%s", e.text);
    }
    return 0;
}

void daemons_take_back(struct setup *s)
{
    struct err e;
    for (int i = 0; i < DAEMONS; i++) {
        const struct daemon_site *d = &daemons[i];
        bool ours = false;
        for (unsigned k = 0; k < s->store.manifest.unit_count; k++)
            ours |= strcmp(s->store.manifest.units[k], d->program) == 0;
        if (has_systemd() && ours)
            systemctl(s, "disable", d->program, "--now");
        else if (*journal_of(s) && access(s->o->yaml, F_OK) == 0)
            reload(s, d, &e); /* not running: nothing to reload */
    }
}
