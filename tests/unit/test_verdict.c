/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: which finding decides, what audit and an early stage hold back, what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/reply.h"
#include "core/verdict.h"

static const struct sipkey key = {5, 6};
static struct policy *policy;
static struct listener *on;

static int set_up(void **state)
{
    (void)state;
    policy = policy_new(&key);
    on = policy_add_listener(policy, ROLE_SUBMISSION, 587);
    on->names[on->name_count++] = STR("submission");
    on->mode = MODE_ENFORCE;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    policy_unref(policy);
    return 0;
}

/* A client on port 587 of which everything is known. */
static struct session session(enum stage stage)
{
    struct session s = {.stage = stage, .server_port = 587};
    addr_parse(STR("192.0.2.17"), &s.client);
    session_find_listener(&s, policy, (struct str){NULL, 0}, (struct str){NULL, 0});
    session_find_trust(&s, policy);
    return s;
}

static struct verdict judge(const struct session *s)
{
    struct verdict v;
    decide(policy, s, &(struct now){0, 0}, &v, NULL);
    return v;
}

static void test_pass(void **state)
{
    (void)state;
    struct session s = session(STAGE_RCPT);
    const struct cipher c = {256, true, true, true, false};
    session_tls(&s, STR("TLSv1.3"), &c, 256);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    struct verdict v = judge(&s);
    assert_int_equal(v.action, ACTION_IGNORE);
    assert_int_equal(v.finding, FINDING_COUNT);
    assert_int_equal(v.broken, 0);
}

static void test_strictest_decides(void **state)
{
    (void)state;
    struct session s = session(STAGE_RCPT);
    session_no_tls(&s);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    struct verdict v = judge(&s);
    assert_int_equal(v.action, ACTION_REJECT);
    assert_int_equal(v.finding, FINDING_TLS_REQUIRED); /* first of two rejects */
    assert_int_equal(v.broken,
                     FINDING_BIT(FINDING_TLS_REQUIRED) | FINDING_BIT(FINDING_CLEARTEXT_AUTH));
    on->action[FINDING_TLS_REQUIRED] = ACTION_DEFER;
    v = judge(&s);
    assert_int_equal(v.action, ACTION_REJECT);
    assert_int_equal(v.finding, FINDING_CLEARTEXT_AUTH);
    on->action[FINDING_CLEARTEXT_AUTH] = ACTION_LOG;
    v = judge(&s);
    assert_int_equal(v.action, ACTION_DEFER);
    assert_int_equal(v.finding, FINDING_TLS_REQUIRED);
    on->action[FINDING_TLS_REQUIRED] = ACTION_IGNORE;
    v = judge(&s);
    assert_int_equal(v.action, ACTION_LOG);
    assert_int_equal(v.held, HELD_NOT);
    assert_int_equal(v.broken, FINDING_BIT(FINDING_CLEARTEXT_AUTH));
}

static void test_audit(void **state)
{
    (void)state;
    on->mode = MODE_AUDIT;
    struct session s = session(STAGE_MAIL);
    session_no_tls(&s);
    session_no_auth(&s);
    struct verdict v = judge(&s);
    assert_int_equal(v.action, ACTION_LOG);
    assert_int_equal(v.would, ACTION_REJECT);
    assert_int_equal(v.held, HELD_AUDIT);
    assert_int_equal(v.finding, FINDING_TLS_REQUIRED);
}

static void test_before_mail(void **state)
{
    (void)state;
    for (enum stage stage = STAGE_CONNECT; stage < STAGE_COUNT; stage++) {
        struct session s = session(stage);
        session_tls(&s, STR("TLSv1"), NULL, 0);
        struct verdict v = judge(&s);
        assert_int_equal(v.would, ACTION_REJECT);
        assert_int_equal(v.finding, FINDING_TLS_VERSION);
        assert_int_equal(v.action, stage < STAGE_MAIL ? ACTION_LOG : ACTION_REJECT);
        assert_int_equal(v.held, stage < STAGE_MAIL ? HELD_BEFORE_MAIL : HELD_NOT);
    }
}

static void test_nobodys_port(void **state)
{
    (void)state;
    struct session s = {.stage = STAGE_RCPT, .server_port = 26};
    session_find_listener(&s, policy, STR("x"), STR("y"));
    session_no_tls(&s);
    session_no_auth(&s);
    assert_null(s.listener);
    assert_int_equal(judge(&s).action, ACTION_IGNORE);
}

static void test_two_rules_of_one_finding(void **state)
{
    (void)state;
    struct session s = session(STAGE_RCPT);
    session_tls(&s, STR("TLSv1.2"), NULL, 56); /* kind unknown, strength known and bad */
    struct verdict v = judge(&s);
    assert_true(v.broken & FINDING_BIT(FINDING_TLS_CIPHER));
    assert_false(v.no_data & FINDING_BIT(FINDING_TLS_CIPHER));
    s = session(STAGE_RCPT);
    session_tls(&s, STR("TLSv1.2"), NULL, 256); /* good strength does not make it fine */
    v = judge(&s);
    assert_false(v.broken & FINDING_BIT(FINDING_TLS_CIPHER));
    assert_true(v.no_data & FINDING_BIT(FINDING_TLS_CIPHER));
}

static void test_expired_exception(void **state)
{
    (void)state;
    static const struct str user[] = {{"alice", 5}};
    static const struct exception e = {.allow = FINDING_BIT(FINDING_TLS_REQUIRED) |
                                                FINDING_BIT(FINDING_CLEARTEXT_AUTH),
                                       .until_us = 1000,
                                       .user_count = 1};
    assert_true(exceptions_add(&policy->exceptions, &e, user));
    struct session s = session(STAGE_RCPT);
    session_no_tls(&s);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    struct verdict v;
    struct answer a[RULE_COUNT];
    decide(policy, &s, &(struct now){999, 0}, &v, a);
    assert_int_equal(v.action, ACTION_IGNORE);
    assert_int_equal(v.excepted, e.allow);
    decide(policy, &s, &(struct now){1000, 0}, &v, a);
    assert_int_equal(v.action, ACTION_REJECT);
    for (int i = 0; i < RULE_COUNT; i++)
        if (a[i].outcome == OUTCOME_BROKEN)
            assert_ptr_equal(a[i].expired, &e);
}

static void test_listener_choice(void **state)
{
    (void)state;
    struct listener *alternate = policy_add_listener(policy, ROLE_SUBMISSION, 2525);
    alternate->names[alternate->name_count++] = STR("alternate");
    static const struct {
        const char *socket, *told;
        uint16_t port;
        const char *listener;
        int agrees; /* -1: cannot be said */
    } cases[] = {
        {"", "", 587, "submission", -1},
        {"", "submission", 0, "submission", -1},
        {"", "submission", 587, "submission", 1},
        {"", "submission", 2525, "submission", 0},
        {"alternate", "submission", 0, "alternate", 0},
        {"alternate", "", 2525, "alternate", 1},
        {"alternate", "alternate", 587, "alternate", 0},
        {"", "no such name", 2525, "alternate", -1},
        {"", "", 0, "", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s = {.server_port = cases[i].port};
        session_find_listener(&s, policy, str_of(cases[i].socket), str_of(cases[i].told));
        assert_int_equal(s.listener != NULL, cases[i].listener[0] != '\0');
        if (s.listener)
            assert_true(str_eq(s.listener->names[0], str_of(cases[i].listener)));
        int agrees = session_knows(&s, FACT_BIT(FACT_AGREEMENT)) ? s.agrees : -1;
        assert_int_equal(agrees, cases[i].agrees);
    }
}

/* A session that began under a policy keeps it, whatever is loaded in the meantime. */
static void test_references(void **state)
{
    (void)state;
    struct policy *kept = policy_ref(policy);
    policy_unref(policy); /* replaced by a reload */
    struct session s = session(STAGE_RCPT);
    session_no_tls(&s);
    assert_int_equal(judge(&s).finding, FINDING_TLS_REQUIRED);
    assert_int_equal(atomic_load(&kept->refs), 1);
    policy = kept; /* tear_down() gives the last one back; ASan would tell of any other number */
}

/* Code, enhanced code, words. */
static void test_replies(void **state)
{
    (void)state;
    static const struct {
        enum finding finding;
        enum edge edge;
        unsigned code;
        const char *dsn, *words;
    } cases[] = {
        {FINDING_AUTH_ON_SMTP_PORT, EDGE_MAIL, 554, "5.7.1",
         "AUTH is not accepted on port 25; use 465 (TLS) or 587 (STARTTLS)"},
        {FINDING_AUTH_TRIED_ON_SMTP_PORT, EDGE_AUTH, 535, "5.7.8",
         "AUTH is not accepted on port 25; your password was not checked; use 465 or 587"},
        {FINDING_TLS_REQUIRED, EDGE_MAIL, 530, "5.7.0", "Must issue a STARTTLS command first"},
        {FINDING_AUTH_REQUIRED, EDGE_MAIL, 530, "5.7.0", "Authentication required"},
        {FINDING_CLEARTEXT_AUTH, EDGE_MAIL, 554, "5.7.0", NULL},
        {FINDING_TLS_VERSION, EDGE_MAIL, 554, "5.7.10", NULL},
        {FINDING_TLS_CIPHER, EDGE_MAIL, 554, "5.7.10", NULL},
        {FINDING_TLS_CIPHER_WEAK, EDGE_MAIL, 554, "5.7.10", NULL},
        {FINDING_AUTH_MECHANISM, EDGE_MAIL, 554, "5.7.9", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r;
        assert_true(reply_for(policy, cases[i].finding, ACTION_REJECT, cases[i].edge, &r));
        assert_int_equal(r.code, cases[i].code);
        assert_string_equal(r.dsn, cases[i].dsn);
        if (cases[i].words)
            assert_string_equal(r.text, cases[i].words);
        assert_true(reply_for(policy, cases[i].finding, ACTION_DEFER, cases[i].edge, &r));
        assert_int_equal(r.code, 451);
        assert_int_equal(r.dsn[0], '4');
        assert_string_equal(r.dsn + 1, cases[i].dsn + 1);
        assert_false(reply_for(policy, cases[i].finding, ACTION_LOG, cases[i].edge, &r));
    }
    policy->help_url = "https://help.example.com/%id";
    struct reply r;
    assert_true(reply_for(policy, FINDING_AUTH_REQUIRED, ACTION_REJECT, EDGE_MAIL, &r));
    assert_string_equal(r.text,
                        "Authentication required; see https://help.example.com/auth-required");
    policy->help_url = "";
}

/* findings.def and the table of replies say the same of what can be refused. */
static void test_strictest_has_reply(void **state)
{
    (void)state;
    struct reply r;
    for (int f = 0; f < FINDING_COUNT; f++) {
        bool has = reply_for(policy, f, ACTION_REJECT, EDGE_MAIL, &r) ||
                   reply_for(policy, f, ACTION_REJECT, EDGE_AUTH, &r);
        assert_int_equal(has, findings[f].strictest == ACTION_REJECT);
        for (int role = 0; role < ROLE_COUNT; role++)
            assert_true(findings[f].by_role[role] <= findings[f].strictest);
        assert_int_equal(finding_of(str_of(findings[f].id)), f);
    }
    assert_int_equal(finding_of(STR("tls")), FINDING_COUNT);
    for (int i = 0; i < RULE_COUNT; i++)
        assert_non_null(rules[i]);
}

/* Something that was seen: one finding, logged whatever the mode, and nothing is held back. */
static void test_detected(void **state)
{
    (void)state;
    struct verdict v;
    for (enum stage stage = STAGE_CONNECT; stage < STAGE_COUNT; stage++)
        for (int mode = 0; mode < MODE_COUNT; mode++) {
            on->mode = (enum mode)mode;
            struct session s = session(stage);
            decide_detected(policy, &s, FINDING_NO_TLS_SEEN, &(struct now){0, 0}, &v);
            assert_int_equal(v.action, ACTION_LOG);
            assert_int_equal(v.would, ACTION_LOG);
            assert_int_equal(v.held, HELD_NOT);
            assert_int_equal(v.finding, FINDING_NO_TLS_SEEN);
            assert_int_equal(v.broken, FINDING_BIT(FINDING_NO_TLS_SEEN));
            assert_int_equal(v.excepted | v.trusted | v.no_data, 0);
        }
}

static void test_detected_but(void **state)
{
    (void)state;
    static const struct str user[] = {{"alice", 5}};
    static const struct exception e = {
        .allow = FINDING_BIT(FINDING_NO_TLS_SEEN), .until_us = 1000, .user_count = 1};
    assert_true(exceptions_add(&policy->exceptions, &e, user));
    static const struct {
        int64_t wall_us;
        const char *user;
        enum finding finding;
        bool broken, excepted;
    } cases[] = {
        {999, "alice", FINDING_NO_TLS_SEEN, false, true},
        {1000, "alice", FINDING_NO_TLS_SEEN, true, false}, /* run out */
        {999, "bob", FINDING_NO_TLS_SEEN, true, false},
        {999, "", FINDING_NO_TLS_SEEN, true, false},
        {999, "alice", FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, true, false},
        {999, "alice", FINDING_NOT_SMTP, false, false}, /* ignored, see below */
    };
    struct verdict v;
    on->action[FINDING_NOT_SMTP] = ACTION_IGNORE;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s = session(STAGE_HELO);
        s.user = str_of(cases[i].user);
        struct now now = {cases[i].wall_us, 0};
        decide_detected(policy, &s, cases[i].finding, &now, &v);
        finding_set bit = FINDING_BIT(cases[i].finding);
        assert_int_equal(v.broken, cases[i].broken ? bit : 0);
        assert_int_equal(v.excepted, cases[i].excepted ? bit : 0);
        assert_int_equal(v.action, cases[i].broken ? ACTION_LOG : ACTION_IGNORE);
        assert_int_equal(v.finding, cases[i].broken ? cases[i].finding : FINDING_COUNT);
    }
    struct session s = {.stage = STAGE_HELO, .server_port = 26}; /* nobody's port */
    decide_detected(policy, &s, FINDING_NO_TLS_SEEN, &(struct now){0, 0}, &v);
    assert_int_equal(v.broken | v.excepted, 0);
    assert_int_equal(v.action, ACTION_IGNORE);
    assert_int_equal(v.finding, FINDING_COUNT);
    s = session(STAGE_HELO);
    on->action[FINDING_AUTH_REQUIRED] = ACTION_NONE; /* cannot be said of that role */
    decide_detected(policy, &s, FINDING_AUTH_REQUIRED, &(struct now){0, 0}, &v);
    assert_int_equal(v.broken, 0);
    /* whatever the policy says of it, something seen is not refused */
    on->action[FINDING_AUTH_REQUIRED] = ACTION_REJECT;
    decide_detected(policy, &s, FINDING_AUTH_REQUIRED, &(struct now){0, 0}, &v);
    assert_int_equal(v.action, ACTION_LOG);
    assert_int_equal(v.would, ACTION_LOG);
}

/* Whether TLS at once closes the connection is a verdict like others: audit holds it back. */
static void test_detected_disconnect(void **state)
{
    (void)state;
    static const struct {
        bool disconnect;
        enum mode mode;
        enum finding finding;
        enum action action, would;
        enum held held;
    } cases[] = {
        {false, MODE_ENFORCE, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, ACTION_LOG, ACTION_LOG,
         HELD_NOT},
        {true, MODE_ENFORCE, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, ACTION_REJECT, ACTION_REJECT,
         HELD_NOT},
        {true, MODE_AUDIT, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, ACTION_LOG, ACTION_REJECT,
         HELD_AUDIT},
        {true, MODE_ENFORCE, FINDING_NO_TLS_SEEN, ACTION_LOG, ACTION_LOG, HELD_NOT},
        {true, MODE_AUDIT, FINDING_NO_TLS_SEEN, ACTION_LOG, ACTION_LOG, HELD_NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s = session(STAGE_HELO);
        struct verdict v;
        on->disconnect_implicit_tls = cases[i].disconnect;
        on->mode = cases[i].mode;
        decide_detected(policy, &s, cases[i].finding, &(struct now){0, 0}, &v);
        assert_int_equal(v.action, cases[i].action);
        assert_int_equal(v.would, cases[i].would);
        assert_int_equal(v.held, cases[i].held);
        assert_int_equal(v.broken, FINDING_BIT(cases[i].finding));
    }
    static const struct exception e = {.allow = ~(finding_set)0, .until_us = 1, .user_count = 1};
    static const struct str user[] = {{"alice", 5}};
    assert_true(exceptions_add(&policy->exceptions, &e, user));
    struct session s = session(STAGE_HELO);
    struct verdict v;
    s.user = STR("alice");
    on->mode = MODE_ENFORCE;
    decide_detected(policy, &s, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, &(struct now){0, 0}, &v);
    assert_int_equal(v.action, ACTION_IGNORE); /* who may is not sent away */
    on->action[FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT] = ACTION_IGNORE;
    s.user = STR("bob");
    decide_detected(policy, &s, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, &(struct now){0, 0}, &v);
    assert_int_equal(v.action, ACTION_IGNORE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pass),
        TEST(test_strictest_decides),
        TEST(test_audit),
        TEST(test_before_mail),
        TEST(test_nobodys_port),
        TEST(test_two_rules_of_one_finding),
        TEST(test_listener_choice),
        TEST(test_expired_exception),
        TEST(test_replies),
        TEST(test_strictest_has_reply),
        TEST(test_references),
        TEST(test_detected),
        TEST(test_detected_but),
        TEST(test_detected_disconnect),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
