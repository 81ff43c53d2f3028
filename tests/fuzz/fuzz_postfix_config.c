/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as main.cf and master.cf (divided by the first NUL): every value,
 * list and listener can be asked for, and what comes out is bounded and has lines that exist.
 */
#include <stdlib.h>

#include "mta/postfix/postfix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void ask(struct postfix *p, const struct pf_service *s, unsigned lines)
{
    static struct pf_restriction restrictions[PF_RESTRICTIONS];
    struct pf_client milters[PF_MILTERS];
    unsigned count = postfix_restrictions(p, s, restrictions);
    for (unsigned i = 0; i < count; i++)
        if (!restrictions[i].name[0] || !restrictions[i].list ||
            (restrictions[i].effect == PF_POLICY && !restrictions[i].client.endpoint))
            abort();
    postfix_milters(p, s, milters);
    for (unsigned i = 0; s && i < s->option_count; i++) {
        struct pf_value v = postfix_value(p, s, s->options[i].name);
        if (!v.raw || v.source != PF_MASTER || v.line == 0 || v.line > lines)
            abort();
        postfix_where(p, s, v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *end = n ? memchr(data, 0, n) : NULL;
    size_t head = end ? (size_t)(end - data) : n;
    struct str main_cf = {(const char *)data, head};
    struct str master_cf = {end ? (const char *)end + 1 : NULL, end ? n - head - 1 : 0};
    struct postfix p;
    struct err e;
    struct pf_listener listeners[PF_LISTENERS];
    unsigned lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += data[i] == '\n';
    if (n > 16384 || postfix_parse(main_cf, master_cf, &p, &e) < 0)
        return 0;
    for (unsigned i = 0; i < p.main_count && i < 64; i++) {
        struct pf_value v = postfix_value(&p, NULL, p.main[i].name);
        if (!v.raw || v.line == 0 || v.line > lines)
            abort();
    }
    unsigned count = postfix_listeners(&p, listeners);
    for (unsigned i = 0; i < count; i++)
        if (listeners[i].role_known)
            ask(&p, listeners[i].service, lines);
    ask(&p, NULL, lines);
    postfix_free(&p);
    return 0;
}
