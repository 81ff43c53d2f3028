/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a setup is about to do, written before it does it, so that it can be taken back even if
 * it was killed half-way. Lines of words separated by tabs; docs/setup.md names them.
 *
 * Thread use: any.
 */
#ifndef SETUP_MANIFEST_H
#define SETUP_MANIFEST_H

#include <sys/types.h>

#include "core/buf.h"
#include "core/err.h"
#include "setup/files.h"

enum {
    MANIFEST_FILES = 4,
    MANIFEST_SUMS = 256,
    MANIFEST_MADE = 8,
    MANIFEST_UNITS = 2,
    MANIFEST_PATH = 512,
    MANIFEST_LARGEST = 128 * 1024
};

struct manifest_file {
    char path[MANIFEST_PATH];
    mode_t mode; /* as it was, like uid, gid and `before` */
    uid_t uid;
    gid_t gid;
    char before[FILE_SUM]; /* "-": it was not there */
    char sums[MANIFEST_SUMS]
             [FILE_SUM]; /* what we make of it, one after the other; the last is what we leave */
    unsigned sum_count;
};

struct manifest {
    bool done; /* false: it was begun */
    struct manifest_file files[MANIFEST_FILES];
    unsigned file_count;
    char made[MANIFEST_MADE][MANIFEST_PATH]; /* directories that were not there */
    unsigned made_count;
    char units[MANIFEST_UNITS][64]; /* of systemd, which were not enabled */
    unsigned unit_count;
};

/* Too many are told by b->full. */
void manifest_format(struct buf *b, const struct manifest *m);

/* -1 and *e with the line: it is not what manifest_format() writes. */
int manifest_parse(struct str text, struct manifest *ret, struct err *e);

/* Is this one of the contents that the file had before or has from us? */
bool manifest_knows(const struct manifest_file *f, const char *sum);

/* By path; NULL: none. */
struct manifest_file *manifest_file(struct manifest *m, const char *path);

#endif
