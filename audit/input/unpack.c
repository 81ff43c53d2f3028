/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 64 * 1024 };

struct unpack {
    gzFile gzip; /* NULL: xz */
    int fd;
    lzma_stream xz;
    bool at_end;
    uint8_t piece[PIECE];
};

enum method { PLAIN, GZIP, XZ, OTHER };

static enum method method_of(int fd)
{
    static const struct {
        const char *magic;
        size_t n;
        enum method method;
    } methods[] = {{"\x1f\x8b", 2, GZIP},
                   {"\xfd"
                    "7zXZ\0",
                    6, XZ},
                   {"BZh", 3, OTHER},
                   {"\x28\xb5\x2f\xfd", 4, OTHER}};
    char first[6];
    ssize_t n = pread(fd, first, sizeof first, 0);
    for (unsigned i = 0; i < sizeof methods / sizeof *methods; i++)
        if (n >= (ssize_t)methods[i].n && memcmp(first, methods[i].magic, methods[i].n) == 0)
            return methods[i].method;
    return PLAIN;
}

static bool begin(struct unpack *u, enum method method)
{
    const uint64_t memory = UINT64_C(128) << 20;
    if (u->fd < 0 || lseek(u->fd, 0, SEEK_SET) < 0)
        return false;
    if (method == XZ)
        return lzma_stream_decoder(&u->xz, memory, LZMA_CONCATENATED) == LZMA_OK;
    u->gzip = gzdopen(u->fd, "rb");
    return u->gzip;
}

int unpack_open(struct unpack **ret, int fd)
{
    enum method method = method_of(fd);
    *ret = NULL;
    if (method == PLAIN)
        return 0;
    if (method == OTHER) {
        errno = ENOTSUP;
        return -1;
    }
    struct unpack *u = malloc(sizeof *u);
    if (!u)
        return -1;
    *u = (struct unpack){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .xz = LZMA_STREAM_INIT};
    if (!begin(u, method)) {
        unpack_close(u);
        errno = ENOMEM;
        return -1;
    }
    *ret = u;
    return 0;
}

/* A file that is cut gives what is there first, and then the error. */
static ssize_t gunzip(struct unpack *u, char *p, size_t n)
{
    int what = Z_OK;
    int done = gzread(u->gzip, p, (unsigned)n);
    if (done == 0)
        gzerror(u->gzip, &what);
    return what == Z_OK || what == Z_STREAM_END ? done : -1;
}

static ssize_t unxz(struct unpack *u, char *p, size_t n)
{
    u->xz.next_out = (uint8_t *)p;
    u->xz.avail_out = n;
    lzma_ret r = u->at_end ? LZMA_STREAM_END : LZMA_OK;
    while (r == LZMA_OK && u->xz.avail_out) {
        ssize_t got = 1;
        if (u->xz.avail_in == 0) {
            got = read(u->fd, u->piece, sizeof u->piece);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                return -1;
            u->xz.next_in = u->piece;
            u->xz.avail_in = (size_t)got;
        }
        r = lzma_code(&u->xz, got ? LZMA_RUN : LZMA_FINISH);
    }
    u->at_end = r == LZMA_STREAM_END;
    size_t done = n - u->xz.avail_out;
    return r == LZMA_OK || u->at_end || done ? (ssize_t)done : -1;
}

ssize_t unpack_read(struct unpack *u, char *p, size_t n)
{
    return u->gzip ? gunzip(u, p, n) : unxz(u, p, n);
}

void unpack_close(struct unpack *u)
{
    lzma_end(&u->xz);
    if (u->gzip)
        gzclose(u->gzip);
    else if (u->fd >= 0)
        close(u->fd);
    free(u);
}
