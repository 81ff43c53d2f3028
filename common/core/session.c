/* SPDX-License-Identifier: Apache-2.0 */
#include "core/session.h"

#include "core/policy.h"

const struct fact_info facts[FACT_COUNT] = {
#define FACT(name, word, meaning) [FACT_##name] = {word, meaning},
#include "core/facts.def"
#undef FACT
};

const char *const stage_names[STAGE_COUNT] = {
    [STAGE_CONNECT] = "CONNECT", [STAGE_HELO] = "EHLO", [STAGE_MAIL] = "MAIL",
    [STAGE_RCPT] = "RCPT",       [STAGE_DATA] = "DATA", [STAGE_END_OF_MESSAGE] = "END-OF-MESSAGE",
    [STAGE_VRFY] = "VRFY",       [STAGE_ETRN] = "ETRN",
};

static const struct {
    struct str text;
    unsigned version;
} version_names[] = {
    /* The first name of a version is the one we write. */
    {{"SSLv3", 5}, SSL_3_0},   {{"TLSv1", 5}, TLS_1_0},   {{"TLSv1.1", 7}, TLS_1_1},
    {{"TLSv1.2", 7}, TLS_1_2}, {{"TLSv1.3", 7}, TLS_1_3}, {{"TLSv1.0", 7}, TLS_1_0},
};
enum { VERSION_NAMES = sizeof version_names / sizeof *version_names };

unsigned tls_version_of(struct str s)
{
    for (int i = 0; i < VERSION_NAMES; i++)
        if (str_eq(s, version_names[i].text))
            return version_names[i].version;
    return 0;
}

const char *tls_version_name(unsigned version)
{
    for (int i = 0; i < VERSION_NAMES; i++)
        if (version_names[i].version == version)
            return version_names[i].text.p;
    return "";
}

/* Sets a fact that is a boolean. */
static void know(struct session *s, enum fact f, bool *field, bool value)
{
    *field = value;
    s->known |= FACT_BIT(f);
}

/* The one fact that follows from two others. */
static void infer_cleartext_auth(struct session *s)
{
    if (session_knows(s, FACT_BIT(FACT_TLS) | FACT_BIT(FACT_AUTH)))
        know(s, FACT_CLEARTEXT_AUTH, &s->cleartext_auth, s->auth && !s->tls);
}

void session_tls(struct session *s, struct str version, const struct cipher *cipher, unsigned bits)
{
    know(s, FACT_TLS, &s->tls, true);
    s->tls_version_text = version;
    s->tls_version = tls_version_of(version);
    if (s->tls_version)
        s->known |= FACT_BIT(FACT_TLS_VERSION);
    if (cipher) {
        s->cipher = *cipher;
        s->known |= FACT_BIT(FACT_CIPHER) | FACT_BIT(FACT_CIPHER_BITS);
    } else if (bits) {
        s->cipher.bits = (uint16_t)bits;
        s->known |= FACT_BIT(FACT_CIPHER_BITS);
    }
    infer_cleartext_auth(s);
}

void session_no_tls(struct session *s)
{
    if (s->stage < STAGE_MAIL || (s->listener && s->listener->tls_by == TLS_BY_PROXY))
        return;
    know(s, FACT_TLS, &s->tls, false);
    infer_cleartext_auth(s);
}

void session_auth(struct session *s, struct str user, struct str mechanism)
{
    know(s, FACT_AUTH, &s->auth, true);
    s->user = user;
    s->mechanism = mechanism;
    if (mechanism.n)
        s->known |= FACT_BIT(FACT_MECHANISM);
    infer_cleartext_auth(s);
}

void session_no_auth(struct session *s)
{
    if (s->stage < STAGE_MAIL)
        return;
    know(s, FACT_AUTH, &s->auth, false);
    infer_cleartext_auth(s);
}

/* Evidence for or against: once against, it stays so. */
static void agreement(struct session *s, bool agrees)
{
    if (!session_knows(s, FACT_BIT(FACT_AGREEMENT)) || s->agrees)
        know(s, FACT_AGREEMENT, &s->agrees, agrees);
}

void session_find_listener(struct session *s, const struct policy *p, struct str socket_name,
                           struct str told)
{
    const struct listener *by_socket = policy_listener_named(p, socket_name);
    const struct listener *by_name = policy_listener_named(p, told);
    const struct listener *named = by_socket ? by_socket : by_name;
    s->listener = named ? named : policy_listener_on(p, s->server_port);
    if (by_socket && by_name)
        agreement(s, by_socket == by_name);
    if (named && s->server_port)
        agreement(s, named->port == s->server_port);
    s->listener_told = socket_name.n ? socket_name : told;
    if (s->listener)
        s->known |= FACT_BIT(FACT_LISTENER);
}

void session_tls_at_connect(struct session *s, bool tls)
{
    if (s->listener && s->listener->tls_by == TLS_BY_MTA)
        agreement(s, tls == (s->listener->role == ROLE_SUBMISSIONS));
}

/* Fingerprints are kept in lower case and without colons. */
static bool certificate_trusted(const struct policy *p, struct str fingerprint)
{
    char key[128];
    size_t n = 0;
    for (size_t i = 0; i < fingerprint.n; i++) {
        char c = fingerprint.p[i];
        if (c == ':')
            continue;
        if (n == sizeof key)
            return false;
        key[n++] = c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c;
    }
    return n && table_get(&p->trusted_certificates, key, n);
}

void session_find_trust(struct session *s, const struct policy *p)
{
    unsigned at = 0;
    bool trusted = (p->trusts_networks && prefix_index_next(&p->trusted, &s->client, &at)) ||
                   (p->trusts_certificates && certificate_trusted(p, s->ccert_fingerprint));
    bool no_tls = session_knows(s, FACT_BIT(FACT_TLS)) && !s->tls; /* so no certificate */
    bool certificate_known = s->ccert_told || no_tls || !p->trusts_certificates;
    if (trusted || ((s->client.bits || !p->trusts_networks) && certificate_known))
        know(s, FACT_TRUSTED, &s->trusted, trusted);
}
