/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/filter.h"

#include "core/catalogue.h"
#include "core/now.h"
#include "edge/log.h"
#include "milter/facts.h"

/* ---- the lock, and what is known ------------------------------------------ */

/* False: we are stopping, and nothing can be recorded any more. To be followed by leave() in
 * any case. */
static bool enter(struct filter *f)
{
    pthread_mutex_lock(&f->life.lock);
    return !f->stopping;
}

static void leave(struct filter *f)
{
    pthread_mutex_unlock(&f->life.lock);
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

/* Seen, not asked about: journaled at once, since a session's end may never be told. What is to
 * be done about it. */
static enum action detected(struct filter *f, struct connection *c, const struct session *s,
                            enum finding finding)
{
    struct verdict v;
    struct now now = clock_now();
    decide_detected(c->policy, s, finding, &now, &v);
    if (enter(f) && !(c->recorded & FINDING_BIT(finding))) {
        record_detected(&f->life.recorder, c->policy, s, &v, &now);
        c->recorded |= v.broken | v.excepted;
    }
    leave(f);
    return v.action;
}

/* ---- stages ------------------------------------------------------------------ */

struct connection *filter_open(struct filter *f, bool our_lists)
{
    struct connection *c = connection_new(our_lists);
    f->counters.accepted++;
    f->counters.open += c != NULL;
    f->counters.lists_refused += !our_lists;
    return c;
}

void filter_connect(struct filter *f, struct connection *c, const struct sockaddr *client,
                    const struct told *told)
{
    struct view v;
    connection_begins(c, client, told);
    policy_unref(c->policy); /* of a session before, on the same connection */
    enter(f);
    c->policy = policy_ref(f->life.policy);
    warn_of_the_mta(f, c);
    leave(f);
    look(f, c, told, STAGE_CONNECT, (struct str){NULL, 0}, &v);
    if (session_knows(&v.session, FACT_BIT(FACT_AGREEMENT)) && !v.session.agrees)
        detected(f, c, &v.session, FINDING_LISTENER_MODE_MISMATCH);
}

void filter_helo(struct filter *f, struct connection *c, const char *argument,
                 const struct told *told)
{
    struct software software;
    if (!connection_helo(c, argument, told))
        f->counters.helo_too_long++;
    if (catalogue_helo(str_of(argument), &software))
        connection_software(c, &software);
}

bool filter_unknown(struct filter *f, struct connection *c, struct str command,
                    const struct told *told)
{
    struct view v;
    if (!facts_is_tls_hello(command) || !c->policy)
        return false;
    look(f, c, told, STAGE_HELO, (struct str){NULL, 0}, &v);
    const struct listener *on = v.session.listener;
    if (!on || on->role == ROLE_SUBMISSIONS)
        return false;
    return refuses(detected(f, c, &v.session, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT));
}

/* Without memory, or on the way out, what becomes of the mail is in the failure table. With the
 * lock. */
static enum answer_kind failed(struct filter *f, enum failure why, const struct listener *on,
                               struct reply *ret)
{
    struct now now = clock_now();
    failure(&f->life.failures, why, &now, f->socket.name, "at MAIL");
    if (!on || on->mode == MODE_AUDIT || failure_action(why, on->role) != ACTION_DEFER)
        return ANSWER_PASS;
    *ret = (struct reply){.code = 451, .dsn = "4.3.0", .text = "Try again later"};
    return ANSWER_REFUSE;
}

/* MAIL on a connection for which there was no memory, or that has not begun. */
static enum answer_kind mail_of_unknown(struct filter *f, const struct told *told,
                                        struct reply *ret)
{
    uint64_t port = 0;
    str_to_u64(macros_value(told, MACRO_DAEMON_PORT), UINT16_MAX, &port);
    enter(f);
    enum answer_kind kind =
        failed(f, FAILURE_MEMORY, policy_listener_on(f->life.policy, (uint16_t)port), ret);
    leave(f);
    return kind;
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
    if (!c || !c->policy)
        return mail_of_unknown(f, told, ret_reply);
    c->mail_seen = true;
    f->counters.mails++;
    look(f, c, told, STAGE_MAIL, sender, &view);
    decide(c->policy, &view.session, &now, &v, NULL);
    enum answer_kind kind = answer(f, c, &view.session, &v, ret_reply);
    if (enter(f)) {
        record_decision(&f->life.recorder, c->policy, &view.session, &v, &now);
        c->recorded |= v.broken;
    } else {
        kind = failed(f, FAILURE_STOPPING, view.session.listener, ret_reply);
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
    look(f, c, told, STAGE_MAIL, (struct str){NULL, 0}, &v);
    if (enter(f))
        record_software(&f->life.recorder, c->policy, &v.session, &now);
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
    if (c && c->policy) {
        look(f, c, told, STAGE_HELO, (struct str){NULL, 0}, &v);
        if (nothing_but_hello(c, &v.session))
            detected(f, c, &v.session, FINDING_NO_TLS_SEEN);
    }
    f->counters.open -= c != NULL;
    connection_free(c);
}
