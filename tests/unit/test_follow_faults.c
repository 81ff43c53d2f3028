/* SPDX-License-Identifier: Apache-2.0 */
/* Following a log: what may stand in its place, and how changes are noticed. */
#include "tests/unit/follow_help.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what stands in its place ------------------------------------------------------ */

static void test_what_cannot_be_followed(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    mkdir(at("mail.log"), 0700);
    refused_with(&s, "/mail.log is a directory; name the log in it");
    gone("mail.log");
    mkfifo(at("mail.log"), 0600);
    refused_with(&s, "/mail.log is no ordinary file");
    gone("mail.log");
    s.path = "/nowhere/mail.log";
    refused_with(&s, "/nowhere/mail.log cannot be followed: No such file or directory");
    s.path = "/";
    refused_with(&s, "is a directory; name the log in it");
}

static void make_nothing(void)
{
}

static void make_directory(void)
{
    mkdir(at("mail.log"), 0700);
}

static void make_fifo(void)
{
    mkfifo(at("mail.log"), 0600);
}

static void make_link(void)
{
    assert_int_equal(symlink("nowhere", at("mail.log")), 0);
}

static void test_replaced(void **state)
{
    (void)state;
    static const struct {
        void (*make)(void);
        const char *note;
    } things[] = {{make_nothing, "is not there; waiting"},
                  {make_directory, "is a directory; waiting"},
                  {make_fifo, "is no ordinary file; waiting"},
                  {make_link, "is not there; waiting"}};
    struct follow_settings s = kept();
    unsigned n = 1;
    struct follow *f = opened(&s);
    for (unsigned i = 0; i < 8; i++) {
        bool down = i % 2;
        lines("mail.log", n, n);
        until(f, n++);
        move("mail.log", "mail.log.1");
        things[i / 2].make();
        until_noted(f, things[i / 2].note);
        lines("mail.log.1", n, n);
        rest(f);
        assert_int_equal(got.count, n++);
        if (down)
            follow_close(f);
        if (things[i / 2].make != make_nothing)
            gone("mail.log");
        lines("mail.log", n, n);
        if (down)
            f = opened(&s);
        until(f, n++);
        rest(f);
        if (!down)
            until_noted(f, "is there again");
        gone("mail.log.1");
        got.note[0] = '\0';
    }
    expect(1, n - 1);
    follow_close(f);
}

static void test_symbolic_link(void **state)
{
    (void)state;
    struct follow_settings s = kept();
    lines("there", 1, 2);
    assert_int_equal(symlink("there", at("mail.log")), 0);
    struct follow *f = opened(&s);
    rest(f);
    lines("there", 3, 3);
    rest(f);
    gone("mail.log");
    lines("there.too", 4, 4);
    assert_int_equal(symlink("there.too", at("mail.log")), 0);
    until(f, 4);
    expect(1, 4);
    follow_close(f);
}

/* As another user, because root may read everything. */
static void test_no_permission(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    struct follow_settings s = kept();
    bool root = geteuid() == 0;
    lines("mail.log", 1, 2);
    if (root)
        assert_true(chown(log_dir, NOBODY, -1) == 0 && chown(at("mail.log"), NOBODY, -1) == 0 &&
                    seteuid(NOBODY) == 0);
    struct follow *f = opened(&s);
    rest(f);
    move("mail.log", "mail.log.1");
    lines("mail.log", 3, 3);
    chmod(at("mail.log"), 0);
    until_noted(f, "may not be read by us; waiting for the permission");
    assert_int_equal(got.notes, 1);
    chmod(at("mail.log"), 0600);
    until(f, 3);
    follow_close(f);

    chmod(at("mail.log"), 0);
    refused_with(&s, "/mail.log may not be read by us");
    chmod(at("mail.log"), 0600);
    gone("place.lock");
    chmod(log_dir, 0500);
    refused_with(&s, "the checkpoint cannot be kept: ");
    chmod(log_dir, 0700);
    if (root)
        assert_int_equal(seteuid(0), 0);
    expect(1, 3);
}

/* ---- how changes are noticed ------------------------------------------------------- */

/* Called just before the follower waits. */
static void work(unsigned call)
{
    static const char *const names[] = {"mail.log-1118000", "mail.log-1119000", "mail.log-1120000",
                                        "mail.log-1121000"};
    static unsigned last;
    last = call ? last : 1;
    if (call % 3 == 1 && call < 12)
        move("mail.log", names[call / 3]);
    else if (++last <= 15)
        lines("mail.log", last, last);
}

/* With a minute between looks nothing is in time but what the kernel tells. */
static void test_told_by_the_kernel(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    s.poll_ms = 60000;
    lines("mail.log", 1, 1);
    struct follow *f = opened(&s);
    got.at_idle = work;
    until(f, 15);
    expect(1, 15);
    follow_close(f);
}

static void test_told_by_nobody(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    s.no_inotify = true;
    lines("mail.log", 1, 1);
    struct follow *f = opened(&s);
    got.at_idle = work;
    until(f, 15);
    expect(1, 15);
    follow_close(f);
}

static void write_both(unsigned call)
{
    (void)call;
    text("mail.log.1", "n 2\n");
    if (access(at("mail.log"), F_OK) < 0)
        lines("mail.log", 3, 3);
}

/* A daemon that does not notice the rotation, and another one that does. */
static void test_both_are_written(void **state)
{
    (void)state;
    struct follow_settings s = ordinary();
    s.no_inotify = true; /* or each line would lead to the next one at once */
    s.quiet_ms = 20;
    lines("mail.log", 1, 1);
    struct follow *f = opened(&s);
    until(f, 1);
    move("mail.log", "mail.log.1");
    got.at_idle = write_both;
    until_noted(f, "was rotated, but the old file is still written; it is left now");
    got.at_idle = NULL;
    rest(f);
    assert_int_equal(got.number[got.count - 1], 3);
    for (unsigned i = 1; i < got.count - 1; i++)
        assert_int_equal(got.number[i], 2);
    follow_close(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, follow_set_up, follow_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_what_cannot_be_followed), T(test_replaced),           T(test_symbolic_link),
        T(test_no_permission),           T(test_told_by_the_kernel), T(test_told_by_nobody),
        T(test_both_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
