/* SPDX-License-Identifier: Apache-2.0 */
#include "milmix.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <string.h>

/* What %A and its like are is in slots.h. */
struct session {
    const char *name;
    bool sendmail;
    bool at_once; /* TLS; else after STARTTLS, if there is any */
    const char *refusal;
    enum milmix_wants wants;
    const char *listener, *port, *flags, *address, *host, *helo, *sender;
    const char *method, *user, *tls, *cipher, *bits;
    const char *software[2]; /* the header that names it */
};

#define TLS13 .tls = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .bits = "256"
#define TLS12 .tls = "TLSv1.2", .cipher = "ECDHE-RSA-AES256-GCM-SHA384", .bits = "256"
#define V4 .address = "10.%A.%B.%C"
#define USER .user = "u%U@example.com", .sender = "u%U@example.com"

/* clang-format off */
static const struct session sessions[MILMIX_KINDS] = {
    {.name = "25-clear", .listener = "smtp", .port = "25", V4,
     .host = "mail-%C.outbound.example.net", .helo = "mail-%C.outbound.example.net",
     .sender = "newsletter-%U@lists.example.net"},
    {.name = "25-tls", .listener = "smtp", .port = "25", V4, TLS13,
     .host = "mx%C.mail.example.org", .helo = "mx%C.mail.example.org",
     .sender = "carol.%U@example.org"},
    {.name = "25-null-sender", .sendmail = true, .listener = "MTA", .port = "25", .flags = "", V4,
     TLS12, .host = "bounce%C.isp.example.net", .helo = "bounce%C.isp.example.net"},
    {.name = "25-auth", .listener = "smtp", .port = "25", V4, TLS13, .refusal = "554 5.7.1 AUTH ",
     .host = "dsl-%A-%B-%C.access.example.net", .helo = "[192.168.178.21]", USER,
     .method = "PLAIN"},
    {.name = "587-tls-auth", .listener = "submission", .port = "587", V4, TLS13,
     .wants = WANTS_ONCE, .host = "dsl-%A-%B-%C.access.example.net", .helo = "[192.168.178.22]",
     USER, .method = "PLAIN", .software = {"User-Agent", "Mozilla Thunderbird 128.5.0"}},
    {.name = "587-clear", .listener = "submission", .port = "587", V4,
     .refusal = "530 5.7.0 Must issue ", .host = "[10.%A.%B.%C]",
     .helo = "copier-%C.branch.example.com",
     .sender = "scanner-%U@example.com"},
    {.name = "587-clear-auth", .sendmail = true, .listener = "MSA", .port = "587", .flags = "EE",
     V4, .refusal = "530 5.7.0 Must issue ", .host = "dsl-%A-%B-%C.access.example.net",
     .helo = "[192.168.178.23]", USER, .method = "LOGIN"},
    {.name = "587-sendmail", .sendmail = true, .listener = "MSA", .port = "587", .flags = "EE a",
     V4, TLS13, .wants = WANTS_ONCE, .host = "office-%C.branch.example.com", .helo = "DESKTOP-%U",
     USER, .method = "LOGIN", .software = {"X-Mailer", "Microsoft Outlook 16.0"}},
    {.name = "465-apple", .listener = "submissions", .port = "465", V4, TLS13, .at_once = true,
     .host = "mobile-%A-%B-%C.carrier.example.net", .helo = "smtpclient.apple", USER,
     .method = "PLAIN", .software = {"X-Mailer", "iPhone Mail (21G93)"}},
    {.name = "465-long-names", .listener = "submissions", .port = "465", TLS12, .at_once = true,
     .wants = WANTS_ALWAYS, .address = "IPv6:2001:db8:%A:%B:%C:1234:5678:9abc",
     .host = "host-2001-0db8-%A-%B-%C-1234-5678-9abc.dynamic.customers.region-west.example.net",
     .helo = "workstation-%U.accounting.headquarters.internal.subsidiary.corporation.example.com",
     .sender = "first.middle.last+project-%U@department.subsidiary.corporation.example.com",
     .method = "SCRAM-SHA-256-PLUS", .user = "first.middle.last.u%U@corporation.example.com",
     .software = {"X-Mailer", "In-house forms (no. 7, 2026)"}},
};

/* Eleven, and in the fourth place the one that names the software. */
static const char *const fields[][2] = {
    {"Message-ID", "<%U.%A%B%C@notebook.example.com>"},
    {"Date", "Sat, 21 Nov 2026 09:15:00 +0100"},
    {"MIME-Version", "1.0"},
    {NULL, NULL},
    {"Content-Language", "de-DE"},
    {"To", "Dave Miller <dave@example.org>"},
    {"Cc", "Erin Smith <erin@example.net>, office@example.com"},
    {"References", "<20261120.4711@example.org> <20261120.4712@example.net>"},
    {"In-Reply-To", "<20261120.4712@example.net>"},
    {"From", "\"A. User\" <u%U@example.com>"},
    {"Subject", "Re: Minutes of the meeting on Thursday, second draft"},
    {"Content-Type", "multipart/alternative; boundary=\"------------0Qb7UZ5tTHUFyB4a1Zo\""},
};
/* clang-format on */

bool milmix_wants(const struct milmix_kind *kind, const struct milterms *terms, unsigned n)
{
    return (terms->steps & (SMFIP_NOHDRS | SMFIP_NOEOH)) == 0 &&
           (kind->wants == WANTS_ALWAYS || (kind->wants == WANTS_ONCE && n == 0));
}

/* ---- macros ------------------------------------------------------------------ */

enum { POSTFIX = 1, SENDMAIL = 2, BOTH = 3 };
enum since { FROM_CONNECT, UNDER_TLS, FROM_MAIL, FROM_EOH };

/* Everything that an MTA could be asked for here; what is not told has no value. */
static const struct macro {
    const char *name;
    unsigned mta;
    enum since since;
    const char *value; /* or, if NULL, in the session at: */
    size_t member;
} macros[] = {
#define IN(member) NULL, offsetof(struct session, member)
#define IS(text) text, 0
    {"j", BOTH, FROM_CONNECT, IS("mail.example.com")},
    {"_", BOTH, FROM_CONNECT, IN(host)},
    {"v", POSTFIX, FROM_CONNECT, IS("Postfix 3.7.11")},
    {"v", SENDMAIL, FROM_CONNECT, IS("8.17.1.9")},
    {"i", SENDMAIL, FROM_CONNECT, IS("6AL%Q")},
    {"i", POSTFIX, FROM_EOH, IS("%Q")},
    {"{daemon_name}", BOTH, FROM_CONNECT, IN(listener)},
    {"{daemon_addr}", POSTFIX, FROM_CONNECT, IS("192.0.2.25")},
    {"{daemon_addr}", SENDMAIL, FROM_CONNECT, IS("0.0.0.0")},
    {"{daemon_port}", BOTH, FROM_CONNECT, IN(port)},
    {"{daemon_flags}", SENDMAIL, FROM_CONNECT, IN(flags)},
    {"{if_addr}", SENDMAIL, FROM_CONNECT, IS("192.0.2.25")},
    {"{client_addr}", BOTH, FROM_CONNECT, IN(address)},
    {"{client_port}", BOTH, FROM_CONNECT, IS("%P")},
    {"{tls_version}", BOTH, UNDER_TLS, IN(tls)},
    {"{cipher}", BOTH, UNDER_TLS, IN(cipher)},
    {"{cipher_bits}", BOTH, UNDER_TLS, IN(bits)},
    {"{verify}", SENDMAIL, UNDER_TLS, IS("NO")},
    {"{auth_type}", BOTH, FROM_MAIL, IN(method)},
    {"{auth_authen}", BOTH, FROM_MAIL, IN(user)},
#undef IN
#undef IS
};

/* ---- composing --------------------------------------------------------------- */

struct composing {
    const struct session *session;
    const struct milterms *terms;
    struct milmix_kind *kind;
    bool tls;
    bool failed; /* something did not fit */
};

static void add(struct composing *c, const char *text)
{
    c->failed |= slotted_add(&c->kind->text, text) < 0;
}

static void add_bytes(struct composing *c, const void *bytes, size_t size)
{
    c->failed |= slotted_add_bytes(&c->kind->text, bytes, size) < 0;
}

/* Ends with a NUL. */
static void add_string(struct composing *c, const char *text)
{
    add(c, text);
    add_bytes(c, "", 1);
}

static void end_piece(struct composing *c, char awaits)
{
    struct milmix_kind *k = c->kind;

    if (k->pieces == MILMIX_PIECES) {
        c->failed = true;
        return;
    }
    k->piece[k->pieces++] = (struct milmix_piece){k->text.length, k->text.slots, awaits};
}

/* Returns where the packet begins. */
static size_t begin_packet(struct composing *c, char command)
{
    size_t start = c->kind->text.length;

    add_bytes(c, "\0\0\0\0", 4);
    add_bytes(c, &command, 1);
    return start;
}

static void end_packet(struct composing *c, size_t start)
{
    uint32_t length = htonl((uint32_t)(c->kind->text.length - start - 4));

    if (!c->failed)
        memcpy(c->kind->text.text + start, &length, sizeof(length));
}

static const char *value_of(const struct composing *c, const char *name, size_t length,
                            enum since now)
{
    const struct session *s = c->session;

    for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
        const struct macro *m = &macros[i];

        if (strlen(m->name) == length && memcmp(m->name, name, length) == 0 &&
            (m->mta & (s->sendmail ? SENDMAIL : POSTFIX)) != 0 &&
            (m->since == UNDER_TLS ? c->tls : m->since <= now))
            return m->value != NULL ? m->value
                                    : *(const char *const *)((const char *)s + m->member);
    }
    return NULL;
}

static void add_macros(struct composing *c, char command, int stage, enum since now)
{
    const char *name = c->terms->list[stage];
    size_t start;

    if (*name == '\0')
        return;
    start = begin_packet(c, SMFIC_MACRO);
    add_bytes(c, &command, 1);
    while (*name != '\0') {
        size_t length = strcspn(name, " ");
        const char *value = value_of(c, name, length, now);

        if (value != NULL) {
            add_bytes(c, name, length);
            add_bytes(c, "", 1);
            add_string(c, value);
        }
        name += length + strspn(name + length, " ");
    }
    end_packet(c, start);
    if (c->session->sendmail)
        end_piece(c, 0);
}

/* The end of an event: is it answered, and does it go out? */
static void end_event(struct composing *c, char command, uint32_t no_reply)
{
    bool answered = (c->terms->steps & no_reply) == 0;

    if (answered || c->session->sendmail)
        end_piece(c, answered ? command : 0);
}

static void add_connect(struct composing *c)
{
    const struct session *s = c->session;
    size_t start;

    c->tls = s->at_once && !s->sendmail; /* Sendmail tells before the handshake */
    add_macros(c, SMFIC_CONNECT, SMFIM_CONNECT, FROM_CONNECT);
    start = begin_packet(c, SMFIC_CONNECT);
    add_string(c, s->host);
    add(c, strncmp(s->address, "IPv6:", 5) == 0 ? "6%p" : "4%p");
    add_string(c, s->address);
    end_packet(c, start);
    end_event(c, SMFIC_CONNECT, SMFIP_NR_CONN);
}

static void add_plain(struct composing *c, char command)
{
    end_packet(c, begin_packet(c, command));
}

static void add_helo(struct composing *c)
{
    size_t start;

    add_macros(c, SMFIC_HELO, SMFIM_HELO, FROM_CONNECT);
    start = begin_packet(c, SMFIC_HELO);
    add_string(c, c->session->helo);
    end_packet(c, start);
    c->kind->hello = c->kind->text.length;
    c->kind->hello_slots = c->kind->text.slots;
    end_event(c, SMFIC_HELO, SMFIP_NR_HELO);
}

/* Postfix tells ABORT whenever it begins anew. */
static void add_abort(struct composing *c)
{
    if (!c->session->sendmail)
        add_plain(c, SMFIC_ABORT);
}

static void add_mail(struct composing *c, unsigned n)
{
    size_t start;

    add_macros(c, SMFIC_MAIL, SMFIM_ENVFROM, FROM_MAIL);
    start = begin_packet(c, SMFIC_MAIL);
    add(c, "<");
    if (c->session->sender != NULL) {
        add(c, milmix_wants(c->kind, c->terms, n) ? "c." : "a.");
        add(c, c->session->sender);
    }
    add_string(c, ">");
    add_string(c, "SIZE=14325");
    add_string(c, "BODY=8BITMIME");
    end_packet(c, start);
    end_event(c, SMFIC_MAIL, 0);
}

static void add_headers(struct composing *c)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *const *field = fields[i][0] != NULL ? fields[i] : c->session->software;
        size_t start;

        if (field[0] == NULL)
            continue;
        if (!c->session->sendmail)
            add_macros(c, SMFIC_HEADER, SMFIM_EOH, FROM_EOH);
        start = begin_packet(c, SMFIC_HEADER);
        add_string(c, field[0]);
        add_string(c, field[1]);
        end_packet(c, start);
        end_event(c, SMFIC_HEADER, SMFIP_NR_HDR);
    }
    add_macros(c, SMFIC_EOH, SMFIM_EOH, FROM_EOH);
    add_plain(c, SMFIC_EOH);
    end_event(c, SMFIC_EOH, 0);
}

static int compose(struct milmix_kind *k, const struct session *s, const struct milterms *terms)
{
    struct composing c = {.session = s, .terms = terms, .kind = k};

    k->name = s->name;
    k->refusal = s->refusal;
    k->wants = s->wants;
    add_connect(&c);
    c.tls = s->at_once;
    add_helo(&c);
    if (s->tls != NULL && !s->at_once) {
        c.tls = true;
        add_abort(&c);
        add_helo(&c);
    }
    add_mail(&c, 0);
    k->headers = k->pieces;
    if (s->wants != WANTS_NOTHING)
        add_headers(&c);
    k->again = k->pieces;
    add_abort(&c);
    add_mail(&c, 1);
    k->end = k->pieces;
    add_abort(&c);
    add_abort(&c);
    add_plain(&c, SMFIC_QUIT);
    end_piece(&c, SMFIC_QUIT);
    return c.failed ? -1 : 0;
}

int milmix_init(struct milmix *mix, const char *name, const struct milterms *terms,
                uint32_t offenders, uint64_t seed)
{
    unsigned kinds = mix_kinds(name);

    if (kinds == 0 || offenders == 0 || offenders > POPULATION)
        return -1;
    *mix = (struct milmix){.draws = draws_init(offenders, seed)};
    for (unsigned i = 0; i < MILMIX_KINDS; i++) {
        if ((kinds >> i & 1) == 0)
            continue;
        if (compose(&mix->kind[mix->count], &sessions[i], terms) < 0)
            return -1;
        mix->count++;
    }
    return 0;
}

struct milmix_kind *milmix_next(struct milmix *mix, struct draw *ret)
{
    struct milmix_kind *k = &mix->kind[mix->next];

    mix->next = mix->next + 1 == mix->count ? 0 : mix->next + 1;
    *ret = draws_next(&mix->draws, k->refusal != NULL);
    return k;
}
