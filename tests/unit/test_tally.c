/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions to rows, and who logs in from where. */
#include "tests/unit/report_help.h"

static struct world w;

static int set_up(void **state)
{
    (void)state;
    world_open(&w, "", 100);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static struct addr addr(const char *text)
{
    struct addr a;
    assert_true(addr_parse(str_of(text), &a));
    return a;
}

static uint32_t user_at(const char *address)
{
    struct addr a = addr(address);
    return tally_user_at(w.tally, &a);
}

static bool guesses(const char *address)
{
    struct addr a = addr(address);
    return tally_guesses(w.tally, &a);
}

static struct seen login(const char *client, const char *user)
{
    return mail_of(&w, session_on(&w, "postfix", client), user);
}

static struct seen failure(const char *client, const char *user)
{
    return failed_as(&w, session_on(&w, "postfix", client), user);
}

static uint32_t number(const char *user)
{
    return names_find(w.names, str_of(user));
}

/* ---- rows ---------------------------------------------------------------- */

static void test_equal_sessions_are_one_row(void **state)
{
    (void)state;
    struct seen s = session_on(&w, "postfix", "192.0.2.1"), other = s;
    see(&w, s, 2, 50, 60);
    see(&w, s, 1, 10, 20);
    other.flags |= SEEN_MAIL;
    see(&w, other, 1, 0, 99);
    assert_int_equal(tally_rows(w.tally), 2);
    const struct row *r = tally_row(w.tally, 0);
    assert_memory_equal(&r->seen, &s, sizeof s);
    assert_int_equal(r->count, 3);
    assert_int_equal(r->first_us, NOON + 10 * US_PER_S);
    assert_int_equal(r->last_us, NOON + 60 * US_PER_S);
    assert_int_equal(tally_row(w.tally, 1)->count, 1);
    assert_int_equal(tally_overflow(w.tally), 0);
}

/* 0 is no time, and not the first of all times. */
static void test_no_time(void **state)
{
    (void)state;
    struct seen s = session_on(&w, "postfix", "192.0.2.1");
    struct closed_session c = {.seen = &s};
    assert_true(tally_add(w.tally, &c));
    assert_int_equal(tally_row(w.tally, 0)->first_us, 0);
    assert_int_equal(tally_row(w.tally, 0)->last_us, 0);
    see(&w, s, 1, 5, 6);
    assert_true(tally_add(w.tally, &c));
    assert_int_equal(tally_row(w.tally, 0)->first_us, NOON + 5 * US_PER_S);
    assert_int_equal(tally_row(w.tally, 0)->last_us, NOON + 6 * US_PER_S);
}

static struct seen numbered(uint32_t i)
{
    struct seen s;
    memset(&s, 0, sizeof s);
    s.client = (struct addr){.bits = 32};
    memcpy(s.client.b, &i, sizeof i);
    return s;
}

static void test_rows_are_bounded(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 150; i++)
        see(&w, numbered(i), 1, 0, 0);
    assert_int_equal(tally_rows(w.tally), 100);
    assert_int_equal(tally_overflow(w.tally), 50);
    see(&w, numbered(99), 1, 0, 0); /* one that has its row */
    see(&w, numbered(100), 1, 0, 0);
    assert_int_equal(tally_row(w.tally, 99)->count, 2);
    assert_int_equal(tally_overflow(w.tally), 51);
}

static void test_a_million_rows(void **state)
{
    (void)state;
    enum { MANY = 1000 * 1000 };
    struct tally *t = tally_new(w.names, &w.key, MANY);
    assert_non_null(t);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            struct seen s = numbered(i);
            assert_true(tally_add(t, &(struct closed_session){.seen = &s}));
        }
    }
    assert_int_equal(tally_rows(t), MANY);
    for (uint32_t i = 0; i < MANY; i++)
        if (tally_row(t, i)->count != 2 || memcmp(tally_row(t, i)->seen.client.b, &i, 4) != 0)
            fail_msg("row %u", i);
    tally_free(t);
}

static void test_no_room_at_all(void **state)
{
    (void)state;
    struct tally *t = tally_new(w.names, &w.key, 0);
    struct seen s = session_on(&w, "postfix", "192.0.2.1");
    assert_non_null(t);
    assert_false(tally_add(t, &(struct closed_session){.seen = &s}));
    assert_int_equal(tally_overflow(t), 1);
    tally_free(t);
    tally_free(NULL);
}

/* ---- users ----------------------------------------------------------------- */

static void test_names_that_logged_in(void **state)
{
    (void)state;
    struct seen s = login("192.0.2.1", "alice");
    see(&w, failure("203.0.113.1", "root"), 1, 0, 0);
    see(&w, s, 1, 0, 0);
    assert_int_equal(tally_user_of_hash(w.tally, sessions_user_hash(&w.key, STR("alice"))),
                     number("alice"));
    assert_int_equal(tally_user_of_hash(w.tally, sessions_user_hash(&w.key, STR("root"))), 0);
    assert_int_equal(tally_user_of_hash(w.tally, 0), 0);
}

/* A name that found no place in names.h stands for many: it is nobody's. */
static void test_names_without_a_place(void **state)
{
    (void)state;
    struct seen s = login("192.0.2.1", "alice");
    s.user = NAMES_MORE;
    see(&w, s, 1, 0, 0);
    assert_int_equal(tally_user_of_hash(w.tally, sessions_user_hash(&w.key, STR("(more)"))), 0);
    assert_int_equal(user_at("192.0.2.1"), NAMES_MORE);
}

static void test_who_is_at_an_address(void **state)
{
    (void)state;
    assert_int_equal(user_at("192.0.2.1"), 0);
    see(&w, failure("192.0.2.1", "alice"), 1, 0, 0);
    assert_int_equal(user_at("192.0.2.1"), 0);
    see(&w, login("192.0.2.1", "alice"), 2, 0, 0);
    assert_int_equal(user_at("192.0.2.1"), number("alice"));
    /* several: then it is nobody's name, whoever has more sessions */
    see(&w, login("192.0.2.1", "bob"), 1, 0, 0);
    assert_int_equal(user_at("192.0.2.1"), NAMES_MORE);
    see(&w, login("192.0.2.1", "alice"), 9, 0, 0);
    assert_int_equal(user_at("192.0.2.1"), NAMES_MORE);
    assert_int_equal(user_at("192.0.2.2"), 0);
    see(&w, login("2001:db8::1", "carol"), 1, 0, 0);
    assert_int_equal(user_at("2001:db8::1"), number("carol"));
}

/* On the machine itself is webmail, and who else comes from there is not the one who uses it. */
static void test_the_machine_itself(void **state)
{
    (void)state;
    static const char *const own[] = {"127.0.0.1", "127.8.9.1", "::1"};
    for (int i = 0; i < 3; i++) {
        see(&w, login(own[i], "alice"), 1, 0, 0);
        assert_int_equal(user_at(own[i]), NAMES_MORE);
    }
    see(&w, login("::2", "alice"), 1, 0, 0);
    assert_int_equal(user_at("::2"), number("alice"));
    see(&w, login("128.0.0.1", "alice"), 1, 0, 0);
    assert_int_equal(user_at("128.0.0.1"), number("alice"));
}

static void test_login_without_a_name(void **state)
{
    (void)state;
    see(&w, login("192.0.2.1", ""), 1, 0, 0);
    assert_int_equal(user_at("192.0.2.1"), NAMES_MORE);
    see(&w, login("192.0.2.1", "alice"), 1, 0, 0);
    assert_int_equal(user_at("192.0.2.1"), number("alice"));
}

/* "unknown" is no address that two sessions share. */
static void test_unknown_address(void **state)
{
    (void)state;
    struct seen s = login("192.0.2.1", "alice");
    s.client = (struct addr){0};
    see(&w, s, 1, 0, 0);
    assert_int_equal(tally_user_at(w.tally, &s.client), 0);
}

static void test_guessers(void **state)
{
    (void)state;
    see(&w, failure("203.0.113.1", "root"), 5, 0, 0);
    see(&w, failure("203.0.113.1", "admin"), 5, 0, 0);
    assert_false(guesses("203.0.113.1"));
    see(&w, failure("203.0.113.1", "alice"), 1, 0, 0);
    assert_true(guesses("203.0.113.1"));
    see(&w, failure("203.0.113.1", "test"), 1, 0, 0);
    assert_true(guesses("203.0.113.1"));
    assert_false(guesses("203.0.113.2"));
    /* where somebody logs in people mistype their names, too */
    see(&w, login("203.0.113.1", "alice"), 1, 0, 0);
    assert_false(guesses("203.0.113.1"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_equal_sessions_are_one_row),
        TEST(test_no_time),
        TEST(test_rows_are_bounded),
        TEST(test_a_million_rows),
        TEST(test_no_room_at_all),
        TEST(test_names_that_logged_in),
        TEST(test_names_without_a_place),
        TEST(test_who_is_at_an_address),
        TEST(test_the_machine_itself),
        TEST(test_login_without_a_name),
        TEST(test_unknown_address),
        TEST(test_guessers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
