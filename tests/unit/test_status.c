/* SPDX-License-Identifier: Apache-2.0 */
/* The status file: what a daemon writes and `mailreeve status` reads. */
#include "tests/unit/journal_help.h"

#include <jansson.h>

#include "journal/status_reader.h"

static struct status_report report;

static const struct status_report *read_report(void)
{
    struct err err;
    if (status_read(top, "test", &report, &err) < 0)
        fail_msg("%s", err.text);
    return &report;
}

struct daemon {
    struct journal *journal;
    struct status *status;
};

static struct daemon start_daemon(void)
{
    struct journal_settings s = {.keep_s = 86400, .max_total = 1 << 30};
    snprintf(s.path, sizeof s.path, "%s", top);
    struct err err;
    struct now now = time_now();
    struct daemon d;
    d.journal = journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err);
    if (!d.journal)
        fail_msg("%s", err.text);
    d.status = status_open(d.journal, "test", "1.2.3", &now);
    assert_non_null(d.status);
    assert_int_equal(journal_start(d.journal, &err), 0);
    return d;
}

static void stop_daemon(struct daemon d)
{
    assert_int_equal(journal_stop(d.journal, 20000), 0);
    status_free(d.status);
    journal_free(d.journal);
}

static void test_life(void **state)
{
    (void)state;
    struct daemon d = start_daemon();
    struct now now = time_now();
    struct status_counter counters[] = {{"requests", 17}, {"zero", 0}, {"most", UINT64_MAX}};
    assert_true(read_report()->running && !report.found); /* nothing told yet */
    assert_int_equal(report.pid, getpid());

    status_set_policy(d.status, "/etc/mailreeve/\"x\".yaml", "0123456789abcdef", "enforce");
    status_publish(d.status, &now, counters, 3, false);
    WAIT_UNTIL(read_report()->found);
    assert_true(report.running);
    assert_string_equal(report.program, "test");
    assert_string_equal(report.version, "1.2.3");
    assert_string_equal(report.config, "/etc/mailreeve/\"x\".yaml");
    assert_string_equal(report.policy, "0123456789abcdef");
    assert_string_equal(report.mode, "enforce");
    assert_int_equal(report.reloads, 0);
    assert_int_equal(report.as_of_us, now.wall_us);
    assert_false(report.journal.stalled);

    /* For everyone else it is JSON. */
    json_error_t e;
    json_t *j = json_loadb(report.file, report.file_n, JSON_REJECT_DUPLICATES, &e);
    assert_non_null(j);
    json_t *c = json_object_get(j, "counters");
    assert_int_equal(json_integer_value(json_object_get(c, "requests")), 17);
    assert_int_equal(json_integer_value(json_object_get(c, "most")), INT64_MAX);
    assert_int_equal(json_integer_value(json_object_get(j, "pid")), getpid());
    assert_true(json_is_string(json_object_get(j, "started")));
    json_decref(j);

    status_set_reload(d.status, false, "line 7: unknown key", &now);
    status_publish(d.status, &now, counters, 3, false);
    WAIT_UNTIL(read_report()->reloads == 1);
    assert_false(report.reload_ok);
    assert_string_equal(report.reload_why, "line 7: unknown key");
    status_set_reload(d.status, true, "", &now);
    status_publish(d.status, &now, counters, 3, false);
    WAIT_UNTIL(read_report()->reloads == 2);
    assert_true(report.reload_ok);
    assert_string_equal(report.reload_why, "");

    char path[100];
    struct stat st;
    snprintf(path, sizeof path, "%s/test/status", top);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);

    counters[0].value = 18;
    status_publish(d.status, &now, counters, 3, true);
    stop_daemon(d);
    assert_false(read_report()->running);
    assert_true(report.found); /* the last one stays, with the last numbers */
    assert_non_null(memmem(report.counters.p, report.counters.n, "\"requests\":18", 13));
}

/* Without a change it is not written again until STATUS_IDLE_S have passed. */
static void test_idle(void **state)
{
    (void)state;
    struct daemon d = start_daemon();
    struct now first = time_now(), now = first;
    struct status_counter c = {"requests", 1};
    status_publish(d.status, &now, &c, 1, false);
    WAIT_UNTIL(read_report()->found);
    now.wall_us += US_PER_S;
    now.mono_us += US_PER_S;
    status_publish(d.status, &now, &c, 1, false);
    assert_int_equal(atomic_load(&d.journal->requests), 0);
    now.mono_us += STATUS_IDLE_S * US_PER_S;
    now.wall_us += STATUS_IDLE_S * US_PER_S;
    status_publish(d.status, &now, &c, 1, false);
    WAIT_UNTIL(read_report()->as_of_us == now.wall_us);
    stop_daemon(d);
}

static void test_many_counters(void **state)
{
    (void)state;
    enum { MANY = STATUS_COUNTERS_MAX + 7 };
    static char names[MANY][500];
    static struct status_counter c[MANY];
    struct daemon d = start_daemon();
    struct now now = time_now();
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%0480d", i);
        c[i] = (struct status_counter){names[i], 1};
    }
    status_publish(d.status, &now, c, MANY, false);
    WAIT_UNTIL(read_report()->found);
    json_error_t e;
    json_t *j = json_loadb(report.file, report.file_n, JSON_REJECT_DUPLICATES, &e);
    assert_non_null(j);
    json_int_t there = (json_int_t)json_object_size(json_object_get(j, "counters"));
    assert_true(there > 40 && there < STATUS_COUNTERS_MAX);
    assert_int_equal(json_integer_value(json_object_get(j, "counters_omitted")), MANY - there);
    json_decref(j);
    stop_daemon(d);
}

static void test_reader(void **state)
{
    (void)state;
    struct err err;
    char programs[STATUS_PROGRAMS_MAX][64], path[100];
    assert_int_equal(status_programs(top, programs, &err), 0);
    stop_daemon(start_daemon());
    snprintf(path, sizeof path, "%s/no-journal", top);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/secret", top);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(status_programs(top, programs, &err), 1);
    assert_string_equal(programs[0], "test");
    assert_false(read_report()->running || report.found);
    assert_int_equal(report.pid, 0);

    static const char *const damaged[] = {"", "{", "[]", "{\"pid\":1}x",
                                          "{\"journal\":{\"lost\":}}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        snprintf(path, sizeof path, "%s/test/status", top);
        int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
        assert_int_equal(write(fd, damaged[i], strlen(damaged[i])), strlen(damaged[i]));
        close(fd);
        assert_int_equal(status_read(top, "test", &report, &err), -1);
        assert_non_null(strstr(err.text, "/test/status is damaged"));
    }
    /* Unknown names, and values of another kind, are passed over. */
    static const char odd[] = "{\"pid\":\"x\",\"new\":[1,{}],\"mode\":7,\"version\":\"9\"}";
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_int_equal(write(fd, odd, sizeof odd - 1), sizeof odd - 1);
    close(fd);
    assert_string_equal(read_report()->version, "9");
    assert_string_equal(report.mode, "");

    assert_int_equal(status_read(top, "nobody", &report, &err), -1);
    assert_int_equal(status_programs("/nowhere", programs, &err), 0);
    assert_int_equal(status_programs("/proc/self/status", programs, &err), -1);
    assert_string_equal(err.text, "cannot read /proc/self/status: Not a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life),
        TEST(test_idle),
        TEST(test_many_counters),
        TEST(test_reader),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
