/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made here, in files and as a server sends them. */
#include "mta/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW = 1800000000, DAY = 86400 };

static char folder[64];

static const char *path(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *to = paths[next++ % 4];
    snprintf(to, sizeof paths[0], "%s/%s", folder, name);
    return to;
}

/* ---- making them -------------------------------------------------------------- */

struct made {
    X509 *cert;
    EVP_PKEY *key;
};

struct wanted {
    const char *name, *names; /* CN; the subjectAltName as openssl.cnf has it */
    const struct made *issuer;
    bool authority, elliptic, sha1;
    int days_before, days_after; /* from NOW; 0: 30 and 90 */
};

static void extend(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(x);
    assert_true(X509_add_ext(cert, x, -1));
    X509_EXTENSION_free(x);
}

static struct made make(struct wanted w)
{
    static long serial = 1;
    struct made m = {X509_new(), w.elliptic ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048)};
    X509_NAME *name = X509_get_subject_name(m.cert);
    assert_true(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const void *)w.name, -1, -1, 0));
    X509_set_version(m.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(m.cert), serial++);
    X509_set_issuer_name(m.cert, w.issuer ? X509_get_subject_name(w.issuer->cert) : name);
    ASN1_TIME_set(X509_getm_notBefore(m.cert), NOW - (w.days_before ? w.days_before : 30) * DAY);
    ASN1_TIME_set(X509_getm_notAfter(m.cert), NOW + (w.days_after ? w.days_after : 90) * DAY);
    X509_set_pubkey(m.cert, m.key);
    if (w.authority)
        extend(m.cert, NID_basic_constraints, "critical,CA:TRUE");
    if (w.names)
        extend(m.cert, NID_subject_alt_name, w.names);
    assert_true(
        X509_sign(m.cert, w.issuer ? w.issuer->key : m.key, w.sha1 ? EVP_sha1() : EVP_sha256()));
    return m;
}

static void forget(struct made m)
{
    X509_free(m.cert);
    EVP_PKEY_free(m.key);
}

/* Appends to a file: certificates 'c', keys 'k' and encrypted keys 'e' of the list. */
static void append(const char *file, const char *what, const struct made *const list[])
{
    FILE *f = fopen(file, "a");
    assert_non_null(f);
    for (; *what; what++, list++)
        if (*what == 'c')
            assert_true(PEM_write_X509(f, (*list)->cert));
        else
            assert_true(PEM_write_PrivateKey(
                f, (*list)->key, *what == 'e' ? EVP_aes_128_cbc() : NULL,
                *what == 'e' ? (unsigned char *)"secret" : NULL, 6, NULL, NULL));
    fclose(f);
}

static void write_bytes(const char *file, const void *p, size_t n)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

#define LIST(...) ((const struct made *const[]){__VA_ARGS__})

static struct made root, middle, leaf, elliptic; /* of most tests */

static int make_all(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mailreeve-certificate.XXXXXX");
    assert_non_null(mkdtemp(folder));
    root = make((struct wanted){.name = "Root", .authority = true});
    middle = make((struct wanted){.name = "Middle", .authority = true, .issuer = &root});
    leaf = make((struct wanted){.name = "leaf",
                                .issuer = &middle,
                                .names = "DNS:mail.example.com,DNS:*.example.net,IP:192.0.2.1"});
    elliptic = make((struct wanted){
        .name = "ec", .issuer = &middle, .elliptic = true, .names = "DNS:mail.example.com"});
    append(path("root"), "c", LIST(&root));
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    forget(root), forget(middle), forget(leaf), forget(elliptic);
    static const char *const names[] = {"root", "chain",   "postfix",    "short",    "self",
                                        "odd",  "damaged", "empty",      "text",     "binary",
                                        "key",  "last",    "ec-key",     "ec-chain", "encrypted",
                                        "huge", "behind",  "old-middle", "sha1",     "many"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path(names[i]));
    unlink(path("fifo"));
    return rmdir(folder);
}

static struct certificate read_ok(const char *file, const char *ca)
{
    struct certificate c;
    struct err e = {""};
    int failed = certificate_of_file(file, ca, NOW, &c, &e);
    assert_string_equal(e.text, "");
    assert_int_equal(failed, 0);
    return c;
}

/* ---- what it says -------------------------------------------------------------- */

static void test_good_chain(void **state)
{
    (void)state;
    append(path("chain"), "cc", LIST(&leaf, &middle));
    struct certificate c = read_ok(path("chain"), path("root"));
    assert_int_equal(c.chain, CHAIN_TRUSTED);
    assert_string_equal(c.chain_why, "");
    assert_string_equal(c.subject, "CN=leaf");
    assert_string_equal(c.issuer, "CN=Middle");
    assert_int_equal(c.name_count, 2);
    assert_string_equal(c.names[0], "mail.example.com");
    assert_string_equal(c.names[1], "*.example.net");
    assert_int_equal(c.names_dropped, 0);
    assert_int_equal(c.not_before_s, NOW - 30 * DAY);
    assert_int_equal(c.not_after_s, NOW + 90 * DAY);
    certificate_clear(&c);
    certificate_clear(&c);

    /* the system's store does not have this root */
    c = read_ok(path("chain"), NULL);
    assert_int_equal(c.chain, CHAIN_INCOMPLETE);
    certificate_clear(&c);
}

static void test_key_first(void **state)
{
    (void)state;
    append(path("postfix"), "kcckc", LIST(&leaf, &leaf, &middle, &elliptic, &elliptic));
    struct certificate c = read_ok(path("postfix"), path("root"));
    assert_int_equal(c.chain, CHAIN_TRUSTED);
    assert_string_equal(c.subject, "CN=leaf");
    assert_int_equal(certificate_matches_key(&c, path("postfix"), NULL), 1);
    certificate_clear(&c);
}

static void test_incomplete(void **state)
{
    (void)state;
    append(path("short"), "c", LIST(&leaf));
    struct certificate c = read_ok(path("short"), path("root"));
    assert_int_equal(c.chain, CHAIN_INCOMPLETE);
    assert_string_equal(c.chain_why, "unable to get local issuer certificate");
    certificate_clear(&c);
}

static void test_self_signed(void **state)
{
    (void)state;
    struct made self = make((struct wanted){.name = "self", .names = "DNS:self.example.com"});
    append(path("self"), "c", LIST(&self));
    struct certificate c = read_ok(path("self"), NULL);
    assert_int_equal(c.chain, CHAIN_SELF_SIGNED);
    certificate_clear(&c);
    c = read_ok(path("self"), path("self")); /* its owner trusts it */
    assert_int_equal(c.chain, CHAIN_TRUSTED);
    certificate_clear(&c);
    forget(self);
}

/* An issuer that is too old, a signature that is: no client will take them. */
static void test_untrusted(void **state)
{
    (void)state;
    struct made old =
        make((struct wanted){.name = "Old", .authority = true, .issuer = &root, .days_after = -1});
    struct made under =
        make((struct wanted){.name = "under", .issuer = &old, .names = "DNS:a.example"});
    append(path("old-middle"), "cc", LIST(&under, &old));
    struct certificate c = read_ok(path("old-middle"), path("root"));
    assert_int_equal(c.chain, CHAIN_UNTRUSTED);
    assert_string_equal(c.chain_why, "certificate has expired: CN=Old");
    certificate_clear(&c);

    struct made weak = make((struct wanted){.name = "weak", .issuer = &root, .sha1 = true});
    append(path("sha1"), "c", LIST(&weak));
    c = read_ok(path("sha1"), path("root"));
    assert_int_equal(c.chain, CHAIN_UNTRUSTED);
    assert_string_equal(c.chain_why, "CA signature digest algorithm too weak");
    certificate_clear(&c);
    forget(old), forget(under), forget(weak);
}

static void test_as_sent(void **state)
{
    (void)state;
    struct certificate c;
    struct err e;
    STACK_OF(X509) *chain = sk_X509_new_null();
    assert_int_equal(certificate_of_chain(chain, NULL, NOW, &c, &e), -1);
    assert_string_equal(e.text, "there is no certificate");
    assert_int_equal(certificate_of_chain(NULL, NULL, NOW, &c, &e), -1);
    sk_X509_push(chain, elliptic.cert);
    sk_X509_push(chain, middle.cert);
    assert_int_equal(certificate_of_chain(chain, path("root"), NOW, &c, &e), 0);
    assert_int_equal(c.chain, CHAIN_TRUSTED);
    certificate_clear(&c);
    assert_int_equal(certificate_of_chain(chain, path("absent"), NOW, &c, &e), -1);
    assert_non_null(strstr(e.text, "absent: No such file"));
    sk_X509_free(chain);
}

/* What a stranger has written into it reaches no terminal. */
static void test_odd_names(void **state)
{
    (void)state;
    struct made odd =
        make((struct wanted){.name = "a\033[2Jb\"\303\251,\n",
                             .names = "DNS:x\033]0;y\007.example.com,DNS:plain.example.com"});
    append(path("odd"), "c", LIST(&odd));
    struct certificate c = read_ok(path("odd"), NULL);
    for (const char *s = c.subject; *s; s++)
        assert_in_range((unsigned char)*s, 0x20, 0x7e);
    assert_string_equal(c.names[0], "x?]0;y?.example.com");
    assert_string_equal(c.names[1], "plain.example.com");
    certificate_clear(&c);
    forget(odd);

    static char names[64 * CERTIFICATE_NAMES];
    struct buf b = BUF(names);
    for (int i = 0; i < CERTIFICATE_NAMES + 6; i++)
        buf_printf(&b, "%sDNS:h%d.example.com", i ? "," : "", i);
    odd = make((struct wanted){.name = "many", .names = buf_cstr(&b)});
    append(path("many"), "c", LIST(&odd));
    c = read_ok(path("many"), NULL);
    assert_int_equal(c.name_count, CERTIFICATE_NAMES);
    assert_int_equal(c.names_dropped, 6);
    assert_true(certificate_covers(&c, "h69.example.com")); /* also what had no room */
    certificate_clear(&c);
    forget(odd);
}

static void test_covers(void **state)
{
    (void)state;
    struct made m = make((struct wanted){
        .name = "mail.example.org",
        .names = "DNS:mail.example.com,DNS:*.example.net,DNS:*.com,DNS:f*.example.edu,DNS:*"});
    STACK_OF(X509) *chain = sk_X509_new_null();
    sk_X509_push(chain, m.cert);
    struct certificate c;
    assert_int_equal(certificate_of_chain(chain, NULL, NOW, &c, NULL), 0);
    static const struct {
        const char *name;
        bool covered;
    } cases[] = {
        {"mail.example.com", true},
        {"MAIL.Example.COM", true},
        {"mail.example.com.", true},
        {"smtp.example.com", false},
        {"a.example.net", true},
        {"a.b.example.net", false},
        {"example.net", false},
        {".example.net", false},
        {"*.example.net", true},
        {"example.com", false},
        {"foo.example.edu", false},
        {"localhost", false},
        {"mail.example.org", false}, /* the subject is no name */
        {"", false},
        {".", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (certificate_covers(&c, cases[i].name) != cases[i].covered)
            fail_msg("%s", cases[i].name);
    certificate_clear(&c);
    assert_false(certificate_covers(&c, "mail.example.com"));
    sk_X509_free(chain);
    forget(m);
}

static void test_keys(void **state)
{
    (void)state;
    append(path("key"), "k", LIST(&leaf));
    append(path("ec-key"), "k", LIST(&elliptic));
    append(path("ec-chain"), "cc", LIST(&elliptic, &middle));
    append(path("encrypted"), "e", LIST(&leaf));
    append(path("last"), "cck", LIST(&leaf, &middle, &leaf));
    struct certificate rsa = read_ok(path("chain"), NULL), ec = read_ok(path("ec-chain"), NULL);
    struct err e;
    assert_int_equal(certificate_matches_key(&rsa, path("key"), &e), 1);
    assert_int_equal(certificate_matches_key(&rsa, path("last"), &e), 1);
    assert_int_equal(certificate_matches_key(&ec, path("ec-key"), &e), 1);
    assert_int_equal(certificate_matches_key(&rsa, path("ec-key"), &e), 0);
    assert_int_equal(certificate_matches_key(&ec, path("key"), &e), 0);
    assert_int_equal(certificate_matches_key(&rsa, path("encrypted"), &e), -1);
    assert_non_null(strstr(e.text, "encrypted: the key is encrypted"));
    assert_int_equal(certificate_matches_key(&rsa, path("chain"), &e), -1);
    assert_non_null(strstr(e.text, "chain: holds no key in PEM"));
    assert_int_equal(certificate_matches_key(&rsa, path("absent"), &e), -1);
    assert_int_equal(ERR_peek_error(), 0);
    certificate_clear(&rsa), certificate_clear(&ec);
    assert_int_equal(certificate_matches_key(&rsa, path("key"), &e), -1);
}

static void test_unreadable(void **state)
{
    (void)state;
    static const char damaged[] =
        "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0B\n-----END CERTIFICATE-----\n";
    static const char noise[] = "\0\1\2-----BEGIN\xff\xfe CERTIFICATE\0-----\n\x30\x82";
    static char huge[1024 * 1024 + 1];
    write_bytes(path("damaged"), damaged, sizeof damaged - 1);
    write_bytes(path("empty"), "", 0);
    write_bytes(path("text"), "see /etc/ssl\n", 13);
    write_bytes(path("binary"), noise, sizeof noise);
    write_bytes(path("huge"), huge, sizeof huge);
    append(path("behind"), "c", LIST(&leaf)); /* the issuer behind it is damaged */
    FILE *f = fopen(path("behind"), "a");
    fputs(damaged, f);
    fclose(f);
    assert_int_equal(mkfifo(path("fifo"), 0600), 0);
    static const struct {
        const char *file, *why;
    } cases[] = {
        {"absent", "absent: No such file or directory"},
        {"damaged", "damaged: a damaged certificate: "},
        {"empty", "empty: holds no certificate in PEM"},
        {"text", "text: holds no certificate in PEM"},
        {"binary", "binary: holds no certificate in PEM"},
        {"huge", "huge: is larger than 1048576 bytes"},
        {"behind", "behind: a damaged certificate: "},
        {"fifo", "fifo: is not a file"},
        {"", ": is not a file"},
        {"key", "key: holds no certificate in PEM"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct certificate c;
        struct err e = {""};
        assert_int_equal(certificate_of_file(path(cases[i].file), NULL, NOW, &c, &e), -1);
        if (!strstr(e.text, cases[i].why))
            fail_msg("\"%s\" lacks \"%s\"", e.text, cases[i].why);
        assert_null(c.leaf);
        assert_int_equal(ERR_peek_error(), 0);
    }
    struct certificate c;
    assert_int_equal(certificate_of_file(path("chain"), path("empty"), NOW, &c, NULL), -1);
}

/* ---- the judgement ---------------------------------------------------------------- */

/* The ids of the faults, with a space behind each. */
static const char *judged(struct certificate *c, int64_t now_s, const char *name, struct faults *fs)
{
    static char text[512];
    struct buf b = BUF(text);
    faults_free(fs);
    certificate_judge(c, &name, name ? 1 : 0, now_s, "here", "this", fs);
    for (unsigned i = 0; i < fs->count; i++) {
        buf_printf(&b, "%s ", fault_kinds[fs->list[i].id].name);
        assert_string_equal(fs->list[i].where, "here");
        assert_string_equal(fs->list[i].evidence, "this");
        assert_true(fs->list[i].fix_count > 0);
    }
    return buf_cstr(&b);
}

static void test_judgement(void **state)
{
    (void)state;
    struct faults fs = {0};
    struct certificate c = read_ok(path("chain"), path("root"));
    int64_t end = NOW + 90 * DAY;
    assert_string_equal(judged(&c, NOW, "mail.example.com", &fs), "");
    assert_string_equal(judged(&c, NOW, NULL, &fs), "");
    assert_string_equal(judged(&c, end - 14 * DAY - 1, NULL, &fs), "");
    assert_string_equal(judged(&c, end - 14 * DAY, NULL, &fs), "certificate-expires-soon ");
    assert_string_equal(judged(&c, end, NULL, &fs), "certificate-expires-soon ");
    assert_string_equal(fs.list[0].detail, "It expires at 2027-04-15T08:00:00Z.");
    assert_string_equal(judged(&c, end + 1, NULL, &fs), "certificate-expired ");
    assert_string_equal(fs.list[0].detail, "It expired at 2027-04-15T08:00:00Z.");
    assert_string_equal(judged(&c, NOW - 31 * DAY, NULL, &fs), "certificate-expired ");
    assert_string_equal(fs.list[0].detail, "It is not valid before 2026-12-16T08:00:00Z.");
    assert_string_equal(judged(&c, NOW, "smtp.example.com", &fs), "certificate-name ");
    assert_string_equal(
        fs.list[0].detail,
        "Clients use smtp.example.com; the certificate holds mail.example.com, *.example.net.");
    certificate_clear(&c);

    c = read_ok(path("short"), path("root"));
    assert_string_equal(judged(&c, NOW, NULL, &fs), "certificate-chain ");
    assert_string_equal(
        fs.list[0].detail,
        "It is of CN=leaf, issued by CN=Middle: unable to get local issuer certificate.");
    certificate_clear(&c);
    c = read_ok(path("self"), NULL);
    assert_string_equal(judged(&c, end + DAY, "other.example.com", &fs),
                        "certificate-expired certificate-self-signed certificate-name ");
    certificate_clear(&c);
    faults_free(&fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_chain), cmocka_unit_test(test_key_first),
        cmocka_unit_test(test_incomplete), cmocka_unit_test(test_self_signed),
        cmocka_unit_test(test_untrusted),  cmocka_unit_test(test_as_sent),
        cmocka_unit_test(test_odd_names),  cmocka_unit_test(test_covers),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_judgement),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
