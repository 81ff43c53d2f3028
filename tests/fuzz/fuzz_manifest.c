/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a manifest: refused, or written again to what is read the same. */
#include <stdlib.h>

#include "setup/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct manifest m, again;
    static char text[MANIFEST_LARGEST];
    struct buf b = BUF(text);
    struct err e;
    if (manifest_parse((struct str){(const char *)data, n}, &m, &e) < 0)
        return 0;
    manifest_format(&b, &m);
    if (!b.full &&
        (manifest_parse(buf_view(&b), &again, &e) < 0 || memcmp(&m, &again, sizeof m) != 0))
        abort();
    return 0;
}
