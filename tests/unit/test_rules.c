/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every rule against its case file (tests/rules/<id>.cases): an outcome, a
 * listener, and attributes of a policy request, all written by hand. A
 * finding whose rules have no case that holds, is broken or has no data fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/verdict.h"
#include "edge/request_facts.h"

static const struct sipkey key = {1, 2};
static struct ciphers *ciphers;
static struct policy *policy;

static struct listener *add(const char *name, enum role role, uint16_t port)
{
    struct listener *l = policy_add_listener(policy, role, port);
    l->mode = MODE_ENFORCE;
    l->names[l->name_count++] = str_of(name);
    return l;
}

static int set_up(void **state)
{
    (void)state;
    struct prefix trusted, excepted;
    policy = policy_new(&key);
    ciphers = ciphers_new(NULL);
    add("smtp", ROLE_SMTP, 25);
    add("submission", ROLE_SUBMISSION, 587);
    add("submissions", ROLE_SUBMISSIONS, 465);
    struct listener *lenient = add("lenient", ROLE_SUBMISSION, 2525);
    lenient->min_tls = TLS_1_0;
    lenient->action[FINDING_CLEARTEXT_AUTH] = ACTION_IGNORE;
    lenient->action[FINDING_LISTENER_MODE_MISMATCH] = ACTION_IGNORE;
    struct listener *strict = add("strict", ROLE_SUBMISSIONS, 2465);
    strict->min_tls = TLS_1_3;
    strict->mechanisms[strict->mechanism_count++] = STR("PLAIN");
    add("offloaded", ROLE_SUBMISSION, 3587)->tls_by = TLS_BY_PROXY;

    assert_int_equal(prefix_parse(STR("198.51.100.0/28"), &trusted), PREFIX_OK);
    prefix_index_put(&policy->trusted, &trusted, policy);
    table_put(&policy->trusted_certificates, "abcd01", 6, policy);
    policy->trusts_networks = policy->trusts_certificates = true;

    assert_int_equal(prefix_parse(STR("203.0.113.1"), &excepted), PREFIX_OK);
    static const struct str users[] = {{"copier@example.com", 18}};
    struct prefix *clients = arena_alloc(&policy->arena, sizeof *clients);
    *clients = excepted;
    struct exception *by_client = arena_alloc(&policy->arena, sizeof *by_client);
    *by_client = (struct exception){
        .allow = ~(finding_set)0, .until_us = INT64_MAX, .clients = clients, .client_count = 1};
    struct exception *by_user = arena_alloc(&policy->arena, sizeof *by_user);
    *by_user = (struct exception){
        .allow = FINDING_BIT(FINDING_TLS_REQUIRED), .until_us = INT64_MAX, .user_count = 1};
    return !(exceptions_add(&policy->exceptions, by_client, NULL) &&
             exceptions_add(&policy->exceptions, by_user, users));
}

static int tear_down(void **state)
{
    (void)state;
    policy_unref(policy);
    ciphers_free(ciphers);
    return 0;
}

/* The outcome of the finding in one case: of its rules, the one that says most. */
static enum outcome outcome_of(enum finding f, struct str listener, struct str attributes)
{
    char text[2048];
    struct buf b = BUF(text);
    struct request r;
    size_t used;
    const char *why;
    struct session s;
    struct verdict v;
    struct answer answers[RULE_COUNT];
    buf_printf(&b, "request=smtpd_access_policy\npolicy_context=%.*s\n", STR_ARG(listener));
    while (attributes.p) {
        struct str one = str_trim(str_cut(&attributes, " "));
        if (one.n)
            buf_printf(&b, "%.*s\n", STR_ARG(one));
    }
    /* what every Postfix tells, unless the case says otherwise (the first value counts) */
    buf_cstring(&b, "protocol_state=RCPT\nclient_address=192.0.2.17\nccert_fingerprint=\n\n");
    assert_int_equal(request_parse(buf_view(&b), &r, &used, &why), PARSED_ITEM);
    facts_of_request(&r, policy, ciphers, (struct str){NULL, 0}, &s);
    decide(policy, &s, &(struct now){0}, &v, answers);

    if (v.broken & FINDING_BIT(f))
        return OUTCOME_BROKEN;
    if (v.excepted & FINDING_BIT(f))
        return OUTCOME_EXCEPTED;
    if (v.trusted & FINDING_BIT(f))
        return OUTCOME_TRUSTED;
    if (v.no_data & FINDING_BIT(f))
        return OUTCOME_NO_DATA;
    for (int i = 0; i < RULE_COUNT; i++)
        if (rules[i]->finding == f && answers[i].outcome == OUTCOME_HOLDS)
            return OUTCOME_HOLDS;
    return OUTCOME_NOT_ASKED;
}

static const char *const words[OUTCOME_COUNT] = {
    [OUTCOME_NOT_ASKED] = "not-asked", [OUTCOME_NO_DATA] = "no-data",   [OUTCOME_HOLDS] = "holds",
    [OUTCOME_TRUSTED] = "trusted",     [OUTCOME_EXCEPTED] = "excepted", [OUTCOME_BROKEN] = "broken",
};

static void test_finding(void **state)
{
    enum finding f = (enum finding)(uintptr_t)*state;
    char path[256], line[1024];
    unsigned seen[OUTCOME_COUNT] = {0}, number = 0, wrong = 0;
    const char *srcdir = getenv("SRCDIR");
    snprintf(path, sizeof path, "%s/tests/rules/%s.cases", srcdir ? srcdir : ".", findings[f].id);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    while (fgets(line, sizeof line, file)) {
        struct str rest = str_trim(str_of(line));
        number++;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        rest.n -= rest.p[rest.n - 1] == '\n';
        struct str want = str_cut(&rest, " ");
        rest = str_trim(rest);
        struct str listener = str_cut(&rest, " ");
        int expected = name_index(words, OUTCOME_COUNT, want);
        assert_true(expected >= 0 && policy_listener_named(policy, listener));
        enum outcome got = outcome_of(f, listener, rest);
        seen[expected]++;
        if ((int)got != expected) {
            print_error("%s:%u: expected %s, got %s\n", path, number, words[expected], words[got]);
            wrong++;
        }
    }
    fclose(file);
    assert_int_equal(wrong, 0);
    assert_true(seen[OUTCOME_HOLDS] && seen[OUTCOME_BROKEN] && seen[OUTCOME_NO_DATA]);
}

int main(void)
{
    struct CMUnitTest tests[FINDING_COUNT];
    size_t n = 0;
    finding_set has_rule = 0;
    for (int i = 0; i < RULE_COUNT; i++)
        has_rule |= FINDING_BIT(rules[i]->finding);
    for (int f = 0; f < FINDING_COUNT; f++)
        if (has_rule & FINDING_BIT(f))
            tests[n++] =
                (struct CMUnitTest){findings[f].id, test_finding, NULL, NULL, (void *)(uintptr_t)f};
    return _cmocka_run_group_tests("rules", tests, n, set_up, tear_down);
}
