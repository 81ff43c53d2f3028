/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of templates that are the same everywhere. */
#include "audit/dialect/fields.h"

#include "audit/dialect/cursor.h"
#include "core/wire/words.h"

/* ---- texts ------------------------------------------------------------------- */

bool take_skip(struct str *c, const struct stops *stops, struct message *m)
{
    (void)m;
    struct str s;
    return take_until(c, stops, &s);
}

/* The same where a stranger's text may hold what follows it. */
bool take_all(struct str *c, const struct stops *stops, struct message *m)
{
    (void)m;
    struct str s;
    return take_until_last(c, stops, &s);
}

#define TAKE_TEXT(field)                                                                           \
    bool take_##field(struct str *c, const struct stops *stops, struct message *m)                 \
    {                                                                                              \
        return take_until(c, stops, &m->field);                                                    \
    }
TAKE_TEXT(tls_version)
TAKE_TEXT(cipher)
TAKE_TEXT(after)
TAKE_TEXT(listener)

/* postscreen's "after", which is what the client sent. */
bool take_verb(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s))
        return false;
    if (first_bytes_of(s) == BYTES_SMTP)
        m->after = s;
    return true;
}

/* What a client says behind AUTH, and some say a password there: of a login that failed only a name
 * that is one is told (IANA's SASL mechanisms, and what is in use besides). */
/* Nothing is taken: it is the word in front that says so. */
bool take_no_certificate(struct str *c, const struct stops *stops, struct message *m)
{
    (void)c, (void)stops;
    return m->no_certificate = true;
}

/* Sendmail's verify=: NO, and NOT, if none was asked for. */
bool take_verify(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s))
        return false;
    m->no_certificate = str_eq(s, STR("NO")) || str_eq(s, STR("NOT"));
    return true;
}

bool take_mechanism(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s))
        return false;
    if (m->kind != MESSAGE_AUTH_FAILED || sasl_mechanism_of(s))
        m->mechanism = s;
    return true;
}

/* A name can hold anything; what follows it is ours. */
bool take_user(struct str *c, const struct stops *stops, struct message *m)
{
    if (!take_until_last(c, stops, &m->user))
        return false;
    if (str_eq(m->user, STR("(unavailable)")))
        m->user = (struct str){NULL, 0};
    return true;
}

bool digits(struct str *c, unsigned *ret)
{
    size_t n = 0;
    uint64_t v = 0;
    while (n < c->n && n < 11 && is_digit(c->p[n]))
        v = v * 10 + (uint64_t)(c->p[n++] - '0');
    if (n == 0 || v > UINT32_MAX)
        return false;
    *ret = (unsigned)v;
    skip(c, n);
    return true;
}

bool take_bits(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    return digits(c, &m->bits);
}

/* ---- who --------------------------------------------------------------------- */

/* What nearly all addresses are, without a copy; addr_parse() knows all others. */
static bool usual_ipv4(struct str s, struct addr *ret)
{
    struct addr a = {.bits = 32};
    for (int i = 0; i < 4; i++) {
        unsigned v = 0;
        size_t before = s.n;
        while (s.n && before - s.n < 3 && is_digit(s.p[0])) {
            v = v * 10 + (unsigned)(s.p[0] - '0');
            skip(&s, 1);
        }
        size_t length = v < 10 ? 1 : v < 100 ? 2 : 3; /* not "", not "01" */
        if (v > 255 || before - s.n != length || (i < 3 && !take(&s, '.')))
            return false;
        a.b[i] = (uint8_t)v;
    }
    if (s.n)
        return false;
    *ret = a;
    return true;
}

bool bracketed(struct str *c, struct addr *ret)
{
    const char *close = c->n && c->p[0] == '[' ? memchr(c->p, ']', c->n) : NULL;
    if (!close)
        return false;
    struct str inner = {c->p + 1, (size_t)(close - c->p) - 1};
    if (!usual_ipv4(inner, ret))
        addr_parse(inner, ret);
    skip(c, inner.n + 2);
    return true;
}

/* ":12345", or ":unknown"; absent is right too. */
static void port(struct str *c, uint16_t *ret)
{
    struct str at = *c;
    unsigned v;
    if (!take(&at, ':'))
        return;
    if (digits(&at, &v) && v <= UINT16_MAX)
        *ret = (uint16_t)v;
    else if (!take_str(&at, STR("unknown")))
        return;
    *c = at;
}

/* Postfix: name[address], and with smtpd_client_port_logging name[address]:port. */
bool take_client(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    while (take(c, ' '))
        ; /* more than one has been seen */
    struct str name = {c->p, 0};
    while (name.n < c->n && c->p[name.n] != '[')
        if (c->p[name.n++] == ' ')
            return false;
    skip(c, name.n);
    if (name.n == 0 || !bracketed(c, &m->client)) /* without a name: postscreen's */
        return false;
    if (!str_eq(name, STR("unknown")))
        m->client_name = name;
    port(c, &m->client_port);
    return true;
}

/* postscreen: [address]:port */
bool take_peer(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    if (!bracketed(c, &m->client))
        return false;
    port(c, &m->client_port);
    return true;
}

bool take_server(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    struct addr ignored;
    if (!bracketed(c, &ignored))
        return false;
    port(c, &m->server_port);
    return true;
}

/* ---- why ------------------------------------------------------------------------- */

bool take_why(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s))
        return false;
    m->reason = reason_of_accept(s);
    return true;
}

bool take_error(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s) || !text_first(s, STR("error:")))
        return false;
    m->reason = reason_of_error(s);
    return true;
}

/* An error after the handshake. With TLS 1.3 the server is done before the client has looked at
 * the certificate, so its alert comes here; nothing else here speaks of a handshake. */
bool take_late_error(struct str *c, const struct stops *stops, struct message *m)
{
    if (!take_error(c, stops, m))
        return false;
    if (m->reason.handshake != HANDSHAKE_CERTIFICATE) {
        m->kind = MESSAGE_CONTEXT;
        m->reason = (struct reason){0};
    }
    return true;
}

bool take_words(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s))
        return false;
    m->reason = reason_of_words(s);
    return true;
}

/* ---- what a client sent --------------------------------------------------------------- */

bool take_sent(struct str *c, const struct stops *stops, struct message *m)
{
    if (!take_until(c, stops, &m->sent))
        return false;
    m->first = first_bytes_of(m->sent);
    return true;
}

#define FIELD(name) {STR(#name), take_##name},
const struct field fields[] = {
#include "audit/dialect/fields.def"
};
#undef FIELD
const unsigned field_count = sizeof fields / sizeof *fields;
