/* SPDX-License-Identifier: Apache-2.0 */
/* Following the journal: with a journalctl of ours, and with the real one on files of a journal. */
#include "tests/unit/follow_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REMOTE "/lib/systemd/systemd-journal-remote"

static char path_before[4096];

/*
 * Entry N is line N of "entries" and has the cursor cN. "die": how many to give before failing;
 * "vacuumed": how many are not there any more.
 */
static const char script[] =
    "#!/bin/sh\n"
    "cd \"${0%/*}\" || exit 9\n"
    "after=0 last=\n"
    "for a; do case $a in\n"
    "    --after-cursor=c*) after=${a#--after-cursor=c} ;;\n"
    "    --lines=1) last=1 ;;\n"
    "esac; done\n"
    "echo \"$*\" >>calls\n"
    "test -z \"$last\" || exec tail -n 1 entries\n"
    "test ! -e vacuumed || test $after -gt $(cat vacuumed) || after=$(cat vacuumed)\n"
    "test ! -e die || { tail -n +$((after + 1)) entries | head -n $(cat die)\n"
    "                   echo it broke >&2; exit 3; }\n"
    "exec tail -n +$((after + 1)) -f entries\n";

static int set_up(void **state)
{
    snprintf(path_before, sizeof path_before, "%s", getenv("PATH"));
    if (follow_set_up(state) < 0)
        return -1;
    char path[4400];
    snprintf(path, sizeof path, "%s:%s", log_dir, path_before);
    setenv("PATH", path, 1);
    text("journalctl", script);
    text("entries", "");
    return chmod(at("journalctl"), 0700);
}

static int tear_down(void **state)
{
    setenv("PATH", path_before, 1);
    return follow_tear_down(state);
}

static void entries(unsigned first, unsigned last)
{
    char p[256];
    for (unsigned i = first; i <= last; i++) {
        int n =
            snprintf(p, sizeof p,
                     "{\"__CURSOR\":\"c%u\",\"__REALTIME_TIMESTAMP\":\"%u\",\"_HOSTNAME\":\"mx\","
                     "\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\",\"_PID\":\"7\",\"MESSAGE\":\"n "
                     "%u\"}\n",
                     i, 1000 + i / 3, i); /* more than one at a time */
        bytes("entries", p, (size_t)n);
    }
}

static struct follow_settings journal(void)
{
    struct follow_settings s = kept();
    s.path = NULL;
    return s;
}

static struct follow *journal_opened(const struct follow_settings *s)
{
    struct err err;
    struct follow *f = follow_journal_open(s, &err);
    if (!f)
        fail_msg("%s", err.text);
    got.after = 0;
    return f;
}

static bool was_called_with(const char *args)
{
    char p[65536];
    int fd = open(at("calls"), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, p, sizeof p - 1);
    assert_true(n >= 0);
    close(fd);
    p[n] = '\0';
    return strstr(p, args);
}

static void test_follows(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    entries(1, 500);
    struct follow *f = journal_opened(&s);
    until(f, 500);
    entries(501, 503);
    until(f, 503);
    expect(1, 503);
    assert_true(was_called_with("--output=json"));
    assert_true(was_called_with("--follow --no-tail SYSLOG_FACILITY=2\n"));
    follow_close(f);
    entries(504, 505);
    f = journal_opened(&s);
    until(f, 505);
    expect(1, 505);
    assert_true(was_called_with(" SYSLOG_FACILITY=2 --after-cursor=c503\n"));
    assert_int_equal(got.notes, 0);
    follow_close(f);
}

static void test_begins_at_its_end(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    s.from_start = false;
    entries(1, 5);
    struct follow *f = journal_opened(&s);
    entries(6, 7);
    follow_close(f);
    f = journal_opened(&s);
    until(f, 2);
    expect(6, 7);
    follow_close(f);
}

static void test_entries_again(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    entries(1, 9);
    struct follow *f = journal_opened(&s);
    until(f, 4);
    got.needed = got.position;
    until(f, 7);
    follow_close(f);
    f = journal_opened(&s);
    until(f, 9);
    expect(1, 9);
    assert_int_equal(got.again_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(got.again[i], 4 + i);
    follow_close(f);
}

/* With many entries the place to come back to is not exact, but never behind. */
static void test_many_entries_again(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    entries(1, 3000);
    struct follow *f = journal_opened(&s);
    until(f, 2500);
    got.needed = got.position;
    until(f, 3000);
    follow_close(f);
    f = journal_opened(&s);
    until_again(f, 1);
    assert_in_range(got.again[0], 2400, 2500);
    unsigned first = got.again[0];
    until_again(f, 3000 - first + 1);
    entries(3001, 3001);
    until(f, 3001);
    expect(1, 3001);
    assert_int_equal(got.again_count, 3000 - first + 1);
    follow_close(f);
}

/* All entries up to the one that was told last, and three more, are not there any more. */
static void test_vacuumed(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    entries(1, 9);
    struct follow *f = journal_opened(&s);
    until(f, 2);
    got.needed = 0;
    until(f, 4);
    follow_close(f);
    text("vacuumed", "7");
    f = journal_opened(&s);
    until(f, 6);
    assert_int_equal(got.number[4], 8);
    assert_int_equal(got.number[5], 9);
    assert_int_equal(got.again_count, 0);
    follow_close(f);
}

static void test_dies(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    entries(1, 9);
    text("die", "3");
    struct follow *f = journal_opened(&s);
    until(f, 9);
    expect(1, 9);
    until_noted(f, "journalctl: it broke; journalctl is started again in 1 s");
    assert_in_range(got.notes, 2, 3);
    gone("die");
    entries(10, 10);
    until(f, 10);
    expect(1, 10);
    follow_close(f);
}

static void test_not_there(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    struct err err;
    setenv("PATH", "/nowhere", 1);
    s.from_start = false;
    assert_null(follow_journal_open(&s, &err));
    assert_string_equal(err.text, "journalctl was not found; it is part of systemd");
    s.from_start = true;
    struct follow *f = journal_opened(&s);
    until_noted(f, "journalctl was not found; it is part of systemd; journalctl is started again");
    char path[4400];
    snprintf(path, sizeof path, "%s:%s", log_dir, path_before);
    setenv("PATH", path, 1);
    entries(1, 2);
    until(f, 2);
    expect(1, 2);
    follow_close(f);
}

static void test_rubbish(void **state)
{
    (void)state;
    struct follow_settings s = journal();
    enum { LONG = 512 * 1024 };
    char *p = malloc(LONG);
    assert_non_null(p);
    memset(p, 'x', LONG);
    entries(1, 1);
    text("entries", "no entry\n{\"__CURSOR\":\"c9\"}\n\n");
    bytes("entries", p, LONG);
    free(p);
    entries(5, 6); /* the first of them is the end of that line */
    struct follow *f = journal_opened(&s);
    until(f, 2);
    assert_int_equal(got.number[1], 6);
    follow_close(f);
}

static void test_another_checkpoint(void **state)
{
    (void)state;
    struct follow_settings s = journal(), file = kept();
    struct err err;
    follow_close(opened(&file));
    assert_null(follow_journal_open(&s, &err));
    assert_non_null(strstr(err.text, "/mail.log, not of the journal"));
}

/* ---- the real ones ----------------------------------------------------------------- */

/* Entries in systemd's export format into a file of a journal. */
static void write_journal(unsigned first, unsigned last)
{
    char p[400];
    gone("export");
    for (unsigned i = first; i <= last; i++) {
        int n = snprintf(p, sizeof p,
                         "__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=%u\n"
                         "_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=mx\n"
                         "SYSLOG_FACILITY=%u\nSYSLOG_IDENTIFIER=postfix/smtpd\n_PID=7\n"
                         "MESSAGE=n %u\n\n",
                         1795248000000000ULL + 1000 * i, 1000 * i, 2 + i % 2, (i + 1) / 2);
        bytes("export", p, (size_t)n);
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char out[300];
        int in = open(at("export"), O_RDONLY), null = open("/dev/null", O_WRONLY);
        snprintf(out, sizeof out, "--output=%s", at("journal/a.journal"));
        dup2(in, 0);
        dup2(null, 1);
        dup2(null, 2);
        execl(REMOTE, REMOTE, out, "-", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_real_journal(void **state)
{
    (void)state;
    if (access(REMOTE, X_OK) < 0 || access("/usr/bin/journalctl", X_OK) < 0)
        skip();
    gone("journalctl");
    mkdir(at("journal"), 0700);
    text("export", "");
    write_journal(1, 40);
    char directory[300];
    snprintf(directory, sizeof directory, "%s/journal", log_dir);
    struct follow_settings s = kept();
    s.path = directory;
    struct follow *f = journal_opened(&s);
    until(f, 20);
    got.needed = 0;
    rest(f);
    write_journal(41, 44);
    until(f, 22);
    expect(1, 22);
    follow_close(f);
    write_journal(45, 48);
    f = journal_opened(&s);
    until(f, 24);
    expect(1, 24);
    assert_int_equal(got.again_count, 22);
    assert_int_equal(got.notes, 0);
    follow_close(f);
    gone("place");
    s.from_start = false;
    f = journal_opened(&s);
    write_journal(49, 50);
    until(f, 25);
    expect(1, 25);
    follow_close(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_follows),
        T(test_begins_at_its_end),
        T(test_entries_again),
        T(test_many_entries_again),
        T(test_vacuumed),
        T(test_dies),
        T(test_not_there),
        T(test_rubbish),
        T(test_another_checkpoint),
        T(test_real_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
