/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a jail.conf: lines are those of the text, every value ends, and a filter has a name.
 */
#include <stdlib.h>

#include "mta/fail2ban/jails.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct jails j = {0};
    struct err e = {0};
    unsigned lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += data[i] == '\n';
    int failed = jails_parse((struct str){(const char *)data, n}, "jail.conf", &j, &e);
    must(!failed || e.text[0]);
    for (unsigned i = 0; i < j.count; i++)
        must(j.settings[i].line >= 1 && j.settings[i].line <= lines);
    for (unsigned i = 0; i < j.name_count && i < 16; i++) {
        char name[64], mode[32], value[JAIL_VALUE_MAX];
        jail_is_enabled(&j, j.names[i]);
        if (jail_filter(&j, j.names[i], name, mode))
            must(memchr(name, 0, sizeof name) && memchr(mode, 0, sizeof mode));
        for (unsigned k = 0; k < j.count && k < 64; k++)
            if (jail_value(&j, j.names[i], j.settings[k].key, value))
                must(memchr(value, 0, sizeof value) != NULL);
    }
    jails_clear(&j);
    return 0;
}
