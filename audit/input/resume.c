/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/resume.h"

static bool is_at(const struct rotated_file *f, const struct place *at)
{
    struct place head = *at;
    struct tail t;
    bool broken;
    if (at->offset == PLACE_WHOLE)
        head.offset = 0;
    if (f->fd < 0 || !tail_open(&t, f->fd, &head, &broken))
        return false;
    tail_close(&t);
    return true;
}

/* A compressed file does not grow: its end need not be looked for. */
static struct place end_of(const struct rotated_file *f)
{
    struct place p = {.offset = f->packed ? 0 : f->size};
    struct str line;
    struct tail t;
    bool broken;
    if (f->fd < 0 || !tail_open(&t, f->fd, &p, &broken))
        return (struct place){0};
    if (f->packed)
        tail_next(&t, &line);
    p = tail_place(&t);
    if (f->packed) {
        p.offset = PLACE_WHOLE;
        p.tail_n = p.tail_hash = 0;
    }
    tail_close(&t);
    return p;
}

/* The end of the newest of the first n files that has anything in it. */
static struct place end_before(const struct rotated *r, size_t n)
{
    struct place p = {0};
    while (n-- > 0 && !p.head_n)
        p = end_of(&r->files[n]);
    return p;
}

struct place resume_before_log(const struct rotated *r)
{
    return end_before(r, r->n - (r->log == LOG_FILE));
}

/* The newest first: a place is seldom old. */
size_t resume_find(const struct rotated *r, const struct place *at)
{
    for (int other = 0; at->head_n && other < 2; other++)
        for (size_t i = r->n; i-- > 0;) {
            const struct rotated_file *f = &r->files[i];
            bool same = f->device == at->device && f->inode == at->inode;
            if (same == !other && is_at(f, at))
                return i;
        }
    return r->n;
}

static bool was_read(const struct rotated_file *f, const struct left *left, size_t left_n)
{
    for (size_t i = 0; i < left_n; i++)
        if (left[i].place.head_n && is_at(f, &left[i].place))
            return true;
    return false;
}

static bool is_new(const struct rotated *r, size_t i, const struct place *lost,
                   const struct left *left, size_t left_n)
{
    const struct rotated_file *f = &r->files[i];
    bool is_log = i == r->n - 1 && r->log == LOG_FILE;
    return is_log || !lost->head_n || (f->mtime_ns >= lost->mtime_ns && !was_read(f, left, left_n));
}

bool resume_keep(struct rotated *r, struct place *at, const struct left *left, size_t left_n)
{
    const struct place lost = *at;
    size_t found = resume_find(r, at);
    if (found < r->n) {
        rotated_drop(r, 0, found + (at->offset == PLACE_WHOLE));
        return true;
    }
    size_t old = 0; /* all before one that is old are so, too */
    for (size_t i = 0; i < r->n; i++)
        if (!is_new(r, i, &lost, left, left_n))
            old = i + 1;
    *at = end_before(r, old);
    rotated_drop(r, 0, old);
    return false;
}

bool resume_behind(struct rotated *r, uint64_t device, uint64_t inode)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->files[i].device == device && r->files[i].inode == inode) {
            rotated_drop(r, 0, i + 1);
            return true;
        }
    return false;
}
