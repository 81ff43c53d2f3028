/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/pending.h"

#include <stdlib.h>

struct pending {
    struct pending *next;
    uint32_t seq, length, n; /* n of its `length` bytes were captured */
    char bytes[];
};

static size_t size_of(uint32_t n)
{
    return sizeof(struct pending) + n;
}

/* One piece that overlaps nothing, behind `*at`. */
static bool insert(struct pending_list *l, struct pending_pool *pool, struct pending **at,
                   uint32_t seq, struct str payload, uint32_t length)
{
    uint32_t n = (uint32_t)payload.n;
    if (l->count == PENDING_SEGMENTS || l->bytes + n > PENDING_BYTES ||
        pool->bytes + size_of(n) > PENDING_ALL)
        return false;
    struct pending *p = malloc(size_of(n));
    if (!p)
        return false;
    p->next = *at;
    p->seq = seq;
    p->length = length;
    p->n = n;
    if (n)
        memcpy(p->bytes, payload.p, n);
    *at = p;
    l->count++;
    l->bytes += n;
    pool->bytes += size_of(n);
    return true;
}

/* The first `cut` bytes away; false: nothing is left. */
static bool behead(uint32_t cut, uint32_t *seq, struct str *payload, uint32_t *length)
{
    if (cut >= *length)
        return false;
    uint32_t of_payload = cut < payload->n ? cut : (uint32_t)payload->n;
    payload->p += of_payload;
    payload->n -= of_payload;
    *seq += cut;
    *length -= cut;
    return true;
}

bool pending_keep(struct pending_list *l, struct pending_pool *pool, uint32_t next, uint32_t seq,
                  struct str payload, uint32_t length)
{
    if (seq_before(seq, next) && !behead(next - seq, &seq, &payload, &length))
        return true;
    struct pending **at = &l->first;
    while (length) {
        while (*at && !seq_before(seq, (*at)->seq + (*at)->length))
            at = &(*at)->next;
        const struct pending *there = *at;
        if (there && !seq_before(seq, there->seq)) { /* begins within what is there */
            if (!behead(there->seq + there->length - seq, &seq, &payload, &length))
                return true;
            continue;
        }
        /* Up to what is there next, and then the same for the rest. */
        uint32_t room = there ? there->seq - seq : length;
        uint32_t part = room < length ? room : length;
        struct str head = {payload.p, payload.n < part ? payload.n : part};
        if (!insert(l, pool, at, seq, head, part))
            return false;
        if (!behead(part, &seq, &payload, &length))
            return true;
    }
    return true;
}

uint32_t pending_room(const struct pending_list *l, uint32_t next)
{
    const struct pending *p = l->first;
    return !p ? UINT32_MAX : seq_before(next, p->seq) ? p->seq - next : 0;
}

struct pending *pending_take(struct pending_list *l, uint32_t next, struct str *ret_payload,
                             uint32_t *ret_length)
{
    struct pending *p = l->first;
    if (!p || seq_before(next, p->seq))
        return NULL;
    l->first = p->next;
    l->count--;
    l->bytes -= p->n;
    uint32_t seq = p->seq;
    *ret_payload = (struct str){p->bytes, p->n};
    *ret_length = p->length;
    if (seq_before(seq, next) && !behead(next - seq, &seq, ret_payload, ret_length)) {
        *ret_payload = (struct str){p->bytes, 0};
        *ret_length = 0;
    }
    return p;
}

void pending_release(struct pending_pool *pool, struct pending *p)
{
    pool->bytes -= size_of(p->n);
    explicit_bzero(p->bytes, p->n);
    free(p);
}

void pending_clear(struct pending_list *l, struct pending_pool *pool)
{
    while (l->first) {
        struct pending *p = l->first;
        l->first = p->next;
        pending_release(pool, p);
    }
    *l = (struct pending_list){0};
}
