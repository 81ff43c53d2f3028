/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as mailreeve.yaml: they are refused, or edited so that a second time changes nothing.
 */
#include <stdlib.h>

#include "setup/wish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct wish wish = {
    .listeners = {{"smtp", 25, ROLE_SMTP}, {"submission1587", 1587, ROLE_SUBMISSION}},
    .listener_count = 2,
    .enforce = true,
    .policyd = {.sockets = {"/q/mailreeve/policyd.sock"}, .count = 1, .group = "postfix"},
    .networks = {"127.0.0.0/8"},
    .network_count = 1,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena arena = {0};
    struct str old = {(const char *)data, n}, once, twice;
    struct err e;
    if (wish_edit(old, "fuzz", &wish, &arena, &once, &e) == 0 &&
        (wish_edit(once, "fuzz", &wish, &arena, &twice, &e) < 0 || !str_eq(once, twice)))
        abort();
    arena_free(&arena);
    return 0;
}
