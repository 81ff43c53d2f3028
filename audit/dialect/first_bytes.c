/* SPDX-License-Identifier: Apache-2.0 */
/* What the first bytes are that a client sent where a command was due. */
#include "audit/dialect/fields.h"

#include "audit/dialect/cursor.h"
#include "core/wire/words.h"

/* The next byte, an escape undone; -1 at the end, also of an escape that is cut. */
static int next_byte(struct str *c)
{
    static const char named[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"";
    if (c->n == 0)
        return -1;
    unsigned char b = (unsigned char)c->p[0];
    skip(c, 1);
    if (b != '\\' || c->n == 0)
        return b == '\\' ? -1 : b;
    unsigned v = 0, n = 0;
    while (n < 3 && c->n && c->p[0] >= '0' && c->p[0] <= '7') {
        v = v * 8 + (unsigned)(c->p[0] - '0');
        skip(c, 1);
        n++;
    }
    if (n)
        return n == 3 ? (int)(v & 0xff) : -1;
    const char *at = memchr(named, c->p[0], sizeof named - 1);
    skip(c, 1);
    return at && (at - named) % 2 == 0 ? (unsigned char)at[1] : -1;
}

/* RFC 8446 5.1: type 22, version 3.0 to 3.4. RFC 5246 E.2: an SSLv2 length with its high bit,
 * type 1, and the version that is asked for, 3.x or 0.2. A C string ends at the first NUL, which
 * Sendmail and Postfix 3.9 have behind a few bytes, so what is not there is not asked for. */
static bool is_hello(const int b[5])
{
    if (b[0] == 22)
        return b[1] == 3 && b[2] <= 4;
    return b[0] >= 128 && b[2] == 1 && (b[3] == 3 || (b[3] == 0 && b[4] == 2));
}

/* smtpd takes what stands behind a newline for a line of its own, and one is in the list of
 * signatures that OpenSSL offers: 0x080a, and then 0x080b, 0x0804, 0x0805 (RFC 8446 4.2.3). */
static bool is_signatures(const int b[5])
{
    return b[0] == 8 && b[1] == 11 && b[2] == 8 && b[3] == 4 && b[4] == 8;
}

enum first_bytes first_bytes_of(struct str sent)
{
    struct str c = sent;
    int b[5];
    for (int i = 0; i < 5; i++)
        b[i] = next_byte(&c);
    if (is_hello(b) || is_signatures(b))
        return BYTES_TLS;
    if (sent.n == 0 || b[0] == '\r' || b[0] == '\n')
        return BYTES_NOT_TOLD; /* nothing, or an empty line */
    size_t n = 0;
    while (n < sent.n && sent.p[n] != ' ' && sent.p[n] != ':' && sent.p[n] != '\\')
        n++;
    struct str word = {sent.p, n};
    char behind = n < sent.n ? sent.p[n] : ' ';
    if (behind == ' ' && is_http_method(word))
        return BYTES_HTTP;
    if (behind != ':' && smtp_verb_of(word) < VERBS)
        return BYTES_SMTP;
    for (size_t i = 0; i < n; i++)
        if (word.p[i] < '!' || word.p[i] > '~')
            return BYTES_OTHER;
    /* RFC 5322 2.2; not "http://" */
    return behind == ':' && n > 1 && (n + 1 == sent.n || sent.p[n + 1] != '/') ? BYTES_HEADER
                                                                               : BYTES_OTHER;
}
