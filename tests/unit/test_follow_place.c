/* SPDX-License-Identifier: Apache-2.0 */
/* Following a log: its checkpoint, and what is read again from it. */
#include "tests/unit/follow_help.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the checkpoint ---------------------------------------------------------------- */

static void test_goes_on(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    for (unsigned i = 0; i < 20; i++) {
        struct follow *f = opened(&s);
        rest(f);
        lines("mail.log", 2 * i + 1, 2 * i + 1);
        rest(f);
        follow_close(f);
        lines("mail.log", 2 * i + 2, 2 * i + 2);
    }
    struct follow *f = opened(&s);
    rest(f);
    expect(1, 40);
    follow_close(f);
    assert_int_equal(got.notes, 0);
    assert_int_equal(access(at("place.new"), F_OK), -1);
}

/* The line with which take() stops counts as taken. */
static void test_stops_when_told(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 9);
    struct follow *f = opened(&s);
    until(f, 4);
    follow_close(f);
    f = opened(&s);
    until(f, 5);
    until(f, 9);
    expect(1, 9);
    follow_close(f);
}

/* Opened and killed at once: the place is there already. */
static void test_kept_from_the_beginning(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    s.from_start = false;
    lines("mail.log", 1, 3);
    struct follow *f = opened(&s);
    copy("place", "saved");
    follow_close(f);
    lines("mail.log", 4, 5);
    move("saved", "place");
    f = opened(&s);
    rest(f);
    expect(4, 5);
    follow_close(f);
}

static void again_is(unsigned first, unsigned last)
{
    assert_int_equal(got.again_count, last - first + 1);
    for (unsigned i = 0; i < got.again_count; i++)
        assert_int_equal(got.again[i], first + i);
}

/* Context: read again from where idle() said. */
static void test_again(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 5);
    struct follow *f = opened(&s);
    until(f, 3);
    got.needed = got.position; /* line 3 */
    until(f, 5);
    rest(f);
    follow_close(f);
    lines("mail.log", 6, 7);
    f = opened(&s);
    rest(f);
    expect(1, 7);
    again_is(3, 5);
    follow_close(f);
}

/* Over rotations and compression; stopped in the midst of reading again, nothing is told twice. */
static void test_again_in_older_files(void **state)
{
    (void)state;
    for (unsigned packed = 0; packed < 8; packed++)
        for (unsigned down = 0; down < 2; down++) {
            struct follow_settings s = kept();
            lines("mail.log", 1, 3);
            struct follow *f = opened(&s);
            until(f, 2);
            got.needed = got.position;
            until(f, 3);
            move("mail.log", "mail.log.2");
            lines("mail.log", 4, 4);
            until(f, 4);
            move("mail.log", "mail.log.1");
            lines("mail.log", 5, 6);
            until(f, down ? 5 : 6);
            follow_close(f);
            if (down)
                move("mail.log", "mail.log.0");
            lines("mail.log", 7, 7);
            if (packed & 1)
                gzip("mail.log.2");
            if (packed & 2)
                xz("mail.log.1");
            if (packed & 4 && down)
                gzip("mail.log.0");
            got.needed = 0; /* the first that is read */
            for (unsigned i = 0; i < 2; i++) {
                got.again_count = 0;
                f = opened(&s);
                until_again(f, i ? 6 : down ? 4 : 5);
                until(f, 7);
                rest(f);
                expect(1, 7);
                again_is(2, i ? 7 : down ? 5 : 6);
                follow_close(f);
            }
            follow_tear_down(NULL);
            follow_set_up(NULL);
        }
}

static void test_again_in_a_copy(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 3);
    struct follow *f = opened(&s);
    until(f, 2);
    got.needed = got.position;
    until(f, 3);
    lines("mail.log", 4, 4);
    copy("mail.log", "mail.log.1");
    empty("mail.log");
    lines("mail.log", 5, 6);
    until(f, 6);
    rest(f);
    follow_close(f);
    f = opened(&s);
    lines("mail.log", 7, 7);
    until(f, 7);
    expect(1, 7);
    again_is(2, 6);
    follow_close(f);
}

static void test_context_is_gone(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 3);
    struct follow *f = opened(&s);
    until(f, 2);
    got.needed = got.position;
    until(f, 3);
    move("mail.log", "mail.log.1");
    lines("mail.log", 4, 4);
    until(f, 4);
    follow_close(f);
    gone("mail.log.1");
    lines("mail.log", 5, 5);
    f = opened(&s);
    rest(f);
    expect(1, 5);
    assert_int_equal(got.again_count, 0);
    follow_close(f);
}

static void test_bad_checkpoints(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "null\n", "{}\n", "{\"v\":1}\n", "{\"v\":\"2\"}\n"};
    struct follow_settings s = kept();
    lines("mail.log", 1, 3);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        text("place", bad[i]);
        refused_with(&s, "is no checkpoint, or is damaged");
        gone("place");
    }
    text("place", "{\"v\":2,\"what\":[]}\n");
    refused_with(&s, "/place was written by a newer version of mailreeve");
    gone("place");
    mkdir(at("place"), 0700);
    refused_with(&s, "/place cannot be read: Is a directory");
    gone("place");

    struct follow *f = opened(&s);
    rest(f);
    refused_with(&s, "another mailreeve uses the checkpoint ");
    follow_close(f);
    struct follow_settings other = kept();
    char path[300];
    snprintf(path, sizeof path, "%s/other.log", log_dir);
    other.path = path;
    refused_with(&other, "/mail.log, not of ");

    /* Each single byte of it matters. */
    int fd = open(at("place"), O_RDWR);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 100);
    for (off_t i = 0; i < st.st_size - 1; i++) {
        char c, changed;
        assert_int_equal(pread(fd, &c, 1, i), 1);
        changed = c ^ 1;
        assert_int_equal(pwrite(fd, &changed, 1, i), 1);
        refused_with(&s, "checkpoint");
        assert_int_equal(pwrite(fd, &c, 1, i), 1);
    }
    close(fd);
    f = opened(&s);
    rest(f);
    expect(1, 3);
    follow_close(f);
}

/* Half of it can be written. */
static void test_disk_full(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("mail.log", 1, 2);
    struct follow *f = opened(&s);
    rest(f);
    struct rlimit before, small = {40, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (unsigned i = 3; i < 6; i++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        lines("mail.log", i, i);
        small.rlim_max = before.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        rest(f);
    }
    assert_int_equal(got.notes, 1);
    assert_non_null(strstr(got.note, "/place cannot be written: File too large; reading goes on"));
    assert_int_equal(access(at("place.new"), F_OK), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    lines("mail.log", 6, 6);
    rest(f);
    expect(1, 6);
    assert_int_equal(got.notes, 2);
    assert_non_null(strstr(got.note, "/place is written again"));
    follow_close(f);
    f = opened(&s);
    rest(f);
    expect(1, 6);
    follow_close(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, follow_set_up, follow_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_goes_on),         T(test_stops_when_told),      T(test_kept_from_the_beginning),
        T(test_again),           T(test_again_in_older_files), T(test_again_in_a_copy),
        T(test_context_is_gone), T(test_bad_checkpoints),      T(test_disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
