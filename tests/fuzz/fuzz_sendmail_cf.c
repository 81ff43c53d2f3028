/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a sendmail.cf and an access map: what was read has lines that the
 * text has, lists end, and a text means the same twice.
 */
#include <stdlib.h>

#include "mta/sendmail/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

static void look_at_daemon(const struct cf *c, const struct access *a, const struct cf_daemon *d,
                           unsigned lines)
{
    const struct cf_filter *filters[CF_LIST];
    unsigned count = cf_daemon_filters(c, d, filters);
    must(count <= CF_LIST && d->line <= lines);
    must(d->name && d->port && d->address && d->family && d->modifiers && d->text);
    for (unsigned i = 0; i < count; i++)
        must(filters[i] >= c->filters && filters[i] < c->filters + c->filter_count);
    struct srv_features f = srv_features(c, a, d);
    must(f.letters && f.line <= lines && (f.file || f.line == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    struct cf c, again;
    struct access a;
    struct err e = {0};
    unsigned lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += data[i] == '\n';
    must(access_parse(text, &a, &e) == 0);
    for (unsigned i = 0; i < a.count; i++)
        must(a.entries[i].key && a.entries[i].value && a.entries[i].line <= lines);
    int failed = cf_parse(text, &c, &e);
    must(failed == cf_parse(text, &again, &e) && c.daemon_count == again.daemon_count &&
         c.option_count == again.option_count && c.filter_count == again.filter_count);
    must(!failed || e.text[0]);
    if (!failed) {
        must(c.daemon_count > 0 && cf_log_level(&c) <= 1000);
        for (unsigned i = 0; i < c.daemon_count; i++)
            look_at_daemon(&c, &a, &c.daemons[i], lines);
        for (unsigned i = 0; i < c.option_count; i++)
            must(cf_option(&c, c.options[i].name) >= &c.options[i]);
    }
    cf_clear(&c);
    cf_clear(&again);
    access_clear(&a);
    return 0;
}
