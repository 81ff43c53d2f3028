/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file that is read line by line while it may still grow: from a place, to its end, and on from
 * there when there is more. A compressed one is read too; it does not grow.
 *
 * After each read the bytes before it are compared with those that were read there earlier, so that
 * a file that was truncated is noticed also when it has grown beyond the old place meanwhile, and
 * nothing of what was read then is given. Internal to input/.
 *
 * One thread at a time. Memory: a third of a megabyte while open.
 */
#ifndef AUDIT_TAIL_H
#define AUDIT_TAIL_H

#include "audit/input/checkpoint.h"

struct unpack;

struct tail {
    int fd;                /* -1: not open */
    struct unpack *unpack; /* NULL: not compressed */
    uint64_t device, inode;
    int64_t mtime_ns; /* when it was read last */
    uint64_t line_at; /* offset of the first byte that was not given */
    bool cut;         /* the last line was longer than INPUT_LINE_MAX */

    /* p[start..end) was read and not given; before it are `context` bytes that were. */
    char *p;
    size_t start, end, searched;
    uint64_t context;
    uint64_t dropped; /* bytes of the line behind its first INPUT_LINE_MAX, gone from p */
    uint64_t read_at;
    char head[PLACE_HEAD];
    uint64_t head_n;
};

enum tail_result {
    TAIL_LINE,
    TAIL_END,     /* of what is there now */
    TAIL_CHANGED, /* it is not the file any more that was read: truncated, or written anew */
    TAIL_BROKEN   /* it cannot be read on; errno, or 0: it is damaged */
};

/*
 * Opens it at the place (NULL: its start). True: it is the file that the place was taken of, as far
 * as the place knows. False: it is not, or cannot be read (*ret_broken). `fd` remains the caller's.
 */
bool tail_open(struct tail *t, int fd, const struct place *at, bool *ret_broken);

/* The place behind the last newline in the file; for tail_open(). */
struct place tail_last_line(int fd);

/* The next line without its newline; valid until the next call. Bytes of NUL before a line - a hole
 * left by a truncation - are skipped. */
enum tail_result tail_next(struct tail *t, struct str *ret);

/* What stands behind the last newline, as a line. False: nothing. */
bool tail_rest(struct tail *t, struct str *ret);

/* Behind the last line that was given. */
struct place tail_place(const struct tail *t);

void tail_close(struct tail *t);

#endif
