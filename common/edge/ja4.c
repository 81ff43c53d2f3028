/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/ja4.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
    HASH_N = 12, /* characters of a digest that are shown */
    LISTS_MAX = 5 * (HELLO_CIPHERS + HELLO_EXTENSIONS + HELLO_SIGNATURES),
};

static const struct {
    uint16_t version;
    const char *name;
} versions[] = {
    {0x0304, "13"}, {0x0303, "12"}, {0x0302, "11"}, {0x0301, "10"}, {0x0300, "s3"},
};

static const char *version_name(uint16_t version)
{
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (versions[i].version == version)
            return versions[i].name;
    return "00";
}

static void put_count(struct buf *b, unsigned n)
{
    buf_printf(b, "%02u", n < 99 ? n : 99);
}

static bool alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* First and last character; if one of them is not alphanumeric, of the value in hexadecimal. */
static void put_alpn(struct buf *b, struct str alpn)
{
    static const char hex[] = "0123456789abcdef";
    if (alpn.n == 0) {
        buf_cstring(b, "00");
        return;
    }
    char first = alpn.p[0], last = alpn.p[alpn.n - 1];
    bool plain = alphanumeric(first) && alphanumeric(last);
    buf_char(b, plain ? first : hex[(unsigned char)first >> 4]);
    buf_char(b, plain ? last : hex[(unsigned char)last & 0x0f]);
}

static void put_list(struct buf *b, const uint16_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(b, i ? ",%04x" : "%04x", (unsigned)values[i]);
}

static int by_value(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Beginning of the SHA-256; an empty list is told by zeros. */
static bool put_hash(struct buf *b, struct str text)
{
    if (text.n == 0) {
        buf_cstring(b, "000000000000");
        return true;
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < HASH_N / 2; i++)
        buf_printf(b, "%02x", digest[i]);
    return true;
}

static bool put_ciphers(struct buf *b, const struct client_hello *h)
{
    char text[LISTS_MAX];
    struct buf list = BUF(text);
    uint16_t sorted[HELLO_CIPHERS];
    memcpy(sorted, h->ciphers, sizeof sorted);
    qsort(sorted, h->cipher_count, sizeof *sorted, by_value);
    put_list(&list, sorted, h->cipher_count);
    return put_hash(b, buf_view(&list));
}

/* Without the two that only say where the client goes and what for. */
static bool put_extensions(struct buf *b, const struct client_hello *h)
{
    char text[LISTS_MAX];
    struct buf list = BUF(text);
    uint16_t sorted[HELLO_EXTENSIONS];
    size_t count = 0;
    for (size_t i = 0; i < h->extension_count; i++)
        if (h->extensions[i] != EXTENSION_SERVER_NAME && h->extensions[i] != EXTENSION_ALPN)
            sorted[count++] = h->extensions[i];
    qsort(sorted, count, sizeof *sorted, by_value);
    put_list(&list, sorted, count);
    if (count && h->signature_count) {
        buf_char(&list, '_');
        put_list(&list, h->signatures, h->signature_count);
    }
    return put_hash(b, buf_view(&list));
}

bool ja4_format(struct buf *b, const struct client_hello *h)
{
    if (h->sslv2 || h->dropped) /* of a part of the lists it would be another client's */
        return false;
    char text[JA4_N + 1]; /* buf_printf() needs room for a NUL */
    struct buf whole = BUF(text);
    buf_printf(&whole, "t%s%c", version_name(h->highest), h->sni ? 'd' : 'i');
    put_count(&whole, h->cipher_count);
    put_count(&whole, h->extension_count);
    put_alpn(&whole, (struct str){h->alpn, h->alpn_n});
    buf_char(&whole, '_');
    if (!put_ciphers(&whole, h))
        return false;
    buf_char(&whole, '_');
    if (!put_extensions(&whole, h))
        return false;
    buf_str(b, buf_view(&whole));
    return true;
}
