/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: lines, segments, their size and age. */
#include "tests/unit/journal_help.h"

/* ---- lines -------------------------------------------------------------- */

static void test_line(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    struct now now = {INT64_C(1795231234567891), 98765432109};
    struct jline l;
    struct str list[] = {STR("tls-required"), STR("auth\"required")};
    journal_begin(j, &l, &now, "decision", UINT64_C(0x00c0ffee12345678));
    jline_str(&l, "client_address", STR("192.0.2.17"));
    jline_str(&l, "helo_name", STR("caf\xe9\n"));
    jline_str_if(&l, "sender", STR(""));
    jline_u64(&l, "client_port", 51234);
    jline_u64(&l, "zero", 0);
    jline_u64(&l, "most", UINT64_MAX);
    jline_bool(&l, "yes", true);
    jline_bool(&l, "no", false);
    jline_strs(&l, "findings", list, 2);
    jline_strs(&l, "none", NULL, 0);
    journal_commit(j, &l);

    struct str text = ring_text(j);
    const char *head = "{\"v\":1,\"ts\":\"2026-11-21T03:20:34.567891Z\",\"mono\":98765432109,"
                       "\"host\":\"";
    assert_true(text.n > strlen(head) && memcmp(text.p, head, strlen(head)) == 0);
    const char *tail = ",\"seq\":1,\"event\":\"decision\",\"key\":\"00c0ffee12345678\","
                       "\"client_address\":\"192.0.2.17\",\"helo_name\":\"caf\\uefe9\\n\","
                       "\"client_port\":51234,\"zero\":0,\"most\":9223372036854775807,"
                       "\"yes\":true,\"no\":false,\"findings\":[\"tls-required\","
                       "\"auth\\\"required\"],\"none\":[]}\n";
    assert_true(text.n > strlen(tail));
    assert_memory_equal(text.p + text.n - strlen(tail), tail, strlen(tail));
    assert_field(text, "src", "test");
    assert_int_equal(field_of(text, "boot").n > 14, 1);

    /* The second changes, and goes back; six digits always. */
    static const struct {
        int64_t wall_us;
        const char *ts, *seq;
    } times[] = {{INT64_C(1795231235000000), "2026-11-21T03:20:35.000000Z", "2"},
                 {INT64_C(1795231234000007), "2026-11-21T03:20:34.000007Z", "3"},
                 {INT64_C(1798761600000000), "2027-01-01T00:00:00.000000Z", "4"},
                 {0, "1970-01-01T00:00:00.000000Z", "5"}};
    for (int i = 0; i < 4; i++) {
        now.wall_us = times[i].wall_us;
        journal_begin(j, &l, &now, "stop", 0);
        journal_commit(j, &l);
        text = ring_text(j);
        assert_field(text, "ts", times[i].ts);
        assert_field(text, "key", "null");
        assert_field(text, "seq", times[i].seq);
    }
    journal_free(j);
}

/* Values of every length around the limit: whole, or null and told. */
static void test_oversized(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    struct now now = time_now();
    static char xs[2 * JOURNAL_LINE_MAX];
    memset(xs, 'x', sizeof xs);
    int whole = 0, null = 0;
    for (size_t n = 2500; n < 4500; n += n < 3200 ? 1 : 100) {
        struct jline l;
        journal_begin(j, &l, &now, "decision", 1);
        jline_str(&l, "before", STR("b"));
        jline_str(&l, "long", (struct str){xs, n});
        jline_str(&l, "after", STR("a"));
        journal_commit(j, &l);
        struct str text = ring_text(j), value = field_of(text, "long");
        assert_true(text.n <= JOURNAL_LINE_MAX);
        assert_field(text, "before", "b");
        if (str_eq(value, STR("null"))) {
            assert_field(text, "oversized", "\"long\"");
            assert_field(text, "after", "a");
            null++;
        } else {
            assert_int_equal(value.n, n);
            whole++;
        }
    }
    assert_true(whole > 100 && null > 100);

    /* Bytes that are spelled with six: they count as what they take. */
    struct jline l;
    struct str many[] = {{xs, 100}, {xs, 4000}};
    memset(xs, 0xff, sizeof xs);
    journal_begin(j, &l, &now, "decision", 1);
    jline_str(&l, "fits", (struct str){xs, 400});
    jline_str(&l, "does_not", (struct str){xs, 400});
    jline_strs(&l, "list", many, 2);
    journal_commit(j, &l);
    struct str text = ring_text(j);
    assert_int_equal(field_of(text, "fits").n, 2400);
    assert_field(text, "does_not", "null");
    assert_field(text, "list", "null");
    assert_field(text, "oversized", "\"does_not\",\"list\"");

    /* More of them than can be named. */
    static char names[40][64], filler[2700];
    memset(filler, 'x', sizeof filler);
    journal_begin(j, &l, &now, "decision", 1);
    jline_str(&l, "filler", (struct str){filler, sizeof filler});
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "a_name_that_is_as_long_as_they_get_%04d", i);
        jline_str(&l, names[i], (struct str){xs, 4000});
    }
    journal_commit(j, &l);
    text = ring_text(j);
    assert_true(text.n <= JOURNAL_LINE_MAX);
    assert_field(text, names[0], "null");
    assert_field(text, "oversized_more", "true");
    struct str rest = field_of(text, "oversized"), raw;
    int count = 0;
    while (json_next_string(&rest, &raw))
        count++;
    assert_true(count > 4 && count < JOURNAL_OVERSIZED_MAX);
    journal_free(j);
}

static void test_off(void **state)
{
    (void)state;
    struct journal_settings s = {.keep_s = 1};
    struct journal *j = open_journal(&s);
    start(j);
    put(j, 1, 300);
    struct now now = time_now();
    assert_int_equal(journal_tick(j, &now), JOURNAL_SAME);
    assert_false(state_of(j).on);
    assert_int_equal(journal_stop(j, 1000), 0);
    journal_free(j);
    journal_free(NULL);
}

/* ---- files -------------------------------------------------------------- */

static void test_write_and_read(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    snprintf(s.path, sizeof s.path, "%s/journal", top);
    struct journal *j = open_journal(&s);
    put(j, 1, 0); /* before the thread is there */
    start(j);
    for (int i = 2; i <= 5000; i++)
        put(j, i, 300);
    WAIT_UNTIL(state_of(j).lines == 5000); /* nobody asked for it: within milliseconds */
    put(j, 5001, 300);
    WAIT_UNTIL(state_of(j).lines == 5001); /* the thread had gone to sleep, perhaps */
    struct journal_state st = state_of(j);
    assert_true(st.on && !st.stalled && st.lost == 0 && st.ring_used == 0 && st.segments == 1);
    assert_true(st.last_write_mono_us > 0 && segment_number(st.segment) == 1);
    stop(j);
    struct tally t = tally("decision", "number");
    assert_int_equal(t.count, 5001);
    assert_int_equal(t.sum, 5001 * 5002 / 2);
    assert_int_equal(t.stats.bad + t.stats.missing + t.stats.unfinished + t.stats.repeated, 0);
    assert_int_equal(t.stats.bytes, st.bytes);

    char path[300];
    struct stat stat_;
    snprintf(path, sizeof path, "%s/journal/test", top);
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 07777, 02750);
    snprintf(path, sizeof path, "%s/journal/test/%s", top, st.segment);
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 07777, 0640);
}

/* After a restart: another segment, a higher number, another boot. */
static void test_restart(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    for (int i = 1; i <= 3; i++) {
        struct journal *j = open_journal(&s);
        start(j);
        put(j, i, 300);
        stop(j);
    }
    char names[8][64];
    assert_int_equal(segments(names, 8), 3);
    struct tally t = tally("decision", "number");
    assert_int_equal(t.count, 3);
    assert_int_equal(t.stats.repeated, 0); /* seq 1 three times, each of another boot */
}

static void test_one_writer(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    struct err err;
    char expected[80];
    snprintf(expected, sizeof expected, "another test writes this journal already: pid %ld",
             (long)getpid());
    assert_null(journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err));
    assert_string_equal(err.text, expected);
    pid_t child = fork();
    if (child == 0) {
        err.text[0] = '\0';
        _exit(journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err) == NULL &&
                      strcmp(err.text, expected) == 0
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* Another program is another writer. */
    struct journal *other = journal_open(&s, "other", (uid_t)-1, (gid_t)-1, &err);
    assert_non_null(other);
    journal_free(other);
    journal_free(j);
    j = open_journal(&s); /* the lock is gone with its holder */
    journal_free(j);
}

static void test_cannot_open(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    struct err err;
    snprintf(s.path, sizeof s.path, "relative");
    assert_null(journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err));
    assert_string_equal(err.text, "the journal's path \"relative\" does not begin with /");
    snprintf(s.path, sizeof s.path, "/proc/self/status");
    assert_null(journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err));
    assert_string_equal(err.text, "cannot open the directory /proc/self/status: Not a directory");
    snprintf(s.path, sizeof s.path, "/proc/mailreeve");
    assert_null(journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err));
    assert_string_equal(err.text,
                        "cannot make the directory /proc/mailreeve: No such file or directory");
}

static void test_reconfigure(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    struct err err;
    s.keep_s = 1;
    s.max_total = 4711;
    assert_int_equal(journal_reconfigure(j, &s, &err), 0);
    assert_int_equal(atomic_load(&j->limits.max_total), 4711);
    snprintf(s.path, sizeof s.path, "/elsewhere");
    s.max_total = 1;
    assert_int_equal(journal_reconfigure(j, &s, &err), -1);
    assert_string_equal(err.text, "a new journal path needs a restart");
    assert_int_equal(atomic_load(&j->limits.max_total), 4711);
    journal_free(j);
}

static void test_names(void **state)
{
    (void)state;
    char text[64];
    struct buf b = BUF(text);
    segment_name(&b, INT64_C(1795230900), 17);
    assert_string_equal(buf_cstr(&b), "20261121T031500Z-17.jsonl");
    assert_int_equal(segment_number("20261121T031500Z-17.jsonl"), 17);
    static const char *const others[] = {"lock",
                                         "status",
                                         "20261121T031500Z-17.jsonl.gz",
                                         "20261121T031500Z-.jsonl",
                                         "20261121T031500Z-1x.jsonl",
                                         "20261121T0315Z-1.jsonl",
                                         "20261121T031500Z-0.jsonl",
                                         "x20261121T031500Z-1.jsonl",
                                         "",
                                         "20261121T031500Z-99999999999999999999.jsonl"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(segment_number(others[i]), 0);
}

/* ---- size and age ------------------------------------------------------- */

static void test_size_and_total(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    s.max_total = 800 * 1000; /* so a segment is at most 100,000 */
    struct journal *j = open_journal(&s);
    start(j);
    const int lines = 4000; /* of 500: 2 MB */
    for (int i = 1; i <= lines; i++) {
        put(j, i, 500);
        if (i % 50 == 0)
            WAIT_UNTIL(state_of(j).lines == (uint64_t)i);
    }
    stop(j);
    char names[32][64];
    int n = segments(names, 32);
    uint64_t total = 0;
    for (int i = 0; i < n; i++) {
        char path[300];
        struct stat st;
        snprintf(path, sizeof path, "%s/journal/test/%.63s", top, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size <= 100 * 1000);
        total += (uint64_t)st.st_size;
    }
    assert_true(n >= 7 && n <= 9);
    assert_true(total <= s.max_total);
    struct tally t = tally("decision", "number");
    assert_int_equal(t.stats.missing + t.stats.bad, 0); /* the oldest went, no hole is left */
    /* The youngest are there: the last number is the last written. */
    int64_t first = lines - (int64_t)t.count + 1;
    assert_int_equal(t.sum, (first + lines) * (int64_t)t.count / 2);
}

static void test_day_and_age(void **state)
{
    (void)state;
    reset_fake();
    struct journal_settings s = settings();
    s.keep_s = 3 * 86400;
    struct journal *j = open_journal(&s);
    journal_set_io(j, &fake_io);
    start(j);
    put(j, 1, 300);
    WAIT_UNTIL(state_of(j).lines == 1);
    put(j, 2, 300);
    WAIT_UNTIL(state_of(j).lines == 2);
    assert_int_equal(state_of(j).segments, 1);
    fake.clock_shift_us = 86400 * US_PER_S;
    put(j, 3, 300);
    WAIT_UNTIL(state_of(j).lines == 3);
    assert_int_equal(state_of(j).segments, 2);
    char names[8][64];
    assert_int_equal(segments(names, 8), 2);
    /* Four days later the files of today and "tomorrow" (both were written
     * today, as the file system sees it) are too old; the check comes with the tick. */
    fake.clock_shift_us = 4 * 86400 * US_PER_S;
    struct now now = time_now();
    journal_tick(j, &now);
    WAIT_UNTIL(segments(names, 8) == 0);
    put(j, 4, 300);
    WAIT_UNTIL(state_of(j).lines == 4);
    assert_int_equal(segments(names, 8), 1);
    assert_int_equal(segment_number(names[0]), 3);
    /* The clock goes back: the order of segments is that of their numbers. */
    fake.clock_shift_us = 86400 * US_PER_S;
    put(j, 5, 300);
    WAIT_UNTIL(state_of(j).lines == 5);
    stop(j);
    assert_int_equal(segments(names, 8), 2);
    assert_int_equal(segment_number(names[0]), 4); /* by name it comes first */
    assert_int_equal(tally("decision", "number").stats.repeated, 0);
}

/* Somebody deleted the segment: the next lines go where they can be found. */
static void test_deleted_segment(void **state)
{
    (void)state;
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    start(j);
    put(j, 1, 300);
    WAIT_UNTIL(state_of(j).lines == 1);
    char path[300];
    snprintf(path, sizeof path, "%s/journal/test/%s", top, state_of(j).segment);
    assert_int_equal(unlink(path), 0);
    for (int i = 2; state_of(j).segments == 1; i++) {
        put(j, i, 300);
        WAIT_UNTIL(state_of(j).lines == (uint64_t)i);
    }
    stop(j);
    assert_true(tally("decision", "number").count >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_line),           TEST(test_oversized),   TEST(test_off),
        TEST(test_write_and_read), TEST(test_restart),     TEST(test_one_writer),
        TEST(test_cannot_open),    TEST(test_reconfigure), TEST(test_names),
        TEST(test_size_and_total), TEST(test_day_and_age), TEST(test_deleted_segment),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
