/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/notes.h"

#include <sys/random.h>

#include "core/finding.h"
#include "core/now.h"
#include "edge/log.h"

enum {
    DRAIN_MS = 5000,
    COMPLAIN_S = 3600, /* about a journal that stays closed */
    KEEP_S = 35 * 86400,
    MIN_FREE_PERCENT = 10,
};
/* A month of a diagnosis, monthly senders included; some 500 bytes a refusal. */
#define MAX_TOTAL (UINT64_C(256) << 20)

static const struct finding_info *finding(void)
{
    return &findings[FINDING_AUTH_TRIED_ON_SMTP_PORT];
}

/* ---- life ------------------------------------------------------------------- */

int notes_open(struct notes *n, const struct scribe_options *options)
{
    struct sipkey key;
    *n = (struct notes){
        .program = options->program,
        .settings = {.keep_s = KEEP_S,
                     .max_total = MAX_TOTAL,
                     .min_free = MIN_FREE_PERCENT,
                     .min_free_is_percent = true},
        .may = {USER_HASH, options->address},
        .sandbox = options->sandbox,
    };
    struct buf path = BUF(n->settings.path);
    buf_cstring(&path, options->journal);
    buf_cstr(&path);
    if (getrandom(&key, sizeof key, 0) != sizeof key)
        return -1;
    n->limits = log_limits_new(&key, 0);
    return n->limits ? 0 : -1;
}

static void write_life(struct notes *n, const char *event, const struct now *now)
{
    struct jline l;
    journal_begin(n->journal, &l, now, event, 0);
    jline_str(&l, "version", STR(MAILREEVE_VERSION));
    jline_bool(&l, "ok", true);
    journal_commit(n->journal, &l);
}

static void publish(struct notes *n, const struct now *now, bool force)
{
    const struct status_counter list[] = {
        {"refused", n->refused},           {"without-tls", n->without_tls},
        {"without-user", n->without_user}, {"not-journaled", n->not_journaled},
        {"dropped", n->dropped},
    };
    status_publish(n->status, now, list, sizeof list / sizeof *list, force);
}

/* What is wrong stays in the log's last hour, without a line every few seconds. */
static void complain(struct notes *n, const char *why, const struct now *now)
{
    if (n->said_us && now->mono_us - n->said_us < COMPLAIN_S * US_PER_S)
        return;
    n->said_us = now->mono_us;
    log_error("%s; AUTH is refused all the same, %s; tried again every %d s", why,
              n->journal ? "its record is without the user" : "without a record of it",
              SCRIBE_RETRY_S);
}

void notes_try_journal(struct notes *n, uid_t owner, gid_t group, const struct now *now)
{
    struct err e = {""};
    if ((n->retry_us && now->mono_us < n->retry_us) || (n->journal && n->privacy))
        return;
    n->retry_us = now->mono_us + SCRIBE_RETRY_S * US_PER_S;
    if (!n->journal)
        n->journal = journal_open(&n->settings, n->program, owner, group, &e);
    if (n->journal && !n->privacy)
        n->privacy = privacy_open(&n->may, n->settings.path, owner, group, &e);
    if (!n->journal || !n->privacy)
        complain(n, e.text, now);
}

/* Before the journal's thread is there. Whoever has yet to read the secret cannot be shut in. */
static void shut_in(struct notes *n)
{
    const struct sandbox_places places = {.journal = journal_directory(n->journal)};
    bool late = n->sandbox.landlock && !n->privacy;
    if (late)
        log_warn("sandbox of the journal: none until the next start, since its secret is missing");
    else
        sandbox_enter(&n->sandbox, SANDBOX_GATE_SCRIBE, &places);
    status_set_sandbox(n->status, late ? "landlock, but not for the journal: it had no secret"
                                       : n->sandbox.told);
}

/* Its own lines begin when its thread runs, after privileges are dropped. */
static void begin_journal(struct notes *n, const struct now *now)
{
    struct err e = {"memory is short"};
    n->status = status_open(n->journal, n->program, MAILREEVE_VERSION, now);
    if (n->status)
        shut_in(n);
    if (!n->status || journal_start(n->journal, &e) != 0) {
        status_free(n->status);
        journal_free(n->journal);
        n->status = NULL;
        n->journal = NULL;
        complain(n, e.text, now);
        return;
    }
    if (n->not_journaled)
        log_warn("the journal is open; %llu refusals before this are not in it",
                 (unsigned long long)n->not_journaled);
    write_life(n, "start", now);
    publish(n, now, true);
}

void notes_tick(struct notes *n, const struct now *now)
{
    if (!n->journal)
        return;
    if (!n->status)
        begin_journal(n, now);
    struct journal_state state;
    enum journal_change change = journal_tick(n->journal, now);
    if (change != JOURNAL_SAME)
        journal_get_state(n->journal, now, &state);
    if (change == JOURNAL_STALLED)
        log_error("JOURNAL STALLED: %s; AUTH is refused all the same, events may be lost",
                  state.why);
    else if (change == JOURNAL_RESUMED)
        log_warn("journal resumed; %llu events were lost so far", (unsigned long long)state.lost);
    if (n->status && now->mono_us / US_PER_S % STATUS_PERIOD_S == 0)
        publish(n, now, false);
}

void notes_close(struct notes *n)
{
    struct now now = clock_now();
    if (n->status) {
        write_life(n, "stop", &now);
        publish(n, &now, true);
    }
    uint64_t lost = n->journal ? journal_stop(n->journal, DRAIN_MS) : 0;
    if (lost)
        log_error("%llu events could not be written to the journal", (unsigned long long)lost);
    status_free(n->status);
    journal_free(n->journal);
    privacy_free(n->privacy);
    log_limits_free(n->limits);
    *n = (struct notes){0};
}

/* ---- a refusal ----------------------------------------------------------------- */

static struct str user_hash(struct notes *n, const struct attempt *a, struct buf *scratch)
{
    static const struct str failed = {"h:?", 3}, none = {NULL, 0};
    if (!n->privacy || !a->user_n)
        return none;
    struct str hash = privacy_user(n->privacy, (struct str){a->user, a->user_n}, scratch);
    return str_eq(hash, failed) ? none : hash;
}

/* What may be written of the client's address; empty: nothing. `text` is where it is spelt out. */
static struct str client(struct notes *n, const struct attempt *a, struct buf *text,
                         struct buf *scratch)
{
    addr_format(text, &a->client);
    if (n->may.address == ADDRESS_PLAIN)
        return buf_view(text);
    if (!n->privacy)
        return (struct str){NULL, 0};
    return privacy_address(n->privacy, buf_view(text), &a->client, scratch);
}

static void write_line(struct notes *n, const struct attempt *a, struct str from, struct str user,
                       const struct now *now)
{
    char server[64];
    struct buf to = BUF(server);
    struct str id = str_of(finding()->id);
    struct jline l;
    addr_format(&to, &a->server);
    journal_begin(n->journal, &l, now, "auth_refused", 0);
    jline_str(&l, "service", STR(GATE_SERVICE));
    jline_str(&l, "role", str_of(role_names[ROLE_SMTP]));
    jline_str_if(&l, "client_address", from);
    jline_str_if(&l, "server_address", buf_view(&to));
    if (a->mechanism)
        jline_str(&l, "sasl_method", a->mechanism->name);
    jline_str_if(&l, "sasl_username", user);
    jline_bool(&l, "tls", a->secured);
    if (a->mta_pid)
        jline_u64(&l, "mta_pid", a->mta_pid);
    jline_str(&l, "action", STR("reject"));
    jline_str(&l, "finding", id);
    jline_strs(&l, "findings", &id, 1);
    journal_commit(n->journal, &l);
}

/* As the other programs log a finding (edge/record.c). */
static void log_line(struct notes *n, const struct attempt *a, struct str from, struct str user,
                     const struct now *now)
{
    char text[80] = "";
    struct buf more = BUF(text);
    uint64_t left_out = 0;
    if (!log_limits_admit(n->limits, &a->client, user, FINDING_AUTH_TRIED_ON_SMTP_PORT, now,
                          &left_out))
        return;
    if (left_out)
        buf_printf(&more, " (and %llu like it since the last such line)",
                   (unsigned long long)left_out);
    log_info("%s refused: client=%.*s user=%.*s listener=smtp:25 tls=%s: %s; %s%s", finding()->id,
             STR_ARG(from.n ? from : STR("unknown")), STR_ARG(user.n ? user : STR("-")),
             a->secured ? "yes" : "none", finding()->what, finding()->fix, buf_cstr(&more));
}

void notes_refused(struct notes *n, const struct attempt *a, const struct now *now)
{
    char address[64], user_text[PRIVACY_TEXT_MAX], client_text[PRIVACY_TEXT_MAX];
    struct buf text = BUF(address), u = BUF(user_text), c = BUF(client_text);
    struct str user = user_hash(n, a, &u), from = client(n, a, &text, &c);
    n->refused++;
    n->without_tls += !a->secured;
    n->without_user += user.n == 0;
    n->not_journaled += !n->status;
    if (n->status)
        write_line(n, a, from, user, now);
    log_line(n, a, from, user, now);
}

void notes_dropped(struct notes *n, uint64_t count)
{
    n->dropped += count;
    n->not_journaled += count;
    log_error("%llu refusals were not written down: too many at once, or the disk does not answer",
              (unsigned long long)count);
}
