/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

void each_line(const char *path, void (*take)(void *context, struct str line), void *context)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    assert_non_null(f);
    while ((n = getline(&line, &cap, f)) > 0)
        take(context, (struct str){line, (size_t)n - (line[n - 1] == '\n')});
    free(line);
    fclose(f);
}

void each_cut(struct str text, void (*take)(struct str cut))
{
    for (size_t n = 0; n <= text.n; n++) {
        char *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, text.p, n);
        /* An empty text is at the end of its memory. */
        take((struct str){n ? copy : copy + 1, n});
        free(copy);
    }
}
