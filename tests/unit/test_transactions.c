/* SPDX-License-Identifier: Apache-2.0 */
/* One decision a transaction, whatever else goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "policyd/transactions.h"

static const struct sipkey key = {7, 8};
static const struct decision reject = {ACTION_REJECT, FINDING_TLS_REQUIRED};
static const struct decision pass = {ACTION_IGNORE, FINDING_COUNT};

static struct session at(enum stage stage, uint16_t client_port, const char *instance)
{
    struct session s = {.stage = stage,
                        .client_port = client_port,
                        .server_port = 587,
                        .instance = str_of(instance)};
    addr_parse(STR("192.0.2.1"), &s.client);
    return s;
}

static bool known(struct transactions *t, struct session s, enum action *ret)
{
    struct decision d = {ACTION_NONE, FINDING_COUNT};
    bool found = transactions_find(t, &s, &d);
    *ret = d.action;
    return found;
}

static void test_by_instance(void **state)
{
    (void)state;
    struct transactions *t = transactions_new(&key);
    enum action a;
    struct session first = at(STAGE_RCPT, 1000, "a.1.2.0"), other = at(STAGE_RCPT, 1000, "a.1.2.1");
    assert_false(known(t, first, &a));
    transactions_put(t, &first, &reject);
    assert_true(known(t, first, &a) && a == ACTION_REJECT);
    assert_true(known(t, at(STAGE_DATA, 1000, "a.1.2.0"), &a) && a == ACTION_REJECT);
    assert_false(known(t, other, &a)); /* the next message of the session */
    transactions_put(t, &other, &pass);
    assert_true(known(t, other, &a) && a == ACTION_IGNORE);
    assert_true(known(t, first, &a) && a == ACTION_REJECT);
    transactions_free(t);
}

static void test_handed_on_from_mail(void **state)
{
    (void)state;
    struct transactions *t = transactions_new(&key);
    enum action a;
    struct session mail = at(STAGE_MAIL, 1000, "");
    assert_false(known(t, mail, &a));
    transactions_put(t, &mail, &pass);
    assert_false(known(t, mail, &a)); /* a second MAIL is a second transaction */
    assert_false(known(t, at(STAGE_RCPT, 1001, "b.1.2.0"), &a)); /* another session */
    assert_true(known(t, at(STAGE_RCPT, 1000, "a.1.2.0"), &a));
    assert_true(known(t, at(STAGE_RCPT, 1000, "a.1.2.0"), &a));  /* its next recipient */
    assert_false(known(t, at(STAGE_RCPT, 1000, "a.1.2.1"), &a)); /* handed on once only */
    transactions_free(t);
}

static void test_without_instance(void **state)
{
    (void)state;
    struct transactions *t = transactions_new(&key);
    enum action a;
    static const enum stage stages[] = {STAGE_CONNECT, STAGE_HELO, STAGE_VRFY, STAGE_ETRN};
    for (int i = 0; i < 4; i++) {
        struct session s = at(stages[i], 1000, "");
        transactions_put(t, &s, &pass);
        assert_false(known(t, s, &a)); /* between two EHLOs there may be a STARTTLS */
    }
    transactions_free(t);
}

static void test_ehlo_in_a_transaction(void **state)
{
    (void)state;
    struct transactions *t = transactions_new(&key);
    enum action a;
    struct session rcpt = at(STAGE_RCPT, 1000, "a.1.2.0"), ehlo = at(STAGE_HELO, 1000, "a.1.2.0");
    transactions_put(t, &rcpt, &reject);
    assert_false(known(t, ehlo, &a)); /* refusing it would stop STARTTLS */
    transactions_put(t, &ehlo, &pass);
    assert_true(known(t, rcpt, &a) && a == ACTION_REJECT);
    transactions_free(t);
}

static void test_full(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct transactions *t = transactions_new(&key);
    enum action a;
    char instance[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(instance, sizeof instance, "%x.1.2.0", i);
        struct session s = at(STAGE_RCPT, 1000, instance);
        transactions_put(t, &s, &reject);
        assert_true(known(t, s, &a) && a == ACTION_REJECT); /* the newest is always there */
    }
    int left = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(instance, sizeof instance, "%x.1.2.0", i);
        left += known(t, at(STAGE_RCPT, 1000, instance), &a);
    }
    assert_int_equal(left, 16384); /* bounded, and full */
    transactions_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_instance),
        cmocka_unit_test(test_handed_on_from_mail),
        cmocka_unit_test(test_without_instance),
        cmocka_unit_test(test_ehlo_in_a_transaction),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests_name("transactions", tests, NULL, NULL);
}
