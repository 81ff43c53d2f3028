/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filter sees without being asked: TLS at once where STARTTLS is expected, a client that
 * said hello and left, a port that is not what the policy says.
 */
#include "tests/unit/milter_help.h"

/* ---- help ------------------------------------------------------------------- */

static const char policy_text[] =
    "mode: enforce\n"
    "listeners:\n"
    "  - {names: [smtp, MTA], port: 25, role: smtp}\n"
    "  - {names: [submission, MSA], port: 587, role: submission}\n"
    "  - {names: [submissions, TLSMSA], port: 465, role: submissions}\n"
    "  - {names: [alternate], port: 2525, role: submission, mode: audit,"
    " disconnect_implicit_tls: yes}\n"
    "  - {names: [strict], port: 5587, role: submission, disconnect_implicit_tls: yes}\n"
    "  - {names: [offloaded], port: 3587, role: submission, tls_by: proxy}\n"
    "  - {names: [quiet], port: 4587, role: submission, actions: {no-tls-seen: ignore,"
    " implicit-tls-on-starttls-port: ignore, listener-mode-mismatch: ignore}}\n"
    "trusted: {networks: [198.51.100.0/28]}\n"
    "monitors: [203.0.113.0/28]\n"
    "exceptions:\n"
    "  - {client: 203.0.113.17, allow: [no-tls-seen, implicit-tls-on-starttls-port,"
    " listener-mode-mismatch], until: 2999-12-31, reason: test, owner: test}\n";

static int open_filter(void **state)
{
    return filter_set_up(state, policy_text);
}

#define TRUSTED "198.51.100.3"
#define MONITOR "203.0.113.3"
#define EXCEPTED "203.0.113.17"

static void mail(struct connection *c, const char *macros)
{
    struct reply reply;
    struct told told = tell(c, AT_MAIL, macros);
    filter_mail(&f, c, STR("<alice@example.com>"), &told, &reply);
}

static bool unknown(struct connection *c, struct str command)
{
    struct told told = tell(c, AT_HELO, "");
    return filter_unknown(&f, c, command, &told);
}

/* One "finding" in the journal, in a session before MAIL; `list`: "findings" or "excepted". */
static struct str expect_finding(const char *list, const char *finding, const char *stage)
{
    char text[100];
    struct str line = next_line();
    snprintf(text, sizeof text, "\"%s\"", finding);
    assert_field(line, "event", "finding");
    assert_field(line, list, text);
    assert_field(line, "protocol_state", stage);
    return line;
}

static void expect_action(struct str line, const char *action, const char *would, const char *held)
{
    assert_field(line, "action", action);
    assert_field(line, "would", would);
    assert_field(line, "held", held);
}

static uint64_t found(enum finding finding)
{
    return f.life.recorder.counters.found[finding];
}

/* ---- no-tls-seen ------------------------------------------------------------ */

/* Each row but the first few has one thing that is otherwise, and that prevents it. */
static void test_no_tls_seen(void **state)
{
    (void)state;
    static const struct {
        const char *what, *client;
        bool our_lists;
        const char *connect;
        const char *helo, *second_helo, *mail; /* NULL: there is none */
        bool implicit, seen;
    } cases[] = {
        {"Postfix", SOMEBODY, true, POSTFIX "DAEMON_PORT=587", "", .seen = true},
        {"Sendmail", SOMEBODY, true, SENDMAIL "DAEMON_PORT=587", "", .seen = true},
        {"by name", SOMEBODY, true, SENDMAIL "DAEMON_NAME=MSA", "", .seen = true},
        {"audit", SOMEBODY, true, POSTFIX "DAEMON_PORT=2525", "", .seen = true},
        {"empty", SOMEBODY, true, POSTFIX "DAEMON_PORT=587", "TLS_AT_HELO=", .seen = true},
        {"twice", SOMEBODY, true, POSTFIX "DAEMON_PORT=587", "", "", .seen = true},
        {"MAIL", SOMEBODY, true, POSTFIX "DAEMON_PORT=587", "", .mail = ""},
        {"TLS", SOMEBODY, true, POSTFIX "DAEMON_PORT=587", "TLS_AT_HELO=TLSv1.3"},
        {"STARTTLS", SOMEBODY, true, POSTFIX "DAEMON_PORT=587", "", "TLS_AT_HELO=TLSv1.3"},
        {"lists", SOMEBODY, false, POSTFIX "DAEMON_PORT=587", ""},
        {"MTA", SOMEBODY, true, "DAEMON_PORT=587", ""},
        {"smtp", SOMEBODY, true, POSTFIX "DAEMON_PORT=25", ""},
        {"submissions", SOMEBODY, true, POSTFIX "DAEMON_PORT=465|TLS_AT_CONNECT=TLSv1.3", ""},
        {"nobody's port", SOMEBODY, true, POSTFIX "DAEMON_PORT=26", ""},
        {"trusted", TRUSTED, true, POSTFIX "DAEMON_PORT=587", ""},
        {"monitor", MONITOR, true, POSTFIX "DAEMON_PORT=587", ""},
        {"tls_by", SOMEBODY, true, POSTFIX "DAEMON_PORT=3587", ""},
        {"ignored", SOMEBODY, true, POSTFIX "DAEMON_PORT=4587", ""},
        {"implicit", SOMEBODY, true, POSTFIX "DAEMON_PORT=587", "", .implicit = true},
        {"no HELO", SOMEBODY, true, POSTFIX "DAEMON_PORT=587"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t before = found(FINDING_NO_TLS_SEEN);
        struct connection *c = come(cases[i].client, cases[i].our_lists, cases[i].connect);
        if (cases[i].helo)
            helo(c, "client.test", cases[i].helo);
        if (cases[i].second_helo)
            helo(c, "client.test", cases[i].second_helo);
        if (cases[i].implicit)
            unknown(c, STR("\x16\x03\x01"));
        if (cases[i].mail)
            mail(c, cases[i].mail);
        while (next_line().n)
            continue;
        leave(c);
        struct str line = next_line();
        if ((line.n != 0) != cases[i].seen)
            fail_msg("%s: %.*s", cases[i].what, STR_ARG(line));
        assert_field(line, "finding", cases[i].seen ? "no-tls-seen" : NULL);
        assert_field(line, "event", cases[i].seen ? "finding" : NULL);
        assert_field(line, "protocol_state", cases[i].seen ? "EHLO" : NULL);
        expect_silence();
        bool counted = cases[i].seen || strcmp(cases[i].client, MONITOR) == 0;
        assert_int_equal(found(FINDING_NO_TLS_SEEN) - before, counted);
    }
    assert_int_equal(f.life.recorder.counters.monitors, 1);
}

/* Where a certificate may make a client trusted, none is known before TLS: it is still told. */
static void test_no_tls_seen_with_certificates(void **state)
{
    (void)state;
    config->policy->trusts_certificates = true;
    struct connection *c = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=587");
    helo(c, "client.test", "");
    leave(c);
    expect_finding("findings", "no-tls-seen", "EHLO");
    c = come(TRUSTED, true, POSTFIX "DAEMON_PORT=587");
    helo(c, "client.test", "");
    leave(c);
    expect_silence();
}

/* ---- TLS at once ------------------------------------------------------------- */

static void test_implicit_tls(void **state)
{
    (void)state;
    static const struct {
        const char *connect;
        const char *action, *would, *held; /* NULL: not found */
    } cases[] = {
        {SENDMAIL "DAEMON_PORT=587", "pass", "pass", NULL},
        {SENDMAIL "DAEMON_PORT=25", "pass", "pass", NULL},
        {SENDMAIL "DAEMON_PORT=5587", "reject", "reject", NULL},
        {SENDMAIL "DAEMON_PORT=2525", "pass", "reject", "audit"},
        {SENDMAIL "DAEMON_PORT=3587", "pass", "pass", NULL},
        {SENDMAIL "DAEMON_PORT=465|DAEMON_FLAGS=s", NULL},
        {SENDMAIL "DAEMON_PORT=26", NULL},
        {SENDMAIL "DAEMON_PORT=4587", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t before = found(FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT);
        struct connection *c = come(SOMEBODY, true, cases[i].connect);
        assert_false(unknown(c, STR("FOO")));
        assert_false(unknown(c, STR("")));
        assert_false(unknown(c, STR("\x16")));
        expect_silence();
        bool closes = cases[i].action && strcmp(cases[i].action, "reject") == 0;
        for (int k = 0; k < 3; k++) /* once a session, but answered each time */
            assert_int_equal(unknown(c, STR("\x16\x03\x01\x02")), closes);
        if (cases[i].action)
            expect_action(expect_finding("findings", "implicit-tls-on-starttls-port", "EHLO"),
                          cases[i].action, cases[i].would, cases[i].held);
        expect_silence();
        leave(c);
        expect_silence();
        assert_int_equal(found(FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT) - before,
                         cases[i].action != NULL);
    }
}

/* What the MTA did not understand may be a password: nothing of it is kept. */
static void test_unknown_is_not_kept(void **state)
{
    (void)state;
    struct connection *c = come(SOMEBODY, true, SENDMAIL "DAEMON_PORT=587");
    unknown(c, STR("AUTHX PLAIN hunter2"));
    unknown(c, STR("\x16\x03\x01hunter2"));
    unknown(c, STR("hunter2"));
    mail(c, "");
    leave(c);
    struct str line;
    int count = 0;
    for (line = next_line(); line.n; line = next_line(), count++)
        assert_null(memmem(line.p, line.n, "hunter2", 7));
    assert_int_equal(count, 2); /* a finding and a decision */
}

/* ---- the port is not what the policy says ------------------------------------ */

static void test_mismatch(void **state)
{
    (void)state;
    static const struct {
        const char *connect;
        bool found;
    } cases[] = {
        {POSTFIX "DAEMON_PORT=587|TLS_AT_CONNECT=TLSv1.3", true},
        {POSTFIX "DAEMON_PORT=465", true},
        {POSTFIX "DAEMON_PORT=25|TLS_AT_CONNECT=TLSv1.3", true},
        {POSTFIX "DAEMON_PORT=587|DAEMON_NAME=submissions", true},
        {SENDMAIL "DAEMON_PORT=465|DAEMON_FLAGS=EE a", true},
        {SENDMAIL "DAEMON_PORT=587|DAEMON_FLAGS=EE a s|DAEMON_NAME=MSA", true},
        {POSTFIX "DAEMON_PORT=587", false},
        {POSTFIX "DAEMON_PORT=587|DAEMON_NAME=mx.example.test", false},
        {SENDMAIL "DAEMON_PORT=465|DAEMON_FLAGS=EE a s|DAEMON_NAME=TLSMSA", false},
        {"DAEMON_PORT=465", false},
        {POSTFIX "DAEMON_PORT=4587|TLS_AT_CONNECT=TLSv1.3", false}, /* ignored */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct connection *c = come(SOMEBODY, true, cases[i].connect);
        if (cases[i].found)
            expect_action(expect_finding("findings", "listener-mode-mismatch", "CONNECT"), "pass",
                          "pass", NULL);
        leave(c);
        expect_silence();
    }
    assert_int_equal(found(FINDING_LISTENER_MODE_MISMATCH), 6);
}

/* It is in the decision too, and in that of the next mail, but counted once. */
static void test_counted_once(void **state)
{
    (void)state;
    struct connection *c = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=465");
    expect_finding("findings", "listener-mode-mismatch", "CONNECT");
    for (int i = 0; i < 3; i++) {
        mail(c, "");
        struct str line = next_line();
        assert_field(line, "event", "decision");
        assert_field(line, "findings",
                     "\"tls-required\",\"auth-required\",\"listener-mode-mismatch\"");
    }
    assert_int_equal(found(FINDING_LISTENER_MODE_MISMATCH), 1);
    assert_int_equal(found(FINDING_TLS_REQUIRED), 1);
    assert_int_equal(found(FINDING_AUTH_REQUIRED), 1);
    leave(c);
    leave(come(SOMEBODY, true, POSTFIX "DAEMON_PORT=465")); /* another session */
    assert_int_equal(found(FINDING_LISTENER_MODE_MISMATCH), 2);
}

/* ---- who may ------------------------------------------------------------------ */

static void test_excepted(void **state)
{
    (void)state;
    struct connection *c = come(EXCEPTED, true, POSTFIX "DAEMON_PORT=587|TLS_AT_CONNECT=TLSv1.3");
    expect_finding("excepted", "listener-mode-mismatch", "CONNECT");
    leave(c);
    c = come(EXCEPTED, true, POSTFIX "DAEMON_PORT=587");
    helo(c, "client.test", "");
    leave(c);
    expect_finding("excepted", "no-tls-seen", "EHLO");
    expect_silence();
    for (int finding = 0; finding < FINDING_COUNT; finding++)
        assert_int_equal(found((enum finding)finding), 0);
    assert_int_equal(f.life.recorder.counters.excepted, 2);
}

/* Once a session, too. */
static void test_excepted_once(void **state)
{
    (void)state;
    struct connection *c = come(EXCEPTED, true, SENDMAIL "DAEMON_PORT=5587");
    for (int i = 0; i < 3; i++)
        assert_false(unknown(c, STR("\x16\x03\x01"))); /* who may is not sent away */
    expect_finding("excepted", "implicit-tls-on-starttls-port", "EHLO");
    expect_silence();
    assert_int_equal(f.life.recorder.counters.excepted, 1);
    leave(c);
}

static void test_monitors(void **state)
{
    (void)state;
    struct connection *c = come(MONITOR, true, SENDMAIL "DAEMON_PORT=587|DAEMON_FLAGS=s");
    for (int i = 0; i < 3; i++)
        unknown(c, STR("\x16\x03\x01"));
    leave(c);
    expect_silence();
    assert_int_equal(found(FINDING_LISTENER_MODE_MISMATCH), 1);
    assert_int_equal(found(FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT), 1);
    assert_int_equal(f.life.recorder.counters.monitors, 2);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_filter, filter_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_tls_seen),  TEST(test_no_tls_seen_with_certificates),
        TEST(test_implicit_tls), TEST(test_unknown_is_not_kept),
        TEST(test_mismatch),     TEST(test_counted_once),
        TEST(test_excepted),     TEST(test_excepted_once),
        TEST(test_monitors),
    };
    return cmocka_run_group_tests_name("milter_detected", tests, NULL, NULL);
}
