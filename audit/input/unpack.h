/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a compressed file (gzip, xz), piece by piece as it is asked for. Internal to input/.
 */
#ifndef AUDIT_UNPACK_H
#define AUDIT_UNPACK_H

#include <sys/types.h>

struct unpack;

/* By the first bytes. 0: *ret is NULL if the file is not compressed; -1 with errno (ENOTSUP: by
 * something else). `fd` remains the caller's, and its offset is moved. */
int unpack_open(struct unpack **ret, int fd);

/* `n` bytes, or fewer at the end; -1: it is damaged, cut, or cannot be read. Up to 128 MiB of
 * memory, if a file was compressed so that it needs as much. */
ssize_t unpack_read(struct unpack *u, char *p, size_t n);

void unpack_close(struct unpack *u);

#endif
