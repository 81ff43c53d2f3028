/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "journal/journal_internal.h"

int ring_init(struct ring *r, uint64_t size)
{
    /* Not malloc: what is never used costs no memory. */
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -1;
    r->p = p;
    r->size = size;
    r->start = r->tail_seen = 0;
    atomic_init(&r->head, 0);
    atomic_init(&r->tail, 0);
    atomic_init(&r->wrap_at, 0);
    return 0;
}

void ring_free(struct ring *r)
{
    if (r->p)
        munmap(r->p, r->size);
    r->p = NULL;
}

char *ring_reserve(struct ring *r, uint64_t n)
{
    uint64_t start = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t to_end = r->size - start % r->size;
    /* Never up to the very end: then the head is in the next lap only if the
     * rest of this one was skipped, which is what ring_peek() relies on. */
    if (to_end <= n)
        start += to_end;
    if (start + n - r->tail_seen > r->size) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (start + n - r->tail_seen > r->size)
            return NULL;
    }
    r->start = start;
    return r->p + start % r->size;
}

void ring_commit(struct ring *r, uint64_t n)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    /* The consumer has left the lap before this one (there was room), so
     * nobody reads the old value any more. */
    if (r->start != head)
        atomic_store_explicit(&r->wrap_at, head, memory_order_relaxed);
    atomic_store_explicit(&r->head, r->start + n, memory_order_release);
}

/* From position `from`, which may be moved over a skipped rest. */
static size_t contiguous(const struct ring *r, uint64_t *from, uint64_t head)
{
    uint64_t lap_end = (*from / r->size + 1) * r->size;
    if (*from < head && head >= lap_end) {
        uint64_t wrap_at = atomic_load_explicit(&r->wrap_at, memory_order_relaxed);
        if (*from < wrap_at)
            return wrap_at - *from;
        *from = lap_end;
    }
    return head - *from;
}

size_t ring_peek(struct ring *r, uint64_t head, const char **ret)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed), at = tail;
    size_t n = contiguous(r, &at, head);
    if (at != tail)
        atomic_store_explicit(&r->tail, at, memory_order_release);
    *ret = r->p + at % r->size;
    return n;
}

void ring_consume(struct ring *r, size_t n)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    atomic_store_explicit(&r->tail, tail + n, memory_order_release);
}

uint64_t ring_used(const struct ring *r)
{
    /* The tail first: it never passes a head that is loaded after it. */
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    return atomic_load_explicit(&r->head, memory_order_acquire) - tail;
}

uint64_t ring_count_lines(const struct ring *r)
{
    uint64_t at = atomic_load_explicit(&r->tail, memory_order_acquire), count = 0;
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    while (at < head) {
        size_t n = contiguous(r, &at, head);
        for (const char *p = r->p + at % r->size, *end = p + n; p < end; p++)
            count += *p == '\n';
        at += n;
    }
    return count;
}
