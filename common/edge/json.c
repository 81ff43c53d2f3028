/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/json.h"

#include "edge/utf8.h"

/* The private-use characters that stand for bytes (json.h); U+EF00 + the byte. */
static bool stands_for_byte(uint32_t c)
{
    return c == 0xef00 || (c >= 0xef80 && c <= 0xefff);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not zero if one of eight bytes cannot stand in a JSON string as it is. */
static inline uint64_t not_plain8(uint64_t x)
{
    uint64_t quote = x ^ EACH('"'), backslash = x ^ EACH('\\');
    uint64_t from_del = (x + EACH(1)) | x; /* 0x7f and all above get their top bit */
    return ((x - EACH(0x20)) | (quote - EACH(1)) | (backslash - EACH(1)) | from_del) & EACH(0x80);
    /* A borrow out of a lower byte may also raise a bit: then the slow way decides. */
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

void json_put_string(struct buf *b, struct str s)
{
    char *out = b->p + b->n, *const end = b->p + b->cap;
    if (b->full || end - out < 2) {
        b->full = true;
        return;
    }
    *out++ = '"';
    while (s.n) {
        uint64_t eight;
        while (s.n >= 8 && end - out >= 8) {
            memcpy(&eight, s.p, 8);
            if (not_plain8(eight))
                break;
            memcpy(out, &eight, 8);
            s.p += 8, s.n -= 8, out += 8;
        }
        /* What is left, or the eight in which something must be spelled out. */
        for (size_t i = s.n < 8 ? s.n : 8; i && out < end && plain((unsigned char)*s.p); i--)
            *out++ = *s.p++, s.n--;
        if (s.n && !plain((unsigned char)*s.p)) {
            char spelling[6];
            size_t n, used = spell(s, spelling, &n);
            if ((size_t)(end - out) < n)
                break;
            memcpy(out, spelling, n);
            s.p += used, s.n -= used, out += n;
        } else if (out == end) {
            break;
        }
    }
    if (s.n || out == end) {
        b->full = true;
        return;
    }
    *out++ = '"';
    b->n = (size_t)(out - b->p);
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
