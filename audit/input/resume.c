/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/resume.h"

static bool is_at(const struct rotated_file *f, const struct place *at)
{
    struct tail t;
    bool broken;
    if (f->fd < 0 || !tail_open(&t, f->fd, at, &broken))
        return false;
    tail_close(&t);
    return true;
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

bool resume_keep(struct rotated *r, const struct place *at, const struct left *left, size_t left_n)
{
    size_t found = resume_find(r, at);
    if (found < r->n) {
        rotated_drop(r, 0, found);
        return true;
    }
    for (size_t i = r->n; i-- > 0;) {
        const struct rotated_file *f = &r->files[i];
        bool log = i == r->n - 1 && r->log == LOG_FILE;
        if (!log && (f->mtime_ns < at->mtime_ns || was_read(f, left, left_n)))
            rotated_drop(r, i, 1);
    }
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
