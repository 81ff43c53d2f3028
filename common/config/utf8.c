/* SPDX-License-Identifier: Apache-2.0 */
#include "config/utf8.h"

/* By the first byte: how long, which bits of it count, the least value that needs that length. */
static const struct form {
    uint8_t mask, lead, n;
    uint32_t least;
} forms[] = {
    {0x80, 0x00, 1, 0},
    {0xe0, 0xc0, 2, 0x80},
    {0xf0, 0xe0, 3, 0x800},
    {0xf8, 0xf0, 4, 0x10000},
};

size_t utf8_next(struct str s, uint32_t *ret_char)
{
    if (s.n == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)s.p;
    const struct form *f = NULL;
    for (size_t i = 0; !f && i < sizeof forms / sizeof *forms; i++)
        if ((p[0] & forms[i].mask) == forms[i].lead)
            f = &forms[i];
    if (!f || s.n < f->n)
        return 0;

    uint32_t c = p[0] & (uint8_t)~f->mask;
    for (size_t i = 1; i < f->n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < f->least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    if (ret_char)
        *ret_char = c;
    return f->n;
}

bool utf8_visible(uint32_t c)
{
    if (c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff)
        return false;
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7e) || c >= 0xa0;
}
