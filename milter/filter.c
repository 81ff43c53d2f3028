/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/filter.h"

#include "core/catalogue.h"
#include "core/now.h"
#include "edge/log.h"
#include "milter/facts.h"

/* ---- the lock, and what is known ------------------------------------------ */

/* False: we are stopping, and what life has may be gone. To be followed by leave() in any case. */
static bool enter(struct filter *f)
{
    pthread_mutex_lock(&f->life.lock);
    return !f->stopping;
}

static void leave(struct filter *f)
{
    pthread_mutex_unlock(&f->life.lock);
}

void filter_count(struct filter *f, uint64_t *counter)
{
    enter(f);
    ++*counter;
    leave(f);
}

struct view {
    struct session session;
    struct facts_texts texts;
};

static void look(struct filter *f, const struct connection *c, const struct told *told,
                 enum stage stage, struct str sender, struct view *ret)
{
    facts_of_connection(c, told, stage, f->life.ciphers, str_of(f->socket.listener), sender,
                        &ret->texts, &ret->session);
}

/* ---- what is said once ------------------------------------------------------ */

static void warn_once(bool *warned, const char *text)
{
    if (!*warned)
        log_warn("%s", text);
    *warned = true;
}

static void warn_of_the_mta(struct filter *f, const struct connection *c)
{
    if (!c->our_lists)
        warn_once(&f->warned_lists,
                  "the MTA does not let a milter choose its macros: what it does not tell is "
                  "unknown, and unknown refuses nobody; it has to be newer than Sendmail 8.14 or "
                  "Postfix 2.5");
    if (f->is_tcp && c->mta == MTA_SENDMAIL)
        warn_once(&f->warned_tcp, "Sendmail waits 40 ms at each step of a session when a milter "
                                  "is reached over TCP; use a unix socket");
    if (c->mta == MTA_POSTFIX && c->policy->trusts_certificates)
        warn_once(&f->warned_certificates,
                  "Postfix does not tell a milter which certificate a client showed, so a client "
                  "under TLS may be one of trusted.client_certificates and is not refused for "
                  "want of AUTH; mailreeve-policyd is told");
}

/* ---- findings that are no answer -------------------------------------------- */

/* Seen, not asked about: journaled at once, since a session's end may never be told. */
static void detected(struct filter *f, struct connection *c, const struct session *s,
                     enum finding finding)
{
    struct verdict v;
    struct now now = clock_now();
    if (c->recorded & FINDING_BIT(finding))
        return;
    decide_detected(c->policy, s, finding, &now, &v);
    if (v.broken)
        c->recorded |= FINDING_BIT(finding);
    record_detected(&f->life.recorder, c->policy, s, &v, &now);
}

/* ---- stages ------------------------------------------------------------------ */

struct connection *filter_open(struct filter *f, bool our_lists)
{
    struct connection *c = connection_new(our_lists);
    enter(f);
    f->counters.accepted++;
    f->counters.open++;
    f->counters.lists_refused += !our_lists;
    leave(f);
    return c;
}

void filter_connect(struct filter *f, struct connection *c, const struct sockaddr *client,
                    const struct told *told)
{
    struct view v;
    connection_begins(c, client, told);
    if (enter(f)) {
        policy_unref(c->policy); /* of a session before, on the same connection */
        c->policy = policy_ref(f->life.policy);
        warn_of_the_mta(f, c);
        look(f, c, told, STAGE_CONNECT, (struct str){NULL, 0}, &v);
        if (session_knows(&v.session, FACT_BIT(FACT_AGREEMENT)) && !v.session.agrees)
            detected(f, c, &v.session, FINDING_LISTENER_MODE_MISMATCH);
    }
    leave(f);
}

void filter_helo(struct filter *f, struct connection *c, const char *argument,
                 const struct told *told)
{
    struct software software;
    if (!connection_helo(c, argument, told))
        filter_count(f, &f->counters.helo_too_long);
    if (catalogue_helo(str_of(argument), &software))
        connection_software(c, &software);
}

bool filter_unknown(struct filter *f, struct connection *c, struct str command,
                    const struct told *told)
{
    struct view v;
    bool disconnect = false;
    if (!facts_is_tls_hello(command) || !c->policy)
        return false;
    if (enter(f)) {
        look(f, c, told, STAGE_HELO, (struct str){NULL, 0}, &v);
        const struct listener *on = v.session.listener;
        if (on && on->role != ROLE_SUBMISSIONS) {
            detected(f, c, &v.session, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT);
            disconnect = on->disconnect_implicit_tls;
        }
    }
    leave(f);
    return disconnect;
}

/* Without memory, or on the way out, what becomes of the mail is in the failure table. */
static enum answer_kind failed(struct filter *f, enum failure why, const struct policy *p,
                               uint64_t port, struct reply *ret)
{
    const struct listener *on = p ? policy_listener_on(p, (uint16_t)port) : NULL;
    struct now now = clock_now();
    failure(&f->life.failures, why, &now, f->socket.name, "at MAIL");
    if (!on || failure_action(why, on->role) != ACTION_DEFER)
        return ANSWER_PASS;
    *ret = (struct reply){.code = 451, .dsn = "4.3.0", .text = "Try again later"};
    return ANSWER_REFUSE;
}

static enum answer_kind answer(struct filter *f, struct connection *c, const struct session *s,
                               const struct verdict *v, struct reply *ret)
{
    if (refuses(v->action) && reply_for(c->policy, v->finding, v->action, EDGE_MAIL, ret))
        return ANSWER_REFUSE;
    /* On port 25 it is another server's mail: whose software wrote it is no business of ours. */
    bool ask = f->wants_headers && !c->software && s->listener && s->listener->role != ROLE_SMTP;
    return ask ? ANSWER_HEADERS : ANSWER_PASS;
}

enum answer_kind filter_mail(struct filter *f, struct connection *c, struct str sender,
                             const struct told *told, struct reply *ret_reply)
{
    struct view view;
    struct verdict v;
    struct now now = clock_now();
    enum answer_kind kind;
    uint64_t port = 0;
    if (c)
        port = c->server_port;
    else
        str_to_u64(macros_value(told, MACRO_DAEMON_PORT), UINT16_MAX, &port);
    if (!enter(f)) {
        kind = failed(f, FAILURE_STOPPING, c ? c->policy : NULL, port, ret_reply);
    } else if (!c || !c->policy) {
        kind = failed(f, FAILURE_MEMORY, f->life.policy, port, ret_reply);
    } else {
        c->mail_seen = true;
        f->counters.mails++;
        look(f, c, told, STAGE_MAIL, sender, &view);
        decide(c->policy, &view.session, &now, &v, NULL);
        record_decision(&f->life.recorder, c->policy, &view.session, &v, &now);
        c->recorded |= v.broken;
        kind = answer(f, c, &view.session, &v, ret_reply);
    }
    leave(f);
    return kind;
}

void filter_header(struct connection *c, struct str name, struct str value)
{
    static const struct str wanted[] = {{"User-Agent", 10}, {"X-Mailer", 8}};
    struct software software;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && !c->software; i++)
        if (str_eq_nocase(name, wanted[i]) && catalogue_header(value, &software))
            connection_software(c, &software);
}

void filter_end_of_headers(struct filter *f, struct connection *c, const struct told *told)
{
    struct view v;
    struct now now = clock_now();
    if (!c->software || !c->policy)
        return;
    if (enter(f)) {
        look(f, c, told, STAGE_MAIL, (struct str){NULL, 0}, &v);
        record_software(&f->life.recorder, c->policy, &v.session, &now);
    }
    leave(f);
}

/*
 * Came, said hello, and left again, and of TLS nothing was seen. Why, a milter
 * cannot know: it is told neither STARTTLS nor AUTH, nor what the MTA refused.
 */
static bool nothing_but_hello(const struct connection *c, const struct session *s)
{
    return s->listener && s->listener->role == ROLE_SUBMISSION &&
           s->listener->tls_by == TLS_BY_MTA && c->tls_at_helo == KNOWN_NO && !c->mail_seen &&
           !(c->recorded & FINDING_BIT(FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT)) &&
           !(session_knows(s, FACT_BIT(FACT_TRUSTED)) && s->trusted);
}

void filter_close(struct filter *f, struct connection *c, const struct told *told)
{
    struct view v;
    if (enter(f) && c && c->policy) {
        look(f, c, told, STAGE_HELO, (struct str){NULL, 0}, &v);
        if (nothing_but_hello(c, &v.session))
            detected(f, c, &v.session, FINDING_NO_TLS_SEEN);
    }
    f->counters.open -= f->counters.open > 0;
    leave(f);
    connection_free(c);
}
