/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a ClientHello: every beginning of it is MORE, until it is told for good; what is
 * told lies within its bounds; and of it comes a JA4, or none.
 */
#include <stdlib.h>

#include "edge/ja4.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool what)
{
    if (!what)
        abort();
}

static bool grease(uint16_t v)
{
    return v % 256 == v / 256 && v % 16 == 10;
}

static void check_list(const uint16_t *values, size_t count, size_t max)
{
    must(count <= max);
    for (size_t i = 0; i < max; i++)
        must(i < count ? !grease(values[i]) : values[i] == 0);
}

static void check_ja4(const struct client_hello *h)
{
    char text[JA4_N];
    struct buf b = BUF(text);
    if (!ja4_format(&b, h)) {
        must((h->sslv2 || h->dropped) && b.n == 0);
        return;
    }
    must(b.n == JA4_N && !b.full && text[0] == 't' && text[10] == '_' && text[23] == '_');
    for (size_t i = 0; i < JA4_N; i++)
        must(text[i] >= '0' && text[i] <= 'z');
}

static void check(const struct client_hello *h, size_t used, size_t n)
{
    must(used > 0 && used <= n && used <= HELLO_MAX + 64 * 5);
    check_list(h->versions, h->version_count, HELLO_VERSIONS);
    check_list(h->ciphers, h->cipher_count, HELLO_CIPHERS);
    check_list(h->extensions, h->extension_count, HELLO_EXTENSIONS);
    check_list(h->signatures, h->signature_count, HELLO_SIGNATURES);
    must(h->highest == 0 || (h->highest >= 0x0300 && h->highest <= 0x0304));
    must(h->alpn_n <= HELLO_ALPN_MAX);
    must(h->sni || h->server_name_n == 0);
    must(!h->sslv2 || (h->extension_count == 0 && !h->sni && !h->supported && h->alpn_n == 0));
    must(h->supported || h->version_count <= 1);
    check_ja4(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str bytes = {(const char *)p, n};
    static struct client_hello whole, part;
    size_t used = 0, part_used;
    enum hello_result result = client_hello_parse(bytes, &whole, &used);
    if (result == HELLO_ITEM)
        check(&whole, used, n);
    must(result == HELLO_BAD || client_hello_begins(bytes) != HELLO_BAD);

    /* All beginnings of something short, some of something long. */
    size_t step = n < 600 ? 1 : n / 300;
    bool told = false;
    for (size_t i = 0; i <= n; i += step) {
        enum hello_result at = client_hello_parse((struct str){bytes.p, i}, &part, &part_used);
        must(at == HELLO_MORE ? !told : at == result);
        told = at != HELLO_MORE;
        if (at == HELLO_ITEM)
            must(i >= used && part_used == used && memcmp(&part, &whole, sizeof whole) == 0);
        else
            must(at == HELLO_BAD || result != HELLO_ITEM || i < used);
    }
    return 0;
}
