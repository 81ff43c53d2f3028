/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"

enum {
    FILE_MAX = 1024 * 1024,
    CHAIN_MAX = 64,
    AUTH_LEVEL = 2 /* what Debian's OpenSSL asks of a peer */
};

/* ---- reading files ---------------------------------------------------------- */

/* A regular file of a sensible size: not a FIFO that never ends. NULL and *e. */
static BIO *open_file(const char *path, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(e, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        err_set(e, "%s: is not a file", path);
    } else if (st.st_size > FILE_MAX) {
        err_set(e, "%s: is larger than %d bytes", path, FILE_MAX);
    } else {
        FILE *f = fdopen(fd, "r");
        BIO *bio = f ? BIO_new_fp(f, BIO_CLOSE) : NULL;
        if (bio)
            return bio;
        err_set(e, "%s: out of memory", path);
        if (f) {
            fclose(f);
            return NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* OpenSSL would ask on the terminal. */
static int no_password(char *buf, int size, int writing, void *asked)
{
    (void)buf, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static int pem_error(const char *path, const char *what, bool encrypted, struct err *e)
{
    unsigned long code = ERR_peek_error();
    int lib = ERR_GET_LIB(code), reason = ERR_GET_REASON(code);
    bool absent = (lib == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE) ||
                  reason == ERR_R_UNSUPPORTED; /* what keys end with, damaged ones too */
    const char *text = ERR_reason_error_string(code);
    ERR_clear_error();
    if (encrypted)
        return err_set(e, "%s: the %s is encrypted; a mail server cannot ask for its password",
                       path, what);
    if (absent)
        return err_set(e, "%s: holds no %s in PEM that can be read", path, what);
    return err_set(e, "%s: a damaged %s: %s", path, what, text ? text : "no reason given");
}

/* All certificates of a file; PEM_read_bio_X509() skips what is none. */
static int read_chain(const char *path, STACK_OF(X509) * chain, struct err *e)
{
    BIO *bio = open_file(path, e);
    if (!bio)
        return -1;
    ERR_clear_error();
    X509 *x;
    bool encrypted = false;
    while (sk_X509_num(chain) < CHAIN_MAX &&
           (x = PEM_read_bio_X509(bio, NULL, no_password, &encrypted)) != NULL)
        if (!sk_X509_push(chain, x))
            X509_free(x);
    BIO_free(bio);
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (sk_X509_num(chain) > 0 && (reason == 0 || reason == PEM_R_NO_START_LINE)) {
        ERR_clear_error();
        return 0;
    }
    return pem_error(path, "certificate", encrypted, e);
}

/* ---- what it says ------------------------------------------------------------- */

/* Printable ASCII without quotes and backslashes; "?" for the rest, "..." for what does not fit. */
static void set_text(char *to, size_t size, const char *from, size_t n)
{
    size_t kept = n < size ? n : size - 1;
    for (size_t i = 0; i < kept; i++) {
        unsigned char c = (unsigned char)from[i];
        to[i] = c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? (char)c : '?';
    }
    to[kept] = '\0';
    if (kept < n)
        memcpy(to + kept - 3, "...", 3);
}

static void set_name(char *to, size_t size, const X509_NAME *name)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    long n = 0;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_get_mem_data(bio, &text);
    set_text(to, size, text, text && n > 0 ? (size_t)n : 0);
    BIO_free(bio);
}

static void set_dns_names(struct certificate *c)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        int n = ASN1_STRING_length(name->d.dNSName);
        if (c->name_count == CERTIFICATE_NAMES || n >= (int)sizeof c->names[0])
            c->names_dropped++;
        else
            set_text(c->names[c->name_count++], sizeof c->names[0],
                     (const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)n);
    }
    GENERAL_NAMES_free(names);
}

static int seconds_of(const ASN1_TIME *t, int64_t *ret)
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(t, &tm))
        return -1;
    *ret = timegm(&tm);
    return 0;
}

/* ---- the chain -------------------------------------------------------------------- */

/* The leaf's dates have faults of their own; those of its issuers count. */
static int leave_out_dates_of_leaf(int ok, X509_STORE_CTX *ctx)
{
    int error = X509_STORE_CTX_get_error(ctx);
    if (ok || X509_STORE_CTX_get_error_depth(ctx) > 0 ||
        (error != X509_V_ERR_CERT_HAS_EXPIRED && error != X509_V_ERR_CERT_NOT_YET_VALID))
        return ok;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static enum chain_state state_of(int error)
{
    switch (error) {
    case X509_V_OK: return CHAIN_TRUSTED;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return CHAIN_SELF_SIGNED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return CHAIN_INCOMPLETE;
    default: return CHAIN_UNTRUSTED;
    }
}

static void verify(X509_STORE *store, STACK_OF(X509) * chain, int64_t now_s, struct certificate *c)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    c->chain = CHAIN_UNTRUSTED;
    if (!ctx || !X509_STORE_CTX_init(ctx, store, c->leaf, chain)) {
        set_text(c->chain_why, sizeof c->chain_why, "out of memory", 13);
    } else {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, now_s);
        X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
        X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
        X509_STORE_CTX_set_verify_cb(ctx, leave_out_dates_of_leaf);
        int good = X509_verify_cert(ctx), error = X509_STORE_CTX_get_error(ctx);
        c->chain = good == 1 ? CHAIN_TRUSTED : state_of(error ? error : X509_V_ERR_UNSPECIFIED);
        const X509 *at = X509_STORE_CTX_get_current_cert(ctx);
        char text[512] = "", issuer[256] = "";
        struct buf b = BUF(text);
        if (at && X509_STORE_CTX_get_error_depth(ctx) > 0)
            set_name(issuer, sizeof issuer, X509_get_subject_name(at));
        if (c->chain != CHAIN_TRUSTED)
            buf_printf(&b, "%s%s%s", X509_verify_cert_error_string(error), *issuer ? ": " : "",
                       issuer);
        set_text(c->chain_why, sizeof c->chain_why, text, b.n);
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
}

static int load_store(X509_STORE *store, const char *ca_file, struct err *e)
{
    if (!store)
        return err_set(e, "out of memory");
    if (!ca_file)
        return X509_STORE_set_default_paths(store) ? 0
                                                   : err_set(e, "the system has no trust store");
    BIO *bio = open_file(ca_file, e); /* says what is wrong better than OpenSSL */
    if (!bio)
        return -1;
    BIO_free(bio);
    return X509_STORE_load_file(store, ca_file) ? 0 : pem_error(ca_file, "certificate", false, e);
}

/* ---- the whole ----------------------------------------------------------------------- */

int certificate_of_chain(STACK_OF(X509) * chain, const char *ca_file, int64_t now_s,
                         struct certificate *ret, struct err *e)
{
    *ret = (struct certificate){0};
    X509 *leaf = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
    if (!leaf)
        return err_set(e, "there is no certificate");
    if (seconds_of(X509_get0_notBefore(leaf), &ret->not_before_s) < 0 ||
        seconds_of(X509_get0_notAfter(leaf), &ret->not_after_s) < 0)
        return err_set(e, "the certificate has dates that are none");
    X509_STORE *store = X509_STORE_new();
    int failed = load_store(store, ca_file, e);
    if (!failed && X509_up_ref(leaf)) {
        ret->leaf = leaf;
        set_name(ret->subject, sizeof ret->subject, X509_get_subject_name(leaf));
        set_name(ret->issuer, sizeof ret->issuer, X509_get_issuer_name(leaf));
        set_dns_names(ret);
        verify(store, chain, now_s, ret);
    }
    X509_STORE_free(store);
    ERR_clear_error();
    return failed;
}

int certificate_of_file(const char *path, const char *ca_file, int64_t now_s,
                        struct certificate *ret, struct err *e)
{
    *ret = (struct certificate){0};
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (!chain)
        return err_set(e, "out of memory");
    struct err why;
    int failed = read_chain(path, chain, e);
    if (!failed && certificate_of_chain(chain, ca_file, now_s, ret, &why) < 0)
        failed = err_set(e, "%s: %s", path, why.text);
    sk_X509_pop_free(chain, X509_free);
    return failed;
}

bool certificate_covers(const struct certificate *c, const char *name)
{
    size_t n = strlen(name);
    if (n && name[n - 1] == '.')
        n--;
    if (!c->leaf || n == 0 || *name == '.') /* to OpenSSL ".example.com" is any name below it */
        return false;
    return X509_check_host(c->leaf, name, n,
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                           NULL) == 1;
}

int certificate_matches_key(const struct certificate *c, const char *key_path, struct err *e)
{
    if (!c->leaf)
        return err_set(e, "there is no certificate");
    BIO *bio = open_file(key_path, e);
    if (!bio)
        return -1;
    ERR_clear_error();
    bool encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
    BIO_free(bio);
    if (!key)
        return pem_error(key_path, "key", encrypted, e);
    int same = X509_check_private_key(c->leaf, key) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return same;
}

void certificate_clear(struct certificate *c)
{
    X509_free(c->leaf);
    *c = (struct certificate){0};
}

/* ---- the judgement --------------------------------------------------------------------- */

static struct fault *add(struct faults *fs, enum fault_id id, const char *where,
                         const char *evidence)
{
    struct fault *f = fault_add(fs, id);
    fault_where(f, "%s", where);
    fault_evidence(f, "%s", evidence);
    return f;
}

static const char *date(char text[32], int64_t s)
{
    struct buf b = {text, 0, 32, false};
    clock_format(&b, s * US_PER_S, 0);
    return buf_cstr(&b);
}

static void judge_dates(const struct certificate *c, int64_t now_s, const char *where,
                        const char *evidence, struct faults *fs)
{
    char day[32];
    bool early = now_s<c->not_before_s, late = now_s> c->not_after_s;
    if (!early && !late && c->not_after_s - now_s > CERTIFICATE_SOON_S)
        return;
    struct fault *f =
        add(fs, early || late ? FAULT_CERTIFICATE_EXPIRED : FAULT_CERTIFICATE_EXPIRES_SOON, where,
            evidence);
    if (early) {
        fault_detail(f, "It is not valid before %s.", date(day, c->not_before_s));
        fault_fix(f, "Is the clock right? date -u");
        return;
    }
    fault_detail(f, late ? "It expired at %s." : "It expires at %s.", date(day, c->not_after_s));
    fault_fix(f, "Renew it, with certbot: certbot renew");
    fault_fix(f, "Then have the server read it, Postfix: postfix reload");
}

static void judge_chain(const struct certificate *c, const char *where, const char *evidence,
                        struct faults *fs)
{
    if (c->chain == CHAIN_TRUSTED)
        return;
    bool self_signed = c->chain == CHAIN_SELF_SIGNED;
    struct fault *f = add(fs, self_signed ? FAULT_CERTIFICATE_SELF_SIGNED : FAULT_CERTIFICATE_CHAIN,
                          where, evidence);
    if (self_signed) {
        fault_detail(f, "It is of %s.", c->subject);
        fault_fix(f, "Get one from a public authority, for example: certbot certonly");
        return;
    }
    fault_detail(f, "It is of %s, issued by %s: %s.", c->subject, c->issuer, c->chain_why);
    if (c->chain == CHAIN_INCOMPLETE)
        fault_fix(f, "Put the issuer's certificate behind the server's own in the same file "
                     "(certbot: use fullchain.pem, not cert.pem); for Sendmail in the file of "
                     "confCACERT");
    else
        fault_fix(f, "Use a certificate that clients can verify, with all its issuers behind it "
                     "in the same file");
}

/* "mail.example.com, *.example.net and 3 more" */
static const char *names_of(const struct certificate *c, struct buf *b)
{
    enum { SHOWN = 6 };
    unsigned shown = c->name_count < SHOWN ? c->name_count : SHOWN;
    for (unsigned i = 0; i < shown; i++)
        buf_printf(b, "%s%s", i ? ", " : "", c->names[i]);
    unsigned more = c->name_count + c->names_dropped - shown;
    if (more)
        buf_printf(b, " and %u more", more);
    if (!shown && !more)
        buf_cstring(b, "no name (clients do not look at the subject)");
    return buf_cstr(b);
}

void certificate_judge(const struct certificate *c, const char *const names[], unsigned name_count,
                       int64_t now_s, const char *where, const char *evidence, struct faults *fs)
{
    judge_dates(c, now_s, where, evidence, fs);
    judge_chain(c, where, evidence, fs);
    for (unsigned i = 0; i < name_count; i++) {
        char held[2048];
        struct buf b = BUF(held);
        if (certificate_covers(c, names[i]))
            continue;
        struct fault *f = add(fs, FAULT_CERTIFICATE_NAME, where, evidence);
        fault_detail(f, "Clients use %s; the certificate holds %s.", names[i], names_of(c, &b));
        fault_fix(f,
                  "Get one that also holds %s (certbot: -d %s), or have clients use a name that "
                  "it holds",
                  names[i], names[i]);
    }
}
