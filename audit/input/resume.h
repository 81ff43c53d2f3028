/* SPDX-License-Identifier: Apache-2.0 */
/* From a place to the files that are to be read from there on. Internal to input/. */
#ifndef AUDIT_RESUME_H
#define AUDIT_RESUME_H

#include "audit/input/rotated.h"
#include "audit/input/tail.h"

/* A file that was read, as far as it was; lines of it have positions from `begun` to base +
 * place.offset, which is base plus their offset. */
struct left {
    struct place place;
    uint64_t base, begun;
};

/*
 * Leaves in `r`, a list as rotated_list() gives it, what is to be read from the place on, in order.
 * True: the place's file was found - by its inode, else by what is in it - and is the first,
 * unless the place is behind all of it.
 *
 * Otherwise *at becomes another place, at the end of the file before those that are left. They
 * are the log and what was last written when the place's file was or later, without those in
 * `left`; if nothing is known of what was in the place's file, all.
 */
bool resume_keep(struct rotated *r, struct place *at, const struct left *left, size_t left_n);

/* Behind the last line of the newest file before the log. */
struct place resume_before_log(const struct rotated *r);

/* What comes behind the file with this inode. False, and nothing was changed: it is not there. */
bool resume_behind(struct rotated *r, uint64_t device, uint64_t inode);

/* The index of the place's file; r->n if it is not there. */
size_t resume_find(const struct rotated *r, const struct place *at);

#endif
