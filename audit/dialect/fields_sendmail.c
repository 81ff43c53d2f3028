/* SPDX-License-Identifier: Apache-2.0 */
/* What only Sendmail has: relays, the tails of its lines, its errors, its log of commands. */
#include "audit/dialect/fields.h"

#include "audit/dialect/cursor.h"

/* "[ident@]name [address]", "[address]", "name", and " (may be forged)" behind it where the name is
 * no better than none. Sendmail cuts it after 100 bytes. */
static bool relay(struct str s, struct message *m)
{
    static const struct str forged = STR("(may be forged)");
    const char *open = memchr(s.p, '[', s.n);
    struct str name = str_trim(open ? text_before(s, open) : s);
    const char *ident = text_last(name, STR("@"));
    if (ident)
        name = text_behind(name, ident, 1);
    if (s.n == 0 || memchr(name.p, ' ', name.n))
        return false;
    struct str tail = open ? text_behind(s, open, 0) : (struct str){NULL, 0};
    if (bracketed(&tail, &m->client) && tail.n) {
        tail = str_trim(tail);
        return text_starts(tail, forged) || text_starts(forged, tail);
    }
    m->client_name = name;
    return true;
}

bool take_relay(struct str *c, const struct stops *stops, struct message *m)
{
    struct str s;
    return take_until(c, stops, &s) && relay(s, m);
}

/* The value of the last ", key=", which then is cut off from s with all behind it: what a client
 * can choose stands further left. */
static bool last_value(struct str *s, struct str key, struct str *ret)
{
    const char *p = text_last(*s, key);
    if (!p)
        return false;
    *ret = text_behind(*s, p, key.n);
    *s = text_before(*s, p);
    return true;
}

/* "<a>, size=1, ..., proto=ESMTPSA, daemon=MSA, relay=name [addr]"; 8.18 has tls_verify= and auth=
 * before the relay. A local submission has no daemon. */
bool take_from(struct str *c, const struct stops *stops, struct message *m)
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
bool take_auth_failure(struct str *c, const struct stops *stops, struct message *m)
{
    (void)stops;
    struct str s = *c, from;
    skip(c, c->n);
    if (!last_value(&s, STR(", relay="), &from))
        return true; /* cut */
    relay(from, m);
    const char *user = text_first(s, STR(", user="));
    if (user)
        m->user = text_behind(s, user, 7);
    return true;
}

/* Sendmail's SSL_error number where OpenSSL has no words: 5 SSL_ERROR_SYSCALL, and 2 and 3,
 * SSL_ERROR_WANT_READ and _WRITE, when Timeout.starttls is over. */
bool take_ssl_error(struct str *c, const struct stops *stops, struct message *m)
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

/* Sendmail's log of commands, LogLevel above 14: a ClientHello is told; anything else may hold a
 * password, and is not looked at. */
bool take_heard(struct str *c, const struct stops *stops, struct message *m)
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
