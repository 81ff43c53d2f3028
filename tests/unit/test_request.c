/* SPDX-License-Identifier: Apache-2.0 */
/* The policy protocol's requests: whole, byte by byte, pipelined, and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "edge/request.h"

#define HEAD "request=smtpd_access_policy\n"

static enum parsed parse(struct str in, struct request *r, size_t *used)
{
    const char *why = NULL;
    enum parsed p = request_parse(in, r, used, &why);
    assert_int_equal(p == PARSED_BAD, why != NULL);
    return p;
}

static void test_whole_and_by_byte(void **state)
{
    (void)state;
    /* any order, a name we do not know, '=' and spaces and UTF-8 in a value, empty values */
    static const char text[] = "tls_sni=mx.example\nsender=a b=c\"d@example.com\n" HEAD
                               "sasl_username=j\xc3\xbcrgen\nclient_address=192.0.2.1\n"
                               "encryption_protocol=\n\nrequest=";
    const size_t end = sizeof text - 1 - 8;
    for (size_t n = 0; n < sizeof text; n++) {
        struct request r;
        size_t used = 0;
        char *exact = malloc(n ? n : 1); /* so that ASan sees a read behind it */
        memcpy(exact, text, n);
        enum parsed p = parse((struct str){exact, n}, &r, &used);
        assert_int_equal(p, n < end ? PARSED_MORE : PARSED_ITEM);
        if (p == PARSED_ITEM) {
            assert_int_equal(used, end);
            assert_true(str_eq(request_value(&r, ATTR_sender), STR("a b=c\"d@example.com")));
            assert_true(str_eq(request_value(&r, ATTR_sasl_username), STR("j\xc3\xbcrgen")));
            assert_true(request_has(&r, ATTR_encryption_protocol));
            assert_int_equal(request_value(&r, ATTR_encryption_protocol).n, 0);
            assert_false(request_has(&r, ATTR_server_port));
        }
        free(exact);
    }
}

static void test_pipelined(void **state)
{
    (void)state;
    struct str in = STR(HEAD "size=1\n\n" HEAD "size=2\n\n" HEAD "size=3\n\n");
    for (char digit = '1'; digit <= '3'; digit++) {
        struct request r;
        size_t used;
        assert_int_equal(parse(in, &r, &used), PARSED_ITEM);
        assert_true(str_eq(request_value(&r, ATTR_size), (struct str){&digit, 1}));
        in = (struct str){in.p + used, in.n - used};
    }
    assert_int_equal(in.n, 0);
}

static void test_duplicates(void **state)
{
    (void)state;
    struct request r;
    size_t used;
    assert_int_equal(parse(STR(HEAD "sender=first\nsender=second\nrequest=x\n\n"), &r, &used),
                     PARSED_ITEM);
    assert_true(str_eq(request_value(&r, ATTR_sender), STR("first")));
    assert_int_equal(r.duplicates, 2);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        struct str in;
    } cases[] = {
        {STR("\n")},
        {STR("request=junk\n\n")},
        {STR("sender=a\n\n")},
        {STR(HEAD "no equals sign\n")},
        {STR(HEAD "=no name\n")},
        {STR(HEAD "\r\n")},
        {STR(HEAD "sender=a\0b\n\n")},
        {STR("\x16\x03\x01\x02\n")},
        {STR("GET / HTTP/1.0\n")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request r;
        size_t used;
        assert_int_equal(parse(cases[i].in, &r, &used), PARSED_BAD);
    }
}

static void test_oversized(void **state)
{
    (void)state;
    char *text = malloc(REQUEST_MAX + 2);
    struct request r;
    size_t used;
    memcpy(text, "sender=", 7);
    memset(text + 7, 'x', REQUEST_MAX - 7);
    assert_int_equal(parse((struct str){text, REQUEST_MAX - 1}, &r, &used), PARSED_MORE);
    assert_int_equal(parse((struct str){text, REQUEST_MAX}, &r, &used), PARSED_BAD);
    /* an end that comes too late is no end */
    memcpy(text + REQUEST_MAX, "\n\n", 2);
    assert_int_equal(parse((struct str){text, REQUEST_MAX + 2}, &r, &used), PARSED_BAD);
    free(text);
}

static void test_every_attribute(void **state)
{
    (void)state;
    char text[4096];
    struct request r;
    size_t used;
    for (int backwards = 0; backwards < 2; backwards++) {
        size_t n = 0;
        for (int i = 0; i < ATTR_COUNT; i++) {
            int a = backwards ? ATTR_COUNT - 1 - i : i;
            const char *v = a == ATTR_request ? "smtpd_access_policy" : attribute_names[a].p;
            n += (size_t)sprintf(text + n, "%s=%s\n", attribute_names[a].p, v);
        }
        n += (size_t)sprintf(text + n, "\n");
        assert_int_equal(parse((struct str){text, n}, &r, &used), PARSED_ITEM);
        for (int a = 0; a < ATTR_COUNT; a++)
            if (a != ATTR_request)
                assert_true(str_eq(request_value(&r, a), attribute_names[a]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_and_by_byte), cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_duplicates),        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_oversized),         cmocka_unit_test(test_every_attribute),
    };
    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
