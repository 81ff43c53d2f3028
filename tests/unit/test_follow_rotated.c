/* SPDX-License-Identifier: Apache-2.0 */
/* Following a log: rotation, truncation, deletion, one at a time. */
#include "tests/unit/follow_help.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* One that has nothing in it yet, and whose writer has not noticed. */
static void test_deleted_while_empty(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    int fd = open(at("mail.log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct follow *f = opened(&s);
    rest(f);
    gone("mail.log");
    rest(f);
    assert_int_equal(write(fd, "n 1\n", 4), 4);
    close(fd);
    rest(f);
    lines("mail.log", 2, 2);
    until(f, 2);
    expect(1, 2);
    follow_close(f);
}

/* Nothing of it was read when it was copied, rotated and compressed. */
static void test_empty_and_soon_compressed(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    text("mail.log", "");
    struct follow *f = opened(&s);
    rest(f);
    lines("mail.log", 1, 3);
    copy("mail.log", "mail.log.2");
    empty("mail.log");
    lines("mail.log", 4, 5);
    move("mail.log", "mail.log.1");
    gzip("mail.log.1");
    lines("mail.log", 6, 6);
    until(f, 6);
    expect(1, 6);
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
    assert_int_equal(got.notes, 0);
    follow_close(f);
}

/* copytruncate is at work: the copy is there, and the log not truncated yet. */
static void test_half_copied(void **state)
{
    (void)state;
    for (unsigned whole = 0; whole < 2; whole++) {
        struct follow_settings s = ordinary();
        lines("mail.log", 1, 3);
        struct follow *f = opened(&s);
        rest(f);
        move("mail.log", "mail.log.2");
        lines("mail.log", 4, 5);
        if (whole)
            copy("mail.log", "mail.log.1");
        else
            lines("mail.log.1", 4, 4);
        until(f, 5);
        rest(f);
        expect(1, 5);
        follow_close(f);
        follow_tear_down(NULL);
        follow_set_up(NULL);
    }
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
    assert_int_equal(truncate(at("mail.log.2.gz"), st.st_size - 8 - 5 - 5), 0);
    lines("mail.log", 5, 6); /* half of line 5 is not given */
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

/* And grown to the size that it had. */
static void test_truncated_to_the_same_size(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    text("mail.log", "n 1\nn 2\n");
    struct timespec times[2] = {{1700000000, 0}, {1700000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, at("mail.log"), times, 0), 0);
    struct follow *f = opened(&s);
    rest(f);
    empty("mail.log");
    text("mail.log", "n 3\nn 4\n");
    until(f, 4);
    rest(f);
    expect(1, 4);
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

/* The first kilobyte is the same, what was before the offset is not. */
static void test_another_end(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 30);
    struct follow *f = opened(&s);
    rest(f);
    follow_close(f);
    empty("mail.log");
    lines("mail.log", 1, 20);
    lines("mail.log", 31, 60);
    f = opened(&s);
    assert_non_null(strstr(got.note, "lines may be missing or come twice"));
    rest(f);
    assert_int_equal(got.count, 30 + 50);
    assert_int_equal(got.number[79], 60);
    follow_close(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, follow_set_up, follow_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_renamed),
        T(test_half_a_line_and_rotated),
        T(test_rotated_often),
        T(test_deleted),
        T(test_deleted_while_empty),
        T(test_empty_and_soon_compressed),
        T(test_rotated_while_down),
        T(test_half_compressed),
        T(test_half_copied),
        T(test_damaged_files),
        T(test_copied_and_truncated),
        T(test_truncated),
        T(test_truncated_to_the_same_size),
        T(test_replaced_while_down),
        T(test_another_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
