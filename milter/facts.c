/* SPDX-License-Identifier: Apache-2.0 */
/* What absence and emptiness mean is in macros.def. */
#include "milter/facts.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Sendmail writes some bytes as +XX (xtext, RFC 3461 4); what is no xtext stays as it is. Too long
 * for `room`: unknown. */
static struct str from_xtext(struct str s, char *room, size_t size)
{
    struct buf b = {room, 0, size, false};
    for (size_t i = 0; i < s.n; i++) {
        int high = -1, low = -1;
        if (s.p[i] == '+' && s.n - i > 2) {
            high = hex_digit(s.p[i + 1]);
            low = hex_digit(s.p[i + 2]);
        }
        bool escaped = high >= 0 && low >= 0;
        buf_char(&b, escaped ? (char)(high << 4 | low) : s.p[i]);
        i += escaped ? 2 : 0;
    }
    return b.full ? (struct str){NULL, 0} : buf_view(&b);
}

static void encryption(const struct told *told, const struct ciphers *ciphers, bool by_xclient,
                       struct session *s)
{
    switch (macros_know(told, MACRO_TLS_VERSION)) {
    case KNOWN_VALUE: {
        uint64_t bits = 0;
        s->cipher_text = macros_value(told, MACRO_CIPHER);
        str_to_u64(macros_value(told, MACRO_CIPHER_BITS), UINT16_MAX, &bits);
        session_tls(s, macros_value(told, MACRO_TLS_VERSION), ciphers_find(ciphers, s->cipher_text),
                    (unsigned)bits);
        break;
    }
    case KNOWN_NO:
        if (!by_xclient)
            session_no_tls(s);
        break;
    case KNOWN_NOTHING: break;
    }
}

static void authentication(const struct told *told, bool by_xclient, struct facts_texts *texts,
                           struct session *s)
{
    struct str user = macros_value(told, MACRO_AUTH_AUTHEN);
    struct str mechanism = by_xclient ? (struct str){NULL, 0} : macros_value(told, MACRO_AUTH_TYPE);
    if (told->mta == MTA_SENDMAIL)
        user = from_xtext(user, texts->user, sizeof texts->user);
    if (macros_know(told, MACRO_AUTH_AUTHEN) == KNOWN_VALUE || mechanism.n)
        session_auth(s, user, mechanism);
    else if (macros_know(told, MACRO_AUTH_AUTHEN) == KNOWN_NO)
        session_no_auth(s);
}

/* Whether the client showed a certificate can be known without knowing which. */
static void certificate(const struct told *told, struct session *s)
{
    struct str verify = macros_value(told, MACRO_VERIFY);
    s->ccert_fingerprint = macros_value(told, MACRO_CERT_FP);
    s->ccert_told = s->ccert_fingerprint.n || str_eq(verify, STR("NO")) ||
                    str_eq(verify, STR("NOT")) || str_eq(verify, STR("NONE"));
}

/* "<alice@example.com>" */
static struct str without_brackets(struct str s)
{
    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? (struct str){s.p + 1, s.n - 2} : s;
}

void facts_of_connection(const struct connection *c, const struct told *told, enum stage stage,
                         const struct ciphers *ciphers, struct str socket_name, struct str sender,
                         struct facts_texts *texts, struct session *ret)
{
    struct buf client = BUF(texts->client), server = BUF(texts->server);
    addr_format(&client, &c->client);
    addr_format(&server, &c->server);
    *ret = (struct session){
        .stage = stage,
        .client = c->client,
        .client_port = c->client_port,
        .client_text = buf_view(&client),
        .server_port = c->server_port,
        .server_text = buf_view(&server),
        .helo = str_of(c->helo),
        .sender = without_brackets(sender),
        .queue_id =
            macros_value(told, told->stage == AT_EOH ? MACRO_QUEUE_ID : MACRO_QUEUE_ID_AT_MAIL),
        .recorded = c->recorded,
        .software = str_of(c->software),
        .software_version = str_of(c->software_version),
    };
    session_find_listener(ret, c->policy, socket_name, str_of(c->listener_told));
    if (c->tls_at_connect != KNOWN_NOTHING)
        session_tls_at_connect(ret, c->tls_at_connect == KNOWN_VALUE);
    /* How a proxy in front of Postfix tells a login name; TLS is between it and the client. */
    bool by_xclient = str_eq(macros_value(told, MACRO_AUTH_TYPE), STR("XCLIENT"));
    encryption(told, ciphers, by_xclient, ret);
    authentication(told, by_xclient, texts, ret);
    certificate(told, ret);
    session_find_trust(ret, c->policy);
}

bool facts_is_tls_hello(struct str command)
{
    return command.n >= 2 && command.p[0] == TLS_HANDSHAKE && command.p[1] == TLS_MAJOR_VERSION;
}
