/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves of the core, each against values written by hand or another's implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "core/clock.h"
#include "core/exceptions.h"
#include "core/prefix_index.h"
#include "core/session_key.h"
#include "core/siphash.h"

static const struct sipkey key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void test_str(void **state)
{
    (void)state;
    uint64_t v = 7;
    assert_true(str_to_u64(STR("0"), 10, &v) && v == 0);
    assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &v));
    assert_true(str_to_u64(STR("65535"), 65535, &v) && v == 65535);
    assert_false(str_to_u64(STR("65536"), 65535, &v));
    assert_false(str_to_u64(STR("7"), 5, &v));
    assert_false(str_to_u64(STR(""), 10, &v));
    assert_false(str_to_u64(STR("-1"), 10, &v));
    assert_false(str_to_u64(STR("1 "), 10, &v));
    assert_true(str_eq_nocase(STR("AbZ"), STR("aBz")));
    assert_false(str_eq_nocase(STR("[@"), STR("{`"))); /* not letters */

    struct str rest = STR("a,,b");
    assert_true(str_eq(str_cut(&rest, ","), STR("a")) && rest.p);
    assert_true(str_eq(str_cut(&rest, ","), STR("")) && rest.p);
    assert_true(str_eq(str_cut(&rest, ","), STR("b")) && !rest.p);
}

static void test_buf(void **state)
{
    (void)state;
    char text[8];
    struct buf b = BUF(text);
    buf_u64(&b, 12345);
    buf_cstring(&b, "678");
    assert_true(!b.full && b.n == 8);
    buf_char(&b, '9');
    assert_true(b.full && b.n == 8);
    b = BUF(text);
    buf_cstring(&b, "123");
    buf_printf(&b, "%s", "456789"); /* all or nothing, and nothing after it */
    buf_char(&b, 'x');
    assert_true(b.full);
    assert_string_equal(buf_cstr(&b), "123");
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; /* "" : not an address */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::1", "::1"},
        {"[2001:DB8::1]", "2001:db8::1"},
        {"IPv6:2001:db8::1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"IPv6:::ffff:192.0.2.1", "192.0.2.1"},
        {"unknown", ""},
        {"", ""},
        {"192.0.2.256", ""},
        {"192.0.2.1 ", ""},
        {"[192.0.2.1", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a;
        char text[64];
        struct buf b = BUF(text);
        assert_int_equal(addr_parse(str_of(cases[i].in), &a), cases[i].out[0] != '\0');
        addr_format(&b, &a);
        assert_string_equal(buf_cstr(&b), cases[i].out);
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        enum prefix_result result;
        const char *out, *inside, *outside;
    } cases[] = {
        {"192.0.2.0/24", PREFIX_OK, "192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.17", PREFIX_OK, "192.0.2.17", "::ffff:192.0.2.17", "192.0.2.16"},
        {"192.0.2.17/24", PREFIX_HOST_BITS, "192.0.2.0/24", "192.0.2.1", "192.0.1.1"},
        {"0.0.0.0/0", PREFIX_OK, "0.0.0.0/0", "203.0.113.9", "::1"},
        {"2001:db8::/33", PREFIX_OK, "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"::ffff:192.0.2.0/120", PREFIX_OK, "192.0.2.0/24", "192.0.2.9", "192.0.3.9"},
        {"192.0.2.0/33", PREFIX_BAD, "", NULL, NULL},
        {"192.0.2.0/", PREFIX_BAD, "", NULL, NULL},
        {"192.0.2/24", PREFIX_BAD, "", NULL, NULL},
        {"example.com", PREFIX_BAD, "", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct prefix p;
        struct addr a;
        char text[64];
        struct buf b = BUF(text);
        assert_int_equal(prefix_parse(str_of(cases[i].in), &p), cases[i].result);
        prefix_format(&b, &p);
        assert_string_equal(buf_cstr(&b), cases[i].out);
        if (!cases[i].inside)
            continue;
        assert_true(addr_parse(str_of(cases[i].inside), &a) && prefix_contains(&p, &a));
        assert_true(addr_parse(str_of(cases[i].outside), &a) && !prefix_contains(&p, &a));
    }
    struct addr unknown = {0};
    struct prefix all;
    prefix_parse(STR("0.0.0.0/0"), &all);
    assert_false(prefix_contains(&all, &unknown));
}

static void test_clock(void **state)
{
    (void)state;
    static const struct {
        const char *in, *over; /* "" : no such time */
    } cases[] = {
        {"2027-03-31", "2027-04-01T00:00:00Z"},
        {"2027-12-31", "2028-01-01T00:00:00Z"},
        {"2028-02-29", "2028-03-01T00:00:00Z"},
        {"2100-02-28", "2100-03-01T00:00:00Z"},
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
        {"2027-03-31T18:05:09Z", "2027-03-31T18:05:09Z"},
        {"2027-02-29", ""},
        {"2100-02-29", ""},
        {"2027-13-01", ""},
        {"2027-00-10", ""},
        {"2027-03-31T24:00:00Z", ""},
        {"2027-03-31T18:00:00", ""},
        {"31.03.2027", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 0;
        char text[40];
        struct buf b = BUF(text);
        assert_int_equal(clock_parse_until(str_of(cases[i].in), &us), cases[i].over[0] != '\0');
        if (cases[i].over[0]) {
            clock_format(&b, us, 0);
            assert_string_equal(buf_cstr(&b), cases[i].over);
        }
    }
    char text[40];
    struct buf b = BUF(text);
    clock_format(&b, INT64_C(1795226702123456), 6); /* date -u -d @1795226702 */
    assert_string_equal(buf_cstr(&b), "2026-11-21T02:05:02.123456Z");
}

static void test_siphash(void **state)
{
    (void)state;
    unsigned char k[16], text[64];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    size_t size = 8;
    unsigned c = 1, d = 3;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                           OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c),
                           OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d),
                           OSSL_PARAM_construct_end()};
    for (int i = 0; i < 16; i++)
        k[i] = (unsigned char)i;
    for (int i = 0; i < 64; i++)
        text[i] = (unsigned char)(i * 7 + 1);
    for (size_t n = 0; n <= sizeof text; n++) {
        unsigned char theirs[8];
        size_t len;
        uint64_t ours = siphash(&key, text, n);
        EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
        assert_true(EVP_MAC_init(ctx, k, sizeof k, params) && EVP_MAC_update(ctx, text, n) &&
                    EVP_MAC_final(ctx, theirs, &len, sizeof theirs) && len == 8);
        EVP_MAC_CTX_free(ctx);
        for (int i = 0; i < 8; i++)
            assert_int_equal((unsigned char)(ours >> 8 * i), theirs[i]);
    }
    EVP_MAC_free(mac);
}

static void test_table(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct arena arena = {0};
    struct table t;
    static int values[N];
    table_init(&t, &arena, &key);
    assert_null(table_get(&t, "x", 1));
    for (int i = 0; i < N; i++)
        assert_true(table_put(&t, &i, sizeof i, &values[i]));
    assert_int_equal(table_count(&t), N);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(table_get(&t, &i, sizeof i), &values[i]);
    int other = N;
    assert_null(table_get(&t, &other, sizeof other));
    other = 5;
    assert_true(table_put(&t, &other, sizeof other, &values[0]));
    assert_ptr_equal(table_get(&t, &other, sizeof other), &values[0]);
    assert_int_equal(table_count(&t), N);
    table_free(&t);
    arena_free(&arena);
}

static void test_prefix_index(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct prefix_index ix;
    static const char *const nets[] = {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0",
                                       "2001:db8::/32"};
    prefix_index_init(&ix, &arena, &key);
    for (int i = 0; i < 5; i++) {
        struct prefix p;
        assert_int_equal(prefix_parse(str_of(nets[i]), &p), PREFIX_OK);
        assert_true(prefix_index_put(&ix, &p, (void *)nets[i]));
    }
    struct addr a;
    unsigned at = 0;
    addr_parse(STR("10.1.2.3"), &a);
    assert_ptr_equal(prefix_index_next(&ix, &a, &at), nets[2]);
    assert_ptr_equal(prefix_index_next(&ix, &a, &at), nets[1]);
    assert_ptr_equal(prefix_index_next(&ix, &a, &at), nets[0]);
    assert_ptr_equal(prefix_index_next(&ix, &a, &at), nets[3]);
    assert_null(prefix_index_next(&ix, &a, &at));
    addr_parse(STR("2001:db9::1"), &a);
    at = 0;
    assert_null(prefix_index_next(&ix, &a, &at));
    a = (struct addr){0};
    at = 0;
    assert_null(prefix_index_next(&ix, &a, &at));
    prefix_index_free(&ix);
    arena_free(&arena);
}

static void test_exceptions(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct exceptions x;
    struct prefix net, other;
    const finding_set tls = FINDING_BIT(FINDING_TLS_REQUIRED);
    static const struct str users[] = {{"Alice@example.com", 17}, {"bob", 3}};
    prefix_parse(STR("192.0.2.0/24"), &net);
    prefix_parse(STR("198.51.100.0/24"), &other);
    const struct exception by_net = {
        .allow = tls, .until_us = 100, .clients = &net, .client_count = 1};
    const struct exception longer = {.allow = FINDING_BIT(FINDING_AUTH_REQUIRED),
                                     .until_us = 200,
                                     .clients = &net,
                                     .client_count = 1};
    const struct exception by_both = {
        .allow = tls, .until_us = 300, .clients = &other, .client_count = 1, .user_count = 2};
    exceptions_init(&x, &arena, &key);
    assert_true(exceptions_add(&x, &by_net, NULL) && exceptions_add(&x, &longer, NULL) &&
                exceptions_add(&x, &by_both, users));
    assert_int_equal(x.count, 3);

    static const struct {
        const char *client, *user;
        enum finding finding;
        int64_t at;
        int found, expired; /* 0: none, 1: by_net, 2: longer, 3: by_both */
    } cases[] = {
        {"192.0.2.9", "", FINDING_TLS_REQUIRED, 99, 1, 0},
        {"192.0.2.9", "", FINDING_TLS_REQUIRED, 100, 0, 1}, /* over from then on */
        {"192.0.3.9", "", FINDING_TLS_REQUIRED, 99, 0, 0},
        {"192.0.2.9", "", FINDING_AUTH_REQUIRED, 100, 2, 0},
        {"192.0.2.9", "", FINDING_TLS_VERSION, 99, 0, 0},
        {"198.51.100.1", "alice@EXAMPLE.com", FINDING_TLS_REQUIRED, 299, 3, 0},
        {"198.51.100.1", "bob", FINDING_TLS_REQUIRED, 299, 3, 0},
        {"198.51.100.1", "bob", FINDING_TLS_REQUIRED, 300, 0, 3},
        {"198.51.100.1", "carol", FINDING_TLS_REQUIRED, 299, 0, 0},
        {"198.51.100.1", "", FINDING_TLS_REQUIRED, 299, 0, 0},
        {"203.0.113.1", "bob", FINDING_TLS_REQUIRED, 299, 0, 0}, /* the user elsewhere */
        {"", "bob", FINDING_TLS_REQUIRED, 299, 0, 0},            /* nobody knows where */
    };
    const struct exception *const which[] = {NULL, &by_net, &longer, &by_both};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a;
        const struct exception *expired;
        addr_parse(str_of(cases[i].client), &a);
        struct exception_matches m;
        exceptions_match(&x, &a, str_of(cases[i].user), &m);
        assert_ptr_equal(
            exceptions_find(&m, cases[i].finding, &(struct now){cases[i].at, 0}, &expired),
            which[cases[i].found]);
        assert_ptr_equal(expired, which[cases[i].expired]);
    }
    exceptions_free(&x);
    arena_free(&arena);
}

static void test_session_key(void **state)
{
    (void)state;
    struct session s = {.client_port = 40000,
                        .server_port = 587,
                        .server_text = STR("198.51.100.1")},
                   t;
    addr_parse(STR("192.0.2.1"), &s.client);
    t = s;
    uint64_t k = session_key(&key, &s);
    assert_true(k != 0 && k == session_key(&key, &t));
    t.client_port++;
    assert_true(session_key(&key, &t) != k);
    t = s;
    addr_parse(s.server_text, &t.client);
    t.server_text = STR("192.0.2.1"); /* the direction counts */
    assert_true(session_key(&key, &t) != k);
    t = s;
    addr_parse(STR("::ffff:192.0.2.1"), &t.client);
    assert_true(session_key(&key, &t) == k);
    t.server_port = 0;
    assert_true(session_key(&key, &t) == 0);

    assert_int_equal(instance_pid(STR("1a2b.64f00000.7f.0")), 0x1a2b);
    assert_int_equal(instance_pid(STR("")), 0);
    assert_int_equal(instance_pid(STR("1a2b")), 0);
    assert_int_equal(instance_pid(STR("xyz.1")), 0);
    assert_int_equal(instance_pid(STR("123456789.1")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str),        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_clock),      cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_table),      cmocka_unit_test(test_prefix_index),
        cmocka_unit_test(test_exceptions), cmocka_unit_test(test_session_key),
    };
    return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
