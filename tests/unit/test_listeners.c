/* SPDX-License-Identifier: Apache-2.0 */
/* Which port a name in a log stands for, and how that is known. */
#include "session_help.h"

/* Names of one machine and what was seen under them. */
static struct {
    struct names *names;
    struct config *config;
    struct log_listeners all;
} t;

static int set_up(void **state)
{
    (void)state;
    struct problems problems = {0};
    memset(&t, 0, sizeof t);
    t.names = names_new(&given_key, 100);
    t.config = config_load(NULL, &problems);
    problems_free(&problems);
    return t.names && t.config ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    config_free(t.config);
    names_free(t.names);
    return 0;
}

static void add_at(const char *host, enum mta mta, const char *name, enum tls_mode mode,
                   uint32_t flags)
{
    struct seen s;
    memset(&s, 0, sizeof s);
    s.mta = (uint8_t)mta;
    s.host = names_id(t.names, str_of(host));
    s.listener = names_id(t.names, str_of(name));
    s.mode = (uint8_t)mode;
    s.flags = flags | (strcmp(name, "postfix") == 0 ? SEEN_BARE : 0);
    log_listeners_add(&t.all, &s);
}

static void add(enum mta mta, const char *name, enum tls_mode mode, uint32_t flags)
{
    add_at("mx", mta, name, mode, flags);
}

static void resolve(const struct listener_option *options, unsigned count)
{
    log_listeners_resolve(&t.all, t.names, t.config->policy, false, options, count);
}

static const struct log_listener *find_at(const char *host, enum mta mta, const char *name)
{
    struct seen s = {.mta = (uint8_t)mta,
                     .host = names_find(t.names, str_of(host)),
                     .listener = names_find(t.names, str_of(name))};
    return log_listeners_find(&t.all, &s);
}

/* 0: no listener of the policy. */
static unsigned port_of(enum mta mta, const char *name)
{
    const struct log_listener *at = find_at("mx", mta, name);
    assert_non_null(at);
    return at->listener ? at->listener->port : 0;
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        enum mta mta;
        const char *name;
        unsigned port;
        enum known_by known_by;
    } cases[] = {
        {MTA_POSTFIX, "postfix/submission", 587, KNOWN_BY_POLICY},
        {MTA_POSTFIX, "postfix/submissions", 465, KNOWN_BY_POLICY},
        {MTA_POSTFIX, "postfix/smtps", 465, KNOWN_BY_POLICY},
        {MTA_POSTFIX, "postfix/smtp", 25, KNOWN_BY_POLICY},
        {MTA_POSTFIX, "postfix/alternate", 2525, KNOWN_BY_POLICY},
        {MTA_POSTFIX, "submission", 587, KNOWN_BY_POLICY},
        {MTA_POSTFIX, "postfix-out/submission", 587, KNOWN_BY_POLICY},
        {MTA_POSTFIX, "postfix/ssmtp", 465, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix/SMTPS", 465, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix-submission", 587, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix/mx", 25, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix/25", 25, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix/p2525", 2525, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix/p_2525", 2525, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix-port-465", 465, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "postfix/submission-2525", 2525, KNOWN_BY_CUSTOM},
        /* A port that is known, and that the policy does not name. */
        {MTA_POSTFIX, "postfix/10025", 0, KNOWN_BY_CUSTOM},
        /* It may count services. */
        {MTA_POSTFIX, "postfix/submission2", 0, KNOWN_BY_NOTHING},
        {MTA_POSTFIX, "postfix/65536", 0, KNOWN_BY_NOTHING},
        {MTA_POSTFIX, "postfix/submission-local", 0, KNOWN_BY_NOTHING},
        {MTA_POSTFIX, "postfix/amavis", 0, KNOWN_BY_NOTHING},
        {MTA_POSTFIX, "postfix-out", 0, KNOWN_BY_NOTHING},
        {MTA_POSTFIX, "MSA", 587, KNOWN_BY_CUSTOM},
        {MTA_POSTFIX, "TLSMTA", 0, KNOWN_BY_NOTHING},
        {MTA_POSTFIX, "", 0, KNOWN_BY_NOTHING},
        {MTA_SENDMAIL, "MTA", 25, KNOWN_BY_CUSTOM},
        {MTA_SENDMAIL, "MTA-v4", 25, KNOWN_BY_CUSTOM},
        {MTA_SENDMAIL, "MSA", 587, KNOWN_BY_CUSTOM},
        {MTA_SENDMAIL, "MSP-v6", 587, KNOWN_BY_CUSTOM},
        {MTA_SENDMAIL, "MSA2525", 2525, KNOWN_BY_CUSTOM},
        {MTA_SENDMAIL, "TLSMTA", 465, KNOWN_BY_CUSTOM},
        {MTA_SENDMAIL, "Daemon0", 0, KNOWN_BY_NOTHING},
        {MTA_SENDMAIL, "", 0, KNOWN_BY_NOTHING},
    };
    enum { N = sizeof cases / sizeof *cases };
    for (size_t i = 0; i < N; i++)
        add(cases[i].mta, cases[i].name, TLS_MODE_UNKNOWN, 0);
    resolve(NULL, 0);
    for (size_t i = 0; i < N; i++) {
        const struct log_listener *at = find_at("mx", cases[i].mta, cases[i].name);
        if (port_of(cases[i].mta, cases[i].name) != cases[i].port ||
            at->known_by != cases[i].known_by)
            fail_msg("%s: %u, %s", cases[i].name, port_of(cases[i].mta, cases[i].name),
                     known_by_names[at->known_by]);
        assert_false(at->shared);
    }
}

static void test_option(void **state)
{
    (void)state;
    static const struct listener_option options[] = {
        {{"postfix/submission", 18}, 2525}, {{"inbound", 7}, 25}, {{"filter", 6}, 10025}};
    add(MTA_POSTFIX, "postfix/submission", TLS_MODE_IMPLICIT, 0);
    add(MTA_POSTFIX, "postfix/submission", TLS_MODE_STARTTLS, 0);
    add(MTA_POSTFIX, "postfix/inbound", TLS_MODE_UNKNOWN, 0);
    add(MTA_POSTFIX, "postfix/filter", TLS_MODE_UNKNOWN, 0);
    resolve(options, 3);
    assert_int_equal(port_of(MTA_POSTFIX, "postfix/submission"), 2525);
    assert_int_equal(port_of(MTA_POSTFIX, "postfix/inbound"), 25);
    assert_int_equal(port_of(MTA_POSTFIX, "postfix/filter"), 0);
    assert_int_equal(find_at("mx", MTA_POSTFIX, "postfix/filter")->known_by, KNOWN_BY_OPTION);
    /* What a person said is not asked of the log. */
    assert_false(find_at("mx", MTA_POSTFIX, "postfix/submission")->shared);
}

static void test_shared(void **state)
{
    (void)state;
    add(MTA_POSTFIX, "postfix/submission", TLS_MODE_IMPLICIT, SEEN_TLS_LINE | SEEN_AUTH);
    add(MTA_POSTFIX, "postfix/submission", TLS_MODE_UNKNOWN, SEEN_TLS_LINE);
    resolve(NULL, 0);
    assert_false(find_at("mx", MTA_POSTFIX, "postfix/submission")->shared);
    add(MTA_POSTFIX, "postfix/submission", TLS_MODE_CLEARTEXT, 0);
    resolve(NULL, 0);
    const struct log_listener *at = find_at("mx", MTA_POSTFIX, "postfix/submission");
    assert_true(at->shared);
    assert_int_equal(at->listener->port, 587);
    assert_int_equal(at->sessions, 3);
    assert_int_equal(at->tls_lines, 2);
    assert_int_equal(at->logins, 1);
    assert_int_equal(at->by_mode[TLS_MODE_IMPLICIT], 1);
    assert_int_equal(at->by_mode[TLS_MODE_CLEARTEXT], 1);
    /* Against a policy that was written, nothing that was seen counts. */
    log_listeners_resolve(&t.all, t.names, t.config->policy, true, NULL, 0);
    assert_false(find_at("mx", MTA_POSTFIX, "postfix/submission")->shared);
}

/* "postfix" alone: port 25 only if the other ports have names, and nothing speaks against it. */
static void test_assumed(void **state)
{
    (void)state;
    static const struct {
        const char *other;
        enum tls_mode mode;
        uint32_t flags;
        unsigned port;
    } cases[] = {
        {"postfix/submission", TLS_MODE_STARTTLS, SEEN_AUTH, 25},
        {"postfix/submission", TLS_MODE_IMPLICIT, 0, 0},
        {"postfix/submissions", TLS_MODE_STARTTLS, 0, 25},
        {"postfix/submissions", TLS_MODE_STARTTLS, SEEN_AUTH, 0}, /* perhaps 587 */
        {"postfix/alternate", TLS_MODE_STARTTLS, 0, 25},          /* a submission port too */
        {"postfix/25", TLS_MODE_STARTTLS, 0, 0},
        {"postfix", TLS_MODE_STARTTLS, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t.all = (struct log_listeners){0};
        add(MTA_POSTFIX, "postfix", cases[i].mode, cases[i].flags);
        add(MTA_POSTFIX, cases[i].other, TLS_MODE_UNKNOWN, 0);
        resolve(NULL, 0);
        if (port_of(MTA_POSTFIX, "postfix") != cases[i].port)
            fail_msg("case %zu", i);
        assert_int_equal(find_at("mx", MTA_POSTFIX, "postfix")->known_by,
                         cases[i].port ? KNOWN_BY_ASSUMPTION : KNOWN_BY_NOTHING);
    }
    /* Another machine's names say nothing, nor do Sendmail's. */
    t.all = (struct log_listeners){0};
    add_at("mx1", MTA_POSTFIX, "postfix", TLS_MODE_STARTTLS, SEEN_AUTH);
    add_at("mx2", MTA_POSTFIX, "postfix/submission", TLS_MODE_STARTTLS, SEEN_AUTH);
    add_at("mx1", MTA_SENDMAIL, "MSA", TLS_MODE_STARTTLS, SEEN_AUTH);
    resolve(NULL, 0);
    assert_null(find_at("mx1", MTA_POSTFIX, "postfix")->listener);
}

static void test_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < LOG_LISTENERS_MAX + 3; i++) {
        struct seen s = {.mta = MTA_POSTFIX, .listener = (uint32_t)i + 2};
        log_listeners_add(&t.all, &s);
    }
    assert_int_equal(t.all.count, LOG_LISTENERS_MAX);
    assert_int_equal(t.all.overflow, 3);
    assert_null(log_listeners_find(
        &t.all, &(struct seen){.mta = MTA_POSTFIX, .listener = LOG_LISTENERS_MAX + 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_option, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_assumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
