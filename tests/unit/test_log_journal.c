/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: entries as journalctl writes them, journalctl itself where it is installed, and
 * programs of its name that fail, do not end or are not there.
 */
#include "tests/unit/log_help.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/input/entry.h"
#include "audit/input/journalctl.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- entries ------------------------------------------------------------------------- */

#define WALL INT64_C(1732104745123456)

static const struct {
    const char *json;
    int64_t wall_us;
    const char *host, *tag;
    uint32_t pid;
    struct str text;
    const char *cursor;
} entries[] = {
    {"{\"MESSAGE\":\"connect from x[192.0.2.1]\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\","
     "\"SYSLOG_PID\":\"12\",\"_PID\":\"13\",\"_HOSTNAME\":\"mx\",\"__CURSOR\":\"s=1;i=2\","
     "\"__REALTIME_TIMESTAMP\":\"1732104745123456\"}",
     WALL, "mx", "postfix/smtpd", 12, STR("connect from x[192.0.2.1]"), "s=1;i=2"},
    {"{ \"_PID\" : \"13\", \"MESSAGE\" : \"a \\\"b\\\" \\u00e9\\n\", \"PRIORITY\":\"6\" }", 0, "",
     "", 13, STR("a \"b\" \xc3\xa9\n"), ""},
    /* what is not UTF-8, or too large */
    {"{\"MESSAGE\":[99,97,102,233,0],\"SYSLOG_IDENTIFIER\":\"x\"}", 0, "", "x", 0, STR("caf\xe9\0"),
     ""},
    {"{\"MESSAGE\":[ 99 , 97 ]}", 0, "", "", 0, STR("ca"), ""},
    {"{\"MESSAGE\":\"\",\"SYSLOG_IDENTIFIER\":\"x\"}", 0, "", "x", 0, STR(""), ""},
    {"{\"MESSAGE\":\"a\",\"SYSLOG_IDENTIFIER\":null,\"_HOSTNAME\":[1,2,256],\"_PID\":\"-1\","
     "\"__REALTIME_TIMESTAMP\":\"yesterday\"}",
     0, "", "", 0, STR("a"), ""},
    {"{\"MESSAGE\":null,\"SYSLOG_IDENTIFIER\":\"x\"}", 0, "", "x", 0, STR(""), ""},
    {"{\"MESSAGE\":[256],\"SYSLOG_IDENTIFIER\":\"x\"}", 0, "", "x", 0, STR(""), ""},
    {"{\"MESSAGE\":1.5,\"SYSLOG_IDENTIFIER\":\"x\"}", 0, "", "x", 0, STR(""), ""},
    {"{\"MESSAGE\":[],\"SYSLOG_IDENTIFIER\":\"x\"}", 0, "", "x", 0, STR(""), ""},
    /* a container's output: the message is a line */
    {"{\"MESSAGE\":\"Nov 20 00:32:25 mail postfix/smtpd[9]: a\",\"SYSLOG_IDENTIFIER\":\"3f1c\","
     "\"_PID\":\"1\",\"_HOSTNAME\":\"docker\",\"__REALTIME_TIMESTAMP\":\"1732104745123456\"}",
     WALL, "mail", "postfix/smtpd", 9, STR("a"), ""},
    {"{\"MESSAGE\":\"postfix/smtpd[9]: a\",\"SYSLOG_IDENTIFIER\":\"3f1c\",\"_PID\":\"1\","
     "\"_HOSTNAME\":\"docker\"}",
     0, "docker", "postfix/smtpd", 9, STR("a"), ""},
    {"{\"MESSAGE\":\"2024-01-01T00:00:00Z mail postfix/smtpd[9]: a\"}",
     INT64_C(1704067200) * US_PER_S, "mail", "postfix/smtpd", 9, STR("a"), ""},
    {"{\"MESSAGE\":\"Nov 20 00:32:25 cannot kernel: a\",\"SYSLOG_IDENTIFIER\":\"x\","
     "\"_HOSTNAME\":\"mx\",\"__REALTIME_TIMESTAMP\":\"1732104745123456\"}",
     WALL, "mx", "x", 0, STR("a"), ""},
    {"{\"MESSAGE\":\"warning: x\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\",\"_PID\":\"9\"}", 0, "",
     "postfix/smtpd", 9, STR("warning: x"), ""},
    /* no entries: lines like any other */
    {"{\"MESSAGE\":\"a\"", 0, "", "", 0, STR("{\"MESSAGE\":\"a\""), ""},
    {"{\"MESSAGE\":\"a\"} x", 0, "", "", 0, STR("{\"MESSAGE\":\"a\"} x"), ""},
    {"{\"_PID\":\"1\"}", 0, "", "", 0, STR("{\"_PID\":\"1\"}"), ""},
    {"{}", 0, "", "", 0, STR("{}"), ""},
    {"{", 0, "", "", 0, STR("{"), ""},
};

static void test_entries(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(entries); i++) {
        struct stamps t;
        struct entry e;
        struct str json = str_of(entries[i].json);
        char *copy = malloc(json.n), *text = malloc(json.n); /* exactly what is promised to do */
        assert_true(copy && text);
        memcpy(copy, json.p, json.n);
        struct buf room = {text, json.n, json.n, true}; /* as a call before left it */
        stamps_init(&t, NOW_US);
        memset(&e, 0xa5, sizeof e);
        entry_of_line(&t, (struct str){copy, json.n}, &room, &e);
        const struct log_line *l = &e.line;
        if (l->wall_us != entries[i].wall_us || l->pid != entries[i].pid || l->times != 1 ||
            !str_eq(l->host, str_of(entries[i].host)) || !str_eq(l->tag, str_of(entries[i].tag)) ||
            !str_eq(l->text, entries[i].text) || !str_eq(e.cursor, str_of(entries[i].cursor)))
            fail_msg("%lld %.*s %.*s[%u] %.*s %.*s: %s", (long long)l->wall_us, STR_ARG(l->host),
                     STR_ARG(l->tag), l->pid, STR_ARG(l->text), STR_ARG(e.cursor), entries[i].json);
        free(copy);
        free(text);
    }
}

/* A full entry, with more fields than the scanner of our own journal takes. */
static void test_many_fields(void **state)
{
    (void)state;
    static char json[32768];
    struct buf b = BUF(json);
    buf_char(&b, '{');
    for (int i = 0; i < 300; i++)
        buf_printf(&b, "\"_FIELD_%d\":[\"v\",\"w\"],", i);
    buf_cstring(&b, "\"MESSAGE\":\"a\",\"_PID\":\"7\"}\n");
    struct got g = {0};
    assert_int_equal(got_read(&g, log_file("entries", buf_view(&b))), 0);
    assert_texts(&g, "a");
    assert_int_equal(g.list[0].pid, 7);
    got_free(&g);
}

/* ---- a program named journalctl ----------------------------------------------------------- */

static void fake_journalctl(const char *script)
{
    char text[2048];
    struct buf b = BUF(text);
    buf_printf(&b, "#!/bin/sh\nprintf '%%s ' \"$@\" >%s/args\n%s\n", log_top, script);
    assert_int_equal(chmod(log_file("journalctl", buf_view(&b)), 0700), 0);
    assert_int_equal(setenv("PATH", log_top, 1), 0);
}

static char *old_path;

static int set_up(void **state)
{
    old_path = strdup(getenv("PATH"));
    return old_path ? log_set_up(state) : -1;
}

static int tear_down(void **state)
{
    setenv("PATH", old_path, 1);
    free(old_path);
    return log_tear_down(state);
}

static void assert_args(const char *expected)
{
    char args[1024] = "";
    FILE *f = fopen(log_path("args"), "r");
    assert_non_null(f);
    size_t n = fread(args, 1, sizeof args - 1, f);
    fclose(f);
    args[n] = '\0';
    assert_string_equal(args, expected);
}

#define ALWAYS                                                                                     \
    "--output=json --no-pager "                                                                    \
    "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME "

static int read_journal(struct got *g, int64_t since_us)
{
    memset(&g->counts, 0xa5, sizeof g->counts);
    return input_read_journal(since_us, got_take, g, &g->counts, &g->err);
}

static void test_running_system(void **state)
{
    (void)state;
    struct got g = {0};
    fake_journalctl("echo '{\"MESSAGE\":\"a\"}'; echo '{\"MESSAGE\":\"b\"}'; echo Hint: >&2");
    assert_int_equal(read_journal(&g, 0), 0);
    assert_texts(&g, "a/b");
    assert_int_equal(g.counts.lines, 2);
    assert_args(ALWAYS "SYSLOG_FACILITY=2 ");
    got_free(&g);

    assert_int_equal(read_journal(&g, INT64_C(1732104745123456)), 0);
    assert_args(ALWAYS "SYSLOG_FACILITY=2 --since=@1732104745 ");
    got_free(&g);
}

static void test_journal_paths(void **state)
{
    (void)state;
    char expected[512];
    struct got g = {0};
    fake_journalctl("echo '{\"MESSAGE\":\"a\"}'");
    log_file("x.journal", STR("LPKSHHRH"));
    const struct {
        const char *option, *path;
    } cases[] = {{"--file", log_path("x.journal")}, {"--directory", log_top}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(got_read(&g, cases[i].path), 0);
        assert_texts(&g, "a");
        got_free(&g);
        snprintf(expected, sizeof expected, ALWAYS "%s=%s ", cases[i].option, cases[i].path);
        assert_args(expected);
    }
    /* /var/log/journal has a directory for each machine */
    assert_int_equal(mkdir(log_path("journal"), 0700), 0);
    assert_int_equal(got_read(&g, log_path("journal")), -1);
    assert_int_equal(mkdir(log_path("journal/0123"), 0700), 0);
    assert_int_equal(mkdir(log_path("journal/0123/deep"), 0700), 0);
    log_file("journal/0123/deep/system.journal", STR(""));
    assert_int_equal(got_read(&g, log_path("journal")), -1);
    log_file("journal/0123/system.journal", STR(""));
    assert_int_equal(got_read(&g, log_path("journal")), 0);
    assert_texts(&g, "a");
    got_free(&g);
    assert_int_equal(got_read(&g, log_path("none.journal")), -1);
    assert_non_null(strstr(g.err.text, "none.journal: cannot be opened: No such file"));
}

static void test_failing(void **state)
{
    (void)state;
    static const struct {
        const char *script, *err;
    } cases[] = {
        {"echo Hint: x >&2; printf 'No journal\\033 files.\\n\\n' >&2; exit 1",
         "journalctl: No journal? files."},
        {"exit 3", "journalctl failed with status 3"},
        {"kill -9 $$", "journalctl was ended by signal 9"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct got g = {0};
        char script[256];
        snprintf(script, sizeof script, "echo '{\"MESSAGE\":\"a\"}'; %s", cases[i].script);
        fake_journalctl(script);
        assert_int_equal(read_journal(&g, 0), -1);
        assert_string_equal(g.err.text, cases[i].err);
        assert_texts(&g, "a"); /* what came is taken */
        got_free(&g);
    }
    struct got g = {0};
    assert_int_equal(unlink(log_path("journalctl")), 0);
    assert_int_equal(read_journal(&g, 0), -1);
    assert_string_equal(g.err.text, "journalctl was not found; it is part of systemd");
    assert_int_equal(g.counts.lines, 0);
}

/* Much on its standard error stops nothing; and one that does not end is ended. */
static void test_enough(void **state)
{
    (void)state;
    struct got g = {0};
    fake_journalctl("i=0; while [ $i -lt 3000 ]; do echo 'a hint of forty letters, and some more "
                    "of them' >&2; i=$((i+1)); done; echo '{\"MESSAGE\":\"a\"}'");
    assert_int_equal(read_journal(&g, 0), 0);
    assert_texts(&g, "a");
    got_free(&g);

    g.stop_after = 3;
    fake_journalctl("while :; do echo '{\"MESSAGE\":\"a\"}'; done");
    assert_int_equal(read_journal(&g, 0), 0);
    assert_texts(&g, "a/a/a");
    got_free(&g);

    signal(SIGTERM, SIG_IGN);
    g.stop_after = 1;
    fake_journalctl("echo '{\"MESSAGE\":\"a\"}'; exec /bin/sleep 600");
    assert_int_equal(read_journal(&g, 0), 0);
    signal(SIGTERM, SIG_DFL);
    assert_texts(&g, "a");
    got_free(&g);
}

/* ---- the real one --------------------------------------------------------------------------- */

static const char remote[] = "/lib/systemd/systemd-journal-remote";
static const char journalctl[] = "/usr/bin/journalctl";

static void make_journal(const char *path, const char *from)
{
    const char *const argv[] = {remote, "-o", path, from, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawn(&pid, remote, &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The export format: fields in lines, entries apart by an empty one; binary ones with a length. */
static struct str exported(struct buf *b)
{
    static const struct {
        int64_t us;
        const char *identifier, *pid;
        struct str message;
    } list[] = {
        {WALL, "postfix/submission/smtpd", "4711", STR("connect from a.example[192.0.2.1]")},
        {WALL + 1000, "postfix/submission/smtpd", "4711", STR("two\nlines")},
        {WALL + 2000, "postfix/smtpd", "12", STR("caf\xe9 \x01")},
        {WALL + 3000, "sendmail", "13", STR("6AL0R6s5024661: from=<a@example.com>")},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        buf_printf(b, "__REALTIME_TIMESTAMP=%lld\n__MONOTONIC_TIMESTAMP=%zu\n",
                   (long long)list[i].us, 1000 * (i + 1));
        buf_cstring(b, "_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=mx\nPRIORITY=6\n"
                       "SYSLOG_FACILITY=2\n");
        buf_printf(b, "SYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%s\nMESSAGE\n", list[i].identifier,
                   list[i].pid);
        uint64_t n = list[i].message.n; /* little-endian, as the machines of this test are */
        buf_put(b, &n, sizeof n);
        buf_str(b, list[i].message);
        buf_cstring(b, "\n\n");
    }
    assert_false(b->full);
    return buf_view(b);
}

static void test_real_journal(void **state)
{
    (void)state;
    if (access(remote, X_OK) < 0 || access(journalctl, X_OK) < 0)
        skip();
    char text[4096];
    struct buf b = BUF(text);
    const char *from = log_file("export", exported(&b));
    make_journal(log_path("x.journal"), from);
    for (int i = 0; i < 2; i++) { /* as a file, and as a directory with it */
        struct got g = {0};
        if (got_read(&g, i ? log_top : log_path("x.journal")) < 0)
            fail_msg("%s", g.err.text);
        assert_texts(&g, "connect from a.example[192.0.2.1]/two\nlines/caf\xe9 \x01/"
                         "6AL0R6s5024661: from=<a@example.com>");
        assert_int_equal(g.list[0].wall_us, WALL);
        assert_int_equal(g.list[3].wall_us, WALL + 3000);
        assert_string_equal(g.list[0].tag, "postfix/submission/smtpd");
        assert_int_equal(g.list[0].pid, 4711);
        assert_string_equal(g.list[3].host, "mx");
        got_free(&g);
    }
    assert_int_equal(input_first_time(log_path("x.journal"), NOW_US), WALL);
    assert_int_equal(input_first_time(log_top, NOW_US), WALL);

    struct got g = {0};
    assert_int_equal(got_read(&g, log_file("broken.journal", STR("no journal"))), -1);
    assert_non_null(strstr(g.err.text, "journalctl: "));
    got_free(&g);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_entries),       TEST(test_many_fields), TEST(test_running_system),
        TEST(test_journal_paths), TEST(test_failing),     TEST(test_enough),
        TEST(test_real_journal),
    };
    return cmocka_run_group_tests_name("log_journal", tests, NULL, NULL);
}
