/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say, whole and byte by byte; what EHLO offers; what a refusal means. */
#include "probe/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Parses it whole, and with one byte more each time: MORE until the same outcome. */
static enum reply_parsed parse(struct str in, struct reply *r, size_t *used, const char **why)
{
    enum reply_parsed whole = reply_parse(in, r, used, why), part = REPLY_MORE;
    for (size_t n = 0; n <= in.n && part == REPLY_MORE; n++) {
        static struct reply other;
        const char *reason = NULL;
        size_t taken = 0;
        char *copy = malloc(n ? n : 1); /* so that a sanitizer sees a byte too many */
        assert_non_null(copy);
        memcpy(copy, in.p, n);
        part = reply_parse((struct str){copy, n}, &other, &taken, &reason);
        if (part == REPLY_ITEM) {
            assert_int_equal(taken, *used);
            assert_int_equal(other.code, r->code);
            assert_int_equal(other.line_count, r->line_count);
        }
        if (part == REPLY_BAD)
            assert_string_equal(reason, *why);
        free(copy);
    }
    assert_int_equal(part, whole);
    return whole;
}

static void test_whole(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        unsigned code, lines;
        size_t used;
        const char *last;
    } cases[] = {
        {"220 mail.example.com ESMTP Postfix\r\n", 220, 1, 36,
         "220 mail.example.com ESMTP Postfix"},
        {"250-a\r\n250-STARTTLS\r\n250 HELP\r\n", 250, 3, 31, "250 HELP"},
        {"250\r\n", 250, 1, 5, "250"},
        {"354\n", 354, 1, 4, "354"},
        {"221 bye\n220 more\r\n", 221, 1, 8, "221 bye"},
        {"250-a\n250 b\n", 250, 2, 12, "250 b"},
        {"550 \xc3\xa9\x00z\r\n", 550, 1, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r;
        size_t used = 0;
        const char *why = NULL;
        struct str in = cases[i].last ? str_of(cases[i].in) : STR("550 \xc3\xa9\0z\r\n");
        assert_int_equal(parse(in, &r, &used, &why), REPLY_ITEM);
        assert_int_equal(r.code, cases[i].code);
        assert_int_equal(r.line_count, cases[i].lines);
        if (cases[i].last) {
            assert_int_equal(used, cases[i].used);
            assert_true(str_eq(r.lines[r.line_count - 1], str_of(cases[i].last)));
        }
    }
}

static void test_not_yet(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "2", "220", "220 hello", "220 hello\r", "250-a\r\n", "250-a\r\n25", "250-a\r\n250"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r;
        size_t used = 0;
        const char *why = NULL;
        assert_int_equal(parse(str_of(cases[i]), &r, &used, &why), REPLY_MORE);
    }
}

#define NO_CODE "it does not begin with a reply code"

static void test_not_a_reply(void **state)
{
    (void)state;
    static const struct {
        const char *in, *why;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n", NO_CODE},
        {"SSH-2.0-OpenSSH_9.2\r\n", NO_CODE},
        {"\x15\x03\x01", NO_CODE},
        {"+OK ready\r\n", NO_CODE},
        {"120 wait\r\n", NO_CODE},
        {"620 what\r\n", NO_CODE},
        {"2x0 a\r\n", NO_CODE},
        {"\r\n", NO_CODE},
        {"22\r\n", NO_CODE},
        {"220x\r\n", "there is neither a space nor a hyphen behind the code"},
        {"2200 a\r\n", "there is neither a space nor a hyphen behind the code"},
        {"250-a\r\n251 b\r\n", "the lines of a reply have different codes"},
        {"250-a\r\nhello\r\n", NO_CODE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r;
        size_t used = 0;
        const char *why = NULL;
        assert_int_equal(parse(str_of(cases[i].in), &r, &used, &why), REPLY_BAD);
        assert_string_equal(why, cases[i].why);
    }
}

/* A text of `count` times `line`, and `last` behind it. */
static char *repeat(const char *line, unsigned count, const char *last, size_t *n)
{
    size_t one = strlen(line);
    *n = one * count + strlen(last);
    char *text = malloc(*n + 1);
    assert_non_null(text);
    for (unsigned i = 0; i < count; i++)
        memcpy(text + i * one, line, one);
    memcpy(text + one * count, last, strlen(last) + 1);
    return text;
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned count;
        const char *last;
        enum reply_parsed parsed;
        const char *why;
    } cases[] = {
        {"250-a\r\n", 127, "250 b\r\n", REPLY_ITEM, NULL},
        {"250-a\r\n", 128, "250 b\r\n", REPLY_BAD, "a reply has more than 128 lines"},
        {"250 ", 512, "\n", REPLY_ITEM, NULL}, /* one line of 2048 bytes */
        {"250 ", 512, "x\n", REPLY_BAD, "a line has more than 2048 bytes"},
        {"250 ", 600000, "", REPLY_BAD, "a line has more than 2048 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r;
        size_t used = 0, n;
        const char *why = NULL;
        char *text = repeat(cases[i].line, cases[i].count, cases[i].last, &n);
        assert_int_equal(parse((struct str){text, n}, &r, &used, &why), cases[i].parsed);
        if (cases[i].why)
            assert_string_equal(why, cases[i].why);
        free(text);
    }
    char line[1002];
    memset(line, 'x', sizeof line);
    memcpy(line, "250-", 4);
    memcpy(line + 998, "\r\n", 3);
    size_t n, used = 0;
    struct reply r;
    const char *why = NULL;
    char *text = repeat(line, 17, "", &n);
    assert_int_equal(parse((struct str){text, n}, &r, &used, &why), REPLY_BAD);
    assert_string_equal(why, "a reply has more than 16384 bytes");
    free(text);
}

static void test_said(void **state)
{
    (void)state;
    char to[SAID];
    said(to, STR("220 a\033[2J\x9b\0b\t\r\n"));
    assert_string_equal(to, "220 a?[2J??b?");
    said(to, STR(""));
    assert_string_equal(to, "");
    char text[2 * SAID];
    memset(text, 'x', sizeof text);
    said(to, (struct str){text, SAID - 1});
    assert_int_equal(strlen(to), SAID - 1);
    assert_string_equal(to + SAID - 3, "xx");
    said(to, (struct str){text, SAID});
    assert_int_equal(strlen(to), SAID - 1);
    assert_string_equal(to + SAID - 5, "x...");
}

static struct reply reply_of(const char *text)
{
    struct reply r;
    size_t used;
    const char *why;
    assert_int_equal(reply_parse(str_of(text), &r, &used, &why), REPLY_ITEM);
    return r;
}

static void test_capabilities(void **state)
{
    (void)state;
    struct capabilities c;
    struct reply r =
        reply_of("250-mail STARTTLS AUTH\r\n250-SIZE 1\r\n250-starttls\r\n250-AUTH PLAIN login\r\n"
                 "250-AUTH=PLAIN LOGIN CRAM-MD5\r\n250 DSN\r\n");
    capabilities_read(&r, &c);
    assert_true(c.known && c.starttls && c.auth && !c.auth_is_old);
    assert_int_equal(c.mechanism_count, 3);
    assert_string_equal(c.mechanisms[1], "LOGIN");
    assert_string_equal(c.mechanisms[2], "CRAM-MD5");
    assert_true(capabilities_take_passwords(&c));

    r = reply_of(
        "250-STARTTLS\r\n250-STARTTLSX\r\n250-XAUTH PLAIN\r\n250 AUTHX\r\n"); /* the first is a name
                                                                               */
    capabilities_read(&r, &c);
    assert_true(c.known && !c.starttls && !c.auth);

    r = reply_of("250-a\r\n250 AUTH=LOGIN\r\n");
    capabilities_read(&r, &c);
    assert_true(c.auth && c.auth_is_old && capabilities_have(&c, "LOGIN"));

    r = reply_of("250-a\r\n250 AUTH\r\n");
    capabilities_read(&r, &c);
    assert_true(c.auth && !c.auth_is_old && c.mechanism_count == 0 &&
                !capabilities_take_passwords(&c));

    r = reply_of("250-a\r\n250 AUTH CRAM-MD5 \033[31mX AN-OVERLONG-MECHANISM-NAME \r\n");
    capabilities_read(&r, &c);
    assert_int_equal(c.mechanism_count, 1);
    assert_int_equal(c.mechanisms_dropped, 2);
    assert_false(capabilities_take_passwords(&c));

    r = reply_of("250-a\r\n250 AUTH A B C D E F G H I J K L M N O P Q\r\n");
    capabilities_read(&r, &c);
    assert_int_equal(c.mechanism_count, MECHANISMS);
    assert_int_equal(c.mechanisms_dropped, 1);

    r = reply_of("500 what?\r\n"); /* a server without extensions */
    capabilities_read(&r, &c);
    assert_true(c.known && !c.starttls && !c.auth);
    r = reply_of("421-go\r\n421 STARTTLS\r\n");
    capabilities_read(&r, &c);
    assert_true(!c.known && !c.starttls);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum refusal means;
    } cases[] = {
        {"250 2.1.0 Ok\r\n", REFUSAL_NONE},
        /* Postfix */
        {"530 5.7.0 Must issue a STARTTLS command first\r\n", REFUSAL_WANTS_TLS},
        {"554 5.7.1 <postmaster@x>: Recipient address rejected: Access denied\r\n",
         REFUSAL_WANTS_AUTH},
        {"554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied\r\n",
         REFUSAL_WANTS_AUTH},
        {"454 4.7.1 <a@example.net>: Relay access denied\r\n", REFUSAL_OTHER},
        {"550 5.1.1 <postmaster@x>: Recipient address rejected: User unknown\r\n", REFUSAL_OTHER},
        {"504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname\r\n", REFUSAL_OTHER},
        /* Sendmail */
        {"530 5.7.0 Authentication required\r\n", REFUSAL_WANTS_AUTH},
        {"550 5.7.1 postmaster@x... Relaying denied\r\n", REFUSAL_OTHER},
        /* Mailreeve */
        {"530 5.7.0 Must issue a STARTTLS command first; see https://help.example.com\r\n",
         REFUSAL_WANTS_TLS},
        /* Exchange, Exim, Google, mox */
        {"530 5.7.57 Client not authenticated to send mail.\r\n", REFUSAL_WANTS_AUTH},
        {"550 authentication required\r\n", REFUSAL_WANTS_AUTH},
        {"550-Please log in\r\n550 first\r\n", REFUSAL_WANTS_AUTH},
        {"550 5.7.10 Encryption needed\r\n", REFUSAL_WANTS_TLS},
        {"530\r\n", REFUSAL_WANTS_AUTH},
        {"451 4.7.1 Greylisting in action\r\n", REFUSAL_OTHER},
        {"421 4.3.2 try later\r\n", REFUSAL_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r = reply_of(cases[i].reply);
        if (refusal_of(&r) != cases[i].means)
            fail_msg("%s", cases[i].reply);
    }
}

static void test_software(void **state)
{
    (void)state;
    assert_string_equal(software_of(STR("220 mail ESMTP Postfix (Debian/GNU)")), "Postfix");
    assert_string_equal(software_of(STR("220 mail ESMTP Sendmail 8.17.1.9/8.17.1.9; Tue, 1 Dec")),
                        "Sendmail");
    assert_string_equal(software_of(STR("220 a ESMTP exim 4.96")), "Exim");
    assert_null(software_of(STR("220 mail ready")));
    assert_null(software_of(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),       cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_not_a_reply), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_said),        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_software),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
