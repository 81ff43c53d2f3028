/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (b->full || n > b->cap - b->n) {
        b->full = true;
        return;
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
    buf_put(b, s.p, s.n);
}

void buf_cstring(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + v % 10);
    while (v /= 10);
    buf_put(b, digits + i, sizeof digits - i);
}

void buf_grouped(struct buf *b, uint64_t v)
{
    char digits[26];
    size_t i = sizeof digits, n = 0;
    do {
        if (n && n % 3 == 0)
            digits[--i] = ',';
        digits[--i] = (char)('0' + v % 10);
        n++;
    } while (v /= 10);
    buf_put(b, digits + i, sizeof digits - i);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    if (b->full)
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= b->cap - b->n)
        b->full = true; /* what vsnprintf wrote lies beyond n and does not count */
    else
        b->n += (size_t)n;
}

const char *buf_cstr(struct buf *b)
{
    if (b->cap == 0)
        return "";
    b->p[b->n < b->cap ? b->n : b->cap - 1] = '\0';
    return b->p;
}
