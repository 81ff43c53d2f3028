/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/judge.h"

#include <stdio.h>

#include "core/session.h"

static bool submits(const struct port_seen *p)
{
    return p->role != ROLE_SMTP;
}

static bool talks(const struct port_seen *p)
{
    return p->begins == BEGINS_CLEAR || p->begins == BEGINS_TLS;
}

static const char *const version_names[TLS_VERSIONS] = {"TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"};

/* "PLAIN LOGIN", for evidence. */
static const char *mechanisms_of(const struct capabilities *c, char text[SAID])
{
    struct buf b = {text, 0, SAID, false};
    for (unsigned i = 0; i < c->mechanism_count; i++)
        buf_printf(&b, " %s", c->mechanisms[i]);
    return buf_cstr(&b);
}

/* ---- one port ------------------------------------------------------------------------ */

static void judge_silence(const struct port_seen *p, struct faults *fs)
{
    enum fault_id id = p->begins == BEGINS_SILENT ? FAULT_NO_GREETING : FAULT_NOT_SMTP_SERVER;
    fault_evidence(judge_add(fs, id, p), "%s", p->begins_why);
}

static void judge_beginning(const struct port_seen *p, struct faults *fs)
{
    if (p->role == ROLE_SUBMISSIONS && p->begins == BEGINS_CLEAR)
        fault_evidence(judge_add(fs, FAULT_CLEARTEXT_ON_SUBMISSIONS, p), "%s", p->greeting);
    if (p->role != ROLE_SUBMISSIONS && p->begins == BEGINS_TLS)
        fault_evidence(judge_add(fs, FAULT_TLS_AT_ONCE_ON_STARTTLS, p),
                       "no greeting in clear text, but one under TLS: %s",
                       *p->greeting ? p->greeting : p->tls_works.why);
    if (*p->broken)
        fault_evidence(judge_add(fs, FAULT_DIALOGUE_BROKEN, p), "%s", p->broken);
    if (*p->refused)
        faults_unknown(fs, "%s port %u: the server does not serve this client: %s", p->address,
                       p->port, p->refused);
    if (p->tls_works.is == NO && p->begins == BEGINS_TLS)
        fault_evidence(judge_add(fs, FAULT_HANDSHAKE_FAILS, p), "%s", p->tls_works.why);
    if (p->tls_works.is == NO && p->begins == BEGINS_CLEAR)
        fault_evidence(judge_add(fs, FAULT_STARTTLS_FAILS, p), "STARTTLS: %s", p->tls_works.why);
    if (submits(p) && p->begins == BEGINS_CLEAR && p->clear.known && !p->clear.starttls)
        fault_evidence(judge_add(fs, FAULT_SUBMISSION_WITHOUT_TLS, p),
                       "EHLO does not offer STARTTLS");
    if (p->tls.known && p->tls.starttls)
        fault_evidence(judge_add(fs, FAULT_STARTTLS_UNDER_TLS, p),
                       "EHLO under TLS offers STARTTLS");
}

static void judge_auth(const struct port_seen *p, struct faults *fs)
{
    char list[SAID];
    if (p->clear.auth) {
        enum fault_id id = submits(p) ? FAULT_AUTH_WITHOUT_TLS : FAULT_AUTH_ON_25;
        struct fault *f = judge_add(fs, id, p);
        fault_evidence(f, "EHLO in clear text offers AUTH%s%s", p->clear.auth_is_old ? "=" : "",
                       mechanisms_of(&p->clear, list));
        if (submits(p) && !capabilities_take_passwords(&p->clear)) {
            f->severity = FAULT_WARNING;
            fault_detail(f, "None of these mechanisms sends the password itself.");
        }
    } else if (!submits(p) && p->tls.auth) {
        fault_evidence(judge_add(fs, FAULT_AUTH_ON_25, p), "EHLO under TLS offers AUTH%s",
                       mechanisms_of(&p->tls, list));
    }
    if (!submits(p))
        return;
    bool under_tls = p->tls.known, final = under_tls || (p->clear.known && !p->clear.starttls);
    const struct capabilities *c = under_tls ? &p->tls : &p->clear;
    if (final && !c->auth)
        fault_evidence(judge_add(fs, FAULT_SUBMISSION_WITHOUT_AUTH, p),
                       "EHLO %s does not offer AUTH", under_tls ? "under TLS" : "in clear text");
    if (final && c->auth && !capabilities_have(c, "PLAIN"))
        fault_evidence(judge_add(fs, FAULT_AUTH_UNKNOWN_MECHANISMS, p), "AUTH%s",
                       mechanisms_of(c, list));
}

static void judge_demands(const struct port_seen *p, bool tried, struct faults *fs)
{
    const struct transaction *clear = &p->mail_clear;
    if (!submits(p)) {
        if (p->public && clear->refusal == REFUSAL_WANTS_TLS)
            fault_evidence(judge_add(fs, FAULT_TLS_REQUIRED_ON_25, p), "%s", clear->said);
        return;
    }
    if (!tried)
        return;
    bool open = clear->refusal == REFUSAL_NONE || p->mail_tls.refusal == REFUSAL_NONE;
    if (open) {
        const struct transaction *t = p->mail_tls.refusal == REFUSAL_NONE ? &p->mail_tls : clear;
        struct fault *f = judge_add(fs, FAULT_SUBMISSION_OPEN, p);
        fault_evidence(f, "without AUTH, %s: %s", t == clear ? "in clear text" : "under TLS",
                       t->said);
        fault_detail(f, "Mail to postmaster was taken. If the server trusts this network "
                        "(Postfix: mynetworks), ask from another one.");
    }
    if (p->begins == BEGINS_CLEAR && clear->refusal == REFUSAL_NONE)
        fault_evidence(judge_add(fs, FAULT_TLS_NOT_REQUIRED, p), "in clear text: %s", clear->said);
    bool tls = seen_demands_tls(p) == UNKNOWN, auth = seen_demands_auth(p) == UNKNOWN;
    const struct transaction *t = p->tls_works.is == YES ? &p->mail_tls : clear;
    if ((tls || auth) && (*t->said || *clear->said) && !*p->refused)
        faults_unknown(fs, "%s port %u: whether it demands %s: %s", p->address, p->port,
                       tls && auth ? "TLS and AUTH"
                       : tls       ? "TLS"
                                   : "AUTH",
                       tls && *clear->said ? clear->said : t->said);
}

static void judge_versions(const struct port_seen *p, struct faults *fs)
{
    char old[SAID];
    struct buf b = BUF(old);
    bool before_12 = false;
    for (int i = 0; i < TLS_VERSIONS; i++) {
        if (p->version[i].is == YES && TLS_1_0 + (unsigned)i < p->min_tls) {
            buf_printf(&b, "%s%s with %s", b.n ? ", " : "", version_names[i], p->version[i].why);
            before_12 |= i < 2;
        }
        if (p->version[i].is == UNKNOWN && p->tls_works.is == YES && !*p->refused)
            faults_unknown(fs, "%s port %u: whether it accepts %s: %s", p->address, p->port,
                           version_names[i], p->version[i].why);
    }
    if (b.n) {
        struct fault *f = judge_add(fs, FAULT_TLS_OLD_VERSIONS, p);
        fault_evidence(f, "accepted: %s", buf_cstr(&b));
        if (!before_12)
            fault_detail(f, "The policy demands TLS 1.3. Mailreeve refuses such a client at MAIL; "
                            "the handshake itself is the MTA's.");
        if (!before_12 || !submits(p)) /* to other servers old TLS is better than none */
            f->severity = FAULT_NOTE;
    }
    if (p->version[2].is == NO && p->version[3].is == NO)
        fault_evidence(judge_add(fs, FAULT_TLS_12_MISSING, p), "TLS 1.2: %.90s; TLS 1.3: %.90s",
                       p->version[2].why, p->version[3].why);
}

static void judge_ciphers(const struct port_seen *p, struct faults *fs)
{
    const struct answer *worst = p->null_cipher.is == YES ? &p->null_cipher : &p->anonymous_cipher;
    if (worst->is != YES)
        return;
    struct fault *f = judge_add(fs, FAULT_TLS_WEAK_CIPHERS, p);
    fault_evidence(f, "accepted: %s", worst->why);
    if (worst == &p->anonymous_cipher) {
        f->severity = FAULT_NOTE; /* no client asks for it unless it wants it */
        fault_detail(f, "It encrypts, but the server does not prove who it is.");
    }
}

static void judge_certificate(const struct host_seen *h, const struct port_seen *p, int64_t now_s,
                              struct faults *fs)
{
    char where[160], evidence[400];
    const struct certificate *c = &p->certificate;
    unsigned before = fs->count;
    if (*p->certificate_why)
        faults_unknown(fs, "%s port %u: the certificate: %s", p->address, p->port,
                       p->certificate_why);
    if (!p->has_certificate)
        return;
    snprintf(where, sizeof where, "%s port %u", p->address, p->port);
    snprintf(evidence, sizeof evidence, "certificate of %.180s, issued by %.180s", c->subject,
             c->issuer);
    certificate_judge(c, h->names, submits(p) ? h->name_count : 0, now_s, where, evidence, fs);
    for (unsigned i = before; i < fs->count && !submits(p); i++)
        fs->list[i].severity = FAULT_NOTE; /* other servers seldom look at it */
}

static void judge_port(const struct host_seen *h, const struct port_seen *p, int64_t now_s,
                       struct faults *fs)
{
    if (p->begins == BEGINS_SILENT || p->begins == BEGINS_OTHER)
        judge_silence(p, fs);
    if (p->begins == BEGINS_UNKNOWN)
        faults_unknown(fs, "%s cannot be reached from here: %s", p->address, p->begins_why);
    if (!talks(p))
        return;
    judge_beginning(p, fs);
    judge_auth(p, fs);
    judge_demands(p, h->mail_tried, fs);
    judge_versions(p, fs);
    judge_ciphers(p, fs);
    judge_certificate(h, p, now_s, fs);
    if (p->injected.is == YES)
        fault_evidence(judge_add(fs, FAULT_STARTTLS_INJECTION, p),
                       "NOOP, sent in clear text behind STARTTLS, was answered under TLS: %s",
                       p->injected.why);
    if (p->injected.is == UNKNOWN && p->tls_works.is == YES && p->begins == BEGINS_CLEAR &&
        *p->injected.why)
        faults_unknown(fs, "%s port %u: whether it obeys what was sent behind STARTTLS: %s",
                       p->address, p->port, p->injected.why);
}

/* ---- the ports of a host together --------------------------------------------------------- */

static bool answers(const struct host_seen *h, enum role role)
{
    for (unsigned i = 0; i < h->port_count; i++)
        if (h->ports[i].role == role && h->ports[i].begins > BEGINS_CLOSED)
            return true;
    return false;
}

static bool answers_elsewhere(const struct host_seen *h, const struct port_seen *p)
{
    for (unsigned i = 0; i < h->port_count; i++)
        if (h->ports[i].port == p->port && h->ports[i].begins > BEGINS_CLOSED)
            return true;
    return false;
}

/* Nobody answers: on a port that somebody has named, or where clients look for one. */
static void judge_closed(const struct host_seen *h, struct faults *fs)
{
    static const enum fault_id absent[ROLE_COUNT] = {
        [ROLE_SUBMISSION] = FAULT_NO_SUBMISSION_PORT,
        [ROLE_SUBMISSIONS] = FAULT_NO_SUBMISSIONS_PORT,
    };
    static const uint16_t usual[ROLE_COUNT] = {25, 587, 465};
    for (unsigned i = 0; i < h->port_count; i++) {
        const struct port_seen *p = &h->ports[i];
        if (p->begins != BEGINS_CLOSED || answers_elsewhere(h, p))
            continue;
        if (p->named)
            fault_evidence(judge_add(fs, FAULT_PORT_CLOSED, p), "%s", p->begins_why);
        else if (p->role != ROLE_SMTP && p->port == usual[p->role] && !answers(h, p->role))
            fault_evidence(judge_add(fs, absent[p->role], p), "%s", p->begins_why);
        if (p->role == ROLE_SMTP && strstr(p->begins_why, "no answer"))
            faults_unknown(fs,
                           "%s port %u: %s; many networks do not let their customers out to "
                           "port 25, so ask from a server",
                           p->address, p->port, p->begins_why);
    }
}

/* Where two addresses differ on one port, and in what. */
static bool differ(const struct port_seen *a, const struct port_seen *b, int64_t now_s,
                   struct buf *evidence)
{
    for (int i = 0; i < COLUMNS; i++) {
        char of_a[CELL], of_b[CELL];
        if (!columns[i].of_host)
            continue;
        columns[i].show(a, now_s, of_a);
        columns[i].show(b, now_s, of_b);
        if (strcmp(of_a, of_b) == 0 || strchr(of_a, '?') || strchr(of_b, '?'))
            continue;
        buf_printf(evidence, "%s: \"%s\" at %s, \"%s\" at %s", columns[i].title, of_a, a->address,
                   of_b, b->address);
        return true;
    }
    if (a->has_certificate && b->has_certificate &&
        X509_cmp(a->certificate.leaf, b->certificate.leaf) != 0) {
        buf_printf(evidence, "certificate: of %.60s at %s, of %.60s at %s; not the same one",
                   a->certificate.subject, a->address, b->certificate.subject, b->address);
        return true;
    }
    return false;
}

static void judge_addresses(const struct host_seen *h, int64_t now_s, struct faults *fs)
{
    for (unsigned i = 0; i < h->port_count; i++)
        for (unsigned k = 0; k < i; k++) {
            const struct port_seen *a = &h->ports[k], *b = &h->ports[i];
            char text[FAULT_TEXT];
            struct buf evidence = BUF(text);
            if (a->port != b->port || a->begins == BEGINS_UNKNOWN || b->begins == BEGINS_UNKNOWN)
                continue;
            if (differ(a, b, now_s, &evidence)) {
                char where[160];
                snprintf(where, sizeof where, "port %u", a->port);
                struct fault *f = judge_add_at(fs, FAULT_ADDRESS_DIFFERS, where);
                fault_evidence(f, "%s", buf_cstr(&evidence));
                fault_fix(f, "Postfix: postconf inet_interfaces inet_protocols; is each address in "
                             "the master.cf line, and in the firewall?");
            }
            break; /* each is compared with the first one */
        }
}

/* ---- the same fault at several places ----------------------------------------------------------
 */

static bool same(const struct fault *a, const struct fault *b)
{
    if (a->id != b->id || strcmp(a->evidence, b->evidence) != 0 ||
        strcmp(a->detail, b->detail) != 0 || a->fix_count != b->fix_count)
        return false;
    for (unsigned i = 0; i < a->fix_count; i++)
        if (strcmp(a->fix[i], b->fix[i]) != 0)
            return false;
    return true;
}

/* Puts b's place behind those of a; the higher severity stands. False if there is no room. */
static bool join_places(struct fault *a, const struct fault *b)
{
    size_t n = strlen(a->where), more = strlen(b->where);
    if (n + 2 + more >= sizeof a->where)
        return false;
    a->severity = b->severity > a->severity ? b->severity : a->severity;
    memcpy(a->where + n, ", ", 2);
    memcpy(a->where + n + 2, b->where, more + 1);
    return true;
}

static void merge(struct faults *fs, unsigned from)
{
    unsigned kept = from;
    for (unsigned i = from; i < fs->count; i++) {
        bool joined = false;
        for (unsigned k = from; k < kept && !joined; k++)
            joined = same(&fs->list[k], &fs->list[i]) && join_places(&fs->list[k], &fs->list[i]);
        if (!joined && kept++ != i)
            fs->list[kept - 1] = fs->list[i];
    }
    fs->count = kept;
}

/* ---- the whole
 * --------------------------------------------------------------------------------------- */

void judge_host(const struct host_seen *h, int64_t now_s, struct faults *fs)
{
    unsigned from = fs->count;
    for (unsigned i = 0; i < h->port_count; i++)
        judge_port(h, &h->ports[i], now_s, fs);
    judge_closed(h, fs);
    judge_addresses(h, now_s, fs);
    judge_srv(h, fs);
    merge(fs, from);
    if (!h->name_count)
        faults_unknown(fs, "the names in the certificates: give the name that clients use with "
                           "--name");
    if (!h->mail_tried)
        faults_unknown(fs, "whether TLS and AUTH are demanded: not tried with --no-mail");
    if (h->addresses_dropped)
        faults_unknown(fs, "%u more addresses of the host", h->addresses_dropped);
}
