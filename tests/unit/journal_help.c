/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/journal_help.h"

/* ---- help --------------------------------------------------------------- */

char top[64]; /* a directory for each test */

int set_up(void **state)
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

int tear_down(void **state)
{
    (void)state;
    return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct now time_now(void)
{
    struct now n;
    journal_system_io.now(&n);
    return n;
}

struct journal_settings settings(void)
{
    struct journal_settings s = {.keep_s = 7 * 86400, .max_total = UINT64_C(1) << 30};
    snprintf(s.path, sizeof s.path, "%s/journal", top);
    return s;
}

struct journal *open_journal(const struct journal_settings *s)
{
    struct err err;
    struct journal *j = journal_open(s, "test", (uid_t)-1, (gid_t)-1, &err);
    if (!j)
        fail_msg("%s", err.text);
    return j;
}

void start(struct journal *j)
{
    struct err err;
    if (journal_start(j, &err) < 0)
        fail_msg("%s", err.text);
}

/* A line with a number in it, padded to about `size` bytes. */
void put(struct journal *j, int64_t number, size_t size)
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

struct journal_state state_of(const struct journal *j)
{
    struct now now = time_now();
    struct journal_state st;
    journal_get_state(j, &now, &st);
    return st;
}

void stop(struct journal *j)
{
    assert_int_equal(journal_stop(j, 20000), 0);
    journal_free(j);
}

/* Reads everything: how many lines of that event, the sum of their `field`. */

struct tally tally(const char *event, const char *field)
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

int segments(char names[][64], int max)
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
struct str ring_text(struct journal *j)
{
    const char *p;
    size_t n = ring_peek(&j->ring, atomic_load(&j->ring.head), &p);
    ring_consume(&j->ring, n);
    return (struct str){p, n};
}

struct str field_of(struct str text, const char *name)
{
    struct json_scan s;
    struct json_item item;
    json_scan_init(&s, text);
    while (json_next(&s, &item) == JSON_ITEM)
        if (str_eq(item.name, str_of(name)))
            return item.raw;
    return (struct str){NULL, 0};
}

/* ---- the system, replaced ----------------------------------------------- */

struct fake fake;

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

const struct journal_io fake_io = {fake_write, fake_space, fake_now};

void reset_fake(void)
{
    sem_init(&fake.gate, 0, 0);
    fake.frozen = fake.waiting = false;
    fake.room = -1;
    fake.failure = ENOSPC;
    fake.free_space = 100 * 1000 * 1000;
    fake.clock_shift_us = 0;
}
