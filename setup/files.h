/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as a whole: with mode, owner and checksum, so that they can be put back byte for byte.
 *
 * Thread use: any.
 */
#ifndef SETUP_FILES_H
#define SETUP_FILES_H

#include <sys/types.h>

#include "core/arena.h"
#include "core/err.h"

enum { FILE_LARGEST = 4 * 1024 * 1024, FILE_SUM = 65 };

struct file_image {
    bool there; /* false: there is no such file, and the rest is empty */
    struct str text;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    char sum[FILE_SUM]; /* SHA-256, hexadecimal; "-": not there */
};

/* -1 and *e: it is there and cannot be read, is no regular file, or is too large. */
int file_load(const char *path, struct arena *arena, struct file_image *ret, struct err *e);

/*
 * Makes the file what the image says: a temporary file beside it with mode and owner, flushed to
 * the disk, then renamed; a symbolic link is followed. An image of nothing removes it. -1 and *e.
 */
int file_store(const char *path, const struct file_image *image, struct err *e);

/* The image of a text: mode and owner of `like`. */
struct file_image file_of(struct str text, const struct file_image *like);

#endif
