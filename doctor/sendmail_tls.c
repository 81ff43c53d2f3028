/* SPDX-License-Identifier: Apache-2.0 */
/* Which port has which TLS mode, the versions, the certificate. */
#include "doctor/sendmail.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <strings.h>
#include <unistd.h>

#include "mta/certificate.h"

/* Sendmail offers STARTTLS if it has both. */
static bool has_tls(const struct cf *c)
{
    return *cf_value(c, "ServerCertFile") && *cf_value(c, "ServerKeyFile");
}

/* S in M=, or from srv_features, hides STARTTLS. */
bool sm_offers_tls(const struct sm_doctor *s, const struct sm_port *p)
{
    bool hidden = cf_has(p->cf->modifiers, 'S') || cf_has(p->features.letters, 'S');
    return has_tls(&s->cf) && (p->at_once || !hidden);
}

void sm_tls_mode(struct sm_doctor *s, const struct sm_port *p)
{
    bool should = p->port == 465 || (p->listener && p->role == ROLE_SUBMISSIONS);
    bool should_not = p->port == 25 || p->port == 587;
    bool by_proxy = p->listener && p->listener->tls_by == TLS_BY_PROXY;
    if (should && !p->at_once && !by_proxy) {
        struct fault *f = sm_fault(s, FAULT_CLEARTEXT_ON_SUBMISSIONS, p);
        fault_detail(f, "M= has no s; clients that expect TLS at once get no connection.");
        sm_fix_modifiers(f, p, "s", "");
        sm_fix_make(f);
    } else if (should_not && p->at_once) {
        struct fault *f = sm_fault(s, FAULT_TLS_AT_ONCE_ON_STARTTLS, p);
        fault_detail(f, "s in M= is for port 465.");
        sm_fix_modifiers(f, p, "", "s");
        sm_fix_make(f);
    }
}

static void fix_certificate(struct fault *f)
{
    fault_fix(f, "in sendmail.mc (Debian: include(`/etc/mail/tls/starttls.m4')dnl has the like): "
                 "define(`confSERVER_CERT', `FILE with the certificate and its chain')dnl");
    fault_fix(f, "define(`confSERVER_KEY', `FILE with the key')dnl");
    sm_fix_make(f);
}

void sm_submission_without_tls(struct sm_doctor *s, const struct sm_port *p)
{
    if (!sm_submits(p) || sm_offers_tls(s, p) ||
        (p->listener && p->listener->tls_by == TLS_BY_PROXY))
        return;
    struct fault *f = sm_fault(s, FAULT_SUBMISSION_WITHOUT_TLS, p);
    if (!has_tls(&s->cf)) {
        fault_detail(
            f, "sendmail.cf sets no ServerCertFile, or no ServerKeyFile, so there is no TLS%s.",
            p->at_once ? ", and with s in M= no clear text either" : "");
        fix_certificate(f);
    } else if (cf_has(p->cf->modifiers, 'S')) {
        fault_detail(f, "S in M= hides STARTTLS.");
        sm_fix_modifiers(f, p, "", "S");
        sm_fix_make(f);
    } else {
        fault_detail(f, "%s:%u hides STARTTLS (S).", p->features.file, p->features.line);
        fault_fix(f, "take the S out of the rule in sendmail.mc, or of the line in access");
        sm_fix_make(f);
    }
}

/*
 * Sendmail can demand TLS on one port only by demanding a login that needs TLS. Where passwords
 * work in clear text, auth-without-tls has said it.
 */
void sm_tls_not_required(struct sm_doctor *s, const struct sm_port *p)
{
    bool login = cf_has(p->cf->modifiers, 'a') || cf_has(p->features.letters, 'l');
    if (!sm_submits(p) || p->at_once || login || p->features.unknown || p->clear_passwords ||
        !has_tls(&s->cf) || sm_enforces(p, FINDING_TLS_REQUIRED))
        return;
    struct fault *f = sm_fault(s, FAULT_TLS_NOT_REQUIRED, p);
    fault_detail(f,
                 "Who does not log in needs no TLS there; with a in M= and logins under TLS only, "
                 "or with Mailreeve in mode enforce, mail needs it, too.");
    sm_fix_modifiers(f, p, "a", "A");
    sm_fix_make(f);
}

static void fix_new_port(struct fault *f, const char *options, const char *filter)
{
    fault_fix(f, "in sendmail.mc: DAEMON_OPTIONS(`Family=inet, %s%s%s')dnl", options,
              filter ? ", InputMailFilters=" : "", filter ? filter : "");
    sm_fix_make(f);
}

void sm_ports_missing(struct sm_doctor *s)
{
    const struct sm_port *login = NULL; /* where somebody can log in */
    bool has_465 = false, has_587 = false;
    for (unsigned i = 0; i < s->count; i++) {
        const struct sm_port *p = &s->ports[i];
        if (p->local)
            continue;
        has_465 |= p->role == ROLE_SUBMISSIONS;
        has_587 |= p->port == 587 || (p->listener && p->role == ROLE_SUBMISSION);
        login = p->auth == POSSIBLE && (!login || p->port == 587) ? p : login;
    }
    const char *ours = login && login->ours && sm_submits(login) ? login->ours->name : NULL;
    if (login && !has_465) {
        struct fault *f = sm_fault(s, FAULT_NO_SUBMISSIONS_PORT, login);
        fault_detail(f, "Users can log in on port %u, and there is no daemon with s in M=.",
                     login->port);
        fix_new_port(f, "Name=submissions, Port=465, M=Eas", ours);
    }
    if (login && !has_587)
        fix_new_port(sm_fault(s, FAULT_NO_SUBMISSION_PORT, login),
                     "Name=submission, Port=587, M=Ea", ours);
}

void sm_tls_required_on_25(struct sm_doctor *s)
{
    const struct access_entry *all = access_for_all(&s->access, ACCESS_TLS_CLT);
    bool demands =
        all &&
        (strncasecmp(all->value, "ENCR", 4) == 0 || strncasecmp(all->value, "VERIFY", 6) == 0 ||
         strncasecmp(all->value, "PERM+", 5) == 0 || strncasecmp(all->value, "TEMP+", 5) == 0);
    for (unsigned i = 0; demands && i < s->count; i++) {
        const struct sm_port *p = &s->ports[i];
        if (p->local || p->role != ROLE_SMTP || (p->listener && !p->listener->public))
            continue;
        struct fault *f = sm_fault(s, FAULT_TLS_REQUIRED_ON_25, p);
        fault_where(f, "access:%u", all->line);
        fault_evidence(f, "TLS_Clt: %s", all->value);
        fault_detail(f, "It holds for every port, so also for other servers on port %u.", p->port);
        fault_fix(f, "take the line out of access; Mailreeve, or M=Ea with logins under TLS only, "
                     "demands TLS on submission ports");
        fault_fix(f, "make -C /etc/mail");
        return;
    }
}

/* ---- versions ------------------------------------------------------------------------- */

/* "+SSL_OP_NO_TLSv1" as a word; a later "-" takes it away again. */
static bool forbids(const char *options, const char *name)
{
    struct str rest = str_of(options);
    bool forbidden = false;
    while (rest.p) {
        struct str word = str_cut(&rest, " \t\n,");
        bool plus = word.n && word.p[0] != '-';
        if (word.n && (word.p[0] == '+' || word.p[0] == '-'))
            word.p++, word.n--;
        if (str_eq(word, str_of(name)))
            forbidden = plus;
    }
    return forbidden;
}

/* What this machine's OpenSSL does when nothing is set, its openssl.cnf included; Sendmail's is the
 * same. From security level 1 on OpenSSL 3 has no TLS 1.0 and 1.1. */
static bool openssl_forbids(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    bool forbidden = ctx && (SSL_CTX_get_min_proto_version(ctx) >= TLS1_2_VERSION ||
                             (SSL_CTX_get_options(ctx) & SSL_OP_NO_TLSv1 &&
                              SSL_CTX_get_options(ctx) & SSL_OP_NO_TLSv1_1) ||
                             SSL_CTX_get_security_level(ctx) >= 1);
    SSL_CTX_free(ctx);
    return forbidden;
}

static void fix_versions(struct sm_doctor *s, struct fault *f)
{
    const char *now = cf_value(&s->cf, "ServerSSLOptions");
    fault_fix(f,
              "in sendmail.mc: define(`confSERVER_SSL_OPTIONS', `%s%s+SSL_OP_NO_TLSv1 "
              "+SSL_OP_NO_TLSv1_1')dnl",
              now, *now ? " " : "");
    sm_fix_make(f);
}

static bool is_reached(const struct sm_doctor *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (!s->ports[i].local)
            return true;
    return false;
}

void sm_tls_versions(struct sm_doctor *s)
{
    const char *options = cf_value(&s->cf, "ServerSSLOptions"),
               *ciphers = cf_value(&s->cf, "CipherList");
    if (!has_tls(&s->cf) || !is_reached(s))
        return;
    if (forbids(options, "SSL_OP_NO_TLSv1_2") && forbids(options, "SSL_OP_NO_TLSv1_3")) {
        struct fault *f = sm_option_fault(s, FAULT_TLS_12_MISSING, "ServerSSLOptions");
        fault_fix(f,
                  "take +SSL_OP_NO_TLSv1_2 and +SSL_OP_NO_TLSv1_3 out of confSERVER_SSL_OPTIONS");
        sm_fix_make(f);
    }
    if (forbids(options, "SSL_OP_NO_TLSv1") && forbids(options, "SSL_OP_NO_TLSv1_1"))
        return;
    const char *level = strstr(ciphers, "@SECLEVEL=");
    if (level && level[10] == '0') {
        struct fault *f = sm_option_fault(s, FAULT_TLS_OLD_VERSIONS, "CipherList");
        fault_detail(
            f, "@SECLEVEL=0 lets TLS 1.0 and 1.1 in, and ServerSSLOptions does not forbid them.");
        fix_versions(s, f);
    } else if (s->in->live && !level && !openssl_forbids()) {
        struct fault *f = sm_option_fault(s, FAULT_TLS_OLD_VERSIONS, "ServerSSLOptions");
        fault_detail(f,
                     "Nothing forbids TLS 1.0 and 1.1, and OpenSSL on this machine allows them by "
                     "default.");
        fix_versions(s, f);
    } else if (!s->in->live && !level) {
        faults_unknown(
            s->fs,
            "whether TLS 1.0 and 1.1 are accepted: ServerSSLOptions does not forbid them, so "
            "OpenSSL on that machine decides; `mailreeve probe` asks the server itself, and "
            "define(`confSERVER_SSL_OPTIONS', `+SSL_OP_NO_TLSv1 +SSL_OP_NO_TLSv1_1')dnl "
            "decides it");
    }
}

/* ---- certificates ------------------------------------------------------------------------ */

enum { NAMES_MAX = 64, PAIRS_MAX = 2 }; /* Sendmail takes two: "rsa.pem,ec.pem" */

/* The names of the command line, and what Sendmail calls itself. */
static unsigned names_of(const struct sm_doctor *s, char own[256], const char *ret[NAMES_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < s->in->name_count && count < NAMES_MAX - 1; i++)
        ret[count++] = s->in->names[i];
    snprintf(own, 256, "%s", s->cf.host);
    if (!*own && s->in->live && gethostname(own, 255) < 0)
        *own = 0;
    for (unsigned i = 0; i < count; i++)
        if (strcasecmp(ret[i], own) == 0)
            return count;
    if (*own && strchr(own, '.'))
        ret[count++] = own;
    return count;
}

static void unreadable(struct sm_doctor *s, const char *option, const char *path, const char *why)
{
    if (!s->in->live) {
        faults_unknown(s->fs, "%s: %s", option, why);
        return;
    }
    bool absent = access(path, F_OK) < 0 && errno == ENOENT;
    struct fault *f = sm_option_fault(
        s, absent ? FAULT_CERTIFICATE_MISSING : FAULT_CERTIFICATE_UNREADABLE, option);
    fault_detail(f, "%s.", why);
    fix_certificate(f);
}

static void judge_pair(struct sm_doctor *s, const char *cert, const char *key)
{
    char own[256], where[64];
    const char *names[NAMES_MAX];
    struct certificate c = {0};
    struct err e;
    unsigned count = names_of(s, own, names);
    snprintf(where, sizeof where, "sendmail.cf:%u", cf_option(&s->cf, "ServerCertFile")->line);
    if (certificate_of_file(cert, s->in->ca_file, s->in->now_s, &c, &e)) {
        unreadable(s, "ServerCertFile", cert, e.text);
        certificate_clear(&c);
        return;
    }
    certificate_judge(&c, names, count, s->in->now_s, where, cert, s->fs);
    int belongs = certificate_matches_key(&c, key, &e);
    if (belongs < 0)
        unreadable(s, "ServerKeyFile", key, e.text);
    if (belongs == 0) {
        struct fault *f = sm_option_fault(s, FAULT_CERTIFICATE_KEY, "ServerKeyFile");
        fault_detail(f, "The certificate is %s.", cert);
        fix_certificate(f);
    }
    certificate_clear(&c);
}

void sm_certificates(struct sm_doctor *s)
{
    if (!has_tls(&s->cf) || !is_reached(s))
        return;
    struct str certs = str_of(cf_value(&s->cf, "ServerCertFile")),
               keys = str_of(cf_value(&s->cf, "ServerKeyFile"));
    for (unsigned i = 0; i < PAIRS_MAX && certs.p && keys.p; i++) {
        char cert[4096], key[4096];
        struct str c = str_trim(str_cut(&certs, ",")), k = str_trim(str_cut(&keys, ","));
        snprintf(cert, sizeof cert, "%.*s", STR_ARG(c));
        snprintf(key, sizeof key, "%.*s", STR_ARG(k));
        judge_pair(s, cert, key);
    }
}
