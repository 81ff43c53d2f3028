/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/json.h"

#include "config/utf8.h"

/* The private-use characters that stand for bytes (json.h); U+EF00 + the byte. */
static bool stands_for_byte(uint32_t c)
{
    return c == 0xef00 || (c >= 0xef80 && c <= 0xefff);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not zero if one of eight bytes cannot stand in a JSON string as it is. (Which
 * one it does not say: a borrow may raise the bits of those above it, too.) */
static inline uint64_t not_plain8(uint64_t x)
{
    uint64_t quote = x ^ EACH('"'), backslash = x ^ EACH('\\');
    uint64_t from_del = (x + EACH(1)) | x; /* 0x7f and all above get their top bit */
    return ((x - EACH(0x20)) | (quote - EACH(1)) | (backslash - EACH(1)) | from_del) & EACH(0x80);
}

/* Copies n bytes, also where they must not stand as they are; false if any must not. */
static inline bool copy_plain(char *out, const char *p, size_t n)
{
    uint64_t bad = 0, eight;
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8) {
            memcpy(&eight, p + i, 8);
            memcpy(out + i, &eight, 8);
            bad |= not_plain8(eight);
        }
        memcpy(&eight, p + n - 8, 8); /* the last eight, which may overlap */
        memcpy(out + n - 8, &eight, 8);
        return (bad | not_plain8(eight)) == 0;
    }
    if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
        memcpy(out, &first, 4);
        memcpy(out + n - 4, &last, 4);
        return not_plain8((uint64_t)last << 32 | first) == 0;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = p[i];
        bad |= not_plain8((uint8_t)p[i] | EACH(' ') << 8);
    }
    return bad == 0;
}

static inline bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The spelling of the character that s begins with; how many bytes of s it was. */
static size_t spell(struct str s, char out[6], size_t *ret_n)
{
    static const char hex[] = "0123456789abcdef";
    static const char brief[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    uint32_t c;
    size_t used = utf8_next(s, &c);
    if (used == 0 || c == 0 || stands_for_byte(c)) {
        c = 0xef00 | (unsigned char)s.p[0];
        used = 1;
    } else if (c >= 0xa0) {
        memcpy(out, s.p, used);
        *ret_n = used;
        return used;
    }
    for (const char *b = brief; *b; b += 2) {
        if ((uint32_t)*b == c) {
            out[0] = '\\';
            out[1] = b[1];
            *ret_n = 2;
            return used;
        }
    }
    memcpy(out, "\\u", 2);
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[c >> (12 - 4 * i) & 15];
    *ret_n = 6;
    return used;
}

/* Behind the opening quote; false if it does not fit. */
static bool put_spelled(struct buf *b, struct str s)
{
    while (s.n) {
        char spelling[6];
        size_t n = 1, used = 1;
        if (plain((unsigned char)*s.p))
            spelling[0] = *s.p;
        else
            used = spell(s, spelling, &n);
        buf_put(b, spelling, n);
        s.p += used, s.n -= used;
    }
    buf_char(b, '"');
    return !b->full;
}

void json_put_string(struct buf *b, struct str s)
{
    size_t before = b->n, room = b->full ? 0 : b->cap - b->n;
    if (room < 2 || s.n > room - 2) { /* no spelling is shorter than what it spells */
        b->full = true;
        return;
    }
    char *out = b->p + before;
    *out++ = '"';
    b->n++;
    /* Nearly always there is nothing to spell. */
    if (copy_plain(out, s.p, s.n)) {
        out[s.n] = '"';
        b->n += s.n + 1;
    } else if (!put_spelled(b, s)) {
        b->n = before;
    }
}

/* ---- decoding ----------------------------------------------------------- */

static uint32_t hex4(const char *p)
{
    uint32_t c = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char d = (unsigned char)p[i];
        c = c << 4 | (uint32_t)(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
    }
    return c;
}

/* The escape that s begins with, which a scanner has accepted; its length. */
static size_t unescape(struct str s, uint32_t *ret)
{
    static const char brief[] = "b\bt\tn\nf\fr\r";
    if (s.p[1] != 'u') {
        *ret = (unsigned char)s.p[1]; /* quote, backslash, slash */
        for (const char *b = brief; *b; b += 2)
            if (*b == s.p[1])
                *ret = (unsigned char)b[1];
        return 2;
    }
    uint32_t c = hex4(s.p + 2);
    if (c < 0xd800 || c > 0xdfff) {
        *ret = c;
        return 6;
    }
    *ret = 0x10000 + ((c & 0x3ff) << 10) + (hex4(s.p + 8) & 0x3ff);
    return 12;
}

static void put_utf8(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_char(b, (char)c);
    } else {
        char out[4];
        int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (int i = n; --i > 0; c >>= 6)
            out[i] = (char)(0x80 | (c & 0x3f));
        static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
        out[0] = (char)(lead[n] | c);
        buf_put(b, out, (size_t)n);
    }
}

bool json_decode(struct str raw, struct buf *out)
{
    size_t before = out->n;
    while (raw.n && !out->full) {
        uint32_t c = (unsigned char)*raw.p;
        size_t used = 1;
        if (c == '\\')
            used = unescape(raw, &c);
        else if (c >= 0x80)
            used = utf8_next(raw, &c);
        if (stands_for_byte(c))
            buf_char(out, (char)(c & 0xff));
        else
            put_utf8(out, c);
        raw.p += used, raw.n -= used;
    }
    if (out->full)
        out->n = before;
    return !out->full;
}

bool json_next_string(struct str *rest, struct str *ret_raw)
{
    while (rest->n && *rest->p != '"')
        rest->p++, rest->n--;
    if (rest->n == 0)
        return false;
    const char *from = ++rest->p;
    rest->n--;
    while (*rest->p != '"') {
        size_t step = *rest->p == '\\' ? 2 : 1;
        rest->p += step, rest->n -= step;
    }
    *ret_raw = (struct str){from, (size_t)(rest->p - from)};
    rest->p++, rest->n--;
    return true;
}
