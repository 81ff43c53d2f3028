/* SPDX-License-Identifier: Apache-2.0 */
/* Following a log: each thing that happens to logs, one at a time. */
#include "tests/unit/follow_help.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- growing ----------------------------------------------------------------------- */

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
    memset(p, 'x', LONG);
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
    free(p);
    follow_close(f);
    f = opened(&s);
    lines("mail.log", 9, 9);
    rest(f);
    assert_int_equal(got.count, 9);
    assert_int_equal(got.number[8], 9);
    follow_close(f);
}

/* ---- rotating ---------------------------------------------------------------------- */

/* logrotate with `create` and a daemon that goes on with the old file until it is told. */
static void test_renamed(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    lines("mail.log", 1, 3);
    struct follow *f = opened(&s);
    rest(f);
    move("mail.log", "mail.log.1");
    rest(f);
    lines("mail.log.1", 4, 5);
    rest(f);
    expect(1, 5);
    text("mail.log", "");
    rest(f);
    lines("mail.log.1", 6, 6);
    rest(f);
    expect(1, 6);
    lines("mail.log.1", 7, 7);
    lines("mail.log", 8, 9);
    until(f, 9);
    move("mail.log.1", "mail.log.2");
    move("mail.log", "mail.log.1");
    lines("mail.log.1", 10, 10);
    lines("mail.log", 11, 11);
    until(f, 11);
    rest(f);
    expect(1, 11);
    assert_int_equal(got.notes, 0);
    follow_close(f);
}

static void test_half_a_line_and_rotated(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    lines("mail.log", 1, 1);
    text("mail.log", "n 2 has no end");
    struct follow *f = opened(&s);
    rest(f);
    move("mail.log", "mail.log.1");
    lines("mail.log", 3, 3);
    until(f, 3);
    expect(1, 3);
    follow_close(f);
}

/* Rotated again and again before it is looked at, with an empty one among them. */
static void test_rotated_often(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    lines("mail.log", 1, 2);
    struct follow *f = opened(&s);
    rest(f);
    lines("mail.log", 3, 4);
    move("mail.log", "mail.log.3");
    text("mail.log.2", "");
    rest(f);
    lines("mail.log.1", 5, 6);
    lines("mail.log", 7, 7);
    until(f, 7);
    expect(1, 7);
    follow_close(f);
}

static void test_deleted(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    lines("mail.log", 1, 2);
    struct follow *f = opened(&s);
    rest(f);
    lines("mail.log", 3, 4);
    gone("mail.log");
    lines("mail.log", 5, 6);
    until(f, 6);
    rest(f);
    lines("mail.log", 7, 7);
    gone("mail.log");
    lines("mail.log.1", 8, 8);
    lines("mail.log", 9, 9);
    until(f, 9);
    rest(f);
    expect(1, 9);
    follow_close(f);
}

/* The names of logrotate, postfix logrotate, newsyslog; what was written last is the newest, and
 * numbers tell more than times. */
static void test_rotated_while_down(void **state)
{
    (void)state;
    static const char *const names[][4] = {
        {"mail.log.3", "mail.log.2", "mail.log.1", "mail.log.0"},
        {"mail.log.11", "mail.log.10", "mail.log.9", "mail.log.8"},
        {"mail.log-20261118", "mail.log-20261119", "mail.log-20261120", "mail.log-20261121"},
        {"mail.log.20261118-000000", "mail.log.20261119-000000", "mail.log.20261119-000001",
         "mail.log.20261120-000000"},
        {"mail-20261118.log", "mail-20261119.log", "mail-20261120.log", "mail-20261121.log"},
        {"mail.log-18112026", "mail.log-19112026", "mail.log-01122026", "mail.log-02122026"},
    };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        for (unsigned packed = 0; packed < 16; packed += 5) {
            struct follow_settings s = kept();
            lines("mail.log", 1, 3);
            struct follow *f = opened(&s);
            rest(f);
            follow_close(f);
            lines("mail.log", 4, 4);
            move("mail.log", at(names[i][0]) + strlen(log_dir) + 1);
            for (unsigned k = 1; k < 4; k++)
                lines(names[i][k], 3 + 2 * k, 4 + 2 * k);
            lines("mail.log", 11, 12);
            /* Numbers are right whatever the times say; of dates the times are. */
            for (unsigned k = 0; k < 4; k++) {
                struct timespec t = {1700000000 + (i < 2 ? -(int)k : (int)k) * 86400, 0};
                struct timespec times[2] = {t, t};
                assert_int_equal(utimensat(AT_FDCWD, at(names[i][k]), times, 0), 0);
            }
            for (unsigned k = 0; k < 4; k++)
                if (packed >> k & 1)
                    (k % 2 ? gzip : xz)(names[i][k]);
            text("mail.log.save", "n 77\n");
            text("mail.logger.1", "n 78\n");
            f = opened(&s);
            until(f, 12);
            rest(f);
            expect(1, 12);
            assert_int_equal(got.notes, 0);
            follow_close(f);
            follow_tear_down(NULL);
            follow_set_up(NULL);
        }
}

/* gzip is at work: the file and a part of what it becomes are there together. */
static void test_half_compressed(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 3);
    struct follow *f = opened(&s);
    rest(f);
    follow_close(f);
    lines("mail.log", 4, 5);
    move("mail.log", "mail.log.2");
    lines("mail.log.1", 6, 7);
    bytes("mail.log.1.gz", "\x1f\x8b\x08\0\0\0", 6);
    lines("mail.log", 8, 8);
    f = opened(&s);
    until(f, 8);
    expect(1, 8);
    follow_close(f);
}

/* Files that cannot be read to their end are told, and those behind them are read. */
static void test_damaged_files(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 3);
    struct follow *f = opened(&s);
    rest(f);
    follow_close(f);
    move("mail.log", "mail.log.4");
    text("mail.log.3.bz2", "BZh91AY");
    lines("mail.log", 4, 5);
    move("mail.log", "mail.log.2");
    gzip("mail.log.2");
    struct stat st;
    assert_int_equal(stat(at("mail.log.2.gz"), &st), 0);
    assert_int_equal(truncate(at("mail.log.2.gz"), st.st_size - 8), 0);
    lines("mail.log", 6, 6);
    f = opened(&s);
    until(f, 6);
    expect(1, 6);
    assert_int_equal(got.notes, 2);
    assert_non_null(strstr(got.note, "cannot be read to its end, and lines are missing"));
    follow_close(f);
}

/* ---- truncating -------------------------------------------------------------------- */

static void test_copied_and_truncated(void **state)
{
    (void)state;
    for (unsigned regrown = 0; regrown < 2; regrown++)
        for (unsigned down = 0; down < 2; down++) {
            struct follow_settings s = kept();
            lines("mail.log", 1, 3);
            text("mail.log", "n 4");
            struct follow *f = opened(&s);
            rest(f);
            if (down)
                follow_close(f);
            text("mail.log", "\n");
            lines("mail.log", 5, 5);
            copy("mail.log", "mail.log.2");
            empty("mail.log");
            if (!down)
                rest(f);
            lines("mail.log", 6, 7);
            copy("mail.log", "mail.log.1");
            empty("mail.log");
            lines("mail.log", 8, regrown ? 50 : 8);
            if (down)
                f = opened(&s);
            until(f, regrown ? 50 : 8);
            rest(f);
            expect(1, regrown ? 50 : 8);
            follow_close(f);
            follow_tear_down(NULL);
            follow_set_up(NULL);
        }
}

static void test_truncated(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log.1", 900, 901); /* older: was read long ago */
    lines("mail.log", 1, 20);
    struct follow *f = opened(&s);
    rest(f);
    text("mail.log", "n 21 is half");
    rest(f);
    empty("mail.log");
    lines("mail.log", 22, 23);
    until(f, 23);
    rest(f);
    expect(1, 23);
    assert_string_equal(strstr(got.note, "/mail.log") + 1, "mail.log was truncated");
    assert_int_equal(got.notes, 1);
    follow_close(f);
    f = opened(&s);
    rest(f);
    expect(1, 23);
    follow_close(f);
}

/* Another file at the same place, of which the first bytes or those before the offset differ; on
 * most file systems it has the old one's inode, too. */
static void test_replaced_while_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct follow_settings s = kept();
        lines("mail.log", 1, 20);
        struct follow *f = opened(&s);
        rest(f);
        follow_close(f);
        if (i)
            gone("mail.log");
        else
            empty("mail.log");
        lines("mail.log", 21, 60);
        f = opened(&s);
        rest(f);
        expect(1, 60);
        assert_non_null(strstr(got.note, "lines may be missing or come twice"));
        follow_close(f);
        follow_tear_down(NULL);
        follow_set_up(NULL);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, follow_set_up, follow_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_grows),
        T(test_begins_at_the_end),
        T(test_log_comes_later),
        T(test_rotated_before_the_first_line),
        T(test_half_a_line),
        T(test_lines_of_any_kind),
        T(test_renamed),
        T(test_half_a_line_and_rotated),
        T(test_rotated_often),
        T(test_deleted),
        T(test_rotated_while_down),
        T(test_half_compressed),
        T(test_damaged_files),
        T(test_copied_and_truncated),
        T(test_truncated),
        T(test_replaced_while_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
