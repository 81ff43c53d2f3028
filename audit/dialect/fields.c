/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of templates: what a value looks like, and where it goes. */
#include "audit/dialect/fields.h"

#include "audit/dialect/cursor.h"

/* ---- texts ------------------------------------------------------------------- */

static bool take_skip(struct str *c, const struct stops *stops, struct message *m)
{
    (void)m;
    struct str s;
    return take_until(c, stops, &s);
}

/* The same where a stranger's text may hold what follows it. */
static bool take_all(struct str *c, const struct stops *stops, struct message *m)
{
    (void)m;
    struct str s;
    return take_until_last(c, stops, &s);
}

#define TAKE_TEXT(field)                                                                           \
    static bool take_##field(struct str *c, const struct stops *stops, struct message *m)          \
    {                                                                                              \
        return take_until(c, stops, &m->field);                                                    \
    }
TAKE_TEXT(mechanism)
TAKE_TEXT(tls_version)
TAKE_TEXT(cipher)
TAKE_TEXT(after)
TAKE_TEXT(listener)

/* A name can hold anything; what follows it is ours. */
static bool take_user(struct str *c, const struct stops *stops, struct message *m)
{
    if (!take_until_last(c, stops, &m->user))
        return false;
    if (str_eq(m->user, STR("(unavailable)")))
        m->user = (struct str){NULL, 0};
    return true;
}

static bool digits(struct str *c, unsigned *ret)
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

static bool take_bits(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    return digits(c, &m->bits);
}

/* ---- who --------------------------------------------------------------------- */

/* The usual address, ten times as fast as addr_parse(), which does all others. */
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
        /* Not "", "256", "01"; "0.0.0.0" is for the other, too. */
        if (v == 0 || v > 255 || (v < 100 && before - s.n != (v < 10 ? 1 : 2)) ||
            (i < 3 && !take(&s, '.')))
            return false;
        a.b[i] = (uint8_t)v;
    }
    if (s.n)
        return false;
    *ret = a;
    return true;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]", "[unknown]", "[]" */
static bool bracketed(struct str *c, struct addr *ret)
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
static bool take_client(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    while (take(c, ' '))
        ; /* Postfix 3.5 under some conditions has two */
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
static bool take_peer(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    if (!bracketed(c, &m->client))
        return false;
    port(c, &m->client_port);
    return true;
}

static bool take_server(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    struct addr ignored;
    if (!bracketed(c, &ignored))
        return false;
    port(c, &m->server_port);
    return true;
}

/* Sendmail: "[ident@]name [address]", "[address]", "name", and " (may be forged)" behind it where
 * the name is no better than none. */
static bool relay(struct str s, struct message *m)
{
    const char *open = memchr(s.p, '[', s.n);
    struct str name = str_trim((struct str){s.p, open ? (size_t)(open - s.p) : s.n});
    const char *ident = text_last(name, STR("@"));
    if (ident)
        skip(&name, (size_t)(ident + 1 - name.p));
    if (s.n == 0 || memchr(name.p, ' ', name.n))
        return false;
    struct str tail = {open, open ? s.n - (size_t)(open - s.p) : 0};
    if (open && bracketed(&tail, &m->client) && tail.n)
        return text_starts(str_trim(tail), STR("(may be forged)"));
    m->client_name = name;
    return true;
}

static bool take_relay(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    return take_until(c, stops, &s) && relay(s, m);
}

/* ---- Postfix's tails ------------------------------------------------------------ */

/* "auth=0/1 ", or "quit=1" at the end. */
static bool take_count(struct str *c, char name[8], struct count *ret)
{
    const char *equals = c->n ? memchr(c->p, '=', c->n) : NULL;
    if (!equals)
        return false;
    size_t n = (size_t)(equals - c->p);
    memset(name, 0, 8);
    memcpy(name, c->p, n < 8 ? n : 8);
    skip(c, n + 1);
    if (!digits(c, &ret->ok))
        return false;
    ret->all = ret->ok;
    if (take(c, '/') && !digits(c, &ret->all))
        return false;
    return c->n == 0 || take(c, ' ');
}

/* "ehlo=1 auth=0/1 commands=1/2": what is absent is 0, but only if the line was not cut before
 * "commands". */
static bool take_counts(struct str *c, const struct stops *stops, struct message *m)
{
    static const char names[COUNTS][8] = {
        [COUNT_HELO] = "helo",       [COUNT_EHLO] = "ehlo",         [COUNT_STARTTLS] = "starttls",
        [COUNT_AUTH] = "auth",       [COUNT_MAIL] = "mail",         [COUNT_RCPT] = "rcpt",
        [COUNT_DATA] = "data",       [COUNT_BDAT] = "bdat",         [COUNT_QUIT] = "quit",
        [COUNT_UNKNOWN] = "unknown", [COUNT_COMMANDS] = "commands",
    };
    (void)stops;
    char name[8];
    struct count count;
    while (take_count(c, name, &count))
        for (unsigned i = 0; i < COUNTS; i++)
            if (memcmp(names[i], name, sizeof name) == 0) {
                m->counts[i] = count;
                m->counted |= i == COUNT_COMMANDS;
                break;
            }
    skip(c, c->n);
    return true;
}

/* What stands behind `p`, a place in s, and n bytes more. */
static struct str behind(struct str s, const char *p, size_t n)
{
    skip(&s, (size_t)(p - s.p) + n);
    return s;
}

/* What stands before a place in s. */
static struct str before(struct str s, const char *p)
{
    return (struct str){s.p, (size_t)(p - s.p)};
}

/* The value behind `key`, up to the next key; false: the key is not there. */
static bool value(struct str s, struct str key, struct str *ret)
{
    /* client= lines have commas, reject lines of 3.10 have none. */
    static const struct stops stops = {{STR(", sasl_"), STR(", orig_"), STR(" sasl_")}, 3, true};
    const char *p = text_first(s, key);
    if (!p)
        return false;
    s = behind(s, p, key.n);
    return take_until(&s, &stops, ret);
}

/* ", sasl_method=PLAIN, sasl_username=x, sasl_sender=y": a login, unless only the last is there. */
static bool take_sasl(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    if (c->n && c->p[0] != ',')
        return false;
    bool method = value(*c, STR(", sasl_method="), &m->mechanism);
    if (value(*c, STR(", sasl_username="), &m->user) || method)
        m->kind = MESSAGE_AUTH;
    skip(c, c->n);
    return true;
}

/* "554 5.7.1 text; from=<a> to=<b> proto=ESMTP helo=<c> sasl_username=d" */
static bool take_reject(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    struct str s = *c;
    unsigned code;
    skip(c, c->n);
    if (digits(&s, &code) && code >= 200 && code <= 599)
        m->reply = code;
    const char *helo = text_last(s, STR(" helo=<")), *close;
    if (!helo)
        return true;
    s = behind(s, helo, 7);
    if (!(close = memchr(s.p, '>', s.n)))
        return true; /* cut */
    m->helo = before(s, close);
    s = behind(s, close, 1);
    value(s, STR(" sasl_method="), &m->mechanism);
    /* A milter's line has <> around the name, the others have not. */
    if (value(s, STR(" sasl_username="), &m->user) && m->user.n > 1 && m->user.p[0] == '<' &&
        m->user.p[m->user.n - 1] == '>')
        m->user = (struct str){m->user.p + 1, m->user.n - 2};
    return true;
}

/* cleanup's "User-Agent: value from name[addr]; from=<...": another header is of no interest. */
static bool take_software(struct str *c, const struct stops *stops, struct message *m)
{
    static const struct str names[] = {STR("user-agent"), STR("x-mailer")};
    struct str s = *c, name = str_cut(&s, ":");
    skip(c, c->n);
    m->kind = MESSAGE_CONTEXT;
    const char *tail = text_first(s, STR("; from=<")), *from;
    if (!tail || !(str_eq_nocase(name, names[0]) || str_eq_nocase(name, names[1])))
        return true;
    s = before(s, tail);
    if (!(from = text_last(s, STR(" from "))))
        return true;
    struct str client = behind(s, from, 6);
    take_client(&client, stops, m); /* "local" is none */
    m->header = str_trim(before(s, from));
    m->kind = MESSAGE_SOFTWARE;
    return true;
}

/* ---- why ------------------------------------------------------------------------- */

static bool take_why(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s))
        return false;
    m->reason = reason_of_accept(s);
    return true;
}

static bool take_error(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s) || !text_first(s, STR("error:")))
        return false;
    m->reason = reason_of_error(s);
    return true;
}

/* An error after the handshake. With TLS 1.3 the server is done before the client has looked at
 * the certificate, so its alert comes here; nothing else here speaks of a handshake. */
static bool take_late_error(struct str *c, const struct stops *stops, struct message *m)
{
    if (!take_error(c, stops, m))
        return false;
    if (m->reason.handshake != HANDSHAKE_CERTIFICATE) {
        m->kind = MESSAGE_CONTEXT;
        m->reason = (struct reason){0};
    }
    return true;
}

static bool take_words(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until(c, stops, &s))
        return false;
    m->reason = reason_of_words(s);
    return true;
}

/* Sendmail's SSL_error number where OpenSSL has no words: 5 SSL_ERROR_SYSCALL, and 2 and 3,
 * SSL_ERROR_WANT_READ and _WRITE, when Timeout.starttls is over. */
static bool take_ssl_error(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    unsigned v;
    if (!digits(c, &v))
        return false;
    if (m->reason.handshake == HANDSHAKE_NOT_TOLD && v == 5)
        m->reason = reason_of_accept(STR("lost connection"));
    else if (m->reason.handshake == HANDSHAKE_NOT_TOLD && (v == 2 || v == 3))
        m->reason = reason_of_accept(STR("Connection timed out"));
    return true;
}

/* ---- Sendmail's tails -------------------------------------------------------------- */

/* The value of the last ", key=", which then is cut off from s with all behind it: what a client
 * can choose stands further left. */
static bool last_value(struct str *s, struct str key, struct str *ret)
{
    const char *p = text_last(*s, key);
    if (!p)
        return false;
    *ret = behind(*s, p, key.n);
    *s = before(*s, p);
    return true;
}

/* "<a>, size=1, ..., proto=ESMTPSA, daemon=MSA, relay=name [addr]"; 8.18 has tls_verify= and auth=
 * before the relay. A local submission has no daemon. */
static bool take_from(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    struct str s = *c, from, daemon, proto;
    skip(c, c->n);
    if (!last_value(&s, STR(", relay="), &from) || !last_value(&s, STR(", daemon="), &daemon) ||
        !relay(from, m)) {
        m->kind = MESSAGE_CONTEXT;
        return true;
    }
    m->listener = str_cut(&daemon, ",");
    if (last_value(&s, STR(", proto="), &proto))
        m->proto = str_cut(&proto, ",");
    return true;
}

/* "authentication failure (-13) ..., user=x, relay=y": without user= before 8.16. A name can hold
 * ", relay=", so the last one counts. */
static bool take_auth_failure(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    struct str s = *c, from;
    skip(c, c->n);
    if (!last_value(&s, STR(", relay="), &from))
        return true; /* cut */
    relay(from, m);
    const char *user = text_first(s, STR(", user="));
    if (user)
        m->user = behind(s, user, 7);
    return true;
}

/* ---- what a client sent --------------------------------------------------------------- */

static bool take_sent(struct str *c, const struct stops *stops, struct message *m)
{
    if (!take_until(c, stops, &m->sent))
        return false;
    m->first = first_bytes_of(m->sent);
    return true;
}

/* Sendmail's log of commands, LogLevel above 14: a ClientHello is told; anything else may hold a
 * password, and is not looked at. */
static bool take_heard(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    if (!take_until_last(c, stops, &s))
        return false;
    if (first_bytes_of(s) == BYTES_TLS) {
        m->first = BYTES_TLS;
        m->sent = s;
    } else {
        m->kind = MESSAGE_CONTEXT;
    }
    return true;
}

#define FIELD(name)                                                                                \
    {                                                                                              \
        STR(#name), take_##name                                                                    \
    }
const struct field fields[] = {
    FIELD(skip),   FIELD(all),       FIELD(mechanism), FIELD(tls_version),  FIELD(cipher),
    FIELD(after),  FIELD(listener),  FIELD(user),      FIELD(bits),         FIELD(client),
    FIELD(peer),   FIELD(server),    FIELD(relay),     FIELD(counts),       FIELD(sasl),
    FIELD(reject), FIELD(software),  FIELD(why),       FIELD(error),        FIELD(late_error),
    FIELD(words),  FIELD(ssl_error), FIELD(from),      FIELD(auth_failure), FIELD(sent),
    FIELD(heard),
};
const unsigned field_count = sizeof fields / sizeof *fields;
