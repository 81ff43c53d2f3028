/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a sendmail.mc: calls have lines that the text has, in order, and a text means the
 * same twice. */
#include <stdlib.h>

#include "mta/sendmail/mc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    struct mc m, again;
    struct err e = {0};
    unsigned lines = 1, before = 1;
    for (size_t i = 0; i < n; i++)
        lines += data[i] == '\n';
    int failed = mc_parse(text, &m, &e);
    must(failed == mc_parse(text, &again, &e) && m.count == again.count && m.count <= MC_CALLS);
    must(!failed || e.text[0]);
    for (unsigned i = 0; i < m.count; i++) {
        const struct mc_call *c = &m.calls[i];
        must(c->line >= before && c->last_line >= c->line && c->last_line <= lines);
        before = c->last_line;
        for (unsigned k = 0; k < MC_ARGUMENTS; k++)
            must(c->arguments[k] != NULL);
    }
    mc_clear(&m);
    mc_clear(&again);
    return 0;
}
