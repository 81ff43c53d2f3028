/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/session/judge.h"

const struct doubt_info doubts[DOUBTS] = {
#define DOUBT(name, id, what, remedy) [DOUBT_##name] = {id, what, remedy},
#include "audit/session/doubts.def"
#undef DOUBT
};

/* One session on the bench. */
struct bench {
    const struct judge *j;
    const struct seen *s;
    const struct log_listener *on; /* NULL: its name found no place */
    struct now now;
    struct session session;
    struct verdict verdict; /* of the rules */
    struct judged *ret;
};

static bool has(const struct bench *b, uint32_t flags)
{
    return (b->s->flags & flags) == flags;
}

static bool has_any(const struct bench *b, uint32_t flags)
{
    return b->s->flags & flags;
}

/* ---- where it was --------------------------------------------------------------- */

static bool is_on(const struct bench *b, enum role role)
{
    return b->ret->listener && b->ret->listener->role == role;
}

static bool tls_by_mta(const struct bench *b)
{
    return !b->ret->listener || b->ret->listener->tls_by == TLS_BY_MTA;
}

/* A port that is known and that the policy does not name. */
static bool left_alone(const struct bench *b)
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
    if (b->s->server_port)
        return policy_listener_on(p, b->s->server_port);
    if (is_firm(b) || left_alone(b))
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

/* The client said something that the MTA could read. */
static bool acted(const struct bench *b)
{
    return b->s->first || has_any(b, SEEN_HELO | SEEN_MAIL | SEEN_AUTH | SEEN_AUTH_FAILED |
                                         SEEN_QUIT | SEEN_STARTTLS_REFUSED | SEEN_UNRECOGNISED);
}

static bool tls_begun(const struct bench *b)
{
    return has_any(b, SEEN_TLS | SEEN_TLS_FAILED);
}

/* TLS that is up would have a line: Postfix by service, Sendmail by its one LogLevel. */
static bool tls_is_logged(const struct bench *b)
{
    const struct log_listeners *all = b->j->listeners;
    bool logged = b->on && b->on->tls_lines;
    for (unsigned i = 0; b->s->mta == MTA_SENDMAIL && i < all->count; i++)
        logged |=
            all->list[i].mta == MTA_SENDMAIL && (all->list[i].tls_lines || all->list[i].logins);
    return logged;
}

/* That there was no TLS is certain: by counters where only STARTTLS can bring it, else by the
 * lines that are not there. */
static bool certainly_clear(const struct bench *b)
{
    if (tls_begun(b) || !acted(b) || has(b, SEEN_PROXIED) || !tls_by_mta(b))
        return false;
    if (has(b, SEEN_COUNTS))
        return b->ret->listener || tls_is_logged(b);
    bool from_the_start = has(b, SEEN_CONNECT) || b->s->mta == MTA_SENDMAIL;
    bool to_the_end = has_any(b, SEEN_MAIL_TAKEN | SEEN_END);
    return from_the_start && to_the_end && tls_is_logged(b);
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
    if (has_any(b, SEEN_COUNTS | SEEN_PROTOCOL))
        return true;
    return has(b, SEEN_MAIL_TAKEN) && (b->s->mta == MTA_POSTFIX || tls_is_logged(b));
}

static void tell_tls(struct bench *b)
{
    const struct seen *s = b->s;
    struct session *x = &b->session;
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
        .listener_told = names_text(b->j->names, b->s->listener),
    };
    tell_tls(b);
    tell_auth(b);
    session_find_trust(x, b->j->policy);
}

static void weigh(struct bench *b, enum finding f, enum action would)
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
    weigh(b, v->finding, v->held == HELD_BEFORE_MAIL ? v->action : v->would);
}

/* ---- what was seen ----------------------------------------------------------------- */

static bool handshake_failed(const struct bench *b, enum handshake why)
{
    return has(b, SEEN_TLS_FAILED) && b->s->handshake == why;
}

/* smtpd logs a ClientHello as bytes only where it reads commands. */
static bool implicit_on_starttls_port(const struct bench *b)
{
    return b->s->first == BYTES_TLS && !tls_begun(b) && !is_on(b, ROLE_SUBMISSIONS);
}

static bool not_smtp(const struct bench *b)
{
    return b->s->first == BYTES_HTTP || b->s->first == BYTES_HEADER || b->s->first == BYTES_OTHER ||
           handshake_failed(b, HANDSHAKE_HTTP);
}

static bool cleartext_on_implicit_port(const struct bench *b)
{
    return handshake_failed(b, HANDSHAKE_CLEARTEXT) && b->ret->mode == TLS_MODE_IMPLICIT;
}

static bool waits_on_implicit_port(const struct bench *b)
{
    return has(b, SEEN_SILENT) && b->ret->mode == TLS_MODE_IMPLICIT;
}

static bool handshake_version(const struct bench *b)
{
    return handshake_failed(b, HANDSHAKE_VERSION);
}

static bool handshake_cipher(const struct bench *b)
{
    return handshake_failed(b, HANDSHAKE_CIPHER);
}

static bool certificate_rejected(const struct bench *b)
{
    return handshake_failed(b, HANDSHAKE_CERTIFICATE);
}

static bool handshake_unknown(const struct bench *b)
{
    return has(b, SEEN_TLS_FAILED) && !has(b, SEEN_TLS);
}

static bool starttls_inside_tls(const struct bench *b)
{
    return has(b, SEEN_STARTTLS_REFUSED) && (has(b, SEEN_TLS) || b->ret->mode == TLS_MODE_IMPLICIT);
}

static bool left_without_tls(const struct bench *b)
{
    /* Who logged in without TLS is told so: cleartext-auth. */
    return is_on(b, ROLE_SUBMISSION) && tls_by_mta(b) && !tls_begun(b) &&
           !has_any(b, SEEN_MAIL | SEEN_AUTH | SEEN_PROXIED);
}

static bool closed_before_starttls(const struct bench *b)
{
    return left_without_tls(b) && has(b, SEEN_COUNTS | SEEN_HELO) && !has(b, SEEN_STARTTLS_REFUSED);
}

/*
 * As the milter: not of one who said nothing at all. Sendmail does not log whether there was a
 * HELO; its line stands for it.
 */
static bool no_tls_seen(const struct bench *b)
{
    if (!left_without_tls(b))
        return false;
    if (b->s->mta == MTA_SENDMAIL)
        return has(b, SEEN_END);
    if (has(b, SEEN_COUNTS))
        return has_any(b, SEEN_HELO | SEEN_AUTH_FAILED | SEEN_UNRECOGNISED | SEEN_STARTTLS_REFUSED);
    return has(b, SEEN_HELO | SEEN_END) && tls_is_logged(b);
}

static bool auth_tried_on_smtp_port(const struct bench *b)
{
    return is_on(b, ROLE_SMTP) && has(b, SEEN_AUTH_FAILED) && !has(b, SEEN_AUTH);
}

/* What a TLS handshake can fail of; of these one is said, the first. So it is with what kept a
 * client from STARTTLS. */
enum cause { CAUSE_NONE, CAUSE_HANDSHAKE, CAUSE_NO_STARTTLS, CAUSE_BOTH };

static const struct detection {
    enum finding finding;
    bool (*seen)(const struct bench *b);
    enum cause cause;
    bool likely;          /* the likeliest reading, not the only one */
    bool trusted_excused; /* as in the milter */
} detections[] = {
    {FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, implicit_on_starttls_port, CAUSE_NO_STARTTLS},
    {FINDING_NOT_SMTP, not_smtp, CAUSE_BOTH},
    {FINDING_CLEARTEXT_ON_IMPLICIT_PORT, cleartext_on_implicit_port, CAUSE_HANDSHAKE},
    {FINDING_WAITS_ON_IMPLICIT_PORT, waits_on_implicit_port, CAUSE_HANDSHAKE, .likely = true},
    {FINDING_HANDSHAKE_VERSION, handshake_version, CAUSE_HANDSHAKE},
    {FINDING_HANDSHAKE_CIPHER, handshake_cipher, CAUSE_HANDSHAKE},
    {FINDING_CERTIFICATE_REJECTED, certificate_rejected, CAUSE_HANDSHAKE},
    {FINDING_HANDSHAKE_UNKNOWN, handshake_unknown, CAUSE_HANDSHAKE},
    {FINDING_STARTTLS_INSIDE_TLS, starttls_inside_tls, CAUSE_NONE},
    {FINDING_CLOSED_BEFORE_STARTTLS, closed_before_starttls, CAUSE_NO_STARTTLS,
     .trusted_excused = true},
    {FINDING_NO_TLS_SEEN, no_tls_seen, CAUSE_NO_STARTTLS, .trusted_excused = true},
    {FINDING_AUTH_TRIED_ON_SMTP_PORT, auth_tried_on_smtp_port, CAUSE_NONE},
};

/* Some things were seen for certain on whatever port it was; then a listener that does not ignore
 * them stands for it. */
static const struct listener *stand_in(const struct policy *p, enum finding f)
{
    for (unsigned i = 0; i < p->listener_count; i++)
        if (p->listeners[i]->action[f] > ACTION_IGNORE)
            return p->listeners[i];
    return NULL;
}

static void detected(struct bench *b, const struct detection *d)
{
    struct session x = b->session;
    struct verdict v;
    if (!x.listener)
        x.listener = stand_in(b->j->policy, d->finding);
    decide_detected(b->j->policy, &x, d->finding, &b->now, &v);
    if (d->trusted_excused && session_knows(&x, FACT_BIT(FACT_TRUSTED)) && x.trusted) {
        b->ret->trusted |= v.broken;
        return;
    }
    b->ret->found |= v.broken;
    b->ret->likely |= d->likely ? v.broken : 0;
    b->ret->excepted |= v.excepted;
    /* No mail is refused because of it, even if the milter may end such a session. */
    weigh(b, v.finding, ACTION_LOG);
}

static void look(struct bench *b)
{
    enum cause told = CAUSE_NONE;
    for (size_t i = 0; i < sizeof detections / sizeof *detections; i++) {
        const struct detection *d = &detections[i];
        if ((d->cause & told) || !d->seen(b))
            continue;
        told |= d->cause;
        detected(b, d);
    }
}

/* ---- what cannot be said ------------------------------------------------------------- */

static bool doubt_listener(const struct bench *b)
{
    return !b->ret->listener && !left_alone(b) && (acted(b) || tls_begun(b));
}

/* The name stands for something, or for several things, and the session does not go with it. */
static bool is_shared(const struct bench *b)
{
    return b->on && (b->on->shared || b->on->listener);
}

static bool doubt_tls_version(const struct bench *b)
{
    const finding_set asks = FINDING_BIT(FINDING_TLS_VERSION) | FINDING_BIT(FINDING_TLS_CIPHER);
    bool up = has(b, SEEN_TLS) || (b->ret->mode == TLS_MODE_IMPLICIT && !has(b, SEEN_TLS_FAILED));
    return up && (b->verdict.no_data & asks) && !b->s->tls_version;
}

static bool doubt_cut(const struct bench *b)
{
    return b->s->mta == MTA_POSTFIX && !has(b, SEEN_COUNTS) && !has(b, SEEN_CONNECT | SEEN_END) &&
           b->ret->mode == TLS_MODE_UNKNOWN;
}

static bool doubt_tls(const struct bench *b)
{
    return b->ret->mode == TLS_MODE_UNKNOWN && acted(b) && !tls_begun(b) && !tls_is_logged(b);
}

static doubt_set find_doubts(const struct bench *b)
{
    bool listener = doubt_listener(b);
    bool proxy = (has(b, SEEN_PROXIED) || !tls_by_mta(b)) && !has(b, SEEN_TLS);
    const bool is[DOUBTS] = {
        [DOUBT_LISTENER] = listener && !is_shared(b),
        [DOUBT_SHARED] = listener && is_shared(b),
        [DOUBT_POLICY] = left_alone(b),
        [DOUBT_TLS] = doubt_tls(b) && !proxy,
        [DOUBT_TLS_VERSION] = doubt_tls_version(b),
        [DOUBT_PROXY] = proxy && acted(b),
        [DOUBT_HANDSHAKE] = (b->ret->found & FINDING_BIT(FINDING_HANDSHAKE_UNKNOWN)) != 0,
        [DOUBT_CUT] = doubt_cut(b),
        [DOUBT_USER] = has(b, SEEN_AUTH) && !b->s->user,
    };
    doubt_set all = 0;
    for (int i = 0; i < DOUBTS; i++)
        all |= is[i] ? DOUBT_BIT(i) : 0;
    return all;
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
    if (!left_alone(&b))
        look(&b);
    ret->doubts = find_doubts(&b);
}
