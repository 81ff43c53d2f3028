/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a PROXY header: every beginning of it is MORE, until it is told for good. */
#include <stdlib.h>

#include "core/wire/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool what)
{
    if (!what)
        abort();
}

static void check(const struct proxy_header *h, size_t used, size_t n)
{
    static const struct proxy_header nothing;
    must(used >= 15 && used <= n && used <= 16 + 65535);
    if (h->told)
        must((h->client.bits == 32 || h->client.bits == 128) &&
             (h->server.bits == 32 || h->server.bits == 128));
    else
        must(memcmp(h, &nothing, sizeof *h) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str bytes = {(const char *)p, n};
    struct proxy_header whole, part;
    size_t used = 0, part_used;
    enum proxy_result result = proxy_header_parse(bytes, &whole, &used);
    if (result == PROXY_ITEM)
        check(&whole, used, n);

    size_t step = n < 600 ? 1 : n / 300;
    bool told = false;
    for (size_t i = 0; i <= n; i += step) {
        enum proxy_result at = proxy_header_parse((struct str){bytes.p, i}, &part, &part_used);
        must(at == PROXY_MORE ? !told : at == result);
        told = at != PROXY_MORE;
        if (at == PROXY_ITEM)
            must(i >= used && part_used == used && memcmp(&part, &whole, sizeof whole) == 0);
    }
    return 0;
}
