/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The macros that are asked for, and what is known from each: the tables here are written by hand
 * and say it again. libmilter's two functions are replaced by our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "milter/macros.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- libmilter, replaced ---------------------------------------------------- */

static struct {
    int stage[8]; /* libmilter's numbers, in the order of the calls */
    char list[8][400];
    int count, fail_at; /* -1: never */
} asked;

int smfi_setsymlist(SMFICTX *ctx, int stage, char *list)
{
    (void)ctx;
    assert_in_range(asked.count, 0, 7);
    asked.stage[asked.count] = stage;
    snprintf(asked.list[asked.count], sizeof asked.list[0], "%s", list);
    return asked.count++ == asked.fail_at ? MI_FAILURE : MI_SUCCESS;
}

static struct {
    const char *symbol, *value;
} mta_says[20];
static int looked_up;

char *smfi_getsymval(SMFICTX *ctx, char *symbol)
{
    (void)ctx;
    looked_up++;
    for (size_t i = 0; i < COUNT(mta_says) && mta_says[i].symbol; i++)
        if (strcmp(mta_says[i].symbol, symbol) == 0)
            return (char *)(uintptr_t)mta_says[i].value;
    return NULL;
}

/* ---- lists ------------------------------------------------------------------ */

static const char *const lists[MACRO_STAGES] = {
    [AT_CONNECT] = "v j {daemon_name} {daemon_addr} {daemon_port} {daemon_flags} {if_addr} "
                   "{tls_version}",
    [AT_HELO] = "{tls_version}",
    [AT_MAIL] = "i {tls_version} {cipher} {cipher_bits} {auth_type} {auth_authen} {verify} "
                "{cert_fp}",
    [AT_EOH] = "i",
};

static void test_lists(void **state)
{
    (void)state;
    for (int stage = 0; stage < MACRO_STAGES; stage++) {
        char text[400];
        macros_list((enum macro_stage)stage, text, sizeof text);
        assert_string_equal(text, lists[stage]);
    }
}

static void test_request(void **state)
{
    (void)state;
    static const int places[] = {SMFIM_CONNECT, SMFIM_HELO, SMFIM_ENVFROM, SMFIM_EOH};
    asked.count = 0;
    asked.fail_at = -1;
    assert_true(macros_request(NULL, 0x1ff));
    assert_int_equal(asked.count, MACRO_STAGES);
    for (int i = 0; i < MACRO_STAGES; i++) {
        assert_int_equal(asked.stage[i], places[i]);
        assert_string_equal(asked.list[i], lists[i]);
    }
    asked.count = 0;
    assert_true(macros_request(NULL, SMFIF_SETSYMLIST));
    /* an MTA that does not offer it is not asked at all */
    asked.count = 0;
    assert_false(macros_request(NULL, 0x1ff & ~(unsigned long)SMFIF_SETSYMLIST));
    assert_int_equal(asked.count, 0);
    /* one list that is not taken, and absence means nothing any more */
    for (asked.fail_at = 0; asked.fail_at < MACRO_STAGES; asked.fail_at++) {
        asked.count = 0;
        assert_false(macros_request(NULL, 0x1ff));
    }
}

/* ---- values ----------------------------------------------------------------- */

static void test_fetch(void **state)
{
    (void)state;
    struct told t;
    static const char v[] = "8.17.1.9", version[] = "TLSv1.3", id[] = "6AL0DSua002186";
    memset(mta_says, 0, sizeof mta_says);
    mta_says[0].symbol = "v", mta_says[0].value = v;
    mta_says[1].symbol = "{tls_version}", mta_says[1].value = version;
    mta_says[2].symbol = "{auth_type}", mta_says[2].value = "";
    mta_says[3].symbol = "i", mta_says[3].value = id;
    mta_says[4].symbol = "{daemon_port}", mta_says[4].value = "587";

    macros_fetch(NULL, AT_CONNECT, true, MTA_POSTFIX, &t);
    assert_int_equal(t.stage, AT_CONNECT);
    assert_int_equal(t.mta, MTA_SENDMAIL); /* found out here */
    assert_true(t.our_lists);
    assert_ptr_equal(t.value[MACRO_MTA_VERSION].p, v);
    assert_true(str_eq(t.value[MACRO_DAEMON_PORT], STR("587")));
    assert_ptr_equal(t.value[MACRO_TLS_AT_CONNECT].p, version);
    assert_null(t.value[MACRO_TLS_VERSION].p); /* MAIL's */
    assert_null(t.value[MACRO_QUEUE_ID].p);
    assert_null(t.value[MACRO_HOST_NAME].p);

    looked_up = 0;
    macros_fetch(NULL, AT_HELO, false, MTA_POSTFIX, &t);
    assert_int_equal(looked_up, 1);
    assert_int_equal(t.mta, MTA_POSTFIX);
    assert_false(t.our_lists);
    assert_true(str_eq(t.value[MACRO_TLS_AT_HELO], STR("TLSv1.3")));

    macros_fetch(NULL, AT_MAIL, true, MTA_UNKNOWN, &t);
    assert_int_equal(t.mta, MTA_UNKNOWN);
    assert_non_null(t.value[MACRO_AUTH_TYPE].p); /* empty is not absent */
    assert_int_equal(t.value[MACRO_AUTH_TYPE].n, 0);
    assert_null(t.value[MACRO_AUTH_AUTHEN].p);
    assert_ptr_equal(t.value[MACRO_QUEUE_ID_AT_MAIL].p, id);
    assert_null(t.value[MACRO_MTA_VERSION].p);

    macros_fetch(NULL, AT_EOH, true, MTA_SENDMAIL, &t); /* and MAIL's */
    assert_ptr_equal(t.value[MACRO_QUEUE_ID].p, id);
    assert_ptr_equal(t.value[MACRO_TLS_VERSION].p, version);
    assert_null(t.value[MACRO_TLS_AT_HELO].p);

    memset(mta_says, 0, sizeof mta_says);
    macros_fetch(NULL, AT_CONNECT, true, MTA_POSTFIX, &t);
    assert_int_equal(t.mta, MTA_UNKNOWN);
}

static void test_mta(void **state)
{
    (void)state;
    static const struct {
        const char *v;
        enum mta mta;
    } cases[] = {
        {"Postfix 3.7.11", MTA_POSTFIX},
        {"Postfix 3.11.6", MTA_POSTFIX},
        {"Postfix", MTA_POSTFIX},
        {"Postfi", MTA_UNKNOWN},
        {"postfix 3.7", MTA_UNKNOWN},
        {"8.17.1.9", MTA_SENDMAIL},
        {"8.18.1", MTA_SENDMAIL},
        {"9", MTA_SENDMAIL},
        {"0", MTA_SENDMAIL},
        {"", MTA_UNKNOWN},
        {NULL, MTA_UNKNOWN},
        {"OpenSMTPD 7.0", MTA_UNKNOWN},
        {"/8", MTA_UNKNOWN},
        {":8", MTA_UNKNOWN},
        {" 8.17", MTA_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(macros_mta(str_of(cases[i].v)), cases[i].mta);
}

/* ---- what is known ---------------------------------------------------------- */

/* NO where absence or emptiness is an answer; everywhere else it is none. */
enum { NONE = KNOWN_NOTHING, NO = KNOWN_NO };

static const struct {
    enum macro macro;
    enum macro_stage stage;
    int postfix_absent, postfix_empty, sendmail_absent, sendmail_empty;
} known[] = {
    {MACRO_MTA_VERSION, AT_CONNECT, NONE, NONE, NONE, NONE},
    {MACRO_HOST_NAME, AT_CONNECT, NONE, NONE, NONE, NONE},
    {MACRO_DAEMON_NAME, AT_CONNECT, NONE, NONE, NONE, NONE},
    {MACRO_DAEMON_ADDR, AT_CONNECT, NONE, NONE, NONE, NONE},
    {MACRO_DAEMON_PORT, AT_CONNECT, NONE, NONE, NONE, NONE},
    {MACRO_DAEMON_FLAGS, AT_CONNECT, NONE, NONE, NO, NO},
    {MACRO_IF_ADDR, AT_CONNECT, NONE, NONE, NONE, NONE},
    {MACRO_TLS_AT_CONNECT, AT_CONNECT, NO, NO, NONE, NONE},
    {MACRO_TLS_AT_HELO, AT_HELO, NO, NO, NO, NO},
    {MACRO_QUEUE_ID_AT_MAIL, AT_MAIL, NONE, NONE, NONE, NONE},
    {MACRO_TLS_VERSION, AT_MAIL, NO, NO, NO, NO},
    {MACRO_CIPHER, AT_MAIL, NONE, NONE, NONE, NONE},
    {MACRO_CIPHER_BITS, AT_MAIL, NONE, NONE, NONE, NONE},
    {MACRO_AUTH_TYPE, AT_MAIL, NO, NO, NO, NO},
    {MACRO_AUTH_AUTHEN, AT_MAIL, NO, NO, NO, NO},
    {MACRO_VERIFY, AT_MAIL, NONE, NONE, NONE, NONE},
    {MACRO_CERT_FP, AT_MAIL, NONE, NONE, NONE, NONE},
    {MACRO_QUEUE_ID, AT_EOH, NONE, NONE, NONE, NONE},
};

/* At its own stage, and MAIL's at the end of the headers too. */
static bool told_at(size_t row, int stage)
{
    return (int)known[row].stage == stage || (known[row].stage == AT_MAIL && stage == AT_EOH);
}

static void expect(const struct told *t, size_t row, const char *p, int expected)
{
    struct told with = *t;
    enum macro m = known[row].macro;
    with.value[m] = str_of(p);
    if ((int)macros_know(&with, m) != expected)
        fail_msg("row %zu, MTA %d, lists %d, stage %d, \"%s\": %d instead of %d", row, (int)t->mta,
                 t->our_lists, (int)t->stage, p ? p : "absent", (int)macros_know(&with, m),
                 expected);
    struct str value = macros_value(&with, m);
    if (expected == KNOWN_VALUE)
        assert_ptr_equal(value.p, p);
    assert_int_equal(value.n, expected == KNOWN_VALUE ? strlen(p) : 0);
}

static void test_know(void **state)
{
    (void)state;
    static const bool took[] = {false, true};
    assert_int_equal(COUNT(known), MACRO_COUNT);
    for (size_t row = 0; row < COUNT(known); row++)
        for (int mta = 0; mta < MTA_COUNT; mta++)
            for (int stage = 0; stage < MACRO_STAGES; stage++)
                for (size_t k = 0; k < COUNT(took); k++) {
                    struct told t = {(enum macro_stage)stage, (enum mta)mta, took[k], {{0}}};
                    int absent = NONE, empty = NONE;
                    if (took[k] && told_at(row, stage) && mta == MTA_POSTFIX)
                        absent = known[row].postfix_absent, empty = known[row].postfix_empty;
                    if (took[k] && told_at(row, stage) && mta == MTA_SENDMAIL)
                        absent = known[row].sendmail_absent, empty = known[row].sendmail_empty;
                    expect(&t, row, NULL, absent);
                    expect(&t, row, "", empty);
                    expect(&t, row, "x", told_at(row, stage) ? KNOWN_VALUE : NONE);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists), cmocka_unit_test(test_request), cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_mta),   cmocka_unit_test(test_know),
    };
    return cmocka_run_group_tests_name("milter_macros", tests, NULL, NULL);
}
