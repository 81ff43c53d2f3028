/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filter answers, and what it writes down of that: sessions with macros as Postfix and
 * Sendmail send them, without libmilter. The journal's lines are read where its writer would.
 */
#include "tests/unit/milter_help.h"

/* ---- help ------------------------------------------------------------------- */

static const char policy_text[] =
    "mode: enforce\n"
    "help_url: \"https://help.example.com/%id\"\n"
    "listeners:\n"
    "  - {names: [smtp, MTA], port: 25, role: smtp}\n"
    "  - {names: [submission, MSA], port: 587, role: submission}\n"
    "  - {names: [submissions, TLSMSA], port: 465, role: submissions}\n"
    "  - {names: [alternate], port: 2525, role: submission, mode: audit}\n"
    "  - {names: [later], port: 3587, role: submission, actions: {tls-required: defer}}\n"
    "  - {names: [nothing], port: 4587, role: submission,"
    " actions: {tls-required: ignore, auth-required: ignore}}\n";

static int open_filter(void **state)
{
    return filter_set_up(state, policy_text);
}

#define TLS13 "TLS_VERSION=TLSv1.3|CIPHER=TLS_AES_256_GCM_SHA384|CIPHER_BITS=256"
#define ALICE "AUTH_TYPE=PLAIN|AUTH_AUTHEN=alice"

static struct reply reply;

static enum answer_kind mail(struct connection *c, const char *macros)
{
    struct told told = tell(c, AT_MAIL, macros);
    reply = (struct reply){0};
    return filter_mail(&f, c, STR("<alice@example.com>"), &told, &reply);
}

static void end_of_headers(struct connection *c)
{
    struct told told = tell(c, AT_EOH, TLS13 "|" ALICE "|QUEUE_ID=4Z1x2y");
    filter_end_of_headers(&f, c, &told);
}

static void expect_fields(struct str line, const char *event, const char *action,
                          const char *finding)
{
    assert_field(line, "event", event);
    assert_field(line, "action", action);
    assert_field(line, "finding", finding);
}

/* ---- verdicts --------------------------------------------------------------- */

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *port, *macros;
        const char *reply;                    /* "" : passes */
        const char *action, *would, *finding; /* in the journal; action NULL: no line */
    } cases[] = {
        {"DAEMON_PORT=587", TLS13 "|" ALICE, "", "pass", "pass", NULL},
        {"DAEMON_PORT=587", "",
         "530 5.7.0 Must issue a STARTTLS command first; see "
         "https://help.example.com/tls-required",
         "reject", "reject", "tls-required"},
        {"DAEMON_PORT=587", ALICE,
         "530 5.7.0 Must issue a STARTTLS command first; see "
         "https://help.example.com/tls-required",
         "reject", "reject", "tls-required"},
        {"DAEMON_PORT=587", TLS13,
         "530 5.7.0 Authentication required; see https://help.example.com/auth-required", "reject",
         "reject", "auth-required"},
        {"DAEMON_PORT=587", "TLS_VERSION=TLSv1|" ALICE,
         "554 5.7.10 TLS version too old; update the mail program or enable TLS 1.2; see "
         "https://help.example.com/tls-version",
         "reject", "reject", "tls-version"},
        {"DAEMON_PORT=3587", TLS13 "|" ALICE, "", "pass", "pass", NULL},
        {"DAEMON_PORT=4587", "", "", "pass", "pass", NULL},
        {"DAEMON_PORT=2525", "", "", "pass", "reject", "tls-required"},
        {"DAEMON_PORT=25", "", "", NULL, NULL, NULL},
        {"DAEMON_PORT=25", TLS13, "", NULL, NULL, NULL},
        {"DAEMON_PORT=25", TLS13 "|" ALICE,
         "554 5.7.1 AUTH is not accepted on port 25; use 465 (TLS) or 587 (STARTTLS); see "
         "https://help.example.com/auth-on-smtp-port",
         "reject", "reject", "auth-on-smtp-port"},
        {"DAEMON_PORT=26", "", "", NULL, NULL, NULL}, /* nobody's port */
        {"DAEMON_PORT=", "", "", NULL, NULL, NULL},
    };
    static const char *const mtas[] = {POSTFIX, SENDMAIL};
    char connect[300], text[500];
    for (size_t k = 0; k < COUNT(mtas); k++)
        for (size_t i = 0; i < COUNT(cases); i++) {
            snprintf(connect, sizeof connect, "%s%s", mtas[k], cases[i].port);
            struct connection *c = come(SOMEBODY, true, connect);
            enum answer_kind kind = mail(c, cases[i].macros);
            snprintf(text, sizeof text, "%u %s %s", reply.code, reply.dsn, reply.text);
            assert_string_equal(kind == ANSWER_REFUSE ? text : "", cases[i].reply);
            struct str line = next_line();
            assert_int_equal(line.n != 0, cases[i].action != NULL);
            if (line.n) {
                expect_fields(line, "decision", cases[i].action, cases[i].finding);
                assert_field(line, "would", cases[i].would);
                assert_field(line, "sender", "alice@example.com");
                assert_field(line, "client_address", "192.0.2.17");
                assert_field(line, "protocol_state", "MAIL");
            }
            leave(c);
            expect_silence();
        }
    assert_int_equal(f.life.recorder.counters.no_listener, 4);
    assert_int_equal(f.counters.mails, COUNT(mtas) * COUNT(cases));
}

static void test_defer(void **state)
{
    (void)state;
    struct connection *c = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=3587");
    assert_int_equal(mail(c, ALICE), ANSWER_REFUSE);
    assert_int_equal(reply.code, 554); /* the stricter of two findings */
    assert_int_equal(mail(c, "AUTH_TYPE=XCLIENT|AUTH_AUTHEN=alice"), ANSWER_HEADERS);
    leave(c);
    c = come(SOMEBODY, true, SENDMAIL "DAEMON_PORT=3587");
    c->policy->listeners[4]->action[FINDING_AUTH_REQUIRED] = ACTION_LOG;
    assert_int_equal(mail(c, ""), ANSWER_REFUSE);
    assert_int_equal(reply.code, 451);
    assert_string_equal(reply.dsn, "4.7.0");
    leave(c);
}

/* What is not known refuses nobody: no lists, or an MTA that we do not know. */
static void test_unknown(void **state)
{
    (void)state;
    static const struct {
        bool our_lists;
        const char *connect;
    } cases[] = {
        {false, POSTFIX "DAEMON_PORT=587"},
        {false, SENDMAIL "DAEMON_PORT=587"},
        {true, OTHER "DAEMON_PORT=587"},
        {false, "DAEMON_NAME=MSA"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct connection *c = come(SOMEBODY, cases[i].our_lists, cases[i].connect);
        assert_int_equal(mail(c, ""), ANSWER_HEADERS);
        expect_fields(next_line(), "decision", "pass", NULL);
        assert_int_equal(mail(c, "TLS_VERSION=TLSv1"), ANSWER_REFUSE); /* told is told */
        assert_string_equal(reply.dsn, "5.7.10");
        expect_fields(next_line(), "decision", "reject", "tls-version");
        leave(c);
    }
    assert_int_equal(f.counters.lists_refused, 3);
}

/* A socket may stand for a listener. */
static void test_socket(void **state)
{
    (void)state;
    snprintf(f.socket.listener, sizeof f.socket.listener, "submissions");
    struct connection *c = come(SOMEBODY, true, SENDMAIL "DAEMON_FLAGS=s");
    assert_int_equal(mail(c, TLS13), ANSWER_REFUSE);
    struct str line = next_line();
    expect_fields(line, "decision", "reject", "auth-required");
    assert_field(line, "listener", "submissions");
    leave(c);
}

/* ---- headers ---------------------------------------------------------------- */

static void test_headers_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *port, *helo;
        bool journal;
        enum answer_kind kind;
    } cases[] = {
        {"DAEMON_PORT=587", "client.test", true, ANSWER_HEADERS},
        {"DAEMON_PORT=465|TLS_AT_CONNECT=TLSv1.3", "client.test", true, ANSWER_HEADERS},
        {"DAEMON_PORT=587", "client.test", false, ANSWER_PASS},
        {"DAEMON_PORT=587", "smtpclient.apple", true, ANSWER_PASS}, /* it has told already */
        {"DAEMON_PORT=25", "client.test", true, ANSWER_PASS},       /* another server's mail */
        {"DAEMON_PORT=26", "client.test", true, ANSWER_PASS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char connect[300];
        f.wants_headers = cases[i].journal;
        snprintf(connect, sizeof connect, POSTFIX "%s", cases[i].port);
        struct connection *c = come(SOMEBODY, true, connect);
        helo(c, cases[i].helo, "");
        assert_int_equal(mail(c, strstr(connect, "=25") ? "" : TLS13 "|" ALICE), cases[i].kind);
        leave(c);
    }
}

/* A name that is too long is unknown, and counted. */
static void test_long_helo(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    struct connection *c = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=587");
    helo(c, "client.test", "");
    mail(c, TLS13 "|" ALICE);
    assert_field(next_line(), "helo_name", "client.test");
    assert_int_equal(f.counters.helo_too_long, 0);
    helo(c, name, "");
    mail(c, TLS13 "|" ALICE);
    assert_field(next_line(), "helo_name", NULL);
    assert_int_equal(f.counters.helo_too_long, 1);
    leave(c);
}

static void test_software(void **state)
{
    (void)state;
    struct connection *c = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=587");
    assert_int_equal(mail(c, TLS13 "|" ALICE), ANSWER_HEADERS);
    assert_field(next_line(), "client_software", NULL);
    filter_header(c, STR("Subject"), STR("Mutt/2.2.9"));
    filter_header(c, STR("User-Agen"), STR("Mutt/2.2.9"));
    filter_header(c, STR("User-Agent"), STR("hunter2"));
    end_of_headers(c);
    expect_silence(); /* not recognised: nothing is kept of it */
    assert_int_equal(mail(c, TLS13 "|" ALICE), ANSWER_HEADERS);
    next_line();
    filter_header(c, STR("user-AGENT"), STR("Mutt/2.2.9 (2022-11-12)"));
    filter_header(c, STR("X-Mailer"), STR("Microsoft Outlook Express 6.00.2900.5512"));
    end_of_headers(c);
    struct str line = next_line();
    expect_fields(line, "software", NULL, NULL);
    assert_field(line, "client_software", "mutt");
    assert_field(line, "client_version", "2.2.9");
    assert_field(line, "queue_id", "4Z1x2y");
    assert_field(line, "sasl_username", "alice");
    assert_field(line, "listener", "submission");
    assert_int_equal(mail(c, TLS13 "|" ALICE), ANSWER_PASS); /* known by now */
    assert_field(next_line(), "client_software", "mutt");
    leave(c);
    c = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=587");
    filter_header(c, STR("X-Mailer"), STR("Microsoft Outlook Express 6.00.2900.5512"));
    end_of_headers(c);
    assert_field(next_line(), "client_software", "outlook-express");
    leave(c);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_filter, filter_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_verdicts),       TEST(test_defer),    TEST(test_unknown),   TEST(test_socket),
        TEST(test_headers_wanted), TEST(test_software), TEST(test_long_helo),
    };
    return cmocka_run_group_tests_name("milter_filter", tests, NULL, NULL);
}
