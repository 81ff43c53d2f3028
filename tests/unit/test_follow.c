/* SPDX-License-Identifier: Apache-2.0 */
/* Following a log: where it begins, and lines of any kind. */
#include "tests/unit/follow_help.h"

#include <stdlib.h>

static void test_grows(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    lines("mail.log", 1, 2000);
    struct follow *f = opened(&s);
    rest(f);
    expect(1, 2000);
    lines("mail.log", 2001, 2010);
    until(f, 2010);
    rest(f);
    expect(1, 2010);
    assert_true(got.idle >= 2);
    assert_int_equal(got.notes, 0);
    follow_close(f);
}

static void test_begins_at_the_end(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    s.from_start = false;
    lines("mail.log", 1, 5);
    text("mail.log", "n 6 "); /* its newline comes later: it is new */
    struct follow *f = opened(&s);
    rest(f);
    assert_int_equal(got.count, 0);
    text("mail.log", "whole\n");
    lines("mail.log", 7, 8);
    rest(f);
    expect(6, 8);
    follow_close(f);
}

static void test_log_comes_later(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    s.from_start = false;
    struct follow *f = opened(&s);
    rest(f);
    lines("mail.log", 1, 3);
    rest(f);
    move("mail.log", "mail.log.1");
    lines("mail.log", 4, 6);
    until(f, 6);
    expect(1, 6);
    follow_close(f);
}

/* What is there before a follower without a checkpoint does not matter; what comes while it waits
 * for the first line does. */
static void test_rotated_before_the_first_line(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    s.from_start = false;
    lines("mail.log", 1, 5);
    for (int i = 0; i < 2; i++) {
        struct follow *f = opened(&s);
        rest(f);
        follow_close(f);
    }
    move("mail.log", "mail.log.1");
    text("mail.log", "");
    struct follow *f = opened(&s);
    rest(f);
    lines("mail.log", 6, 9);
    copy("mail.log", "mail.log.0");
    empty("mail.log");
    lines("mail.log", 10, 11);
    until(f, 6);
    rest(f);
    expect(6, 11);
    follow_close(f);
}

/* Also when there is nothing in the log yet, and whatever becomes of the older ones. */
static void test_older_files_are_not_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct follow_settings s = kept();
        lines("mail.log.3", 901, 902);
        lines("mail.log.2", 903, 904);
        text("mail.log.1", "");
        text("mail.log", "");
        if (i == 1)
            gzip("mail.log.2");
        struct follow *f = opened(&s);
        rest(f);
        follow_close(f);
        if (i == 2)
            xz("mail.log.2");
        f = opened(&s);
        rest(f);
        follow_close(f);
        f = opened(&s);
        lines("mail.log", 1, 2);
        move("mail.log", "mail.log.0");
        lines("mail.log", 3, 3);
        until(f, 3);
        rest(f);
        expect(1, 3);
        assert_int_equal(got.notes, 0);
        follow_close(f);
        follow_tear_down(NULL);
        follow_set_up(NULL);
    }
}

static void test_half_a_line(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 3);
    text("mail.log", "n 4 and");
    struct follow *f = opened(&s);
    rest(f);
    expect(1, 3);
    follow_close(f);
    f = opened(&s);
    rest(f);
    expect(1, 3);
    text("mail.log", " the rest");
    rest(f);
    text("mail.log", "\n");
    rest(f);
    expect(1, 4);
    assert_string_equal(got.text, "n 4 and the rest");
    follow_close(f);
}

static void test_lines_of_any_kind(void **state)
{
    (void)state;
    enum { LONG = 1024 * 1024 };
    struct follow_settings s = kept();
    struct follow *f = opened(&s);
    char *p = malloc(LONG + 1);
    assert_non_null(p);
    for (uint32_t i = 0; i < LONG; i++)
        p[i] = "0123456789abcdef"[i * 2654435761U >> 28];
    p[LONG] = '\n';
    text("mail.log", "\n\n");
    bytes("mail.log", "n 3\0 and \xff\n", 12);
    bytes("mail.log", "\0\0\0\0n 4\n", 8); /* as a hole in the file */
    rest(f);
    assert_int_equal(got.count, 4);
    assert_int_equal(got.number[0], 0);
    assert_int_equal(got.number[2], 3);
    assert_int_equal(got.number[3], 4);
    assert_int_equal(got.notes, 0);

    bytes("mail.log", p, LONG / 2);
    rest(f);
    follow_close(f);
    f = opened(&s);
    rest(f);
    assert_int_equal(got.count, 4);
    bytes("mail.log", p, LONG / 2 + 1);
    bytes("mail.log", p + LONG, 1);
    lines("mail.log", 6, 7);
    rest(f);
    assert_int_equal(got.count, 7);
    assert_int_equal(got.number[6], 7);
    assert_non_null(strstr(got.note, "has a line of more than 64 kB"));
    assert_int_equal(got.notes, 1);
    bytes("mail.log", p, LONG + 1);
    rest(f);
    assert_int_equal(got.text_n, INPUT_LINE_MAX);
    assert_int_equal(got.notes, 1);
    bytes("mail.log", p, LONG / 2);
    rest(f);
    text("mail.log", "\n");
    rest(f);
    assert_int_equal(got.count, 9);
    free(p);
    follow_close(f);
    f = opened(&s);
    lines("mail.log", 10, 10);
    rest(f);
    assert_int_equal(got.count, 10);
    assert_int_equal(got.number[9], 10);
    assert_int_equal(got.notes, 1);
    follow_close(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, follow_set_up, follow_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_grows),
        T(test_begins_at_the_end),
        T(test_log_comes_later),
        T(test_rotated_before_the_first_line),
        T(test_older_files_are_not_read),
        T(test_half_a_line),
        T(test_lines_of_any_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
