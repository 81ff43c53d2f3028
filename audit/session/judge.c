/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/session/bench.h"

/* ---- where it was ---------------------------------------------------------------- */

bool bench_left_alone(const struct bench *b)
{
    if (b->s->server_port)
        return !b->ret->listener;
    return b->on && b->on->known_by != KNOWN_BY_NOTHING && !b->on->listener;
}

/* A person said what the name stands for: what is seen there does not change it. */
static bool is_firm(const struct bench *b)
{
    const struct log_listener *on = b->on;
    return on && on->listener &&
           (on->known_by == KNOWN_BY_OPTION ||
            (on->known_by == KNOWN_BY_POLICY && on->listener->line > 0));
}

static const struct listener *first_with_role(const struct policy *p, enum role role)
{
    for (unsigned i = 0; i < p->listener_count; i++)
        if (p->listeners[i]->role == role)
            return p->listeners[i];
    return NULL;
}

static const struct listener *find_listener(const struct bench *b)
{
    const struct policy *p = b->j->policy;
    const struct listener *named = b->on ? b->on->listener : NULL;
    if (b->s->server_port) { /* behind a PROXY header it is the proxy's, perhaps of no listener */
        const struct listener *on = policy_listener_on(p, b->s->server_port);
        return on || !is_firm(b) ? on : named;
    }
    if (is_firm(b) || bench_left_alone(b))
        return named;
    bool named_implicit = named && named->role == ROLE_SUBMISSIONS;
    switch (b->s->mode) {
    case TLS_MODE_IMPLICIT: return named_implicit ? named : first_with_role(p, ROLE_SUBMISSIONS);
    case TLS_MODE_STARTTLS:
    case TLS_MODE_CLEARTEXT: return named_implicit ? NULL : named;
    default: return b->on && b->on->shared ? NULL : named;
    }
}

/* ---- its mode -------------------------------------------------------------------- */

bool bench_tls_is_logged(const struct bench *b)
{
    const struct log_listeners *all = b->j->listeners;
    bool logged = b->on && b->on->tls_lines;
    for (unsigned i = 0; b->s->mta == MTA_SENDMAIL && i < all->count; i++) {
        const struct log_listener *at = &all->list[i];
        logged |=
            at->mta == MTA_SENDMAIL && at->host == b->s->host && (at->tls_lines || at->logins);
    }
    return logged;
}

/*
 * Some give port 465 the name of 587 (Mail-in-a-Box: "submission" for both). Without lines of TLS a
 * login there looks like one in clear text: it is one if another name of that machine is 465, or a
 * person said what this name is.
 */
static bool name_is_sure(const struct bench *b)
{
    const struct log_listeners *all = b->j->listeners;
    bool sure = is_firm(b) || is_on(b, ROLE_SMTP);
    for (unsigned i = 0; i < all->count && !sure; i++)
        sure = all->list[i].host == b->s->host && all->list[i].listener &&
               all->list[i].listener->role == ROLE_SUBMISSIONS;
    return sure;
}

/* That there was no TLS is certain: by counters where only STARTTLS can bring it, else by the
 * lines that are not there. */
static bool certainly_clear(const struct bench *b)
{
    if (tls_begun(b) || !acted(b) || has(b, SEEN_PROXIED) || !tls_by_mta(b))
        return false;
    if (has(b, SEEN_POSTSCREEN))
        return b->s->first; /* before any command: it is no smtpd under implicit TLS */
    if (has(b, SEEN_COUNTS))
        return bench_tls_is_logged(b) ||
               (b->ret->listener && (!has(b, SEEN_AUTH) || name_is_sure(b)));
    bool from_the_start = has(b, SEEN_CONNECT) || b->s->mta == MTA_SENDMAIL;
    bool to_the_end = has_any(b, SEEN_MAIL_TAKEN | SEEN_END);
    return from_the_start && to_the_end && bench_tls_is_logged(b);
}

static enum tls_mode find_mode(const struct bench *b)
{
    if (b->s->mode || has(b, SEEN_PROXIED))
        return b->s->mode;
    if (is_on(b, ROLE_SUBMISSIONS))
        return tls_begun(b) || acted(b) ? TLS_MODE_IMPLICIT : TLS_MODE_UNKNOWN;
    if (tls_begun(b))
        return b->ret->listener ? TLS_MODE_STARTTLS : TLS_MODE_UNKNOWN;
    return certainly_clear(b) ? TLS_MODE_CLEARTEXT : TLS_MODE_UNKNOWN;
}

/* ---- the rules ------------------------------------------------------------------- */

/* An AUTH that was not there: counters, proto= or the mail's own line would have it. */
static bool certainly_no_auth(const struct bench *b)
{
    if (has_any(b, SEEN_COUNTS | SEEN_PROTOCOL | SEEN_NO_AUTH))
        return true;
    return has(b, SEEN_MAIL_TAKEN) && (b->s->mta == MTA_POSTFIX || bench_tls_is_logged(b));
}

/* The name that the log has, and the port that journals tell. */
static bool port_is_anothers(const struct bench *b)
{
    return is_firm(b) && b->s->server_port && b->on->listener != b->ret->listener;
}

static void tell_tls(struct bench *b)
{
    const struct seen *s = b->s;
    struct session *x = &b->session;
    if (port_is_anothers(b)) {
        x->agrees = false;
        x->known |= FACT_BIT(FACT_AGREEMENT);
    }
    if (is_firm(b) && b->ret->listener->line && s->mode)
        session_tls_at_connect(x, s->mode == TLS_MODE_IMPLICIT);
    x->cipher_text = names_text(b->j->names, s->cipher);
    if (has(b, SEEN_TLS))
        session_tls(x, str_of(tls_version_name(s->tls_version)),
                    ciphers_find(b->j->ciphers, x->cipher_text), s->bits);
    else if (b->ret->mode == TLS_MODE_CLEARTEXT)
        session_no_tls(x);
}

static void tell_auth(struct bench *b)
{
    struct session *x = &b->session;
    if (has(b, SEEN_AUTH))
        session_auth(x, names_text(b->j->names, b->s->user),
                     names_text(b->j->names, b->s->mechanism));
    else if (certainly_no_auth(b))
        session_no_auth(x);
    /* Two cases that the session's last state does not show: TLS came later, or no mail. */
    if (has(b, SEEN_AUTH_BEFORE_TLS) || (has(b, SEEN_AUTH) && b->ret->mode == TLS_MODE_CLEARTEXT)) {
        x->cleartext_auth = tls_by_mta(b);
        x->known |= tls_by_mta(b) ? FACT_BIT(FACT_CLEARTEXT_AUTH) : 0;
    }
}

static void tell(struct bench *b)
{
    struct session *x = &b->session;
    *x = (struct session){
        .stage = has(b, SEEN_MAIL)   ? STAGE_MAIL
                 : has(b, SEEN_HELO) ? STAGE_HELO
                                     : STAGE_CONNECT,
        .listener = b->ret->listener,
        .known = b->ret->listener ? FACT_BIT(FACT_LISTENER) : 0,
        .client = b->s->client,
        .ccert_told = has(b, SEEN_NO_CERTIFICATE), /* and there was none */
        .listener_told = names_text(b->j->names, b->s->listener),
    };
    tell_tls(b);
    tell_auth(b);
    session_find_trust(x, b->j->policy);
}

void bench_weigh(struct bench *b, enum finding f, enum action would)
{
    struct judged *ret = b->ret;
    if (f == FINDING_COUNT || would < ret->would || (would == ret->would && f > ret->because))
        return;
    ret->would = would;
    ret->because = f;
}

static void ask_rules(struct bench *b)
{
    struct verdict *v = &b->verdict;
    decide(b->j->policy, &b->session, &b->now, v, NULL);
    b->ret->found |= v->broken;
    b->ret->excepted |= v->excepted;
    b->ret->trusted |= v->trusted;
    /* Who says no MAIL is not refused, in enforce neither. */
    bench_weigh(b, v->finding, v->held == HELD_BEFORE_MAIL ? v->action : v->would);
}

void judge(const struct judge *j, const struct seen *s, int64_t at_us, struct judged *ret)
{
    struct bench b = {
        .j = j,
        .s = s,
        .on = log_listeners_find(j->listeners, s),
        .now = {.wall_us = at_us},
        .ret = ret,
    };
    *ret = (struct judged){.would = ACTION_IGNORE, .because = FINDING_COUNT};
    ret->listener = find_listener(&b);
    ret->mode = find_mode(&b);
    tell(&b);
    ask_rules(&b);
    /* What monitors leave behind is no news; that their mail would be refused is. */
    if (!bench_left_alone(&b) && !policy_is_monitor(j->policy, &s->client))
        bench_detect(&b);
    ret->doubts = bench_doubts(&b);
}
