/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration: either problems are told, or what was read can
 * be printed and read again and comes to the same.
 */
#include <stdlib.h>

#include "config/config_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct now now = {.wall_us = INT64_C(1795262400) * US_PER_S};

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

/* Every problem must be fit for a terminal. */
static void look_at(const struct problems *ps)
{
    for (unsigned i = 0; i < ps->count; i++) {
        char text[2048];
        struct buf b = BUF(text);
        problem_format(&b, &ps->list[i], true);
        must(!b.full && b.n > 0);
        for (size_t k = 0; k < b.n; k++)
            must(text[k] == '\n' || ((unsigned char)text[k] >= 0x20 && text[k] != 0x7f));
    }
}

static struct buf print(const struct config *c)
{
    size_t size = 4 * YAML_TEXT_MAX;
    struct buf b = {malloc(size), 0, size, false};
    must(b.p != NULL);
    config_print(&b, c);
    return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct problems ps = {0}, again = {0};
    struct config *c = config_parse_at((struct str){(const char *)data, n}, "fuzz", &now, &ps);
    look_at(&ps);
    must((c == NULL) == (ps.errors > 0));
    if (c) {
        struct buf first = print(c);
        struct config *d = config_parse_at(buf_view(&first), "fuzz", &now, &again);
        must(first.full || first.n > YAML_TEXT_MAX || d != NULL);
        if (d) {
            struct buf second = print(d);
            must(str_eq(buf_view(&first), buf_view(&second)));
            free(second.p);
            config_free(d);
        }
        free(first.p);
        config_free(c);
    }
    problems_free(&ps);
    problems_free(&again);
    return 0;
}
