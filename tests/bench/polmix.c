/* SPDX-License-Identifier: Apache-2.0 */
#include "polmix.h"

/* What %A and its like are is in slots.h. */
struct session {
    const char *name;
    bool pass;
    const char *listener, *port, *address, *host, *helo, *sender, *recipient;
    const char *method, *user, *subject, *issuer, *fingerprint;
    const char *tls, *cipher, *bits;
};

#define TLS13 .tls = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .bits = "256"
#define TLS12 .tls = "TLSv1.2", .cipher = "ECDHE-RSA-AES256-GCM-SHA384", .bits = "256"
#define CLEAR .tls = "", .cipher = "", .bits = "0"
#define V4 .address = "10.%A.%B.%C"
#define USER .user = "u%U@example.com", .sender = "u%U@example.com"

/* clang-format off */
static const struct session sessions[POLMIX_KINDS] = {
    {.name = "25-clear", .pass = true, .listener = "smtp", .port = "25", V4, CLEAR,
     .host = "mail-%C.outbound.example.net", .helo = "mail-%C.outbound.example.net",
     .sender = "newsletter-%U@lists.example.net", .recipient = "bob.miller@example.com"},
    {.name = "25-tls", .pass = true, .listener = "smtp", .port = "25", V4, TLS13,
     .host = "mx%C.mail.example.org", .helo = "mx%C.mail.example.org",
     .sender = "carol.%U@example.org", .recipient = "bob.miller@example.com"},
    {.name = "25-null-sender", .pass = true, .listener = "smtp", .port = "25", V4, TLS12,
     .host = "bounce%C.isp.example.net", .helo = "bounce%C.isp.example.net", .sender = "",
     .recipient = "alice+bounces=%U@example.com"},
    {.name = "25-auth", .pass = false, .listener = "smtp", .port = "25", V4, TLS13,
     .host = "dsl-%A-%B-%C.access.example.net", .helo = "[192.168.178.21]", USER,
     .recipient = "dave@example.org", .method = "PLAIN"},
    {.name = "587-tls-auth", .pass = true, .listener = "submission", .port = "587", V4, TLS13,
     .host = "dsl-%A-%B-%C.access.example.net", .helo = "[192.168.178.22]", USER,
     .recipient = "dave@example.org", .method = "PLAIN"},
    {.name = "587-clear", .pass = false, .listener = "submission", .port = "587", V4, CLEAR,
     .host = "unknown", .helo = "copier-%C.branch.example.com",
     .sender = "scanner-%U@example.com", .recipient = "office@example.com"},
    {.name = "587-clear-auth", .pass = false, .listener = "submission", .port = "587", V4, CLEAR,
     .host = "dsl-%A-%B-%C.access.example.net", .helo = "[192.168.178.23]", USER,
     .recipient = "dave@example.org", .method = "LOGIN"},
    {.name = "587-utf8", .pass = true, .listener = "submission", .port = "587", TLS13,
     .address = "2001:db8:%A:%B::%C", .host = "unknown", .helo = "notebook.example.com",
     .sender = "j\xc3\xbcrgen.u%U@ex\xc3\xa4mple.example",
     .recipient = "\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0@\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc"
                  "\xd0\xb5\xd1\x80.example",
     .method = "PLAIN", .user = "j\xc3\xbcrgen.u%U@ex\xc3\xa4mple.example"},
    {.name = "465-tls-auth", .pass = true, .listener = "submissions", .port = "465", V4, TLS13,
     .host = "mobile-%A-%B-%C.carrier.example.net", .helo = "smtpclient.apple", USER,
     .recipient = "erin@example.net", .method = "PLAIN"},
    {.name = "465-long-names", .pass = true, .listener = "submissions", .port = "465", TLS12,
     .address = "2001:db8:%A:%B:%C:1234:5678:9abc",
     .host = "host-2001-0db8-%A-%B-%C-1234-5678-9abc.dynamic.customers.region-west.example.net",
     .helo = "workstation-%U.accounting.headquarters.internal.subsidiary.corporation.example.com",
     .sender = "first.middle.last+project-%U@department.subsidiary.corporation.example.com",
     .recipient = "very.long.recipient.name+tag=%U@another.department.partner.example.org",
     .method = "SCRAM-SHA-256-PLUS", .user = "first.middle.last.u%U@corporation.example.com",
     .subject = "workstation-%U", .issuer = "Corporation+20Issuing+20CA+20G2",
     .fingerprint = "9F:2C:41:77:0B:3D:5A:6E:88:91:AC:BD:CE:DF:E0:F1:02:13:24:35"},
};
/* clang-format on */

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* The text of one request, with its slots. 0, or -1 if it is too long. */
static int render(struct slotted *out, const struct session *s)
{
    const char *const attribute[][2] = {
        {"request", "smtpd_access_policy"},
        {"protocol_state", "RCPT"},
        {"protocol_name", "ESMTP"},
        {"client_address", s->address},
        {"client_name", s->host},
        {"client_port", "%P"},
        {"reverse_client_name", s->host},
        {"server_address", "192.0.2.25"},
        {"server_port", s->port},
        {"helo_name", s->helo},
        {"sender", s->sender},
        {"recipient", s->recipient},
        {"recipient_count", "0"},
        {"queue_id", ""},
        {"instance", "%I"},
        {"size", "14325"},
        {"etrn_domain", ""},
        {"stress", ""},
        {"sasl_method", s->method},
        {"sasl_username", s->user},
        {"sasl_sender", ""},
        {"ccert_subject", s->subject},
        {"ccert_issuer", s->issuer},
        {"ccert_fingerprint", s->fingerprint},
        {"ccert_pubkey_fingerprint", s->fingerprint},
        {"encryption_protocol", s->tls},
        {"encryption_cipher", s->cipher},
        {"encryption_keysize", s->bits},
        {"policy_context", s->listener},
    };

    for (size_t i = 0; i < sizeof(attribute) / sizeof(attribute[0]); i++)
        if (slotted_add(out, attribute[i][0]) < 0 || slotted_add(out, "=") < 0 ||
            slotted_add(out, text_or_empty(attribute[i][1])) < 0 || slotted_add(out, "\n") < 0)
            return -1;
    return slotted_add(out, "\n");
}

int polmix_init(struct polmix *mix, const char *name, uint32_t offenders, uint64_t seed)
{
    unsigned kinds = mix_kinds(name);

    if (kinds == 0 || offenders == 0 || offenders > POPULATION)
        return -1;
    *mix = (struct polmix){.draws = draws_init(offenders, seed)};
    for (unsigned i = 0; i < POLMIX_KINDS; i++) {
        if ((kinds >> i & 1) == 0)
            continue;
        mix->request[mix->count].pass = sessions[i].pass;
        if (render(&mix->request[mix->count].text, &sessions[i]) < 0)
            return -1;
        mix->count++;
    }
    return 0;
}

const struct polmix_request *polmix_next(struct polmix *mix)
{
    struct polmix_request *r = &mix->request[mix->next];
    struct draw draw = draws_next(&mix->draws, !r->pass);

    mix->next = mix->next + 1 == mix->count ? 0 : mix->next + 1;
    slotted_fill(&r->text, 0, r->text.slots, &draw);
    return r;
}
