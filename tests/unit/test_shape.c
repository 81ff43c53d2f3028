/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of lines that are in no table: what of a line may be seen, and that secrets may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "audit/dialect/shape.h"
#include "dialect_help.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *shape_of(struct str text)
{
    static char room[SHAPE_TEXT_MAX];
    struct buf b = {room, 0, sizeof room - 1, false};
    shape_write(&b, text);
    assert_true(b.n < sizeof room);
    return buf_cstr(&b);
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shape;
    } cases[] = {
        {"", ""},
        {"   ", ""},
        {"warning: SASL frobnication of alice with 0xabc12 refused",
         "warning: SASL a12 of a5 with x5 refused"},
        {"SASL PLAIN authentication failed for bob@example.com: hunter2",
         "SASL PLAIN authentication failed for o15: x7"},
        /* base64 of "\0alice\0secret" */
        {"AUTH PLAIN AGFsaWNlAHNlY3JldA==", "AUTH PLAIN o20"},
        {"AUTH PLAIN AGFsaWNlAHNlY3JldDEy", "AUTH PLAIN x20"},
        {"AUTH=PLAIN,secret", "AUTH=PLAIN,a6"},
        {"TLS handshake with mail.example.com[192.0.2.7]:25: p@ss,w0rd,",
         "TLS handshake with o30: o9,"},
        {"TLS  two\tblanks 12345 :", "TLS a3 a6 n5 o1"},
        {"sasl_username=alice, reason=(authentication failed)",
         "sasl_username=a5, reason=o15 failed)"},
        {"(authentication failed) \"TLS\" (secret)", "(authentication failed) \"TLS\" o8"},
        {"password=secret password:secret password secret", "password=a6 password:a6 password a6"},
        {"TLS,secret TLSsecret TLS-secret TLS.secret", "TLS,a6 a9 o10 o10"},
        {"SSL_accept:error in SSLv3/TLS", "SSL_accept:error in SSLv3/TLS"},
        {"TLS 0x123 0x 123", "TLS x3 x0 n3"},
        {"sasl \xc3\xbc\x01\x80 \xff", "a4 o4 o1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(shape_of(str_of(cases[i].text)), cases[i].shape);
    assert_string_equal(shape_of((struct str){"SASL \0secret\0", 13}), "SASL o8");
}

/* Whatever stands around it, nothing of a secret is left but how long it is. */
static void test_secrets(void **state)
{
    (void)state;
    static const char *const secrets[] = {"hunter2",
                                          "Zq",
                                          "correct.horse",
                                          "a=Zq7",
                                          "[Zq7]",
                                          "Zq7:Zq8",
                                          "AGFsaWNlAHNlY3JldA==",
                                          "alice@example.com",
                                          "192.0.2.77",
                                          "\"Zq7\"",
                                          "0xZq7",
                                          "Zq'7",
                                          "Zq7/Zq8",
                                          "_Zq7",
                                          "TLSZq7",
                                          "Zq7TLS",
                                          "-Zq7"};
    static const char *const around[] = {
        "AUTH PLAIN %s", "SASL user=%s failed", "(%s) TLS", "\"%s\" TLS",
        "TLS[%s]",       "TLS:%s:TLS",          "x%sx TLS", "%s",
        "<%s>, TLS",     "password %s, x",      "TLS/%s",   "SASL=%s=SASL"};
    for (size_t s = 0; s < COUNT(secrets); s++)
        for (size_t a = 0; a < COUNT(around); a++) {
            char text[100];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(text, sizeof text, around[a], secrets[s]);
#pragma GCC diagnostic pop
            const char *shape = shape_of(str_of(text));
            for (const char *p = "Zq@+"; *p; p++)
                assert_null(strchr(shape, *p));
            assert_null(strstr(shape, "hunter"));
            assert_null(strstr(shape, "horse"));
            assert_null(strstr(shape, "192"));
            assert_null(strstr(shape, "alice"));
            assert_null(strstr(shape, "AGF"));
        }
}

static void test_too_long(void **state)
{
    (void)state;
    char text[2000], small[16];
    memset(text, ' ', sizeof text);
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, "TLS", 3);
    const char *shape = shape_of((struct str){text, sizeof text});
    size_t n = strlen(shape);
    assert_true(n > SHAPE_TEXT_MAX - 10 && n < SHAPE_TEXT_MAX);
    assert_string_equal(shape + n - 6, "TLS...");
    struct buf b = {small, 0, 11, false};
    shape_write(&b, STR("TLS SSL SASL AUTH"));
    assert_string_equal(buf_cstr(&b), "TLS SSL...");
    b = (struct buf){small, 0, 12, false};
    shape_write(&b, STR("TLS SSL AUTH")); /* fits just */
    assert_true(str_eq(buf_view(&b), STR("TLS SSL AUTH")));
    /* one piece, longer than a shape */
    memset(text, 'x', sizeof text);
    assert_string_equal(shape_of((struct str){text, sizeof text}), "a2000");
}

static void test_matters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool matters;
    } cases[] = {
        {"a new word of TLS", true},
        {"STARTTLS", true},
        {"openssl", true},
        {"SASL", true},
        {"AUTH refused", true},
        {"no cipher", true},
        {"Handshake", true},
        {"certificates", true},
        {"connect from x", false},
        {"T L S", false},
        {"", false},
        {"tl", false},
        {"unknown smtpd restriction", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (shape_matters(str_of(cases[i].text)) != cases[i].matters)
            fail_msg("%s", cases[i].text);
}

static void test_counts(void **state)
{
    (void)state;
    static struct shapes s;
    shapes_add(&s, STR("SASL of alice refused"), 7);
    shapes_add(&s, STR("SASL of robin refused"), 9);
    shapes_add(&s, STR("SASL of bob refused"), 11);
    assert_int_equal(s.count, 2);
    assert_string_equal(s.list[0].text, "SASL of a5 refused");
    assert_int_equal(s.list[0].count, 2);
    assert_int_equal(s.list[0].first_line, 7);
    assert_int_equal(s.list[1].first_line, 11);
    assert_int_equal(s.lines, 3);
    /* as many as there is room for; the rest is one number */
    char text[400] = "TLS ";
    for (unsigned i = 0; i < 300; i++) {
        text[4 + i] = 'x';
        shapes_add(&s, (struct str){text, 5 + i}, 20 + i);
    }
    assert_int_equal(s.count, SHAPES_MAX);
    assert_int_equal(s.overflow, 300 - (SHAPES_MAX - 2));
    assert_int_equal(s.lines, 303);
    shapes_add(&s, STR("SASL of carol refused"), 999); /* known ones are still counted */
    assert_int_equal(s.list[0].count, 3);
}

static void try_cut(struct str cut)
{
    char room[64];
    struct buf b = BUF(room);
    shape_write(&b, cut);
    assert_false(b.full);
    shape_matters(cut);
}

static void cut_line(void *context, struct str line)
{
    (void)context;
    each_cut(line, try_cut);
}

static void test_cut(void **state)
{
    (void)state;
    each_line("tests/audit/messages.txt", cut_line, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),   cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_matters),
        cmocka_unit_test(test_counts),   cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
