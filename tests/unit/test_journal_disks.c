/* SPDX-License-Identifier: Apache-2.0 */
/* The journal on disks that are full or frozen, and when it is killed. */
#include "tests/unit/journal_help.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_frozen),   TEST(test_losses_add_up), TEST(test_stop_frozen),
        TEST(test_enospc),   TEST(test_eio),           TEST(test_stop_on_full_disk),
        TEST(test_min_free), TEST(test_full_tmpfs),    TEST(test_kill),
    };
    return cmocka_run_group_tests_name("journal_disks", tests, NULL, NULL);
}
