/* SPDX-License-Identifier: Apache-2.0 */
/* The gate's side of the Dovecot authentication protocol: whole, byte by byte, and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gate/dialogue.h"

#define ON_25 "\tservice=mailreeve-25\tnologin\tlip=198.51.100.1\trip=192.0.2.17"
#define BOB_HUNTER2 "AGJvYkBleGFtcGxlLmNvbQBodW50ZXIy"
#define BOB "Ym9iQGV4YW1wbGUuY29t"

static const struct str text = {"No.", 3};

static enum auth_parsed parse(struct str in, struct auth_command *c, size_t *used)
{
    const char *why = NULL;
    *used = 0;
    return auth_parse(in, c, used, &why);
}

static void test_whole_and_by_byte(void **state)
{
    (void)state;
    static const char line[] =
        "AUTH\t7\tPLAIN" ON_25 "\tsecured\tfuture=x\tresp=" BOB_HUNTER2 "\nCONT";
    const size_t end = sizeof line - 1 - 4;
    for (size_t n = 0; n < sizeof line; n++) {
        struct auth_command c;
        size_t used;
        char *exact = malloc(n ? n : 1); /* so that ASan sees a read behind it */
        memcpy(exact, line, n);
        enum auth_parsed p = parse((struct str){exact, n}, &c, &used);
        assert_int_equal(p, n < end ? AUTH_MORE : AUTH_ITEM);
        if (p == AUTH_ITEM) {
            assert_int_equal(used, end);
            assert_int_equal(c.verb, VERB_AUTH);
            assert_int_equal(c.number, 7);
            assert_true(str_eq(c.mechanism, STR("PLAIN")));
            assert_true(str_eq(c.service, STR("mailreeve-25")));
            assert_true(str_eq(c.client_address, STR("192.0.2.17")));
            assert_true(str_eq(c.server_address, STR("198.51.100.1")));
            assert_true(c.secured && c.has_response);
            assert_true(str_eq(c.response, STR(BOB_HUNTER2)));
        }
        free(exact);
    }
}

static void test_other_commands(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        enum auth_verb verb;
        uint32_t number;
    } cases[] = {
        {STR("VERSION\t1\t0\n"), VERB_VERSION, 1},
        {STR("CPID\t22178\n"), VERB_CPID, 22178},
        {STR("CPID\t4294967295\n"), VERB_CPID, 4294967295},
        {STR("CONT\t3\t" BOB "\n"), VERB_CONT, 3},
        {STR("CONT\t3\n"), VERB_CONT, 3},
        {STR("CANCEL\t3\n"), VERB_OTHER, 0},
        {STR("\n"), VERB_OTHER, 0},
        {STR("auth\t1\tPLAIN\n"), VERB_OTHER, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct auth_command c;
        size_t used;
        assert_int_equal(parse(cases[i].in, &c, &used), AUTH_ITEM);
        assert_int_equal(c.verb, cases[i].verb);
        assert_int_equal(c.number, cases[i].number);
        assert_int_equal(used, cases[i].in.n);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct str cases[] = {
        {"VERSION\n", 8},
        {"VERSION\tone\n", 12},
        {"CPID\t\n", 6},
        {"CPID\t4294967296\n", 16},
        {"CONT\n", 5},
        {"CONT\t-1\tx\n", 10},
        {"AUTH\n", 5},
        {"AUTH\t1\n", 7},
        {"AUTH\tx\tPLAIN\n", 13},
        {"AUTH\t1\t\tservice=x\n", 18},
        {"AUTH\t1\tPLAIN\tservice=a\tservice=b\n", 33},
        {"AUTH\t1\tPLAIN\tservice=\tservice=b\n", 32},
        {"AUTH\t1\tPLA\0IN\n", 14},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct auth_command c;
        size_t used;
        const char *why = NULL;
        assert_int_equal(cases[i].p[cases[i].n - 1], '\n');
        assert_int_equal(auth_parse(cases[i], &c, &used, &why), AUTH_BAD);
        assert_non_null(why);
    }
}

static void test_longest_line(void **state)
{
    (void)state;
    char *long_line = malloc(AUTH_LINE_MAX + 1);
    memset(long_line, 'A', AUTH_LINE_MAX + 1);
    struct auth_command c;
    size_t used;
    assert_int_equal(parse((struct str){long_line, AUTH_LINE_MAX - 1}, &c, &used), AUTH_MORE);
    assert_int_equal(parse((struct str){long_line, AUTH_LINE_MAX}, &c, &used), AUTH_BAD);
    long_line[AUTH_LINE_MAX - 1] = '\n';
    assert_int_equal(parse((struct str){long_line, AUTH_LINE_MAX + 1}, &c, &used), AUTH_ITEM);
    long_line[AUTH_LINE_MAX - 1] = 'A';
    long_line[AUTH_LINE_MAX] = '\n';
    assert_int_equal(parse((struct str){long_line, AUTH_LINE_MAX + 1}, &c, &used), AUTH_BAD);
    free(long_line);
}

/* ---- who it is ------------------------------------------------------------------ */

static void test_users(void **state)
{
    (void)state;
    static const struct {
        const char *mechanism, *response, *user; /* NULL: not told */
    } cases[] = {
        {"PLAIN", BOB_HUNTER2, "bob@example.com"},
        {"plain", "YWRtaW4AYm9iAGh1bnRlcjI=", "bob"}, /* admin NUL bob NUL hunter2 */
        {"PLAIN", "AABodW50ZXIy", NULL},              /* NUL NUL hunter2 */
        {"PLAIN", "AGh1bnRlcjI=", NULL},              /* NUL hunter2: a password it may be */
        {"PLAIN", "aHVudGVyMg==", NULL},              /* hunter2 */
        {"PLAIN", "=", NULL},
        {"PLAIN", "", NULL},
        {"PLAIN", "====", NULL},
        {"PLAIN", "AGJv!!!!", NULL},
        {"PLAIN", "AGJvYgBodW50ZXIy", "bob"},
        {"PLAIN", "AGJvYgBodW50ZXIyA", NULL}, /* no multiple of four */
        {"LOGIN", BOB, "bob@example.com"},
        {"LOGIN", "Ym9i", "bob"},
        {"LOGIN", "YmFy\x01YQ=", NULL},
        {"EXTERNAL", "Ym9i", "bob"},
        {"EXTERNAL", "=", NULL},
        /* user=bob ^A auth=Bearer xyz ^A ^A */
        {"XOAUTH2", "dXNlcj1ib2IBYXV0aD1CZWFyZXIgeHl6AQE=", "bob"},
        {"XOAUTH2", "dXNlcj1ib2I=", NULL}, /* user=bob, and nothing behind it */
        {"XOAUTH2", "Ym9i", NULL},
        /* n,a=bob,^Ahost=x^Aauth=Bearer xyz^A^A */
        {"OAUTHBEARER", "bixhPWJvYiwBaG9zdD14AWF1dGg9QmVhcmVyIHh5egEB", "bob"},
        {"OAUTHBEARER", "bixhPWJvYg==", NULL},
        {"SCRAM-SHA-256", "biwsbj1ib2Iscj1hYmM=", "bob"}, /* n,,n=bob,r=abc */
        {"SCRAM-SHA-1", "biwscj1hYmM=", NULL},            /* n,,r=abc */
        {"CRAM-MD5", "Ym9i", NULL},
        {"GSSAPI", "Ym9i", NULL},
        {"NOSUCH", "Ym9i", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[USER_MAX];
        struct buf b = BUF(name);
        bool told =
            mechanism_user(mechanism_of(str_of(cases[i].mechanism)), str_of(cases[i].response), &b);
        assert_int_equal(told, cases[i].user != NULL);
        assert_true(str_eq(buf_view(&b), str_of(cases[i].user)));
    }
}

/* A name of 255 bytes is known, one of 256 is not; nor one behind a long first part. */
static void test_long_users(void **state)
{
    (void)state;
    for (size_t thirds = 85; thirds <= 4000; thirds = thirds == 85 ? 86 : thirds + 1500) {
        char name[USER_MAX], *response = malloc(4 * thirds);
        for (size_t i = 0; i < thirds; i++)
            memcpy(response + 4 * i, "YWFh", 4);
        struct buf b = BUF(name);
        bool told =
            mechanism_user(mechanism_of(STR("LOGIN")), (struct str){response, 4 * thirds}, &b);
        assert_int_equal(told, thirds == 85);
        assert_int_equal(b.n, thirds == 85 ? 255 : 0);
        free(response);
    }
}

/* ---- what is answered ------------------------------------------------------------- */

static enum dialogue_result answer(struct dialogue *d, const char *line, struct buf *reply,
                                   struct attempt *a)
{
    struct auth_command c;
    size_t used;
    const char *why = "";
    assert_int_equal(parse(str_of(line), &c, &used), AUTH_ITEM);
    reply->n = 0;
    return dialogue_answer(d, &c, text, reply, a, &why);
}

static void test_refusals(void **state)
{
    (void)state;
    char out[GATE_REPLY_MAX];
    struct buf reply = BUF(out);
    struct dialogue d = {0};
    struct attempt a;
    assert_int_equal(answer(&d, "VERSION\t1\t0\n", &reply, &a), DIALOGUE_SILENT);
    assert_int_equal(answer(&d, "CPID\t99\n", &reply, &a), DIALOGUE_SILENT);
    static const struct {
        const char *line, *mechanism, *user;
        bool secured;
    } cases[] = {
        {"AUTH\t1\tPLAIN" ON_25 "\tsecured\tresp=" BOB_HUNTER2 "\n", "PLAIN", "bob@example.com",
         true},
        {"AUTH\t1\tPLAIN" ON_25 "\tresp=" BOB_HUNTER2 "\n", "PLAIN", "bob@example.com", false},
        {"AUTH\t1\tPLAIN" ON_25 "\n", "PLAIN", "", false},
        {"AUTH\t1\tLOGIN" ON_25 "\tresp=" BOB "\n", "LOGIN", "bob@example.com", false},
        {"AUTH\t1\tLOGIN" ON_25 "\tresp=\n", "LOGIN", "", false},
        {"AUTH\t1\tCRAM-MD5" ON_25 "\tsecured=tls\n", "CRAM-MD5", "", true},
        {"AUTH\t1\tNOSUCH" ON_25 "\tresp=" BOB "\n", NULL, "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(answer(&d, cases[i].line, &reply, &a), DIALOGUE_REFUSED);
        assert_true(str_eq(buf_view(&reply), STR("FAIL\t1\treason=No.\n")));
        assert_int_equal(a.mta_pid, 99);
        assert_true(str_eq(a.mechanism ? a.mechanism->name : (struct str){NULL, 0},
                           str_of(cases[i].mechanism)));
        assert_true(str_eq((struct str){a.user, a.user_n}, str_of(cases[i].user)));
        assert_int_equal(a.secured, cases[i].secured);
        assert_int_equal(a.client.bits, 32);
        assert_int_equal(a.server.b[0], 198);
    }
}

static void test_login(void **state)
{
    (void)state;
    char out[GATE_REPLY_MAX];
    struct buf reply = BUF(out);
    struct dialogue d = {0};
    struct attempt a;
    assert_int_equal(answer(&d, "CONT\t5\t" BOB "\n", &reply, &a), DIALOGUE_SILENT);
    assert_int_equal(answer(&d, "AUTH\t5\tLOGIN" ON_25 "\tsecured\n", &reply, &a), DIALOGUE_ASKED);
    assert_true(str_eq(buf_view(&reply), STR("CONT\t5\tVXNlcm5hbWU6\n")));
    assert_int_equal(answer(&d, "AUTH\t5\tLOGIN" ON_25 "\n", &reply, &a), DIALOGUE_BAD);
    assert_int_equal(answer(&d, "CONT\t5\t" BOB "\n", &reply, &a), DIALOGUE_REFUSED);
    assert_true(str_eq(buf_view(&reply), STR("FAIL\t5\treason=No.\n")));
    assert_true(str_eq((struct str){a.user, a.user_n}, STR("bob@example.com")));
    assert_true(a.secured);
    assert_true(str_eq(a.mechanism->name, STR("LOGIN")));
    /* the second one is for nobody */
    assert_int_equal(answer(&d, "CONT\t5\taHVudGVyMg==\n", &reply, &a), DIALOGUE_SILENT);
    assert_int_equal(reply.n, 0);
}

/* Clients that left between the two: the oldest is refused, and its id is free. */
static void test_left_behind(void **state)
{
    (void)state;
    char out[GATE_REPLY_MAX], line[200], want[100];
    struct buf reply = BUF(out);
    struct dialogue d = {0};
    struct attempt a;
    for (unsigned id = 1; id <= 20; id++) {
        snprintf(line, sizeof line, "AUTH\t%u\tLOGIN" ON_25 "\n", id);
        bool full = id > GATE_PENDING;
        assert_int_equal(answer(&d, line, &reply, &a), full ? DIALOGUE_REFUSED : DIALOGUE_ASKED);
        snprintf(want, sizeof want,
                 full ? "FAIL\t%u\treason=No.\nCONT\t%u\tVXNlcm5hbWU6\n"
                      : "%.0uCONT\t%u\tVXNlcm5hbWU6\n",
                 full ? id - GATE_PENDING : 0, id);
        assert_true(str_eq(buf_view(&reply), str_of(want)));
    }
    assert_int_equal(answer(&d, "CONT\t16\t" BOB "\n", &reply, &a), DIALOGUE_SILENT);
    assert_int_equal(answer(&d, "CONT\t18\t" BOB "\n", &reply, &a), DIALOGUE_REFUSED);
    assert_int_equal(d.pending_count, GATE_PENDING - 1);
}

static void test_wrong_service(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "AUTH\t1\tPLAIN\tservice=smtp\tresp=" BOB_HUNTER2 "\n",
        "AUTH\t1\tPLAIN\tservice=mailreeve-25x\n",
        "AUTH\t1\tPLAIN\tservice=Mailreeve-25\n",
        "AUTH\t1\tPLAIN\tservice=\n",
        "AUTH\t1\tPLAIN\n",
        "AUTH\t1\tPLAIN\tresp=x\tservice=mailreeve-25\n", /* within the response it is none */
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char out[GATE_REPLY_MAX];
        struct buf reply = BUF(out);
        struct dialogue d = {0};
        struct attempt a;
        assert_int_equal(answer(&d, lines[i], &reply, &a), DIALOGUE_WRONG_SERVICE);
        assert_int_equal(reply.n, 0);
    }
}

static void test_hello(void **state)
{
    (void)state;
    char out[GATE_HELLO_MAX];
    struct buf hello = BUF(out);
    dialogue_hello(&hello, UINT32_MAX, UINT32_MAX);
    assert_false(hello.full);
    assert_memory_equal(hello.p, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\n", 33);
    assert_memory_equal(hello.p + hello.n - 6, "\nDONE\n", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_and_by_byte),
        cmocka_unit_test(test_other_commands),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_long_users),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_wrong_service),
        cmocka_unit_test(test_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
