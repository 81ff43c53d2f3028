/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/session/facts.h"

#include <string.h>

#include "core/catalogue.h"
#include "core/session.h"
#include "audit/session/sessions.h"

const char *const tls_mode_names[TLS_MODES] = {
    [TLS_MODE_UNKNOWN] = "unknown",
    [TLS_MODE_CLEARTEXT] = "cleartext",
    [TLS_MODE_STARTTLS] = "starttls",
    [TLS_MODE_IMPLICIT] = "implicit",
};

const char *const source_names[SOURCES] = {
    [SOURCE_LOG] = "log",   [SOURCE_POLICYD] = "policyd", [SOURCE_MILTER] = "milter",
    [SOURCE_GATE] = "gate", [SOURCE_TAP] = "tap",
};

static bool has(const struct seen *s, uint32_t flags)
{
    return (s->flags & flags) == flags;
}

static uint32_t flag_if(bool it_is_so, uint32_t flag)
{
    return it_is_so ? flag : 0;
}

/* ---- who and where ----------------------------------------------------------- */

static void identity(const struct facts *f)
{
    const struct message *m = f->message;
    struct seen *s = f->seen;
    s->mta = (uint8_t)m->mta;
    s->sources = SOURCE_BIT(SOURCE_LOG);
    s->flags |= flag_if(m->postscreen, SEEN_POSTSCREEN);
    if (!s->listener && m->listener.n) {
        s->listener = names_id(f->names, m->listener);
        s->flags |= flag_if(m->listener_bare, SEEN_BARE);
    }
    if (!s->client.bits)
        s->client = m->client;
    if (!s->client_name && m->client_name.n)
        s->client_name = names_id(f->names, m->client_name);
    if (!s->server_port)
        s->server_port = m->server_port;
}

static void software(const struct facts *f, bool known, const struct software *it)
{
    struct seen *s = f->seen;
    if (!known || s->software)
        return;
    s->software = (uint8_t)(1 + (it->info - catalogue));
    s->software_version = names_id(f->names, it->version);
}

static void failed_user(const struct facts *f)
{
    if (!f->seen->failed_user && f->message->user.n)
        f->seen->failed_user = sessions_user_hash(f->key, f->message->user);
}

/* ---- TLS --------------------------------------------------------------------- */

/*
 * Of several reasons the first of the best kind counts: OpenSSL's words are better than what
 * smtpd makes of a closed connection.
 */
static const uint8_t rank[HANDSHAKES] = {
    [HANDSHAKE_NOT_TOLD] = 0,    [HANDSHAKE_GONE] = 1,    [HANDSHAKE_TIMEOUT] = 1,
    [HANDSHAKE_OTHER] = 2,       [HANDSHAKE_SERVER] = 3,  [HANDSHAKE_CLEARTEXT] = 3,
    [HANDSHAKE_HTTP] = 3,        [HANDSHAKE_VERSION] = 3, [HANDSHAKE_CIPHER] = 3,
    [HANDSHAKE_CERTIFICATE] = 3,
};

static void add_reason(struct seen *s, struct reason r)
{
    if (rank[r.handshake] <= rank[s->handshake])
        return;
    s->handshake = (uint8_t)r.handshake;
    s->reason = reason_index(r);
}

/* When TLS is up, its errors are no failed handshake any more, but a client may still reject our
 * certificate then (RFC 8446 6.2). */
static bool no_handshake(const struct facts *f)
{
    return has(f->seen, SEEN_TLS) && f->message->reason.handshake != HANDSHAKE_CERTIFICATE;
}

/* The shortest silence that is somebody waiting for a greeting. */
enum { SILENT_US = 5 * US_PER_S };

static void add_tls_failed(const struct facts *f)
{
    struct seen *s = f->seen;
    if (no_handshake(f))
        return;
    s->flags |= SEEN_TLS_FAILED | flag_if(f->waited_us >= SILENT_US, SEEN_SILENT);
    add_reason(s, f->message->reason);
}

static void add_tls_reason(const struct facts *f)
{
    if (no_handshake(f))
        return;
    f->seen->flags |= SEEN_TLS_FAILED;
    add_reason(f->seen, f->message->reason);
}

static void add_tls(const struct facts *f)
{
    const struct message *m = f->message;
    struct seen *s = f->seen;
    /* What came before it came in clear text. */
    if (!has(s, SEEN_TLS) && (s->flags & (SEEN_HELO | SEEN_MAIL | SEEN_AUTH)))
        s->mode = TLS_MODE_STARTTLS;
    s->flags |= SEEN_TLS | SEEN_TLS_LINE | flag_if(m->no_certificate, SEEN_NO_CERTIFICATE);
    s->tls_version = (uint16_t)tls_version_of(m->tls_version);
    s->cipher = names_id(f->names, m->cipher);
    s->bits = (uint16_t)(m->bits <= UINT16_MAX ? m->bits : 0);
}

/* ---- what the client did ------------------------------------------------------ */

static void add_auth(const struct facts *f)
{
    const struct message *m = f->message;
    struct seen *s = f->seen;
    if (m->mta == MTA_POSTFIX)
        s->flags |= SEEN_MAIL | SEEN_MAIL_TAKEN; /* it is a mail's client= line */
    else
        s->flags |= flag_if(!has(s, SEEN_TLS), SEEN_AUTH_BEFORE_TLS);
    s->flags |= SEEN_AUTH;
    if (!s->user)
        s->user = names_id(f->names, m->user);
    if (str_eq(m->mechanism, STR("XCLIENT")))
        s->flags |= SEEN_PROXIED; /* how a proxy tells who logged in there */
    else if (!s->mechanism)
        s->mechanism = names_id(f->names, m->mechanism);
}

static void add_auth_failed(const struct facts *f)
{
    f->seen->flags |= SEEN_AUTH_FAILED;
    failed_user(f);
}

/* What stands behind the name in "ESMTPSA" (RFC 3848, RFC 6531 4.3). */
static void add_protocol(struct seen *s, struct str proto)
{
    if (!proto.n || proto.p[0] == 'S') /* SMTP, after HELO, is told under TLS too */
        return;
    while (proto.n && proto.p[0] != 'P')
        proto.p++, proto.n--;
    s->flags |= SEEN_PROTOCOL | flag_if(memchr(proto.p, 'S', proto.n), SEEN_TLS) |
                flag_if(memchr(proto.p, 'A', proto.n), SEEN_AUTH);
}

static void add_client(const struct facts *f)
{
    f->seen->flags |= SEEN_MAIL | SEEN_MAIL_TAKEN;
    if (f->message->mta == MTA_SENDMAIL)
        add_protocol(f->seen, f->message->proto);
}

static bool word_is(struct str stage, struct str word)
{
    return str_eq_nocase(str_cut(&stage, " ("), word);
}

/* The command at which something happened. */
static void add_stage(const struct facts *f)
{
    static const struct {
        struct str word;
        uint32_t flag;
    } stages[] = {
        {{"EHLO", 4}, SEEN_HELO},
        {{"HELO", 4}, SEEN_HELO},
        {{"MAIL", 4}, SEEN_MAIL},
        {{"RCPT", 4}, SEEN_MAIL},
        {{"DATA", 4}, SEEN_MAIL},
        {{"BDAT", 4}, SEEN_MAIL},
        {{"END-OF-MESSAGE", 14}, SEEN_MAIL},
        {{"UNKNOWN", 7}, SEEN_UNRECOGNISED},
    };
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (word_is(f->message->after, stages[i].word))
            f->seen->flags |= stages[i].flag;
}

static void add_reject(const struct facts *f)
{
    struct software it;
    add_stage(f);
    f->seen->flags |= flag_if(f->message->helo.n, SEEN_HELO);
    software(f, f->message->helo.n && catalogue_helo(f->message->helo, &it), &it);
}

static void add_software(const struct facts *f)
{
    struct software it;
    software(f, catalogue_header(f->message->header, &it), &it);
}

/* What came where a command was due. A ClientHello right behind STARTTLS is only too early. */
static void add_bytes(const struct facts *f)
{
    struct seen *s = f->seen;
    enum first_bytes first = f->message->first;
    struct str after = f->message->after;
    if (first == BYTES_TLS && word_is(after, STR("STARTTLS")))
        return;
    /* Later in a session it is part of a mail that was sent without waiting. */
    if (f->message->kind == MESSAGE_TOO_EARLY && first != BYTES_TLS && after.n &&
        !word_is(after, STR("CONNECT")))
        return;
    if (!s->first || s->first == BYTES_SMTP)
        s->first = (uint8_t)first;
    if (f->message->kind == MESSAGE_TOO_EARLY && (first == BYTES_NOT_TOLD || first == BYTES_SMTP))
        return;
    s->flags |= SEEN_UNRECOGNISED;
    /* TLS that was read as a command: it is a port that begins in clear text. */
    if (first == BYTES_TLS && !(s->flags & (SEEN_TLS | SEEN_TLS_FAILED)) && !s->mode)
        s->mode = TLS_MODE_CLEARTEXT;
}

/* ---- how it ended --------------------------------------------------------------- */

/* "lost connection after STARTTLS": what the client had said last. */
static void add_lost(const struct facts *f)
{
    struct seen *s = f->seen;
    add_stage(f);
    if (word_is(f->message->after, STR("STARTTLS")))
        s->mode = TLS_MODE_STARTTLS;
    else if (word_is(f->message->after, STR("CONNECT")) &&
             (s->flags & (SEEN_TLS | SEEN_TLS_FAILED)))
        s->mode = TLS_MODE_IMPLICIT; /* TLS was begun, and no command was ever said */
}

static bool said(const struct message *m, enum counted c)
{
    return m->counts[c].all > 0;
}

static bool more_than_succeeded(struct count c, unsigned excused)
{
    return c.all > c.ok && c.all - c.ok > excused;
}

static void add_counters(struct seen *s, const struct message *m)
{
    const struct count *starttls = &m->counts[COUNT_STARTTLS], *auth = &m->counts[COUNT_AUTH];
    bool failed = has(s, SEEN_TLS_FAILED) && !has(s, SEEN_TLS);
    s->flags |= SEEN_COUNTS | flag_if(said(m, COUNT_HELO) || said(m, COUNT_EHLO), SEEN_HELO) |
                flag_if(said(m, COUNT_MAIL), SEEN_MAIL) | flag_if(said(m, COUNT_QUIT), SEEN_QUIT) |
                flag_if(said(m, COUNT_UNKNOWN), SEEN_UNRECOGNISED) |
                flag_if(starttls->ok, SEEN_STARTTLS | SEEN_TLS) | flag_if(auth->ok, SEEN_AUTH) |
                flag_if(more_than_succeeded(*auth, 0), SEEN_AUTH_FAILED);
    /* One STARTTLS whose handshake failed is counted as refused too. */
    bool accepted = failed && starttls->all > 0;
    s->flags |= flag_if(accepted, SEEN_STARTTLS) |
                flag_if(more_than_succeeded(*starttls, accepted), SEEN_STARTTLS_REFUSED);
    if (s->flags & SEEN_STARTTLS)
        s->mode = TLS_MODE_STARTTLS;
    else if (s->flags & (SEEN_TLS | SEEN_TLS_FAILED))
        s->mode = TLS_MODE_IMPLICIT; /* no STARTTLS brought it about */
}

static void add_disconnect(const struct facts *f)
{
    f->seen->flags |= SEEN_END;
    if (f->message->counted)
        add_counters(f->seen, f->message);
}

static void add_connect(const struct facts *f)
{
    f->seen->flags |= SEEN_CONNECT;
}

/* Its queue id tells when the session began, which the line of the failed handshake does not. */
static void add_no_mail(const struct facts *f)
{
    struct seen *s = f->seen;
    s->flags |=
        SEEN_END | flag_if(has(s, SEEN_TLS_FAILED) && f->waited_us >= SILENT_US, SEEN_SILENT);
}

static void add_server_tls(const struct facts *f)
{
    if (!f->message->client_name.n && !f->message->client.bits)
        return; /* about no session: smtpd has just begun */
    f->seen->flags |= SEEN_TLS_FAILED;
    add_reason(f->seen, (struct reason){HANDSHAKE_SERVER, f->message->reason.text});
}

/* ---- the table --------------------------------------------------------------- */

static const struct {
    void (*add)(const struct facts *f);
    bool can_begin; /* a session of which the log has no earlier line */
} kinds[MESSAGE_KINDS] = {
    [MESSAGE_CONNECT] = {add_connect, true},
    [MESSAGE_DISCONNECT] = {add_disconnect, true},
    [MESSAGE_LOST] = {add_lost, true},
    [MESSAGE_TIMEOUT] = {add_lost, true},
    [MESSAGE_TLS] = {add_tls, true},
    [MESSAGE_TLS_FAILED] = {add_tls_failed, true},
    [MESSAGE_TLS_REASON] = {add_tls_reason, true},
    [MESSAGE_AUTH] = {add_auth, true},
    [MESSAGE_AUTH_FAILED] = {add_auth_failed, true},
    [MESSAGE_CLIENT] = {add_client, true},
    [MESSAGE_REJECT] = {add_reject, true},
    [MESSAGE_TOO_EARLY] = {add_bytes, true},
    [MESSAGE_NOT_SMTP] = {add_bytes, true},
    [MESSAGE_NO_MAIL] = {add_no_mail, true},
    [MESSAGE_SOFTWARE] = {add_software, false},
    [MESSAGE_SERVER_TLS] = {add_server_tls, false},
};

bool facts_can_begin(const struct message *m)
{
    return kinds[m->kind].can_begin;
}

void facts_add(const struct facts *f)
{
    if (!kinds[f->message->kind].add)
        return;
    if (f->message->kind != MESSAGE_SOFTWARE) /* cleanup's line: it is another process */
        identity(f);
    kinds[f->message->kind].add(f);
}

/* No session has two of these. */
bool facts_are_anothers(const struct facts *f)
{
    const struct message *m = f->message;
    const struct seen *s = f->seen;
    if (m->mta != MTA_SENDMAIL)
        return false;
    switch (m->kind) {
    case MESSAGE_TLS: return has(s, SEEN_TLS_LINE);
    case MESSAGE_AUTH: return has(s, SEEN_AUTH);
    default:
        return m->listener.n && s->listener && names_find(f->names, m->listener) != s->listener;
    }
}

void facts_complete(struct seen *s)
{
    /* OpenSSL told why: somebody did send something. */
    if (rank[s->handshake] > rank[HANDSHAKE_GONE])
        s->flags &= ~(uint32_t)SEEN_SILENT;
    /* TLS by proto= alone: then the log has no STARTTLS= lines, and order tells nothing. */
    if (has(s, SEEN_TLS) && !has(s, SEEN_TLS_LINE))
        s->flags &= ~(uint32_t)SEEN_AUTH_BEFORE_TLS;
    /* An AUTH= line is as frequent as a STARTTLS= line, and proto= has an S for TLS. */
    if (s->mta == MTA_SENDMAIL && !(s->flags & (SEEN_TLS | SEEN_TLS_FAILED)) &&
        (s->flags & (SEEN_AUTH_BEFORE_TLS | SEEN_PROTOCOL)))
        s->mode = TLS_MODE_CLEARTEXT;
    if (has(s, SEEN_PROXIED))
        s->mode = TLS_MODE_UNKNOWN;
}
