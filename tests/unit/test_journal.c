/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: lines, segments, losses, disks that are full or frozen, and
 * reading it all back. The system's write, free space and clock are replaced
 * where a test needs them; it waits for conditions, never for a time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/journal_internal.h"
#include "journal/journal_reader.h"
#include "journal/json.h"

/* ---- help --------------------------------------------------------------- */

static char top[64]; /* a directory for each test */

static int set_up(void **state)
{
    (void)state;
    snprintf(top, sizeof top, "/tmp/mailreeve-journal-XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct now time_now(void)
{
    struct now n;
    journal_system_io.now(&n);
    return n;
}

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int64_t end = time_now().mono_us + 20 * US_PER_S;                                          \
        while (!(condition)) {                                                                     \
            if (time_now().mono_us > end)                                                          \
                fail_msg("waited 20 s for: %s", #condition);                                       \
            sched_yield();                                                                         \
        }                                                                                          \
    } while (0)

static struct journal_settings settings(void)
{
    struct journal_settings s = {.keep_s = 7 * 86400, .max_total = UINT64_C(1) << 30};
    snprintf(s.path, sizeof s.path, "%s/journal", top);
    return s;
}

static struct journal *open_journal(const struct journal_settings *s)
{
    struct err err;
    struct journal *j = journal_open(s, "test", (uid_t)-1, (gid_t)-1, &err);
    if (!j)
        fail_msg("%s", err.text);
    return j;
}

static void start(struct journal *j)
{
    struct err err;
    if (journal_start(j, &err) < 0)
        fail_msg("%s", err.text);
}

/* A line with a number in it, padded to about `size` bytes. */
static void put(struct journal *j, int64_t number, size_t size)
{
    static char xs[JOURNAL_LINE_MAX];
    memset(xs, 'x', sizeof xs);
    struct now now = time_now();
    struct jline l;
    journal_begin(j, &l, &now, "decision", 0);
    jline_u64(&l, "number", (uint64_t)number);
    jline_str_if(&l, "padding", (struct str){xs, size > 250 ? size - 250 : 0});
    journal_commit(j, &l);
}

static struct journal_state state_of(const struct journal *j)
{
    struct now now = time_now();
    struct journal_state st;
    journal_get_state(j, &now, &st);
    return st;
}

static void stop(struct journal *j)
{
    assert_int_equal(journal_stop(j, 20000), 0);
    journal_free(j);
}

/* Reads everything: how many lines of that event, the sum of their `field`. */
struct tally {
    uint64_t lines, count;
    int64_t sum;
    struct journal_reader_stats stats;
};

static struct tally tally(const char *event, const char *field)
{
    struct tally t = {0};
    struct journal_settings s = settings();
    struct err err;
    struct journal_reader *r = journal_reader_open(s.path, NULL, &err);
    if (!r)
        fail_msg("%s", err.text);
    struct journal_line line;
    while (journal_reader_next(r, &line)) {
        t.lines++;
        if (!str_eq(line.event, str_of(event)))
            continue;
        t.count++;
        struct json_scan scan;
        struct json_item item;
        json_scan_init(&scan, line.text);
        while (json_next(&scan, &item) == JSON_ITEM)
            if (str_eq(item.name, str_of(field)) && item.kind == JSON_IS_INTEGER)
                t.sum += item.integer;
    }
    t.stats = *journal_reader_get(r);
    journal_reader_free(r);
    return t;
}

static int segments(char names[][64], int max)
{
    char path[300];
    snprintf(path, sizeof path, "%s/journal/test", top);
    struct dirent **list;
    int n = scandir(path, &list, NULL, alphasort), count = 0;
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        if (segment_number(list[i]->d_name) && count < max)
            snprintf(names[count++], 64, "%.63s", list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return count;
}

/* The text of one line that is never written: what is in the ring. */
static struct str ring_text(struct journal *j)
{
    const char *p;
    size_t n = ring_peek(&j->ring, atomic_load(&j->ring.head), &p);
    ring_consume(&j->ring, n);
    return (struct str){p, n};
}

static struct str field_of(struct str text, const char *name)
{
    struct json_scan s;
    struct json_item item;
    json_scan_init(&s, text);
    while (json_next(&s, &item) == JSON_ITEM)
        if (str_eq(item.name, str_of(name)))
            return item.raw;
    return (struct str){NULL, 0};
}

#define assert_field(text, name, expected)                                                         \
    assert_true(str_eq(field_of((text), (name)), str_of(expected)))

/* ---- the system, replaced ----------------------------------------------- */

static struct {
    sem_t gate; /* write() waits for it while `frozen` */
    atomic_bool frozen, waiting;
    atomic_long room;   /* bytes that writes may still take; -1: any */
    atomic_int failure; /* errno when there is no room left */
    _Atomic uint64_t free_space;
    _Atomic int64_t clock_shift_us; /* of the wall clock */
} fake;

static ssize_t fake_write(int fd, const void *p, size_t n)
{
    if (atomic_load(&fake.frozen)) {
        atomic_store(&fake.waiting, true);
        while (sem_wait(&fake.gate) < 0) {
        }
        atomic_store(&fake.waiting, false);
    }
    long room = atomic_load(&fake.room);
    if (room >= 0) {
        if (room == 0) {
            errno = atomic_load(&fake.failure);
            return -1;
        }
        if (n > (size_t)room)
            n = (size_t)room;
        atomic_fetch_sub(&fake.room, (long)n);
    }
    return write(fd, p, n);
}

static int fake_space(int fd, uint64_t *ret_free, uint64_t *ret_total)
{
    (void)fd;
    *ret_free = atomic_load(&fake.free_space);
    *ret_total = 100 * 1000 * 1000;
    return 0;
}

static void fake_now(struct now *ret)
{
    journal_system_io.now(ret);
    ret->wall_us += atomic_load(&fake.clock_shift_us);
}

static const struct journal_io fake_io = {fake_write, fake_space, fake_now};

static void reset_fake(void)
{
    sem_init(&fake.gate, 0, 0);
    fake.frozen = fake.waiting = false;
    fake.room = -1;
    fake.failure = ENOSPC;
    fake.free_space = 100 * 1000 * 1000;
    fake.clock_shift_us = 0;
}

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

/* ---- disks -------------------------------------------------------------- */

static void test_frozen(void **state)
{
    (void)state;
    reset_fake();
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    journal_set_io(j, &fake_io);
    start(j);
    fake.frozen = true;
    put(j, 0, 300);
    WAIT_UNTIL(fake.waiting);
    /* The loop thread goes on, far beyond what the ring holds. */
    const int lines = 50000;
    int64_t longest = 0;
    for (int i = 1; i <= lines; i++) {
        int64_t before = time_now().mono_us;
        put(j, i, 400);
        int64_t took = time_now().mono_us - before;
        longest = took > longest ? took : longest;
    }
    struct journal_state st = state_of(j);
    assert_true(st.lost > 30000 && st.lost < (uint64_t)lines);
    assert_true(st.ring_used <= st.ring_size && st.ring_used > st.ring_size - 3 * JOURNAL_LINE_MAX);
    print_message("# frozen disk: the slowest of %d lines took %lld us\n", lines,
                  (long long)longest);
    /* It is said once, when a second has passed without an answer of the disk. */
    struct now later = time_now();
    later.mono_us += 2 * US_PER_S;
    assert_int_equal(journal_tick(j, &later), JOURNAL_STALLED);
    assert_int_equal(journal_tick(j, &later), JOURNAL_SAME);
    journal_get_state(j, &later, &st);
    assert_true(st.stalled && strncmp(st.why, "the disk has not answered for 2 s", 30) == 0);

    fake.frozen = false;
    sem_post(&fake.gate);
    WAIT_UNTIL(state_of(j).ring_used == 0);
    struct now now = time_now();
    assert_int_equal(journal_tick(j, &now), JOURNAL_RESUMED);
    put(j, 1, 300);
    st = state_of(j);
    stop(j);
    struct tally lost = tally("lost", "count"), t = tally("decision", "number");
    assert_int_equal(lost.count, 1); /* by the tick */
    assert_int_equal(lost.sum, st.lost);
    assert_int_equal(t.stats.missing, st.lost); /* and as a gap in seq */
    assert_int_equal(t.count, (uint64_t)lines + 2 - st.lost);
}

/* The ring fills, empties a little, fills: each gap is told, the sums agree. */
static void test_losses_add_up(void **state)
{
    (void)state;
    reset_fake();
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    journal_set_io(j, &fake_io);
    start(j);
    fake.frozen = true;
    uint64_t put_lines = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3000; i++)
            put(j, 1, 1500), put_lines++;
        if (round == 0)
            WAIT_UNTIL(fake.waiting);
        sem_post(&fake.gate);
    }
    fake.frozen = false;
    sem_post(&fake.gate);
    WAIT_UNTIL(state_of(j).ring_used == 0);
    struct now now = time_now();
    journal_tick(j, &now);
    uint64_t lost = state_of(j).lost;
    stop(j);
    struct tally told = tally("lost", "count"), t = tally("decision", "number");
    assert_true(lost > 0);
    assert_true(told.count > 1); /* not only by the tick: also before the next line */
    assert_int_equal(told.sum, lost);
    assert_int_equal(t.stats.missing, lost);
    assert_int_equal(t.count, put_lines - lost);
    assert_int_equal(t.stats.bad, 0);
}

static void test_stop_frozen(void **state)
{
    (void)state;
    reset_fake();
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    journal_set_io(j, &fake_io);
    start(j);
    fake.frozen = true;
    put(j, 0, 300);
    WAIT_UNTIL(fake.waiting);
    put(j, 1, 300);
    put(j, 2, 300);
    int64_t before = time_now().mono_us;
    assert_int_equal(journal_stop(j, 50), 3);
    int64_t took = time_now().mono_us - before;
    assert_true(took >= 50 * 1000 && took < 10 * US_PER_S);
    /* Not journal_free(): the thread still needs it, and shall end before the test does. */
    fake.frozen = false;
    sem_post(&fake.gate);
    sem_wait(&j->done);
    j->abandoned = false;
    journal_free(j);
}

static void fail_and_recover(int why, const char *text)
{
    reset_fake();
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    journal_set_io(j, &fake_io);
    fake.failure = why;
    fake.room = 10000; /* ends in the middle of a line */
    for (int i = 1; i <= 100; i++)
        put(j, i, 400);
    start(j);
    WAIT_UNTIL(state_of(j).stalled && state_of(j).lines);
    struct journal_state st = state_of(j);
    assert_string_equal(st.why, text);
    assert_int_equal(st.last_errno, why);
    assert_true(st.lines >= 20 && st.lines <= 30 && st.bytes <= 10000);
    struct now now = time_now();
    assert_int_equal(journal_tick(j, &now), JOURNAL_STALLED);
    /* Half a line is not left behind. */
    struct tally t = tally("decision", "number");
    assert_int_equal(t.count, st.lines);
    assert_int_equal(t.stats.unfinished + t.stats.bad, 0);
    for (int i = 101; i <= 200; i++)
        put(j, i, 400); /* they wait in the ring */
    fake.room = -1;
    WAIT_UNTIL(!state_of(j).stalled);
    now = time_now();
    assert_int_equal(journal_tick(j, &now), JOURNAL_RESUMED);
    stop(j);
    t = tally("decision", "number");
    assert_int_equal(t.count, 200);
    assert_int_equal(t.sum, 200 * 201 / 2);
    assert_int_equal(t.stats.unfinished + t.stats.bad + t.stats.missing, 0);
}

static void test_enospc(void **state)
{
    (void)state;
    fail_and_recover(ENOSPC, "cannot write: No space left on device");
}

static void test_eio(void **state)
{
    (void)state;
    fail_and_recover(EIO, "cannot write: Input/output error");
}

static void test_stop_on_full_disk(void **state)
{
    (void)state;
    reset_fake();
    struct journal_settings s = settings();
    struct journal *j = open_journal(&s);
    journal_set_io(j, &fake_io);
    fake.room = 0;
    start(j);
    for (int i = 0; i < 7; i++)
        put(j, i, 300);
    assert_int_equal(journal_stop(j, 20000), 7); /* at once: it does not wait for a miracle */
    journal_free(j);
}

static void test_min_free(void **state)
{
    (void)state;
    reset_fake();
    struct journal_settings s = settings();
    s.min_free = 10;
    s.min_free_is_percent = true; /* of 100 MB */
    fake.free_space = 9999999;
    struct journal *j = open_journal(&s);
    journal_set_io(j, &fake_io);
    start(j);
    put(j, 1, 300);
    WAIT_UNTIL(state_of(j).stalled);
    assert_string_equal(state_of(j).why, "less free disk space than journal.min_free");
    char names[2][64];
    assert_int_equal(segments(names, 2), 0);
    fake.free_space = 10000000;
    WAIT_UNTIL(state_of(j).lines == 1);
    assert_false(state_of(j).stalled);
    stop(j);
}

/* A real file system that is full. */
static void on_small_tmpfs(void)
{
    char path[100], filler[64 * 1024];
    snprintf(path, sizeof path, "%s/journal", top);
    /* In a chroot "/" may not be a mount point (EINVAL); what we mount is taken away again. */
    if (mkdir(path, 0755) < 0 || unshare(CLONE_NEWNS) < 0 ||
        (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 && errno != EINVAL) ||
        mount("tmpfs", path, "tmpfs", 0, "size=256k") < 0)
        _exit(77);
    struct journal_settings s = settings();
    struct err err;
    struct journal *j = journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err);
    if (!j || journal_start(j, &err) < 0)
        _exit(2);
    snprintf(path, sizeof path, "%s/journal/filler", top);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    memset(filler, 0, sizeof filler);
    if (fd < 0 || write(fd, filler, sizeof filler) < 0 || write(fd, filler, sizeof filler) < 0)
        _exit(3);
    for (int i = 1; i <= 1000; i++)
        put(j, i, 400);
    int64_t end = time_now().mono_us + 20 * US_PER_S;
    while (!state_of(j).stalled && time_now().mono_us < end)
        sched_yield();
    if (state_of(j).last_errno != ENOSPC)
        _exit(4);
    unlink(path);
    close(fd);
    if (journal_stop(j, 20000) == 0)
        _exit(5); /* some 340 kB do not fit 256 kB */
    struct tally t = tally("decision", "number");
    snprintf(path, sizeof path, "%s/journal", top);
    umount2(path, MNT_DETACH);
    _exit(t.count > 600 && t.count < 900 && t.stats.bad + t.stats.unfinished == 0 &&
                  t.sum == (int64_t)(t.count * (t.count + 1) / 2)
              ? 0
              : 6);
}

static void test_full_tmpfs(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        on_small_tmpfs();
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* not root, or no mount namespaces here */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* SIGKILL at any moment: what is older than some milliseconds is in the file. */
static void test_kill(void **state)
{
    (void)state;
    enum { LINES = 1000000 };
    struct shared {
        _Atomic int64_t count, when[LINES + 1];
    } *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        struct journal_settings s = settings();
        struct err err;
        struct journal *j = journal_open(&s, "test", (uid_t)-1, (gid_t)-1, &err);
        if (!j || journal_start(j, &err) < 0)
            _exit(1);
        for (int i = 1; i <= LINES; i++) {
            put(j, i, 300);
            atomic_store(&shared->when[i], time_now().mono_us);
            atomic_store(&shared->count, i);
            if (i % 100 == 0) {
                int64_t pause = time_now().mono_us + 1000; /* some 100,000 lines a second */
                while (time_now().mono_us < pause)
                    sched_yield();
            }
        }
        _exit(1);
    }
    WAIT_UNTIL(atomic_load(&shared->count) > 20000);
    int64_t killed = time_now().mono_us;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct tally t = tally("decision", "number");
    int64_t count = atomic_load(&shared->count);
    int64_t oldest_lost = (int64_t)t.count < count ? killed - shared->when[t.count + 1] : 0;
    print_message("# killed: the oldest of %lld lost lines was written %lld us before\n",
                  (long long)(count - (int64_t)t.count), (long long)oldest_lost);
    assert_true(t.count > 10000);
    /* 10 ms by design; a loaded test machine may let the thread wait for a CPU. */
    assert_true(oldest_lost < 200 * 1000);
    assert_int_equal(t.stats.bad + t.stats.missing, 0);
    munmap(shared, sizeof *shared);
}

/* ---- ring --------------------------------------------------------------- */

enum { RING_LINES = 300000 };

static unsigned line_length(unsigned i)
{
    return 2 + i * 2654435761u % 700 % (i % 7 ? 60 : 700);
}

static void *produce(void *ring)
{
    struct ring *r = ring;
    for (unsigned i = 0; i < RING_LINES; i++) {
        char *p;
        while (!(p = ring_reserve(r, 1024)))
            sched_yield();
        unsigned n = line_length(i);
        memset(p, 'a' + (int)(i % 26), n - 1);
        p[n - 1] = '\n';
        ring_commit(r, n);
    }
    return NULL;
}

/* Everything comes out once, whole and in order. For the thread sanitizer, too. */
static void test_ring(void **state)
{
    (void)state;
    struct ring *r = aligned_alloc(CACHE_LINE, sizeof *r);
    assert_int_equal(ring_init(r, 16384), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
    for (unsigned i = 0; i < RING_LINES;) {
        const char *p;
        size_t n = ring_peek(r, atomic_load_explicit(&r->head, memory_order_acquire), &p), done = 0;
        if (n == 0)
            sched_yield();
        while (done < n) {
            unsigned length = line_length(i);
            if (p[done] != (char)('a' + i % 26) || p[done + length - 1] != '\n')
                fail_msg("line %u is damaged", i);
            done += length;
            i++;
        }
        assert_int_equal(done, n);
        ring_consume(r, n);
    }
    pthread_join(thread, NULL);
    assert_int_equal(ring_count_lines(r), 0);
    ring_free(r);
    free(r);
}

/* Lines that fill what was reserved, up to the last byte of the memory. */
static void test_ring_edges(void **state)
{
    (void)state;
    struct ring *r = aligned_alloc(CACHE_LINE, sizeof *r);
    assert_int_equal(ring_init(r, 8192), 0);
    static const unsigned sizes[] = {1024, 1000, 1, 1023, 2048, 4095, 4096, 7};
    for (unsigned i = 0, size = 0; i < 20000; i++, size = (size + 1 + i / 100) % 8) {
        unsigned n = sizes[size], lines = 1 + i % 3;
        for (unsigned k = 0; k < lines; k++) {
            char *p = ring_reserve(r, n);
            if (!p) {
                lines = k;
                break;
            }
            memset(p, 'a' + (int)((i + k) % 26), n);
            ring_commit(r, n);
        }
        assert_true(lines > 0);
        const char *p;
        size_t got;
        unsigned at = 0;
        while ((got = ring_peek(r, atomic_load(&r->head), &p)) > 0) {
            for (size_t b = 0; b < got; b++, at++)
                if (p[b] != (char)('a' + (i + at / n) % 26))
                    fail_msg("round %u: byte %u is damaged", i, at);
            ring_consume(r, got);
        }
        assert_int_equal(at, lines * n);
    }
    ring_free(r);
    free(r);
}

/* ---- reading ------------------------------------------------------------ */

static void write_file(const char *program, const char *name, const char *text, size_t n)
{
    char path[300];
    snprintf(path, sizeof path, "%s/journal", top);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/journal/%s", top, program);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/journal/%s/%s", top, program, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

#define LINE(boot, seq, rest)                                                                      \
    "{\"v\":1,\"src\":\"p\",\"boot\":\"" boot "\",\"event\":\"e\",\"seq\":" #seq rest "}\n"

static void test_reader(void **state)
{
    (void)state;
    static const char first[] = LINE("A", 5, "") /* begins in the middle: nothing is missing */
        LINE("A", 6, ",\"new\":{\"x\":[1.5]},\"newer\":1e9") "\n"         /* bad: empty */
                                                             "not json\n" /* bad */
        LINE("A", 6, "")                                                  /* repeated */
        LINE("A", 9,
             ",\"key\":\"00ff\",\"ts\":\"T\",\"mono\":7,\"host\":\"h\\u00e9\"") "{\"v\":2,\"src\":"
                                                                                "\"p\",\"boot\":"
                                                                                "\"A\",\"event\":"
                                                                                "\"e\",\"seq\":10}"
                                                                                "\n" /* bad: version
                                                                                      */
                                                                                "{\"v\":1,\"src\":"
                                                                                "\"p\",\"boot\":"
                                                                                "\"A\",\"event\":"
                                                                                "\"e\"}\n" /* bad:
                                                                                              no seq
                                                                                            */
        LINE("B", 1, "") LINE("A", 10, "") LINE("B", 2, "");
    static const char cut[] = LINE("B", 3, "") "{\"v\":1,\"src\":\"p\",\"bo";
    static const char after[] = LINE("B", 5, "");
    write_file("p", "20261121T031500Z-2.jsonl", first, sizeof first - 1);
    write_file("p", "20261121T031400Z-10.jsonl", cut, sizeof cut - 1); /* whatever its date */
    write_file("p", "20261121T031600Z-11.jsonl", after, sizeof after - 1);
    write_file("p", "lock", "123\n", 4);
    write_file("p", "notes.txt", first, sizeof first - 1);
    static const char other[] =
        "{\"v\":1,\"src\":\"o\",\"boot\":\"B\",\"event\":\"e\",\"seq\":5}\n";
    write_file("o", "20271121T031600Z-1.jsonl", other, sizeof other - 1);
    write_file("empty", "status", "{}", 2);
    write_file("", "secret", "xxxx", 4);

    static const struct {
        const char *program, *boot;
        int64_t seq;
        uint64_t missing, line;
    } expected[] = {
        {"o", "B", 5, 0, 1}, {"p", "A", 5, 0, 1}, {"p", "A", 6, 0, 2},   {"p", "A", 6, 0, 5},
        {"p", "A", 9, 2, 6}, {"p", "B", 1, 0, 9}, {"p", "A", 10, 0, 10}, {"p", "B", 2, 0, 11},
        {"p", "B", 3, 0, 1}, {"p", "B", 5, 1, 1},
    };
    struct journal_settings s = settings();
    struct err err;
    struct journal_line l;
    struct journal_reader *r = journal_reader_open(s.path, NULL, &err);
    assert_non_null(r);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(journal_reader_next(r, &l));
        assert_string_equal(l.program, expected[i].program);
        assert_true(str_eq(l.boot, str_of(expected[i].boot)));
        assert_int_equal(l.seq, expected[i].seq);
        assert_int_equal(l.missing, expected[i].missing);
        assert_int_equal(l.line, expected[i].line);
        if (l.seq == 9) {
            assert_true(str_eq(l.key, STR("00ff")) && str_eq(l.ts, STR("T")));
            assert_true(str_eq(l.host, STR("h\\u00e9")) && l.mono_us == 7);
        }
    }
    assert_false(journal_reader_next(r, &l));
    assert_false(journal_reader_next(r, &l));
    journal_reader_free(r);

    r = journal_reader_open(s.path, "p", &err);
    assert_non_null(r);
    uint64_t missing = 0;
    while (journal_reader_next(r, &l))
        missing += l.missing;
    const struct journal_reader_stats *st = journal_reader_get(r);
    assert_int_equal(st->segments, 3);
    assert_int_equal(st->lines, 9);
    assert_int_equal(st->bad, 4);
    assert_int_equal(st->unfinished, 1);
    assert_int_equal(st->repeated, 1);
    assert_int_equal(st->missing, 3);
    assert_int_equal(missing, 3);
    journal_reader_free(r);

    assert_null(journal_reader_open(s.path, "q", &err));
    assert_non_null(strstr(err.text, "q has no journal in "));
    assert_null(journal_reader_open("/nowhere", NULL, &err));
    assert_string_equal(err.text, "cannot read /nowhere: No such file or directory");
}

/* Lines longer than the reader's buffer, binary rubbish, and lines around a
 * buffer's end: counted, and what follows is read. */
static void test_reader_rubbish(void **state)
{
    (void)state;
    const size_t size = 3 * 1024 * 1024;
    char *text = malloc(size);
    assert_non_null(text);
    static const char good[] = LINE("A", 1, "");
    size_t n = 0;
    memcpy(text + n, good, sizeof good - 1);
    n += sizeof good - 1;
    memset(text + n, 'x', 700 * 1000);
    n += 700 * 1000;
    text[n++] = '\n';
    int lines = 1;
    for (; n < size - 400 * 1000; lines++)
        n += (size_t)snprintf(text + n, size - n,
                              "{\"v\":1,\"src\":\"p\",\"boot\":\"A\",\"event\":"
                              "\"e\",\"seq\":%d}\n",
                              lines + 1);
    srand(3);
    for (int i = 0; i < 1000; i++)
        text[n++] = (char)(128 + rand() % 128);
    text[n++] = '\n';
    memset(text + n, 0, 300 * 1000); /* and ends in a long half line */
    n += 300 * 1000;
    write_file("p", "20261121T031500Z-1.jsonl", text, n);
    free(text);
    struct tally t = tally("e", "seq");
    assert_int_equal(t.count, lines);
    assert_int_equal(t.stats.bad, 3);
    assert_int_equal(t.stats.unfinished, 1);
    assert_int_equal(t.stats.missing, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_line),           TEST(test_oversized),     TEST(test_off),
        TEST(test_write_and_read), TEST(test_restart),       TEST(test_one_writer),
        TEST(test_cannot_open),    TEST(test_reconfigure),   TEST(test_names),
        TEST(test_size_and_total), TEST(test_day_and_age),   TEST(test_deleted_segment),
        TEST(test_frozen),         TEST(test_losses_add_up), TEST(test_stop_frozen),
        TEST(test_enospc),         TEST(test_eio),           TEST(test_stop_on_full_disk),
        TEST(test_min_free),       TEST(test_full_tmpfs),    TEST(test_kill),
        TEST(test_ring),           TEST(test_ring_edges),    TEST(test_reader),
        TEST(test_reader_rubbish),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
