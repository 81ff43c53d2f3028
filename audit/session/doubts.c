/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be said of a session, and why. */
#include "audit/session/bench.h"

const struct doubt_info doubts[DOUBTS] = {
#define DOUBT(name, id, what, remedy) [DOUBT_##name] = {id, what, remedy},
#include "audit/session/doubts.def"
#undef DOUBT
};

static bool doubt_listener(const struct bench *b)
{
    return !b->ret->listener && !bench_left_alone(b) && (acted(b) || tls_begun(b));
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
    return b->ret->mode == TLS_MODE_UNKNOWN && acted(b) && !tls_begun(b) && !bench_tls_is_logged(b);
}

/* It matters where a client that is not trusted would have to do something else. */
static bool doubt_certificate(const struct bench *b)
{
    return has(b, SEEN_TLS_LINE) && b->verdict.no_data &&
           !session_knows(&b->session, FACT_BIT(FACT_TRUSTED));
}

static bool doubt_handshake(const struct bench *b)
{
    return (b->ret->found & FINDING_BIT(FINDING_HANDSHAKE_UNKNOWN)) &&
           b->s->handshake != HANDSHAKE_SERVER && b->s->handshake != HANDSHAKE_CLEARTEXT;
}

doubt_set bench_doubts(const struct bench *b)
{
    bool listener = doubt_listener(b);
    bool proxy = (has(b, SEEN_PROXIED) || !tls_by_mta(b)) && !has(b, SEEN_TLS);
    const bool is[DOUBTS] = {
        [DOUBT_LISTENER] = listener && !is_shared(b),
        [DOUBT_SHARED] = listener && is_shared(b),
        [DOUBT_POLICY] = bench_left_alone(b),
        [DOUBT_TLS] = doubt_tls(b) && !proxy,
        [DOUBT_TLS_VERSION] = doubt_tls_version(b),
        [DOUBT_PROXY] = proxy && acted(b),
        [DOUBT_CERTIFICATE] = doubt_certificate(b),
        [DOUBT_HANDSHAKE] = doubt_handshake(b),
        [DOUBT_CUT] = doubt_cut(b),
        [DOUBT_USER] = has(b, SEEN_AUTH) && !b->s->user,
        [DOUBT_JOIN] = has(b, SEEN_AMBIGUOUS),
    };
    doubt_set all = 0;
    for (int i = 0; i < DOUBTS; i++)
        all |= is[i] ? DOUBT_BIT(i) : 0;
    return all;
}
