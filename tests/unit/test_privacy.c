/* SPDX-License-Identifier: Apache-2.0 */
/* What may be written of users and addresses, and the secret behind the hashes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "edge/privacy.h"

static char dir[64], secret_path[100];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/mailreeve-privacy-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(secret_path, sizeof secret_path, "%s/secret", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(secret_path);
    return rmdir(dir);
}

static struct privacy *open_privacy(enum user_privacy user, enum address_privacy address)
{
    struct privacy_settings s = {user, address};
    struct err err;
    struct privacy *p = privacy_open(&s, dir, (uid_t)-1, (gid_t)-1, &err);
    if (!p)
        fail_msg("%s", err.text);
    return p;
}

static void put_secret(const char *text, size_t n)
{
    FILE *f = fopen(secret_path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static const char known_secret[33] = "0123456789abcdef0123456789abcdef";

/* HMAC by OpenSSL's other interface, over `message` with its parts' NULs. */
static void expect_hash(struct str got, const char *message, size_t n)
{
    unsigned char mac[32];
    unsigned size;
    char text[19] = "h:";
    assert_non_null(
        HMAC(EVP_sha256(), known_secret, 32, (const unsigned char *)message, n, mac, &size));
    for (int i = 0; i < 8; i++)
        snprintf(text + 2 + 2 * i, 3, "%02x", mac[i]);
    assert_int_equal(got.n, 18);
    assert_memory_equal(got.p, text, 18);
}

#define expect(got, text)                                                                          \
    do {                                                                                           \
        struct str got_ = (got), text_ = str_of(text);                                             \
        assert_int_equal(got_.n, text_.n);                                                         \
        assert_true(str_eq(got_, text_));                                                          \
    } while (0)

static struct addr address(const char *text)
{
    struct addr a;
    addr_parse(str_of(text), &a);
    return a;
}

static void test_plain(void **state)
{
    (void)state;
    struct privacy *p = open_privacy(USER_PLAIN, ADDRESS_PLAIN);
    struct str user = STR("Bob@Example.COM"), text = STR("192.0.2.17");
    struct addr a = address("192.0.2.17");
    /* The very same view: nothing is copied, no scratch needed. */
    assert_ptr_equal(privacy_user(p, user, NULL).p, user.p);
    assert_ptr_equal(privacy_sender(p, user, NULL).p, user.p);
    assert_ptr_equal(privacy_address(p, text, &a, NULL).p, text.p);
    assert_ptr_equal(privacy_name(p, user, NULL).p, user.p);
    privacy_free(p);
    privacy_free(NULL);
}

static void test_hash(void **state)
{
    (void)state;
    put_secret(known_secret, 32);
    struct privacy *p = open_privacy(USER_HASH, ADDRESS_HASH);
    char text[PRIVACY_TEXT_MAX];
    struct buf scratch = BUF(text);
    /* Twice: a hash must not depend on the one before. */
    for (int i = 0; i < 2; i++) {
        expect_hash(privacy_user(p, STR("bob@example.com"), &scratch), "user\0bob@example.com", 20);
        expect_hash(privacy_user(p, STR("Bob@EXAMPLE.com"), &scratch), "user\0bob@example.com", 20);
        expect_hash(privacy_sender(p, STR("bob@example.com"), &scratch), "user\0bob@example.com",
                    20);
        expect_hash(privacy_user(p, STR("\xff\xe9"), &scratch), "user\0\xff\xe9", 7);
        expect_hash(privacy_name(p, STR("Laptop.example.com"), &scratch),
                    "name\0laptop.example.com", 23);
        struct addr a = address("192.0.2.17"), mapped = address("::ffff:192.0.2.17");
        expect_hash(privacy_address(p, STR("192.0.2.17"), &a, &scratch),
                    "address\0\xc0\x00\x02\x11", 12);
        expect_hash(privacy_address(p, STR("x"), &mapped, &scratch), "address\0\xc0\x00\x02\x11",
                    12);
    }
    struct addr none = {0};
    expect(privacy_address(p, STR("unknown"), &none, &scratch), "unknown");
    expect(privacy_user(p, STR(""), &scratch), "");
    expect(privacy_address(p, STR(""), &none, &scratch), "");
    /* Never the plain text, also where it cannot be hashed. */
    static char longest[4000];
    memset(longest, 'x', sizeof longest);
    expect(privacy_user(p, (struct str){longest, sizeof longest}, &scratch), "h:?");
    struct buf small = {text, 0, 17, false};
    expect(privacy_user(p, STR("bob"), &small), "h:?");
    privacy_free(p);
}

static void test_domain_and_network(void **state)
{
    (void)state;
    static const struct {
        const char *user, *written;
    } users[] = {{"bob@example.com", "@example.com"},
                 {"bob", "@"},
                 {"a@b@c.org", "@c.org"},
                 {"bob@", "@"},
                 {"@x", "@x"},
                 {"", ""}};
    static const struct {
        const char *address, *written;
    } addresses[] = {{"192.0.2.17", "192.0.2.0/24"},
                     {"2001:db8:1:2::3", "2001:db8:1::/48"},
                     {"::ffff:192.0.2.17", "192.0.2.0/24"},
                     {"unknown", "unknown"}};
    struct privacy *p = open_privacy(USER_DOMAIN, ADDRESS_NETWORK);
    char text[PRIVACY_TEXT_MAX];
    struct buf scratch = BUF(text);
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        expect(privacy_user(p, str_of(users[i].user), &scratch), users[i].written);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct addr a = address(addresses[i].address);
        expect(privacy_address(p, str_of(addresses[i].address), &a, &scratch),
               addresses[i].written);
    }
    expect(privacy_name(p, STR("host-192-0-2-17.example.com"), &scratch), "");
    struct privacy_settings plain = {USER_PLAIN, ADDRESS_PLAIN};
    privacy_reconfigure(p, &plain);
    expect(privacy_user(p, STR("bob"), NULL), "bob");
    privacy_free(p);
}

static void test_secret(void **state)
{
    (void)state;
    char text[PRIVACY_TEXT_MAX], first[19];
    struct buf scratch = BUF(text);
    struct privacy *p = open_privacy(USER_PLAIN, ADDRESS_PLAIN); /* made though nothing is hashed */
    struct stat st;
    assert_int_equal(stat(secret_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, 32);
    privacy_free(p);

    /* The same in every program and after a restart; another one, other hashes. */
    for (int i = 0; i < 3; i++) {
        p = open_privacy(USER_HASH, ADDRESS_PLAIN);
        struct str got = privacy_user(p, STR("bob"), &scratch);
        assert_int_equal(got.n, 18);
        if (i > 0)
            assert_int_equal(memcmp(first, got.p, 18) == 0, i == 1);
        memcpy(first, got.p, 18);
        privacy_free(p);
        if (i == 1)
            unlink(secret_path);
    }

    struct privacy_settings s = {USER_HASH, ADDRESS_HASH};
    struct err err;
    char expected[300];
    for (int i = 0; i < 3; i++) {
        static const size_t sizes[] = {0, 31, 33};
        put_secret("0123456789abcdef0123456789abcdefg", sizes[i]);
        assert_null(privacy_open(&s, dir, (uid_t)-1, (gid_t)-1, &err));
        snprintf(expected, sizeof expected,
                 "%s is not a secret of 32 bytes; delete it to have a new one made", secret_path);
        assert_string_equal(err.text, expected);
    }
    assert_null(privacy_open(&s, "/nowhere", (uid_t)-1, (gid_t)-1, &err));
    assert_non_null(strstr(err.text, "cannot make /nowhere/secret"));
    /* Without a journal: a secret for as long as the process lives. */
    p = privacy_open(&s, "", (uid_t)-1, (gid_t)-1, &err);
    assert_non_null(p);
    assert_int_equal(privacy_user(p, STR("bob"), &scratch).n, 18);
    privacy_free(p);
}

static void test_keys(void **state)
{
    (void)state;
    put_secret(known_secret, 32);
    struct sipkey a, b, c;
    struct privacy *p = open_privacy(USER_HASH, ADDRESS_HASH);
    assert_int_equal(privacy_derive_key(p, "session", &a), 0);
    assert_int_equal(privacy_derive_key(p, "other", &b), 0);
    privacy_free(p);
    p = open_privacy(USER_PLAIN, ADDRESS_PLAIN);
    assert_int_equal(privacy_derive_key(p, "session", &c), 0);
    privacy_free(p);
    assert_true(a.k0 == c.k0 && a.k1 == c.k1);
    assert_true(a.k0 != b.k0 && a.k1 != b.k1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain),  TEST(test_hash), TEST(test_domain_and_network),
        TEST(test_secret), TEST(test_keys),
    };
    return cmocka_run_group_tests_name("privacy", tests, NULL, NULL);
}
