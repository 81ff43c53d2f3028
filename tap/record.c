/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/record.h"

#include "edge/ja4.h"

/* What the fields below are taken from. */
struct watched {
    const struct judgement *j;
    struct recorder *r;
};

size_t tap_versions(const struct client_hello *h, struct str ret[HELLO_VERSIONS])
{
    size_t n = 0;
    for (unsigned i = 0; i < h->version_count; i++) {
        const char *name = tls_version_name(h->versions[i]);
        if (*name)
            ret[n++] = str_of(name);
    }
    return n;
}

static void put_commands(struct jline *l, const struct opening *o)
{
    struct str verbs[OPENING_VERBS];
    for (unsigned i = 0; i < o->verb_count; i++)
        verbs[i] = str_of(smtp_verb_names[o->verbs[i]]);
    if (o->verb_count)
        jline_strs(l, "commands", verbs, o->verb_count);
    if (o->unknown)
        jline_u64(l, "unknown_commands", o->unknown);
}

static void put_hello(struct jline *l, const struct client_hello *h)
{
    struct str versions[HELLO_VERSIONS];
    char text[JA4_N + 1];
    struct buf ja4 = BUF(text);
    size_t n = tap_versions(h, versions);
    if (n)
        jline_strs(l, "tls_offered", versions, n);
    jline_str_if(l, "tls_offered_highest", str_of(tls_version_name(h->highest)));
    jline_str_if(l, "tls_sni", (struct str){h->server_name, h->server_name_n});
    jline_str_if(l, "tls_alpn", (struct str){h->alpn, h->alpn_n});
    if (ja4_format(&ja4, h))
        jline_str(l, "ja4", buf_view(&ja4));
}

static void put_likely(struct jline *l, finding_set likely)
{
    struct str ids[FINDING_COUNT];
    size_t n = 0;
    for (int f = 0; likely && f < FINDING_COUNT; f++)
        if (likely & FINDING_BIT(f))
            ids[n++] = str_of(findings[f].id);
    if (n)
        jline_strs(l, "likely", ids, n);
}

static void put_proxy(struct jline *l, struct recorder *r, const struct judgement *j)
{
    char scratch[PRIVACY_TEXT_MAX];
    struct buf b = BUF(scratch);
    if (!j->proxy.n)
        return;
    jline_str(l, "proxy_address", privacy_address(r->privacy, j->proxy, &j->told->client, &b));
    jline_u64(l, "proxy_port", j->told->client_port);
}

static void put(struct jline *l, const void *what)
{
    const struct watched *w = what;
    const struct judgement *j = w->j;
    const struct opening *o = j->told->opening;
    put_likely(l, j->likely);
    jline_str_if(l, "tls_mode", str_of(tap_mode_names[j->mode]));
    jline_str(l, "first_bytes", str_of(opening_first_names[o->first]));
    jline_u64(l, "silent_ms", j->silent_ms);
    jline_u64(l, "duration_ms", j->duration_ms);
    put_commands(l, o);
    if (o->hello)
        put_hello(l, o->hello);
    if (o->hello || o->starttls || o->fate != FATE_UNKNOWN)
        jline_str(l, "handshake", str_of(hello_fate_names[o->fate]));
    if (o->fate == FATE_ALERT)
        jline_u64(l, "alert", o->alert);
    jline_str(l, "ended", str_of(flow_ended_names[j->told->ended]));
    put_proxy(l, w->r, j);
}

bool tap_record(struct recorder *r, const struct policy *p, const struct judgement *j,
                const struct now *now)
{
    struct watched w = {j, r};
    return record_session(r, p, &j->session, &j->verdict, put, &w, now);
}
