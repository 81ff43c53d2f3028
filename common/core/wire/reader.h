/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor over bytes that a stranger sent, numbers in network order. Each length is checked
 * against what is left; the first that is too long makes it `bad`, and from then on every read
 * gives zero or nothing: read ten fields, test once. Views into the bytes; nothing is kept.
 */
#ifndef CORE_WIRE_READER_H
#define CORE_WIRE_READER_H

#include "core/str.h"

struct reader {
    struct str left;
    bool bad;
};

static inline struct str read_bytes(struct reader *r, size_t n)
{
    if (r->bad || n > r->left.n) {
        *r = (struct reader){.bad = true};
        return (struct str){NULL, 0};
    }
    struct str s = {r->left.p, n};
    r->left = (struct str){r->left.p + n, r->left.n - n};
    return s;
}

/* A number of `width` bytes, at most 4. */
static inline uint32_t read_number(struct reader *r, size_t width)
{
    struct str s = read_bytes(r, width);
    uint32_t v = 0;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | (uint8_t)s.p[i];
    return v;
}

/* A vector (RFC 8446 3.4): its length in `width` bytes, then that many bytes. */
static inline struct reader read_vector(struct reader *r, size_t width)
{
    struct str s = read_bytes(r, read_number(r, width));
    return (struct reader){s, r->bad};
}

#endif
