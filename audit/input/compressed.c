/* SPDX-License-Identifier: Apache-2.0 */
/* The last line of data that is damaged or cut is not given if it has no end: half a line may say
 * something else than the whole. */
#include "audit/input/source.h"

#include <lzma.h>
#include <zlib.h>

enum { ROOM = 64 * 1024 };

static int cut(const struct source *s, struct err *err)
{
    return err_set(err, "%s: ends in the middle of the compressed data", s->name);
}

static int damaged(const struct source *s, const struct lines *l, struct err *err)
{
    return err_set(err, "%s: the compressed data is damaged after line %llu", s->name,
                   (unsigned long long)l->counts.lines);
}

static int no_memory(const struct source *s, struct err *err)
{
    return err_set(err, "%s: not enough memory to unpack it", s->name);
}

/* ---- gzip -------------------------------------------------------------------------- */

/* Behind a member: 1 if something follows, 0 if only zeros are left, -1 with *err set. */
static int next_member(struct source *s, z_stream *z, const struct lines *l, struct err *err)
{
    for (;;) {
        while (z->avail_in && *z->next_in == 0)
            z->next_in++, z->avail_in--;
        if (z->avail_in)
            break;
        if (source_next(s, 1, err) < 0)
            return -1;
        if (s->n == 0)
            return 0;
        z->next_in = (unsigned char *)s->piece;
        z->avail_in = (unsigned)s->n;
    }
    return inflateReset(z) == Z_OK ? 1 : damaged(s, l, err);
}

static int inflate_all(struct source *s, z_stream *z, struct lines *l, struct err *err)
{
    char room[ROOM];
    z->next_in = (unsigned char *)s->piece;
    z->avail_in = (unsigned)s->n;
    for (;;) {
        z->next_out = (unsigned char *)room;
        z->avail_out = sizeof room;
        int r = inflate(z, Z_NO_FLUSH);
        if (!lines_feed(l, room, sizeof room - z->avail_out))
            return 0;
        if (r == Z_STREAM_END) {
            int more = next_member(s, z, l, err);
            if (more <= 0)
                return more;
        } else if (r == Z_MEM_ERROR) {
            return no_memory(s, err);
        } else if (r != Z_OK) {
            return damaged(s, l, err);
        } else if (z->avail_in == 0) {
            if (source_next(s, 1, err) < 0)
                return -1;
            if (s->n == 0)
                return cut(s, err);
            z->next_in = (unsigned char *)s->piece;
            z->avail_in = (unsigned)s->n;
        }
    }
}

int source_read_gzip(struct source *s, struct lines *l, struct err *err)
{
    enum { GZIP_ONLY = 16 };
    z_stream z = {0};
    if (inflateInit2(&z, MAX_WBITS + GZIP_ONLY) != Z_OK)
        return no_memory(s, err);
    int r = inflate_all(s, &z, l, err);
    inflateEnd(&z);
    if (r == 0)
        lines_end(l);
    return r;
}

/* ---- xz ------------------------------------------------------------------------------ */

static int decode_all(struct source *s, lzma_stream *z, struct lines *l, struct err *err)
{
    uint8_t room[ROOM];
    z->next_in = (uint8_t *)s->piece;
    z->avail_in = s->n;
    for (;;) {
        z->next_out = room;
        z->avail_out = sizeof room;
        lzma_ret r = lzma_code(z, s->n ? LZMA_RUN : LZMA_FINISH);
        if (!lines_feed(l, (char *)room, sizeof room - z->avail_out) || r == LZMA_STREAM_END)
            return 0;
        if (r == LZMA_MEM_ERROR)
            return no_memory(s, err);
        if (r == LZMA_MEMLIMIT_ERROR)
            return err_set(err,
                           "%s: needs more than 128 MiB of memory to unpack; try: "
                           "xz -dc FILE | mailreeve audit -",
                           s->name);
        if (r == LZMA_BUF_ERROR && s->n == 0)
            return cut(s, err);
        if (r != LZMA_OK && r != LZMA_BUF_ERROR)
            return damaged(s, l, err);
        if (z->avail_in == 0 && s->n) {
            if (source_next(s, 1, err) < 0)
                return -1;
            z->next_in = (uint8_t *)s->piece;
            z->avail_in = s->n;
        }
    }
}

int source_read_xz(struct source *s, struct lines *l, struct err *err)
{
    const uint64_t memory = UINT64_C(128) << 20;
    lzma_stream z = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&z, memory, LZMA_CONCATENATED) != LZMA_OK)
        return no_memory(s, err);
    int r = decode_all(s, &z, l, err);
    lzma_end(&z);
    if (r == 0)
        lines_end(l);
    return r;
}
