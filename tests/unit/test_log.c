/* SPDX-License-Identifier: Apache-2.0 */
/* The log: what a line looks like, that it never waits, and the limits of RFC 6409 5.2. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "edge/log.h"
#include "edge/log_limits.h"

/* ---- help --------------------------------------------------------------- */

static char dir[64], path[100];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/mailreeve-log-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/log", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_open("test", true);
    unlink(path);
    return rmdir(dir);
}

/* A syslogd of our own. */
static int listen_syslog(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path) + 1);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static char received[8192];

/* The next datagram; NULL: none. */
static const char *receive(int fd)
{
    ssize_t n = recv(fd, received, sizeof received - 1, 0);
    if (n < 0)
        return NULL;
    received[n] = '\0';
    return received;
}

/* What stands behind "<22>Nov 21 03:15:00 ". */
static const char *text_of(const char *datagram)
{
    assert_non_null(datagram);
    const char *p = strchr(datagram, '>');
    assert_non_null(p);
    assert_true(strlen(p) > 17 && p[4] == ' ' && p[7] == ' ' && p[10] == ':' && p[16] == ' ');
    return p + 17;
}

/* ---- lines -------------------------------------------------------------- */

static void test_syslog(void **state)
{
    (void)state;
    int fd = listen_syslog();
    char expected[200];
    log_open_socket("mailreeve-test", path);
    errno = EBADF;
    log_info("finding %s: %d", "tls-required", 7);
    assert_int_equal(errno, EBADF);
    snprintf(expected, sizeof expected, "mailreeve-test[%ld]: finding tls-required: 7",
             (long)getpid());
    assert_string_equal(text_of(receive(fd)), expected);
    static const struct {
        void (*say)(const char *fmt, ...);
        const char *start, *word;
    } levels[] = {
        {log_info, "<22>", ""}, {log_warn, "<20>", "warning: "}, {log_error, "<19>", "error: "}};
    for (int i = 0; i < 3; i++) {
        levels[i].say("%s", "text");
        const char *got = receive(fd);
        assert_non_null(got);
        assert_memory_equal(got, levels[i].start, 4);
        snprintf(expected, sizeof expected, "mailreeve-test[%ld]: %stext", (long)getpid(),
                 levels[i].word);
        assert_string_equal(text_of(got), expected);
    }
    assert_null(receive(fd));
    close(fd);
}

/* No byte of a stranger's reaches a log raw, in whatever argument it comes. */
static void test_sanitised(void **state)
{
    (void)state;
    int fd = listen_syslog();
    log_open_socket("t", path);
    log_info("user=%s%c", "bob\r\nNov 21 forged[1]: line\x1b[2J caf\xe9 \xc3\xa9\x7f \\ %s", '\t');
    const char *got = strstr(text_of(receive(fd)), ": ");
    assert_non_null(got);
    assert_string_equal(got, ": user=bob\\x0d\\x0aNov 21 forged[1]: line\\x1b[2J caf\\xe9 "
                             "\\xc3\\xa9\\x7f \\ %s\\x09");
    char text[2048];
    struct buf b = BUF(text);
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        log_sanitise(&b, (struct str){&byte, 1});
    }
    assert_false(b.full);
    assert_int_equal(b.n, 95 + 4 * (256 - 95));
    for (size_t i = 0; i < b.n; i++)
        assert_true(b.p[i] >= 0x20 && b.p[i] < 0x7f);
    close(fd);
}

static void test_long_line(void **state)
{
    (void)state;
    int fd = listen_syslog();
    log_open_socket("t", path);
    static char xs[5000];
    for (size_t n = LOG_LINE_MAX - 30; n < LOG_LINE_MAX + 30; n++) {
        memset(xs, 'x', n);
        xs[n] = '\0';
        log_info("%s", xs);
        const char *got = strchr(text_of(receive(fd)), ' ') + 1;
        size_t length = strlen(got);
        assert_true(length <= LOG_LINE_MAX);
        if (n <= LOG_LINE_MAX - 6)
            assert_int_equal(length, n);
        else
            assert_string_equal(got + length - 6, " [cut]");
    }
    memset(xs, '\xff', sizeof xs - 1);
    log_info("%s", xs);
    const char *got = strchr(text_of(receive(fd)), ' ') + 1;
    assert_true(strlen(got) <= LOG_LINE_MAX);
    assert_string_equal(got + strlen(got) - 10, "\\xff [cut]");
    close(fd);
}

/* A syslogd that does not read costs lines, not time; then it is told. */
static void test_syslog_hangs(void **state)
{
    (void)state;
    int fd = listen_syslog();
    log_open_socket("t", path);
    uint64_t before = log_dropped();
    const int lines = 5000;
    for (int i = 0; i < lines; i++)
        log_info("line %d", i);
    uint64_t dropped = log_dropped() - before;
    assert_true(dropped > 0 && dropped < (uint64_t)lines);
    int got = 0;
    while (receive(fd))
        got++;
    assert_int_equal(got, lines - (int)dropped);
    log_info("after");
    char expected[200];
    snprintf(expected, sizeof expected,
             "t[%ld]: warning: %llu lines of this log were lost before this one", (long)getpid(),
             (unsigned long long)dropped);
    assert_string_equal(text_of(receive(fd)), expected);
    assert_non_null(strstr(text_of(receive(fd)), "after"));
    close(fd);
}

static void test_syslog_restarts(void **state)
{
    (void)state;
    int fd = listen_syslog();
    log_open_socket("t", path);
    close(fd);
    log_info("nobody hears this");
    fd = listen_syslog();
    log_info("again");
    assert_non_null(strstr(text_of(receive(fd)), "1 lines of this log were lost"));
    assert_non_null(strstr(text_of(receive(fd)), "again"));
    /* Restarted between two lines: nothing is lost. */
    close(fd);
    fd = listen_syslog();
    log_info("third");
    assert_non_null(strstr(text_of(receive(fd)), "third"));
    close(fd);
}

/* ---- stderr ------------------------------------------------------------- */

static void test_stderr(void **state)
{
    (void)state;
    int pipes[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
    dup2(pipes[1], STDERR_FILENO);
    log_open("mailreeve-test", true);
    log_info("a%d", 1);
    log_warn("b\n");
    log_error("c");
    log_fatal("d");
    /* A pipe that nobody reads. */
    uint64_t before = log_dropped();
    char text[8192];
    ssize_t n = read(pipes[0], text, sizeof text - 1);
    for (int i = 0; i < 5000; i++)
        log_info("%500d", i);
    uint64_t dropped = log_dropped() - before;
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[0]);
    close(pipes[1]);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "mailreeve-test: info: a1\nmailreeve-test: warning: b\\x0a\n"
                              "mailreeve-test: error: c\nmailreeve-test: fatal: d\n");
    assert_true(dropped > 4000);
}

/* Who starts a daemon by hand sees why it ended, wherever the log goes. */
static void test_fatal(void **state)
{
    (void)state;
    int pipes[2], saved = dup(STDERR_FILENO), fd = listen_syslog();
    assert_int_equal(pipe(pipes), 0);
    log_open_socket("t", path);
    log_info("after this all losses of other tests are told");
    while (receive(fd)) {
    }
    dup2(pipes[1], STDERR_FILENO);
    log_fatal("the end");
    dup2(saved, STDERR_FILENO);
    close(saved);
    char text[100];
    ssize_t n = read(pipes[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "t: fatal: the end\n");
    const char *got = receive(fd);
    assert_non_null(got);
    assert_memory_equal(got, "<18>", 4);
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
}

/* ---- limits ------------------------------------------------------------- */

static const struct sipkey key = {1, 2};

static struct addr address(const char *text)
{
    struct addr a;
    addr_parse(str_of(text), &a);
    return a;
}

#define HOUR (3600 * US_PER_S)

static void test_limits(void **state)
{
    (void)state;
    /* One row per call, in order, on one table. suppressed < 0: no line. */
    static const struct {
        int64_t at_s;
        const char *client, *user;
        unsigned finding;
        int suppressed;
    } rows[] = {
        {1000, "192.0.2.17", "bob", 1, 0},
        {1001, "192.0.2.17", "bob", 1, -1},
        {1002, "192.0.2.200", "bob", 1, -1}, /* the same /24 */
        {1003, "192.0.3.17", "bob", 1, 0},   /* another */
        {1004, "192.0.2.17", "bobo", 1, 0},  /* another user */
        {1005, "192.0.2.17", "", 1, 0},
        {1006, "192.0.2.17", "bob", 2, 0}, /* another finding */
        {4599, "192.0.2.17", "bob", 1, -1},
        {4600, "192.0.2.17", "bob", 1, 3}, /* an hour later, with the number */
        {4601, "192.0.2.17", "bob", 1, -1},
        {8199, "192.0.2.17", "bob", 1, -1},
        {90000, "192.0.2.17", "bob", 1, 2},
        {93600, "192.0.2.17", "bob", 1, 0},          /* nothing was left out meanwhile */
        {2000, "2001:db8:1:2::3", "bob", 1, 0},      /* the clock of a row may go back: no harm */
        {2001, "2001:db8:1:2:ffff::", "bob", 1, -1}, /* the same /64 */
        {2002, "2001:db8:1:3::3", "bob", 1, 0},
        {2003, "unknown", "bob", 1, 0},
        {2004, "", "bob", 1, -1},
        {2005, "::ffff:192.0.3.99", "bob", 1, -1}, /* is 192.0.3.99 */
    };
    struct log_limits *l = log_limits_new(&key, 0);
    assert_non_null(l);
    int admitted = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a = address(rows[i].client);
        struct now now = {.mono_us = rows[i].at_s * US_PER_S};
        uint64_t suppressed = 99;
        bool line =
            log_limits_admit(l, &a, str_of(rows[i].user), rows[i].finding, &now, &suppressed);
        if (line != (rows[i].suppressed >= 0) ||
            suppressed != (line ? (uint64_t)rows[i].suppressed : 0))
            fail_msg("row %zu: line %d, suppressed %d", i, line, (int)suppressed);
        admitted += line;
    }
    struct log_limits_stats st;
    log_limits_get(l, &st);
    assert_int_equal(st.admitted, admitted);
    assert_int_equal(st.suppressed, sizeof rows / sizeof *rows - (size_t)admitted);
    assert_int_equal(st.capacity, LOG_LIMITS_DEFAULT);
    assert_int_equal(st.evicted + st.forgotten, 0);
    log_limits_free(l);
    log_limits_free(NULL);
}

/* Full: the one whose line is oldest goes; what it left out is counted. */
static void test_limits_full(void **state)
{
    (void)state;
    enum { CAPACITY = 100, CLIENTS = 1000 };
    struct log_limits *l = log_limits_new(&key, CAPACITY);
    uint64_t n;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct addr a = {.bits = 32, .b = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
        struct now now = {.mono_us = i};
        assert_true(log_limits_admit(l, &a, STR("u"), 1, &now, &n) && n == 0);
        assert_false(log_limits_admit(l, &a, STR("u"), 1, &now, &n));
    }
    struct log_limits_stats st;
    log_limits_get(l, &st);
    assert_int_equal(st.entries, CAPACITY);
    assert_int_equal(st.evicted, CLIENTS - CAPACITY);
    assert_int_equal(st.forgotten, CLIENTS - CAPACITY);
    /* The last hundred are known still, the one before them is not. */
    struct now now = {.mono_us = CLIENTS};
    for (unsigned i = CLIENTS - CAPACITY; i < CLIENTS; i++) {
        struct addr a = {.bits = 32, .b = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
        assert_false(log_limits_admit(l, &a, STR("u"), 1, &now, &n));
    }
    struct addr a = {.bits = 32,
                     .b = {10, (CLIENTS - CAPACITY - 1) >> 8, (CLIENTS - CAPACITY - 1) & 255, 1}};
    assert_true(log_limits_admit(l, &a, STR("u"), 1, &now, &n));
    /* Each hour all of them get their line, with the count. */
    now.mono_us = 2 * HOUR;
    for (unsigned i = CLIENTS - CAPACITY + 1; i < CLIENTS; i++) {
        a = (struct addr){.bits = 32, .b = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
        assert_true(log_limits_admit(l, &a, STR("u"), 1, &now, &n));
        assert_int_equal(n, 2);
    }
    log_limits_free(l);

    l = log_limits_new(&key, 1);
    for (int i = 0; i < 10; i++) {
        a = (struct addr){.bits = 32, .b = {10, 0, (uint8_t)(i % 2), 1}};
        assert_true(log_limits_admit(l, &a, STR("u"), 1, &now, &n));
    }
    log_limits_free(l);
}

/* Against a table without limits, with random calls. */
static void test_limits_model(void **state)
{
    (void)state;
    enum { CLIENTS = 7, USERS = 5, FINDINGS = 3 };
    static struct {
        bool known;
        int64_t said;
        uint64_t suppressed;
    } model[CLIENTS][USERS][FINDINGS];
    struct log_limits *l = log_limits_new(&key, 128);
    srand(4);
    int64_t t = 0;
    for (int i = 0; i < 200000; i++) {
        t += rand() % (60 * US_PER_S);
        int c = rand() % CLIENTS, u = rand() % USERS, f = rand() % FINDINGS;
        struct addr a = {.bits = c % 2 ? 32 : 128, .b = {(uint8_t)c}};
        char user[2] = {(char)('a' + u), 0};
        struct now now = {.mono_us = t};
        uint64_t n;
        bool line = log_limits_admit(l, &a, str_of(user), (unsigned)f, &now, &n);
        bool expected = !model[c][u][f].known || t - model[c][u][f].said >= HOUR;
        assert_int_equal(line, expected);
        if (line) {
            assert_int_equal(n, model[c][u][f].suppressed);
            model[c][u][f].known = true;
            model[c][u][f].said = t;
            model[c][u][f].suppressed = 0;
        } else {
            model[c][u][f].suppressed++;
        }
    }
    log_limits_free(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_syslog),
        TEST(test_sanitised),
        TEST(test_long_line),
        TEST(test_syslog_hangs),
        TEST(test_syslog_restarts),
        TEST(test_stderr),
        TEST(test_fatal),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limits_full),
        cmocka_unit_test(test_limits_model),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
