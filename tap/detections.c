/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/detections.h"

/* Alerts by their number (RFC 8446 6, RFC 5246 7.2). */
enum {
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_PROTOCOL_VERSION = 70
};

/* ---- what is certain ------------------------------------------------------------------ */

/* The client has closed, or would not have said more: what did not come was not there. */
static bool came_to_its_end(const struct tap_bench *b)
{
    enum flow_ended e = b->told->ended;
    return e == ENDED_FIN || e == ENDED_RST || e == ENDED_IDLE;
}

static bool is_alert(const struct opening *o, unsigned first, unsigned last)
{
    return o->fate == FATE_ALERT && o->alert >= first && o->alert <= last;
}

/* To complain of a certificate one must have got it. */
static bool certificate_alert(const struct opening *o)
{
    return is_alert(o, ALERT_BAD_CERTIFICATE, ALERT_CERTIFICATE_UNKNOWN) ||
           is_alert(o, ALERT_UNKNOWN_CA, ALERT_UNKNOWN_CA);
}

bool tap_spoke_smtp(const struct opening *o)
{
    return o->first == FIRST_SMTP || (o->first == FIRST_OTHER && o->seen);
}

bool tap_starttls_stands(const struct opening *o)
{
    if (!o->starttls || o->hello_begun || o->garbage)
        return o->starttls;
    /* Of more verbs than are kept the last is not known; then nothing is said. */
    return o->commands - o->unknown == o->verb_count && o->verb_count &&
           o->verbs[o->verb_count - 1] == VERB_STARTTLS;
}

bool tap_tls_answered(const struct opening *o)
{
    return o->fate == FATE_ANSWERED || o->fate == FATE_HIDDEN_ALERT || certificate_alert(o);
}

/*
 * A client that waits for no answer sends all it has in one piece, or at least EHLO and the next
 * in one; and to what does not answer nobody does a TLS handshake.
 */
bool tap_clear_text_answered(const struct flow_told *told)
{
    const struct opening *o = told->opening;
    if (!tap_spoke_smtp(o))
        return false;
    if (tap_starttls_stands(o))
        return o->hello && tap_tls_answered(o);
    return told->dialogue && (has_verb(o, VERB_AUTH) || has_verb(o, VERB_MAIL));
}

static bool is_on(const struct tap_bench *b, enum role role)
{
    return b->role == role;
}

/* TLS is begun where the port wants it to. */
static bool handshake_due(const struct tap_bench *b)
{
    const struct opening *o = b->o;
    if (!b->tls_is_ours)
        return false;
    if (!o->starttls)
        return o->first == FIRST_TLS && is_on(b, ROLE_SUBMISSIONS);
    return tap_starttls_stands(o) &&
           (!is_on(b, ROLE_SUBMISSIONS) || tap_clear_text_answered(b->told));
}

/* ---- the detections --------------------------------------------------------------------- */

static bool implicit_on_starttls_port(const struct tap_bench *b)
{
    return b->tls_is_ours && (b->o->first == FIRST_TLS || b->o->unasked) &&
           !is_on(b, ROLE_SUBMISSIONS) && !tap_tls_answered(b->o);
}

/* Bytes that begin no line, or lines of which, to the end, none was a command. */
static bool not_smtp(const struct tap_bench *b)
{
    const struct opening *o = b->o;
    if (o->first == FIRST_HTTP)
        return true;
    return o->first == FIRST_OTHER && !o->seen &&
           (o->garbage || came_to_its_end(b) || b->told->ended == ENDED_SEEN);
}

static bool cleartext_on_implicit_port(const struct tap_bench *b)
{
    return b->tls_is_ours && is_on(b, ROLE_SUBMISSIONS) && tap_spoke_smtp(b->o) &&
           !tap_clear_text_answered(b->told);
}

/* That it was silent until now is true also if we stop looking. */
static bool waits_on_implicit_port(const struct tap_bench *b)
{
    return b->tls_is_ours && is_on(b, ROLE_SUBMISSIONS) && b->o->first == FIRST_NOTHING &&
           b->told->ended != ENDED_GAP && b->ret->silent_ms >= WAITS_MS;
}

static bool certificate_rejected(const struct tap_bench *b)
{
    return handshake_due(b) && certificate_alert(b->o);
}

static bool version_alert(const struct tap_bench *b)
{
    return is_alert(b->o, ALERT_PROTOCOL_VERSION, ALERT_PROTOCOL_VERSION);
}

static bool handshake_version(const struct tap_bench *b)
{
    const struct opening *o = b->o;
    if (!handshake_due(b))
        return false;
    bool too_old =
        o->hello && o->hello->highest && o->hello->highest < b->ret->session.listener->min_tls;
    return version_alert(b) || (too_old && (o->fate == FATE_LEFT || o->fate == FATE_ALERT));
}

/* It began, or should have, and came to nothing. */
static bool handshake_unknown(const struct tap_bench *b)
{
    const struct opening *o = b->o;
    if (!handshake_due(b))
        return false;
    if (o->fate != FATE_UNKNOWN)
        return o->fate != FATE_ANSWERED;
    if (o->hello)
        return false; /* what became of it was not seen */
    return o->garbage || o->hello_bad || came_to_its_end(b);
}

static bool closed_before_starttls(const struct tap_bench *b)
{
    const struct opening *o = b->o;
    enum flow_ended e = b->told->ended;
    return b->tls_is_ours && is_on(b, ROLE_SUBMISSION) && (e == ENDED_FIN || e == ENDED_RST) &&
           (has_verb(o, VERB_EHLO) || has_verb(o, VERB_HELO)) && !has_verb(o, VERB_STARTTLS) &&
           !has_verb(o, VERB_AUTH) && !has_verb(o, VERB_MAIL);
}

static bool auth_tried_on_smtp_port(const struct tap_bench *b)
{
    return is_on(b, ROLE_SMTP) && has_verb(b->o, VERB_AUTH) && !has_verb(b->o, VERB_XCLIENT) &&
           !has_verb(b->o, VERB_XFORWARD);
}

/* ---- where another reading is possible ----------------------------------------------------- */

/* The port may be another than the policy says: how the MTA took it was not seen. */
static bool answer_not_seen(const struct tap_bench *b)
{
    return b->o->fate == FATE_UNKNOWN && !came_to_its_end(b);
}

static bool no_version_alert(const struct tap_bench *b)
{
    return !version_alert(b);
}

/* The MTA may have refused STARTTLS. */
static bool nothing_behind_starttls(const struct tap_bench *b)
{
    return b->o->starttls && !b->o->hello_begun && !b->o->garbage;
}

static bool always(const struct tap_bench *b)
{
    (void)b;
    return true;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Of what made one and the same thing fail one is said, the first (audit/session/detections.c). */
enum cause { CAUSE_NONE, CAUSE_HANDSHAKE, CAUSE_NO_STARTTLS, CAUSE_BOTH };

static const struct detection {
    enum finding finding;
    bool (*seen)(const struct tap_bench *b);
    enum cause cause;
    bool (*likely)(const struct tap_bench *b); /* NULL: there is no other reading */
    bool trusted_excused;
} detections[] = {
    {FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, implicit_on_starttls_port, CAUSE_NO_STARTTLS,
     .likely = answer_not_seen},
    {FINDING_NOT_SMTP, not_smtp, CAUSE_BOTH},
    {FINDING_CLEARTEXT_ON_IMPLICIT_PORT, cleartext_on_implicit_port, CAUSE_HANDSHAKE},
    {FINDING_WAITS_ON_IMPLICIT_PORT, waits_on_implicit_port, CAUSE_HANDSHAKE, .likely = always},
    {FINDING_CERTIFICATE_REJECTED, certificate_rejected, CAUSE_HANDSHAKE},
    {FINDING_HANDSHAKE_VERSION, handshake_version, CAUSE_HANDSHAKE, .likely = no_version_alert},
    {FINDING_HANDSHAKE_UNKNOWN, handshake_unknown, CAUSE_HANDSHAKE,
     .likely = nothing_behind_starttls},
    {FINDING_CLOSED_BEFORE_STARTTLS, closed_before_starttls, CAUSE_NO_STARTTLS,
     .trusted_excused = true},
    {FINDING_AUTH_TRIED_ON_SMTP_PORT, auth_tried_on_smtp_port, CAUSE_NONE},
};

/* The strictest decides; no mail is refused for what was only seen. */
static void weigh(struct verdict *v, enum finding f)
{
    if (v->would > ACTION_LOG || (v->would == ACTION_LOG && v->finding < f))
        return;
    v->would = ACTION_LOG;
    v->action = ACTION_LOG;
    v->finding = f;
}

static void detected(struct tap_bench *b, const struct detection *d)
{
    const struct session *s = &b->ret->session;
    struct verdict *all = &b->ret->verdict, one;
    decide_detected(b->policy, s, d->finding, b->now, &one);
    if (d->trusted_excused && session_knows(s, FACT_BIT(FACT_TRUSTED)) && s->trusted) {
        all->trusted |= one.broken;
        return;
    }
    all->excepted |= one.excepted;
    all->broken |= one.broken;
    if (d->likely && d->likely(b))
        b->ret->likely |= one.broken;
    if (one.broken)
        weigh(all, d->finding);
}

void tap_detect(struct tap_bench *b)
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
