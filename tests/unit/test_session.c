/* SPDX-License-Identifier: Apache-2.0 */
/* Facts that follow from others: who is trusted, and when that can be known at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/policy.h"
#include "core/session.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct sipkey key = {3, 4};

static struct policy *new_policy(bool networks, bool certificates)
{
    struct policy *p = policy_new(&key);
    struct prefix network;
    assert_int_equal(prefix_parse(STR("198.51.100.0/28"), &network), PREFIX_OK);
    if (networks)
        prefix_index_put(&p->trusted, &network, p);
    if (certificates)
        table_put(&p->trusted_certificates, "abcd01", 6, p);
    p->trusts_networks = networks;
    p->trusts_certificates = certificates;
    return p;
}

enum { TLS_UNKNOWN, TLS_NONE, TLS_UP };

static struct session session(const char *client, int tls)
{
    struct session s = {.stage = STAGE_MAIL};
    addr_parse(str_of(client), &s.client);
    if (tls == TLS_NONE)
        session_no_tls(&s);
    if (tls == TLS_UP)
        session_tls(&s, STR("TLSv1.3"), NULL, 0);
    return s;
}

/* "yes", "no", "?": cannot be said. */
static const char *trust(struct session *s, const struct policy *p)
{
    session_find_trust(s, p);
    return !session_knows(s, FACT_BIT(FACT_TRUSTED)) ? "?" : s->trusted ? "yes" : "no";
}

#define INSIDE "198.51.100.3"
#define OUTSIDE "192.0.2.17"

static void test_trust(void **state)
{
    (void)state;
    static const struct {
        const char *client;
        int tls;
        bool ccert_told;
        const char *fingerprint;
        const char *nobody, *networks, *certificates, *both; /* whom the policy trusts */
    } cases[] = {
        {INSIDE, TLS_UNKNOWN, false, NULL, "no", "yes", "?", "yes"},
        {INSIDE, TLS_NONE, false, NULL, "no", "yes", "no", "yes"},
        {INSIDE, TLS_UP, false, NULL, "no", "yes", "?", "yes"},
        {OUTSIDE, TLS_UNKNOWN, false, NULL, "no", "no", "?", "?"},
        {OUTSIDE, TLS_NONE, false, NULL, "no", "no", "no", "no"},
        {OUTSIDE, TLS_UP, false, NULL, "no", "no", "?", "?"},
        /* told that there is none, or which */
        {OUTSIDE, TLS_UNKNOWN, true, NULL, "no", "no", "no", "no"},
        {OUTSIDE, TLS_UP, true, NULL, "no", "no", "no", "no"},
        {OUTSIDE, TLS_UP, true, "abcd01", "no", "no", "yes", "yes"},
        {OUTSIDE, TLS_UP, true, "AB:CD:01", "no", "no", "yes", "yes"},
        {OUTSIDE, TLS_UP, true, "abcd02", "no", "no", "no", "no"},
        {OUTSIDE, TLS_UP, true, "abcd0", "no", "no", "no", "no"},
        {OUTSIDE, TLS_UP, true, ":", "no", "no", "no", "no"},
        /* the address is not known */
        {"", TLS_NONE, false, NULL, "no", "?", "no", "?"},
        {"", TLS_UP, true, NULL, "no", "?", "no", "?"},
        {"", TLS_UP, true, "abcd01", "no", "?", "yes", "yes"},
        {"", TLS_UP, false, NULL, "no", "?", "?", "?"},
    };
    struct policy *nobody = new_policy(false, false), *networks = new_policy(true, false);
    struct policy *certificates = new_policy(false, true), *both = new_policy(true, true);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session s = session(cases[i].client, cases[i].tls);
        s.ccert_told = cases[i].ccert_told;
        s.ccert_fingerprint = str_of(cases[i].fingerprint);
        struct session t = s, u = s, v = s;
        assert_string_equal(trust(&s, nobody), cases[i].nobody);
        assert_string_equal(trust(&t, networks), cases[i].networks);
        assert_string_equal(trust(&u, certificates), cases[i].certificates);
        assert_string_equal(trust(&v, both), cases[i].both);
    }
    policy_unref(nobody);
    policy_unref(networks);
    policy_unref(certificates);
    policy_unref(both);
}

/* A fingerprint that is longer than any is nobody's; it is not cut to one. */
static void test_long_fingerprint(void **state)
{
    (void)state;
    char text[300], longest[129];
    struct policy *p = new_policy(false, true);
    memset(longest, 'a', 128);
    memset(text, 'A', sizeof text);
    table_put(&p->trusted_certificates, longest, 128, p);
    struct session s = session(OUTSIDE, TLS_UP);
    s.ccert_told = true;
    s.ccert_fingerprint = (struct str){text, 128};
    assert_string_equal(trust(&s, p), "yes");
    s.ccert_fingerprint.n = 129;
    assert_string_equal(trust(&s, p), "no");
    memset(text, ':', 100); /* colons do not count */
    s.ccert_fingerprint.n = 228;
    assert_string_equal(trust(&s, p), "yes");
    policy_unref(p);
}

/* Before MAIL neither TLS nor AUTH is missing, and behind a proxy TLS never is. */
static void test_absence(void **state)
{
    (void)state;
    struct policy *p = new_policy(false, false);
    struct listener *l = policy_add_listener(p, ROLE_SUBMISSION, 587);
    l->names[l->name_count++] = STR("submission");
    for (int proxy = 0; proxy < 2; proxy++)
        for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
            struct session s = {.stage = stage, .server_port = 587};
            l->tls_by = proxy ? TLS_BY_PROXY : TLS_BY_MTA;
            session_find_listener(&s, p, (struct str){NULL, 0}, (struct str){NULL, 0});
            session_no_tls(&s);
            session_no_auth(&s);
            assert_int_equal(session_knows(&s, FACT_BIT(FACT_TLS)), stage >= STAGE_MAIL && !proxy);
            assert_int_equal(session_knows(&s, FACT_BIT(FACT_AUTH)), stage >= STAGE_MAIL);
            assert_int_equal(session_knows(&s, FACT_BIT(FACT_CLEARTEXT_AUTH)),
                             stage >= STAGE_MAIL && !proxy);
            session_auth(&s, STR("alice"), (struct str){NULL, 0});
            assert_true(session_knows(&s, FACT_BIT(FACT_AUTH)) && s.auth);
            assert_false(session_knows(&s, FACT_BIT(FACT_MECHANISM)));
            assert_int_equal(s.cleartext_auth, stage >= STAGE_MAIL && !proxy);
        }
    policy_unref(p);
}

/* Evidence against outweighs any for, whichever comes first. */
static void test_agreement(void **state)
{
    (void)state;
    static const struct {
        enum role role;
        const char *told;
        uint16_t port;
        bool tls_at_connect;
        const char *agrees;
    } cases[] = {
        {ROLE_SUBMISSION, "a", 587, false, "yes"}, {ROLE_SUBMISSION, "a", 587, true, "no"},
        {ROLE_SUBMISSION, "a", 588, false, "no"},  {ROLE_SUBMISSION, "", 587, false, "yes"},
        {ROLE_SUBMISSIONS, "a", 587, true, "yes"}, {ROLE_SUBMISSIONS, "a", 587, false, "no"},
        {ROLE_SUBMISSIONS, "a", 588, true, "no"},  {ROLE_SMTP, "a", 587, false, "yes"},
        {ROLE_SMTP, "a", 587, true, "no"},         {ROLE_SMTP, "b", 588, false, "?"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy *p = new_policy(false, false);
        struct listener *l = policy_add_listener(p, cases[i].role, 587);
        l->names[l->name_count++] = STR("a");
        struct session s = {.server_port = cases[i].port};
        session_find_listener(&s, p, (struct str){NULL, 0}, str_of(cases[i].told));
        session_tls_at_connect(&s, cases[i].tls_at_connect);
        bool known = session_knows(&s, FACT_BIT(FACT_AGREEMENT));
        assert_string_equal(!known ? "?" : s.agrees ? "yes" : "no", cases[i].agrees);
        l->tls_by = TLS_BY_PROXY; /* then TLS is no evidence */
        s = (struct session){.server_port = 587};
        session_find_listener(&s, p, (struct str){NULL, 0}, (struct str){NULL, 0});
        session_tls_at_connect(&s, cases[i].tls_at_connect);
        assert_false(session_knows(&s, FACT_BIT(FACT_AGREEMENT)));
        policy_unref(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_long_fingerprint),
        cmocka_unit_test(test_absence),
        cmocka_unit_test(test_agreement),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
