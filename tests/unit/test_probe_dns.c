/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of DNS, byte by byte as RFC 1035 4 has them; and the server that is to be asked. */
#include "probe/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The header (one question, `n` answers) and the question for SRV of "s.ex". */
#define HEAD(n) "\0\1\x81\x80\0\1\0" n "\0\0\0\0\1s\2ex\0\0\x21\0\1"
/* The answer's owner (a pointer to the question), SRV, IN, TTL 60. */
#define SRV "\xc0\x0c\0\x21\0\1\0\0\0\x3c"
#define MAIL "\4mail\xc0\x0e" /* mail.ex, by a pointer */

static bool parse(const char *p, size_t n, struct srv_seen *ret)
{
    *ret = (struct srv_seen){0};
    unsigned char *copy = malloc(n); /* so that a sanitizer sees a byte too many */
    assert_non_null(copy);
    memcpy(copy, p, n);
    bool good = dns_parse_srv(copy, n, ret);
    free(copy);
    return good;
}
#define PARSE(text, ret) parse(text, sizeof(text) - 1, ret)

static void test_records(void **state)
{
    (void)state;
    struct srv_seen s;
    assert_true(PARSE(HEAD("\1") SRV "\0\x0d\0\1\0\2\1\xd1" MAIL, &s));
    assert_int_equal(s.count, 1);
    assert_int_equal(s.records[0].priority, 1);
    assert_int_equal(s.records[0].weight, 2);
    assert_int_equal(s.records[0].port, 465);
    assert_string_equal(s.records[0].target, "mail.ex");
    assert_int_equal(s.records[0].leads, SRV_UNKNOWN);

    assert_true(PARSE(HEAD("\0"), &s));
    assert_int_equal(s.count, 0);

    assert_true(PARSE(HEAD("\1") SRV "\0\7\0\0\0\0\0\0\0", &s));
    assert_int_equal(s.records[0].leads, SRV_NOT_OFFERED);
    assert_string_equal(s.records[0].target, "");
}

static void test_order(void **state)
{
    (void)state;
    struct srv_seen s;
    assert_true(PARSE(HEAD("\4") SRV "\0\x09\0\5\0\1\0\1\1a\0" SRV "\0\x09\0\1\0\1\0\1\1b\0" SRV
                                     "\0\x09\0\5\0\x09\0\1\1c\0" SRV "\0\x09\0\0\0\1\0\1\1d\0",
                      &s));
    static const char *const wanted[] = {"d", "b", "c", "a"};
    assert_int_equal(s.count, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(s.records[i].target, wanted[i]);
}

static void test_damaged(void **state)
{
    (void)state;
    struct srv_seen s;
    static const char whole[] = HEAD("\1") SRV "\0\x0d\0\1\0\2\1\xd1" MAIL;
    for (size_t n = 0; n < sizeof whole - 1; n++)
        assert_false(parse(whole, n, &s));
    assert_false(PARSE(HEAD("\1") SRV "\0\6\0\1\0\2\1\xd1", &s));              /* no target */
    assert_false(PARSE(HEAD("\1") SRV "\0\x08\0\1\0\2\1\xd1\xc0\x28", &s));    /* it is itself */
    assert_false(PARSE(HEAD("\1") SRV "\0\x0a\0\1\0\2\1\xd1\1a\xc0\x28", &s)); /* and round */
    assert_false(PARSE(HEAD("\1") SRV "\0\x08\0\1\0\2\1\xd1\xff\xff", &s));    /* far away */
    assert_false(PARSE(HEAD("\1") SRV "\xff\xff\0\1\0\2\1\xd1" MAIL, &s));
    assert_false(PARSE(HEAD("\x09") SRV "\0\x0d\0\1\0\2\1\xd1" MAIL, &s));
}

static void test_not_ours(void **state)
{
    (void)state;
    struct srv_seen s;
    /* another type, another class, and names that no host has */
    assert_true(PARSE(HEAD("\3") "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
                                 "\xc0\x0c\0\x21\0\3\0\0\0\x3c\0\7\0\0\0\0\0\0\0" SRV
                                 "\0\x0d\0\1\0\2\1\xd1\5\x1b[2J\x07\0",
                      &s));
    assert_int_equal(s.count, 1);
    for (const char *c = s.records[0].target; *c; c++)
        assert_in_range(*c, 0x21, 0x7e);
}

static void test_addresses(void **state)
{
    (void)state;
    struct addresses a = {0};
    static const char text[] =
        HEAD("\3") "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
                   "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                   "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2\xc0\x0e";
    assert_true(dns_parse_addresses((const unsigned char *)text, sizeof text - 1, &a));
    assert_int_equal(a.count, 2);
    assert_string_equal(a.text[0], "192.0.2.1");
    assert_string_equal(a.text[1], "2001:db8::1");
    static const char short_one[] = HEAD("\1") "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\xc0\0\2";
    assert_false(dns_parse_addresses((const unsigned char *)short_one, sizeof short_one - 1, &a));
}

static void test_servers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family;
        unsigned port;
    } cases[] = {
        {"192.0.2.53", AF_INET, 53},
        {"192.0.2.53:5353", AF_INET, 5353},
        {"2001:db8::1", AF_INET6, 53},
        {"[2001:db8::1]", AF_INET6, 53},
        {"[2001:db8::1]:5353", AF_INET6, 5353},
        {"ns.example.com", 0, 0},
        {"", 0, 0},
        {":53", 0, 0},
        {"192.0.2.53:", 0, 0},
        {"192.0.2.53:0", 0, 0},
        {"192.0.2.53:65536", 0, 0},
        {"[2001:db8::1", 0, 0},
        {"[2001:db8::1]5353", 0, 0},
        {"192.0.2", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct resolver r = {0};
        if (resolver_parse(cases[i].text, &r) != (cases[i].family != 0))
            fail_msg("%s", cases[i].text);
        if (!cases[i].family)
            continue;
        assert_true(r.given);
        assert_int_equal(r.server.any.sa_family, cases[i].family);
        assert_int_equal(
            ntohs(cases[i].family == AF_INET ? r.server.in4.sin_port : r.server.in6.sin6_port),
            cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_damaged),   cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
