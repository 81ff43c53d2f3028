/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an exceptions file, whole and in pieces: the same exceptions
 * and the same problems.
 */
#include <stdlib.h>

#include "config/config_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct now now = {.wall_us = INT64_C(1795262400) * US_PER_S};

struct outcome {
    size_t count, problems;
    unsigned errors, warnings;
    uint64_t hash; /* of the problems' text */
};

static struct outcome read_pieces(struct str text, size_t size)
{
    static const struct sipkey fixed;
    struct problems ps = {0};
    struct config_details details = {0};
    struct config c = {.policy = policy_new(&fixed), .details = &details};
    if (!c.policy)
        abort();
    struct reader r = {
        .problems = &ps, .now = now, .config = &c, .policy = c.policy, .source = {.file = "fuzz"}};
    struct exceptions_reader x;
    exceptions_begin(&x, &r, "fuzz");
    for (size_t at = 0; at < text.n; at += size)
        exceptions_feed(&x, (struct str){text.p + at, text.n - at < size ? text.n - at : size});
    exceptions_end(&x);

    struct outcome o = {c.policy->exceptions.count, ps.count, ps.errors, ps.warnings, 0};
    for (unsigned i = 0; i < ps.count; i++) {
        char line[2048];
        struct buf b = BUF(line);
        problem_format(&b, &ps.list[i], true);
        o.hash = o.hash * 31 + siphash(&fixed, b.p, b.n);
        if (b.full || memchr(line, '\033', b.n) || memchr(line, '\0', b.n))
            abort();
    }
    policy_unref(c.policy);
    problems_free(&ps);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    struct outcome whole = read_pieces(text, n ? n : 1);
    static const size_t sizes[] = {1, 3, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct outcome pieces = read_pieces(text, sizes[i]);
        if (whole.count != pieces.count || whole.problems != pieces.problems ||
            whole.errors != pieces.errors || whole.warnings != pieces.warnings ||
            whole.hash != pieces.hash)
            abort();
    }
    return 0;
}
