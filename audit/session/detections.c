/* SPDX-License-Identifier: Apache-2.0 */
/* What a log shows of a session that no rule asks about, and what the tap and the plug-ins have
 * noticed of it. */
#include "audit/session/bench.h"

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

/* The MTA calls it a failed handshake when a client leaves that never began one. */
static bool handshake_unknown(const struct bench *b)
{
    return has(b, SEEN_TLS_FAILED) && !has(b, SEEN_TLS) && !has(b, SEEN_MUTE);
}

static bool starttls_inside_tls(const struct bench *b)
{
    return has(b, SEEN_STARTTLS_REFUSED) && (has(b, SEEN_TLS) || b->ret->mode == TLS_MODE_IMPLICIT);
}

/* Who sent a password without TLS is told so, taken or not: cleartext-auth. */
static bool sent_password(const struct bench *b)
{
    return has(b, SEEN_AUTH) || b->s->told & FINDING_BIT(FINDING_CLEARTEXT_AUTH);
}

static bool left_without_tls(const struct bench *b)
{
    return is_on(b, ROLE_SUBMISSION) && tls_by_mta(b) && !tls_begun(b) && !sent_password(b) &&
           !has_any(b, SEEN_MAIL | SEEN_PROXIED);
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
    if (!left_without_tls(b) || has(b, SEEN_MUTE))
        return false;
    if (b->s->mta == MTA_SENDMAIL)
        return has(b, SEEN_END);
    if (has(b, SEEN_COUNTS))
        return has_any(b, SEEN_HELO | SEEN_AUTH_FAILED | SEEN_UNRECOGNISED | SEEN_STARTTLS_REFUSED);
    return has(b, SEEN_HELO | SEEN_END) && bench_tls_is_logged(b);
}

static bool auth_tried_on_smtp_port(const struct bench *b)
{
    return is_on(b, ROLE_SMTP) && has(b, SEEN_AUTH_FAILED) && !has(b, SEEN_AUTH);
}

static bool in_no_log(const struct bench *b)
{
    (void)b;
    return false;
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
    {FINDING_CLEARTEXT_AUTH, in_no_log, CAUSE_NONE, .trusted_excused = true},
    {FINDING_LISTENER_MODE_MISMATCH, in_no_log, CAUSE_NONE},
};

/* What was noticed, before somebody else saw that it was not so: who leaves early may log in later,
 * and who looks on at the beginning does not see how a handshake ends. */
static bool is_overruled(const struct bench *b, enum finding f)
{
    switch (f) {
    case FINDING_AUTH_TRIED_ON_SMTP_PORT: return has(b, SEEN_AUTH);
    case FINDING_HANDSHAKE_UNKNOWN: return has(b, SEEN_TLS_LINE);
    case FINDING_NO_TLS_SEEN:
    case FINDING_CLOSED_BEFORE_STARTTLS:
        return tls_begun(b) || sent_password(b) || has(b, SEEN_MAIL);
    default: return false;
    }
}

static bool is_told(const struct bench *b, enum finding f)
{
    return b->s->told & FINDING_BIT(f) && !is_overruled(b, f);
}

/* Some things were seen for certain on whatever port it was; then a listener that does not ignore
 * them stands for it. */
static const struct listener *stand_in(const struct policy *p, enum finding f)
{
    for (unsigned i = 0; i < p->listener_count; i++)
        if (p->listeners[i]->action[f] > ACTION_IGNORE)
            return p->listeners[i];
    return NULL;
}

/* It is certain if one of those who saw it is. */
static bool is_likely(const struct bench *b, const struct detection *d)
{
    bool log_is_sure = d->seen(b) && !d->likely;
    bool told_for_sure = is_told(b, d->finding) && !(b->s->likely & FINDING_BIT(d->finding));
    return !log_is_sure && !told_for_sure;
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
    finding_set sure = is_likely(b, d) ? b->ret->found : v.broken; /* what a rule found is, too */
    b->ret->found |= v.broken;
    b->ret->likely |= v.broken & ~sure;
    b->ret->excepted |= v.excepted;
    /* No mail is refused because of it, even if the milter may end such a session. */
    bench_weigh(b, v.finding, ACTION_LOG);
}

void bench_detect(struct bench *b)
{
    enum cause told = CAUSE_NONE;
    for (size_t i = 0; i < sizeof detections / sizeof *detections; i++) {
        const struct detection *d = &detections[i];
        if ((d->cause & told) || !(d->seen(b) || is_told(b, d->finding)))
            continue;
        told |= d->cause;
        detected(b, d);
    }
}
