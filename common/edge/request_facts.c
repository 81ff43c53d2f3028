/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an attribute means when it is there, there but empty, and not there.
 *
 *   attribute            value                 empty               absent
 *   protocol_state       the stage             as absent           nothing is refused
 *   client_address       client                unknown             unknown
 *   client_port          port                  unknown             unknown (before 3.0)
 *   server_address/port  where it connected    unknown             unknown (before 3.2)
 *   policy_context       listener's name       not told            not told (before 3.1)
 *   encryption_protocol  TLS is up             no TLS, from MAIL   unknown (no TLS built in)
 *   encryption_cipher    looked up in OpenSSL  unknown             unknown
 *   encryption_keysize   strength              unknown             unknown
 *   sasl_username        authenticated         not, from MAIL      unknown (no SASL built in)
 *   sasl_method          mechanism; XCLIENT:   as sasl_username    unknown
 *                        TLS becomes unknown
 *   ccert_fingerprint    for `trusted`         no certificate      unknown
 *
 * Evidence: a proxy that speaks XCLIENT sets sasl_username and leaves
 * encryption_* empty although its client used TLS.
 */
#include "edge/request_facts.h"

static const struct {
    struct str word;
    enum stage stage;
} states[] = {
    {{"RCPT", 4}, STAGE_RCPT},       {{"END-OF-MESSAGE", 14}, STAGE_END_OF_MESSAGE},
    {{"DATA", 4}, STAGE_DATA},       {{"MAIL", 4}, STAGE_MAIL},
    {{"EHLO", 4}, STAGE_HELO},       {{"HELO", 4}, STAGE_HELO},
    {{"CONNECT", 7}, STAGE_CONNECT}, {{"VRFY", 4}, STAGE_VRFY},
    {{"ETRN", 4}, STAGE_ETRN},
};

/* A state that we do not know is treated as before MAIL, where nothing is refused. */
static enum stage stage_of(struct str word)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (str_eq(word, states[i].word))
            return states[i].stage;
    return STAGE_HELO;
}

static uint16_t port_of(struct str digits)
{
    uint64_t port = 0;
    return str_to_u64(digits, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

static void addresses(const struct request *r, struct session *s)
{
    s->client_text = request_value(r, ATTR_client_address);
    s->server_text = request_value(r, ATTR_server_address);
    addr_parse(s->client_text, &s->client);
    s->client_port = port_of(request_value(r, ATTR_client_port));
    s->server_port = port_of(request_value(r, ATTR_server_port));
}

static void encryption(const struct request *r, const struct ciphers *ciphers, struct session *s)
{
    struct str version = request_value(r, ATTR_encryption_protocol);
    bool by_xclient = str_eq(request_value(r, ATTR_sasl_method), STR("XCLIENT"));
    if (version.n) {
        uint64_t bits = 0;
        s->cipher_text = request_value(r, ATTR_encryption_cipher);
        str_to_u64(request_value(r, ATTR_encryption_keysize), UINT16_MAX, &bits);
        session_tls(s, version, ciphers_find(ciphers, s->cipher_text), (unsigned)bits);
    } else if (request_has(r, ATTR_encryption_protocol) && !by_xclient) {
        session_no_tls(s);
    }
    if (s->stage == STAGE_CONNECT && request_has(r, ATTR_encryption_protocol))
        session_tls_at_connect(s, version.n > 0);
}

static void authentication(const struct request *r, struct session *s)
{
    struct str user = request_value(r, ATTR_sasl_username);
    struct str mechanism = request_value(r, ATTR_sasl_method);
    if (str_eq(mechanism, STR("XCLIENT")))
        mechanism = (struct str){NULL, 0}; /* how a proxy tells a login name; no mechanism */
    if (user.n || mechanism.n)
        session_auth(s, user, mechanism);
    else if (request_has(r, ATTR_sasl_username))
        session_no_auth(s);
}

void facts_of_request(const struct request *r, const struct policy *p,
                      const struct ciphers *ciphers, struct str socket_name, struct session *ret)
{
    *ret = (struct session){
        .stage = stage_of(request_value(r, ATTR_protocol_state)),
        .helo = request_value(r, ATTR_helo_name),
        .sender = request_value(r, ATTR_sender),
        .queue_id = request_value(r, ATTR_queue_id),
        .instance = request_value(r, ATTR_instance),
        .ccert_fingerprint = request_value(r, ATTR_ccert_fingerprint),
        .ccert_told = request_has(r, ATTR_ccert_fingerprint),
    };
    addresses(r, ret);
    session_find_listener(ret, p, socket_name, request_value(r, ATTR_policy_context));
    encryption(r, ciphers, ret);
    authentication(r, ret);
    session_find_trust(ret, p);
}
