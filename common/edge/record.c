/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/record.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <unistd.h>

#include "core/catalogue.h"
#include "edge/log.h"

/* ---- words -------------------------------------------------------------- */

/* The journal's words for an action: what the client feels. */
static struct str felt(enum action a)
{
    return a == ACTION_REJECT ? STR("reject") : a == ACTION_DEFER ? STR("defer") : STR("pass");
}

static const char *const held_names[] = {
    [HELD_NOT] = "",
    [HELD_AUDIT] = "audit",
    [HELD_BEFORE_MAIL] = "before-mail",
    [HELD_PASSIVE] = "passive",
};

static const char *const ending_words[ENDING_COUNT] = {
    [ENDING_PASS] = "logged",
    [ENDING_WOULD_DEFER] = "would defer",
    [ENDING_WOULD_REJECT] = "would refuse",
    [ENDING_DEFER] = "deferred",
    [ENDING_REJECT] = "refused",
};

/* Behind "<role>-" in the list of counters. */
static const char *const counter_names[ROLE_COUNT][ENDING_COUNT] = {
#define NAMES(role)                                                                                \
    {                                                                                              \
        role "-passed", role "-would-defer", role "-would-reject", role "-deferred",               \
            role "-rejected"                                                                       \
    }
    [ROLE_SMTP] = NAMES("smtp"),
    [ROLE_SUBMISSION] = NAMES("submission"),
    [ROLE_SUBMISSIONS] = NAMES("submissions"),
#undef NAMES
};

static enum ending ending_of(enum action would, enum held held)
{
    if (!refuses(would))
        return ENDING_PASS;
    if (held)
        return would == ACTION_REJECT ? ENDING_WOULD_REJECT : ENDING_WOULD_DEFER;
    return would == ACTION_REJECT ? ENDING_REJECT : ENDING_DEFER;
}

/* ---- the journal line ---------------------------------------------------- */

static void put_findings(struct jline *l, const char *name, finding_set set)
{
    struct str ids[FINDING_COUNT];
    size_t n = 0;
    for (int f = 0; set && f < FINDING_COUNT; f++)
        if (set & FINDING_BIT(f))
            ids[n++] = str_of(findings[f].id);
    if (n)
        jline_strs(l, name, ids, n);
}

static void put_number(struct jline *l, const char *name, uint64_t v)
{
    if (v)
        jline_u64(l, name, v);
}

static void put_client(struct recorder *r, struct jline *l, const struct session *s)
{
    char scratch[PRIVACY_TEXT_MAX];
    struct buf b = BUF(scratch);
    jline_str_if(l, "client_address", privacy_address(r->privacy, s->client_text, &s->client, &b));
    put_number(l, "client_port", s->client_port);
    jline_str_if(l, "server_address", s->server_text);
    put_number(l, "server_port", s->server_port);
    jline_str_if(l, "helo_name", privacy_name(r->privacy, s->helo, &b));
    jline_str_if(l, "client_software", s->software);
    jline_str_if(l, "client_version", s->software_version);
    jline_str_if(l, "sender", privacy_sender(r->privacy, s->sender, &b));
    jline_str_if(l, "sasl_username", privacy_user(r->privacy, s->user, &b));
    jline_str_if(l, "sasl_method", s->mechanism);
    /* what is not known is left out: it is neither true nor false */
    if (session_knows(s, FACT_BIT(FACT_AUTH)))
        jline_bool(l, "auth", s->auth);
    if (session_knows(s, FACT_BIT(FACT_TLS)))
        jline_bool(l, "tls", s->tls);
    jline_str_if(l, "encryption_protocol", s->tls_version_text);
    jline_str_if(l, "encryption_cipher", s->cipher_text);
    if (session_knows(s, FACT_BIT(FACT_CIPHER_BITS)))
        jline_u64(l, "encryption_keysize", s->cipher.bits);
}

static void put_session(struct recorder *r, struct jline *l, const struct session *s)
{
    const struct listener *on = s->listener;
    jline_str(l, "listener", on->names[0]);
    if (!str_eq(s->listener_told, on->names[0]))
        jline_str_if(l, "listener_told", s->listener_told);
    jline_str(l, "role", str_of(role_names[on->role]));
    jline_str(l, "mode", str_of(mode_names[on->mode]));
    jline_str(l, "protocol_state", str_of(stage_names[s->stage]));
    put_client(r, l, s);
    jline_str_if(l, "instance", s->instance);
    put_number(l, "mta_pid", instance_pid(s->instance));
    jline_str_if(l, "queue_id", s->queue_id);
}

static void put_verdict(struct jline *l, const struct verdict *v)
{
    jline_str(l, "action", felt(v->action));
    jline_str(l, "would", felt(v->would));
    jline_str_if(l, "held", str_of(held_names[v->held]));
    if (v->finding < FINDING_COUNT)
        jline_str(l, "finding", str_of(findings[v->finding].id));
    put_findings(l, "findings", v->broken);
    put_findings(l, "excepted", v->excepted);
    put_findings(l, "trusted", v->trusted);
}

/* What an event adds to a session and a verdict; put NULL: nothing. */
struct addition {
    void (*put)(struct jline *l, const void *what);
    const void *what;
};

/* Events about a session; without a verdict there is nothing but the session to tell. */
static void write_line(struct recorder *r, const char *event, const struct policy *p,
                       const struct session *s, const struct verdict *v, const struct now *now,
                       struct addition more)
{
    struct jline l;
    journal_begin(r->journal, &l, now, event, session_key(&r->session_key, s));
    if (!l.b.p)
        return; /* lost, and counted */
    put_session(r, &l, s);
    if (v)
        put_verdict(&l, v);
    if (more.put)
        more.put(&l, more.what);
    jline_str(&l, "policy", str_of(p->digest));
    journal_commit(r->journal, &l);
}

/* ---- the line in the log ------------------------------------------------- */

static const char *tls_word(const struct session *s)
{
    if (!session_knows(s, FACT_BIT(FACT_TLS)))
        return "unknown";
    if (!s->tls)
        return "none";
    return s->tls_version ? tls_version_name(s->tls_version) : "yes";
}

/* Findings that the client's setting for TLS would mend. */
static const finding_set tls_setting =
    FINDING_BIT(FINDING_TLS_REQUIRED) | FINDING_BIT(FINDING_CLEARTEXT_AUTH) |
    FINDING_BIT(FINDING_NO_TLS_SEEN) | FINDING_BIT(FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT) |
    FINDING_BIT(FINDING_CLEARTEXT_ON_IMPLICIT_PORT) | FINDING_BIT(FINDING_CLOSED_BEFORE_STARTTLS);

void record_put_setting(struct buf *b, const struct session *s, enum finding f)
{
    const struct software_info *info =
        tls_setting & FINDING_BIT(f) ? catalogue_by_id(s->software) : NULL;
    const char *setting = info ? catalogue_setting(info, s->listener->role) : NULL;
    if (setting)
        buf_printf(b, "in %s: %s%s", info->name, setting,
                   info->evidence == EVIDENCE_NOT_CHECKED ? " (not checked)" : "");
}

static void log_finding(struct recorder *r, const struct session *s, const struct verdict *v,
                        enum finding f, const struct now *now)
{
    char address[PRIVACY_TEXT_MAX], name[PRIVACY_TEXT_MAX], more[512] = "";
    struct buf a = BUF(address), u = BUF(name), m = BUF(more);
    const struct listener *on = s->listener;
    uint64_t left_out = 0;
    if (!log_limits_admit(r->limits, &s->client, s->user, f, now, &left_out))
        return;
    struct str client = privacy_address(r->privacy, s->client_text, &s->client, &a);
    struct str user = privacy_user(r->privacy, s->user, &u);
    record_put_setting(&m, s, f);
    const char *separator = m.n ? "; " : "";
    if (left_out)
        buf_printf(&m, " (and %llu like it since the last such line)",
                   (unsigned long long)left_out);
    /* Only a finding as strict as the verdict has brought it about. */
    bool decides = f == v->finding || on->action[f] == v->would;
    log_info("%s %s: client=%.*s user=%.*s listener=%.*s:%u tls=%s: %s; %s%s%s", findings[f].id,
             ending_words[ending_of(decides ? v->would : ACTION_LOG, v->held)], STR_ARG(client),
             user.n ? (int)user.n : 1, user.n ? user.p : "-", STR_ARG(on->names[0]),
             (unsigned)(s->server_port ? s->server_port : on->port), tls_word(s), findings[f].what,
             findings[f].fix, separator, buf_cstr(&m));
}

static void log_findings(struct recorder *r, const struct session *s, const struct verdict *v,
                         const struct now *now)
{
    for (int f = 0; v->broken && !r->quiet && f < FINDING_COUNT; f++)
        if (v->broken & FINDING_BIT(f))
            log_finding(r, s, v, (enum finding)f, now);
}

/* ---- events -------------------------------------------------------------- */

static const struct addition nothing = {NULL, NULL};

/* Counts what was found; true: the client is a monitor, so that is all. */
static bool count_found(struct recorder *r, const struct policy *p, const struct session *s,
                        const struct verdict *v)
{
    finding_set new = v->broken & ~s->recorded;
    for (int f = 0; new &&f < FINDING_COUNT; f++)
        r->counters.found[f] += (new &FINDING_BIT(f)) != 0;
    r->counters.excepted += v->excepted != 0;
    bool monitor = policy_is_monitor(p, &s->client);
    r->counters.monitors += monitor;
    return monitor;
}

void record_decision(struct recorder *r, const struct policy *p, const struct session *s,
                     const struct verdict *v, const struct now *now)
{
    struct record_counters *c = &r->counters;
    if (!s->listener) {
        c->no_listener++;
        return;
    }
    if (s->stage < STAGE_MAIL && !v->broken) {
        c->before_mail++;
        return;
    }
    c->ended[s->listener->role][ending_of(v->would, v->held)]++;
    c->trusted += v->trusted != 0;
    if (count_found(r, p, s, v))
        return;
    if (r->journaling && (s->listener->role != ROLE_SMTP || v->broken || v->excepted))
        write_line(r, "decision", p, s, v, now, nothing);
    log_findings(r, s, v, now);
}

void record_detected(struct recorder *r, const struct policy *p, const struct session *s,
                     const struct verdict *v, const struct now *now)
{
    if (!s->listener || !(v->broken | v->excepted) || count_found(r, p, s, v))
        return;
    if (r->journaling)
        write_line(r, "finding", p, s, v, now, nothing);
    log_findings(r, s, v, now);
}

bool record_session(struct recorder *r, const struct policy *p, const struct session *s,
                    const struct verdict *v, void (*put)(struct jline *l, const void *what),
                    const void *what, const struct now *now)
{
    struct record_counters *c = &r->counters;
    if (!s->listener) {
        c->no_listener++;
        return false;
    }
    c->ended[s->listener->role][ending_of(v->would, v->held)]++;
    c->trusted += v->trusted != 0;
    if (count_found(r, p, s, v))
        return false;
    if (r->journaling && (s->listener->role != ROLE_SMTP || v->broken || v->excepted))
        write_line(r, "session", p, s, v, now, (struct addition){put, what});
    log_findings(r, s, v, now);
    return v->broken != 0;
}

void record_software(struct recorder *r, const struct policy *p, const struct session *s,
                     const struct now *now)
{
    if (s->listener && r->journaling && !policy_is_monitor(p, &s->client))
        write_line(r, "software", p, s, NULL, now, nothing);
}

void record_life(struct recorder *r, const char *event, const struct policy *p, const char *why,
                 const struct now *now)
{
    struct jline l;
    journal_begin(r->journal, &l, now, event, 0);
    jline_str(&l, "version", STR(MAILREEVE_VERSION));
    jline_str(&l, "file", str_of(p->file));
    jline_str(&l, "policy", str_of(p->digest));
    jline_bool(&l, "ok", *why == '\0');
    jline_str_if(&l, "why", str_of(why));
    journal_commit(r->journal, &l);
}

size_t record_list_counters(const struct record_counters *c, struct status_counter *list,
                            size_t room)
{
    size_t n = 0;
    const struct status_counter single[] = {
        {"excepted", c->excepted},       {"trusted", c->trusted},         {"monitors", c->monitors},
        {"no-listener", c->no_listener}, {"before-mail", c->before_mail},
    };
    for (int role = 0; role < ROLE_COUNT; role++)
        for (int e = 0; e < ENDING_COUNT && n < room; e++)
            list[n++] = (struct status_counter){counter_names[role][e], c->ended[role][e]};
    for (int f = 0; f < FINDING_COUNT && n < room; f++)
        list[n++] = (struct status_counter){findings[f].id, c->found[f]};
    for (size_t i = 0; i < sizeof single / sizeof *single && n < room; i++)
        list[n++] = single[i];
    return n;
}

/* ---- life ---------------------------------------------------------------- */

/* Is there a secret that we may read? Then it is used; none is ever made. */
static const char *path_of_secret(const struct config *c)
{
    char path[sizeof c->journal.path + 16];
    snprintf(path, sizeof path, "%s/secret", c->journal.path);
    return *c->journal.path && access(path, R_OK) == 0 ? c->journal.path : "";
}

int recorder_open_file(struct recorder *r, const struct config *c, const char *program, FILE *out,
                       struct err *e)
{
    static const struct journal_settings off = {0};
    uid_t nobody = (uid_t)-1;
    *r = (struct recorder){.journaling = out != NULL, .quiet = true};
    r->journal = out ? journal_to_file(out, program, e) : journal_open(&off, program, nobody, 0, e);
    if (r->journal &&
        (r->privacy = privacy_open(&c->privacy, path_of_secret(c), nobody, (gid_t)-1, e))) {
        if (privacy_derive_key(r->privacy, "session key", &r->session_key) == 0)
            return 0;
        err_set(e, "OpenSSL cannot derive the session key");
    }
    recorder_free(r);
    return -1;
}

int recorder_open(struct recorder *r, const struct config *c, const char *program, uid_t owner,
                  gid_t group, struct err *e)
{
    struct sipkey key;
    *r = (struct recorder){.journaling = c->journal.path[0] != '\0'};
    if (RAND_bytes((unsigned char *)&key, sizeof key) != 1)
        return err_set(e, "OpenSSL has no random bytes");
    r->limits = log_limits_new(&key, 0);
    if (!r->limits) {
        err_set(e, "memory is short");
    } else if ((r->journal = journal_open(&c->journal, program, owner, group, e)) &&
               (r->privacy = privacy_open(&c->privacy, c->journal.path, owner, group, e))) {
        if (privacy_derive_key(r->privacy, "session key", &r->session_key) == 0)
            return 0;
        err_set(e, "OpenSSL cannot derive the session key");
    }
    recorder_free(r);
    return -1;
}

void recorder_free(struct recorder *r)
{
    journal_free(r->journal);
    privacy_free(r->privacy);
    log_limits_free(r->limits);
    *r = (struct recorder){0};
}
