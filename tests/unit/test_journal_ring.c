/* SPDX-License-Identifier: Apache-2.0 */
/* The ring between the loop thread and the writer. */
#include "tests/unit/journal_help.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ring),
        TEST(test_ring_edges),
    };
    return cmocka_run_group_tests_name("journal_ring", tests, NULL, NULL);
}
