/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <time.h>

#include "journal/journal_internal.h"

enum {
    /* Lines gather so long before they are written. With what the kernel adds
     * it stays below the 10 ms that SIGKILL may cost. */
    DOZE_MS = 8,
    RETRY_MS = 1000, /* after a failure */
};

static void wait_for(sem_t *sem, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms * 1000000;
    t.tv_sec += ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    /* Interrupted or woken early is as good as in time. */
    sem_clockwait(sem, CLOCK_MONOTONIC, &t);
}

static void mark_busy(struct journal *j)
{
    struct now now;
    j->segments.io->now(&now);
    atomic_store_explicit(&j->busy_since_us, now.mono_us, memory_order_relaxed);
}

/* One write of at most WRITE_MAX bytes of whole lines. False: trouble. */
static bool write_some(struct journal *j, const char *p, size_t n)
{
    if (n > WRITE_MAX) {
        const char *last = memrchr(p, '\n', WRITE_MAX);
        n = (size_t)(last - p) + 1; /* lines are shorter than WRITE_MAX: there is one */
    }
    enum journal_trouble trouble;
    size_t done = segments_append(&j->segments, p, n, &trouble);
    if (trouble)
        atomic_store_explicit(&j->last_errno, errno, memory_order_relaxed);
    ring_consume(&j->ring, done);
    if (done)
        atomic_fetch_add_explicit(&j->bytes_written, done, memory_order_relaxed);
    atomic_store_explicit(&j->trouble, (int)trouble, memory_order_relaxed);
    return trouble == TROUBLE_NONE;
}

enum drained { NOTHING, WROTE, STUCK };

/* Writes what is in the ring now. */
static enum drained drain(struct journal *j)
{
    /* The lines before the head: a line that is counted but not yet in the ring is corrected by
     * the next pass, one that is in the ring but not counted would not be. */
    uint64_t lines = atomic_load_explicit(&j->lines, memory_order_acquire);
    uint64_t head = atomic_load_explicit(&j->ring.head, memory_order_acquire);
    enum drained result = NOTHING;
    const char *p;
    size_t n;
    while ((n = ring_peek(&j->ring, head, &p)) > 0) {
        mark_busy(j);
        if (!write_some(j, p, n)) {
            /* Exact at the price of a look at the whole ring, which is fine here. */
            lines = atomic_load_explicit(&j->lines, memory_order_acquire);
            lines -= ring_count_lines(&j->ring);
            result = STUCK;
            break;
        }
        result = WROTE;
    }
    if (result != NOTHING)
        atomic_store_explicit(&j->lines_written, lines, memory_order_relaxed);
    if (result == WROTE)
        atomic_store_explicit(&j->last_write_us,
                              atomic_load_explicit(&j->busy_since_us, memory_order_relaxed),
                              memory_order_relaxed);
    return result;
}

/* Sets the state in which others may wake us; false if there is work already. */
static bool may_wait(struct journal *j, enum writer_state state)
{
    atomic_store(&j->writer, state);
    atomic_thread_fence(memory_order_seq_cst); /* see journal_commit() */
    bool work =
        atomic_load(&j->requests) != 0 || (state == WRITER_SLEEPING && ring_used(&j->ring) > 0);
    if (work)
        atomic_store(&j->writer, WRITER_BUSY);
    return !work;
}

/* While `stuck`, commits do not wake: the next attempt comes in its time. */
static void rest(struct journal *j, enum drained last)
{
    atomic_store_explicit(&j->busy_since_us, 0, memory_order_relaxed);
    if (last == STUCK) {
        if (atomic_load(&j->requests) == 0)
            wait_for(&j->wake, RETRY_MS);
        return;
    }
    if (last == NOTHING && may_wait(j, WRITER_SLEEPING))
        while (sem_wait(&j->wake) < 0 && errno == EINTR) {
        }
    /* Let more lines gather, as long as nobody wants something of us. */
    if (may_wait(j, WRITER_DOZING))
        wait_for(&j->wake, DOZE_MS);
    atomic_store(&j->writer, WRITER_BUSY);
}

static void finish(struct journal *j)
{
    mark_busy(j);
    drain(j);
    if (segments_sync(&j->segments) < 0) {
        atomic_store(&j->last_errno, errno);
        atomic_store(&j->trouble, TROUBLE_WRITE);
    }
    if (j->hook)
        j->hook(j->hook_arg, j->segments.dir, true);
    atomic_store(&j->busy_since_us, 0);
    sem_post(&j->done);
}

void *journal_writer(void *journal)
{
    struct journal *j = journal;
    for (;;) {
        enum drained last = drain(j);
        unsigned requests = atomic_exchange(&j->requests, 0);
        if (requests & REQUEST_STOP) {
            finish(j);
            return NULL;
        }
        if (requests) {
            mark_busy(j);
            if (requests & REQUEST_CHECK)
                segments_check(&j->segments);
            if (requests & REQUEST_HOOK && j->hook)
                j->hook(j->hook_arg, j->segments.dir, false);
        }
        rest(j, last);
    }
}

void journal_request(struct journal *j, unsigned requests)
{
    atomic_fetch_or(&j->requests, requests);
    int before = atomic_exchange(&j->writer, WRITER_BUSY);
    if (before != WRITER_BUSY || requests & REQUEST_STOP)
        sem_post(&j->wake);
}
