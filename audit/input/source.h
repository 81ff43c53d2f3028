/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor that is read in large pieces, and what unpacks them. Internal to input/. */
#ifndef AUDIT_SOURCE_H
#define AUDIT_SOURCE_H

#include "audit/input/lines.h"

enum { SOURCE_PIECE = 128 * 1024 };

struct source {
    int fd;
    const char *name; /* for messages */
    size_t n;         /* of piece: what came last; 0: the end */
    char piece[SOURCE_PIECE];
};

/* The next piece, at least `least` bytes of it unless the input ends. 0; -1 with *err set. */
int source_next(struct source *s, size_t least, struct err *err);

/*
 * From the piece that is there to the end, or until the lines' taker stops. 0; -1 with *err set:
 * it could not be read, is damaged or is cut; the whole lines before that were taken.
 */
typedef int source_read(struct source *s, struct lines *l, struct err *err);

source_read source_read_plain;
/* RFC 1952; members one after the other, as logrotate and gzip append them; zeros may follow. */
source_read source_read_gzip;
/* Streams one after the other, too. One that needs more than 128 MiB to unpack is refused. */
source_read source_read_xz;

#endif
