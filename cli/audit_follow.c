/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve audit --follow: a line for each finding, as it happens. */
#include <inttypes.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/audit.h"
#include "core/catalogue.h"
#include "core/now.h"
#include "audit/input/follow.h"
#include "edge/log.h"
#include "edge/log_limits.h"
#include "journal/json.h"

enum { TEXT_MAX = 4096 };

struct watch {
    const struct audit_options *o;
    const struct audit_policy *p;
    struct reading reading;
    struct log_limits *limits;
    int64_t line_us; /* when the last line came; monotonic */
    bool again;      /* a line that was told before a restart */
    bool failed;     /* standard output does not take more */
};

/* ---- one finding -------------------------------------------------------------------- */

struct fact_shown {
    const char *name;
    struct str value;
};

enum { FACTS_SHOWN = 11 };

struct shown {
    struct fact_shown facts[FACTS_SHOWN];
    char when[40], user[PRIVACY_TEXT_MAX], client[PRIVACY_TEXT_MAX], name[PRIVACY_TEXT_MAX];
};

static const char *setting_of(const struct seen *s, const struct judged *j, enum finding f)
{
    const struct software_info *info = s->software ? &catalogue[s->software - 1] : NULL;
    const char *setting = info && j->listener ? catalogue_setting(info, j->listener->role) : NULL;
    return setting ? setting : findings[f].fix;
}

/* What is shown of a session, in the order in which it is shown; both spellings use it. */
static void show(struct watch *w, const struct closed_session *c, const struct judged *j,
                 enum finding f, struct shown *ret)
{
    const struct seen *s = c->seen;
    const struct names *names = w->reading.names;
    struct privacy *privacy = w->p->privacy;
    char address[64];
    struct buf when = BUF(ret->when), a = BUF(address), user = BUF(ret->user),
               client = BUF(ret->client), name = BUF(ret->name);
    struct str address_shown, user_shown = names_text(names, s->user),
                              name_shown = names_text(names, s->client_name);
    if (c->last_us)
        clock_format(&when, c->last_us, 0);
    addr_format(&a, &s->client);
    buf_str(&client, buf_view(&a)); /* lives as long as *ret */
    address_shown = buf_view(&client);
    if (privacy) {
        client.n = 0;
        address_shown = privacy_address(privacy, buf_view(&a), &s->client, &client);
        if (address_shown.p == address)
            buf_str(&client, address_shown), address_shown = buf_view(&client);
        user_shown = privacy_user(privacy, user_shown, &user);
        name_shown = privacy_name(privacy, name_shown, &name);
    }
    struct fact_shown all[FACTS_SHOWN] = {
        {"ts", buf_view(&when)},
        {"finding", str_of(findings[f].id)},
        {"certainty", j->likely & FINDING_BIT(f) ? STR("likely") : STR("certain")},
        {"would",
         j->because == f && refuses(j->would) ? str_of(action_names[j->would]) : STR("pass")},
        {"client_address", address_shown},
        {"client_name", name_shown},
        {"sasl_username", user_shown},
        {"listener", names_text(names, s->listener)},
        {"mode", str_of(tls_mode_names[j->mode])},
        {"what", str_of(findings[f].what)},
        {"change", str_of(setting_of(s, j, f))},
    };
    memcpy(ret->facts, all, sizeof all);
}

static void put_json(struct buf *b, const struct shown *s)
{
    const char *sep = "{";
    for (unsigned i = 0; i < FACTS_SHOWN; i++) {
        if (s->facts[i].value.n) {
            buf_printf(b, "%s\"%s\":", sep, s->facts[i].name);
            json_put_string(b, s->facts[i].value);
            sep = ",";
        }
    }
    buf_char(b, '}');
}

static void put_text(struct buf *b, const struct shown *s, uint64_t left_out)
{
    enum { WHEN, FINDING, CERTAINTY, WOULD, CLIENT, NAME, USER, LISTENER, MODE, WHAT, CHANGE };
    const struct fact_shown *f = s->facts;
    buf_str(b, f[WHEN].value.n ? f[WHEN].value : STR("-"));
    buf_printf(b, " %s%s client=", f[FINDING].value.p,
               str_eq(f[CERTAINTY].value, STR("likely")) ? " (likely)" : "");
    log_sanitise(b, f[CLIENT].value.n ? f[CLIENT].value : STR("-"));
    buf_cstring(b, " user=");
    log_sanitise(b, f[USER].value.n ? f[USER].value : STR("-"));
    buf_cstring(b, " listener=");
    log_sanitise(b, f[LISTENER].value.n ? f[LISTENER].value : STR("-"));
    buf_printf(b, " tls=%s: %s; %s", f[MODE].value.p, f[WHAT].value.p, f[CHANGE].value.p);
    if (left_out)
        buf_printf(b, " (and %" PRIu64 " like it since the last such line)", left_out);
}

static void tell(struct watch *w, const struct closed_session *c, const struct judged *j,
                 enum finding f)
{
    struct now now = {c->last_us, clock_us(CLOCK_MONOTONIC)};
    struct shown s;
    char text[TEXT_MAX];
    struct buf b = BUF(text);
    uint64_t left_out = 0;
    bool json = w->o->output == OUTPUT_JSON;
    if (!json && !log_limits_admit(w->limits, &c->seen->client,
                                   names_text(w->reading.names, c->seen->user), f, &now, &left_out))
        return;
    show(w, c, j, f, &s);
    if (json)
        put_json(&b, &s);
    else
        put_text(&b, &s, left_out);
    if (b.full)
        log_warn("a finding (%s) does not fit a line", findings[f].id);
    else
        printf("%.*s\n", (int)b.n, b.p);
}

static void closed(void *context, const struct closed_session *c)
{
    struct watch *w = context;
    struct judge judge_with = {w->p->policy, &w->reading.listeners, w->reading.names,
                               w->p->ciphers};
    struct judged j;
    if (w->again)
        return;
    audit_resolve(&w->reading, w->o, w->p);
    judge(&judge_with, c->seen, c->last_us ? c->last_us : w->o->now_us, &j);
    for (int f = 0; f < FINDING_COUNT; f++)
        if (j.found & FINDING_BIT(f))
            tell(w, c, &j, (enum finding)f);
}

/* ---- following ----------------------------------------------------------------------- */

static bool take(void *context, const struct follow_line *l)
{
    struct watch *w = context;
    struct message m;
    w->again = l->again;
    w->line_us = clock_us(CLOCK_MONOTONIC);
    reading_line(&w->reading, l->line, l->position, &m);
    w->again = false;
    return !w->failed;
}

static uint64_t idle(void *context)
{
    struct watch *w = context;
    sessions_quiet(w->reading.sessions, clock_us(CLOCK_MONOTONIC) - w->line_us);
    if (fflush(stdout) != 0)
        w->failed = true;
    return sessions_oldest(w->reading.sessions);
}

static void note(void *context, const char *text)
{
    (void)context;
    log_warn("%s", text);
}

static int run(struct watch *w)
{
    struct follow_settings s = {
        w->o->journal ? NULL : w->o->logs[0], w->o->checkpoint, false, take, idle, note, w};
    struct err err = {""};
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    int fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    struct follow *f = w->o->journal ? follow_journal_open(&s, &err) : follow_open(&s, &err);
    int ended = EX_NOINPUT;
    if (f) {
        ended = follow_run(f, fd, &err) == 0 ? EX_OK : EX_IOERR;
        follow_close(f);
    }
    if (ended != EX_OK)
        log_error("%s", err.text);
    close(fd);
    return w->failed ? EX_IOERR : ended;
}

int audit_follow(const struct audit_options *o, const struct audit_policy *p)
{
    static struct watch w;
    struct err err = {""};
    int ended = EX_OSERR;
    w.o = o;
    w.p = p;
    w.line_us = clock_us(CLOCK_MONOTONIC);
    log_open("mailreeve audit", true);
    if (reading_open(&w.reading, 0, closed, &w, &err) < 0) {
        log_error("%s", err.text);
        return ended;
    }
    w.limits = log_limits_new(&w.reading.key, 0);
    if (w.limits)
        ended = run(&w);
    log_limits_free(w.limits);
    reading_close(&w.reading);
    return ended;
}
