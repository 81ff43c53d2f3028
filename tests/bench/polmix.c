/* SPDX-License-Identifier: Apache-2.0 */
#include "polmix.h"

#include <stdio.h>
#include <string.h>

/*
 * In these texts %A %B %C are three numbers 100..199 of the address, %U six digits of the user,
 * %P the client's port and %I the instance. All have a fixed width: rendering is overwriting.
 */
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

static const struct mix_name {
    const char *name;
    unsigned kinds; /* bit n: sessions[n] */
} mixes[] = {
    {"all", 0x3ff},
    {"pass", 0x397},
    {"smtp", 0x007},      /* passes on role smtp: counted, not journaled */
    {"submission", 0x3f8} /* everything that is one line of the journal each */
};

const char *polmix_names(void)
{
    return "all pass smtp submission";
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* The text of one request with its %x still in it; returns its length, or -1 if it is too long. */
static int compose(char *out, size_t size, const struct session *s)
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
    size_t used = 0;

    for (size_t i = 0; i < sizeof(attribute) / sizeof(attribute[0]); i++) {
        int n = snprintf(out + used, size - used, "%s=%s\n", attribute[i][0],
                         text_or_empty(attribute[i][1]));
        if (n < 0 || (size_t)n >= size - used)
            return -1;
        used += (size_t)n;
    }
    if (used + 2 > size)
        return -1;
    memcpy(out + used, "\n", 2);
    return (int)used + 1;
}

static size_t slot_width(char kind)
{
    switch (kind) {
    case 'U': return 6;
    case 'P': return 5;
    case 'I': return sizeof("1a2b.6b00ea63.4a81a.0") - 1;
    default: return 3;
    }
}

/* Copies the text, making room for each %x and noting where it is. */
static int render(struct polmix_request *r, const struct session *s)
{
    char raw[POLMIX_REQUEST_MAX];
    size_t used = 0;
    int length = compose(raw, sizeof(raw), s);

    if (length < 0)
        return -1;
    *r = (struct polmix_request){.name = s->name, .pass = s->pass, .offender = !s->pass};
    for (int i = 0; i < length; i++) {
        size_t width = raw[i] == '%' ? slot_width(raw[i + 1]) : 1;
        if (used + width > sizeof(r->text))
            return -1;
        if (raw[i] == '%') {
            if (r->slots == POLMIX_SLOTS_MAX)
                return -1;
            r->slot[r->slots++] = (struct polmix_slot){(uint16_t)used, raw[++i]};
        } else {
            r->text[used] = raw[i];
        }
        used += width;
    }
    r->length = (uint16_t)used;
    return 0;
}

int polmix_init(struct polmix *mix, const char *name, uint32_t offenders, uint64_t seed)
{
    const struct mix_name *wanted = NULL;

    for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
        if (strcmp(mixes[i].name, name) == 0)
            wanted = &mixes[i];
    if (wanted == NULL || offenders == 0 || offenders > POLMIX_POPULATION)
        return -1;
    /* Two runs against one server must not repeat each other's instances either. */
    *mix = (struct polmix){.offenders = offenders,
                           .random = seed,
                           .seconds = 0x6b000000 + ((uint32_t)seed & 0xffff) * 64};
    for (unsigned i = 0; i < POLMIX_KINDS; i++) {
        if ((wanted->kinds >> i & 1) == 0)
            continue;
        if (render(&mix->request[mix->count], &sessions[i]) < 0)
            return -1;
        mix->count++;
    }
    return 0;
}

static void put_decimal(char *at, uint32_t value, int digits)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void put_hex(char *at, uint32_t value, int digits)
{
    while (digits-- > 0) {
        at[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

/* Postfix: process id, seconds, microseconds, transaction; all hexadecimal. */
static void put_instance(char *at, const struct polmix *mix, uint32_t pid)
{
    put_hex(at, 0x1000 + (pid & 0x3fff), 4);
    put_hex(at + 5, mix->seconds, 8);
    put_hex(at + 14, mix->micros, 5);
    at[4] = at[13] = at[19] = '.';
    at[20] = '0';
}

const struct polmix_request *polmix_next(struct polmix *mix)
{
    struct polmix_request *r = &mix->request[mix->next];
    uint32_t number;

    mix->next = mix->next + 1 == mix->count ? 0 : mix->next + 1;
    if (++mix->micros == 1000000) {
        mix->micros = 0;
        mix->seconds++;
    }
    mix->random = mix->random * 6364136223846793005u + 1442695040888963407u;
    number = (uint32_t)(mix->random >> 33) % (r->offender ? mix->offenders : POLMIX_POPULATION);
    for (unsigned i = 0; i < r->slots; i++) {
        char *at = r->text + r->slot[i].offset;

        switch (r->slot[i].kind) {
        case 'A': put_decimal(at, 100 + number / 10000, 3); break;
        case 'B': put_decimal(at, 100 + number / 100 % 100, 3); break;
        case 'C': put_decimal(at, 100 + number % 100, 3); break;
        case 'U': put_decimal(at, number, 6); break;
        case 'P': put_decimal(at, 10000 + (uint32_t)(mix->random >> 40) % 55000, 5); break;
        case 'I': put_instance(at, mix, (uint32_t)(mix->random >> 48)); break;
        }
    }
    return r;
}
