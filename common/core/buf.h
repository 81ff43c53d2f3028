/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text written into memory of a fixed size. When something does not fit the
 * buffer remembers it (`full`) and takes nothing more, so that a caller writes
 * all its pieces and tests once at the end. Nothing is allocated; the memory
 * stays the caller's. The text is not NUL-terminated; buf_cstr() makes it so.
 */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include "core/str.h"

struct buf {
    char *p;
    size_t n, cap;
    bool full;
};

#define BUF(array) ((struct buf){(array), 0, sizeof(array), false})

void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_cstring(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t v);
void buf_grouped(struct buf *b, uint64_t v); /* 1,234,567 */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text with a NUL behind it; the last byte gives way if there is no room. */
const char *buf_cstr(struct buf *b);

static inline struct str buf_view(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

#endif
