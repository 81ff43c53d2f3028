/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

struct str wire_copy(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);
    assert_non_null(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

struct str wire_hex(const char *hex)
{
    char bytes[32 * 1024];
    size_t n = 0;
    int used = 0;
    unsigned byte;
    for (; sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used) {
        assert_true(n < sizeof bytes);
        bytes[n++] = (char)byte;
    }
    assert_string_equal(hex, "");
    return wire_copy((struct str){bytes, n});
}

struct str wire_recording(const char *corpus, const char *name)
{
    char path[256], bytes[32 * 1024];
    snprintf(path, sizeof path, "tests/fuzz/corpus/%s/%s", corpus, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is missing", path);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(n > 0 && n < sizeof bytes);
    return wire_copy((struct str){bytes, n});
}

void wire_free(struct str s)
{
    free((char *)s.p);
}
