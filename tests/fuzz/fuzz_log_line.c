/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as lines, of a log or of the journal: their parts lie in them, a line means the same
 * whatever came before it, and no tag has a blank in it.
 */
#include <stdlib.h>

#include "audit/input/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

static bool lies_in(struct str part, const char *p, size_t n)
{
    return part.n == 0 || (part.p >= p && part.p <= p + n && part.n <= (size_t)(p + n - part.p));
}

static void check(struct stamps *used, struct str line)
{
    struct stamps fresh;
    struct entry a, b;
    struct buf room = {malloc(line.n + 1), 0, line.n, false};
    char *copy = malloc(line.n + 1); /* and not a byte behind it */
    char *exact = realloc(copy, line.n ? line.n : 1);
    must(room.p && exact);
    memcpy(exact, line.p, line.n);
    line.p = exact;

    stamps_init(&fresh, used->reference_us);
    entry_of_line(used, line, &room, &a);
    must(!room.full);
    entry_of_line(&fresh, line, &room, &b);
    const struct log_line *l = &a.line, *m = &b.line;
    must(l->wall_us == m->wall_us && l->pid == m->pid && l->times == m->times);
    must(str_eq(l->host, m->host) && str_eq(l->tag, m->tag) && str_eq(l->text, m->text));
    must(l->times > 0);

    bool entry = line.n && line.p[0] == '{';
    const struct str parts[] = {l->host, l->tag, l->text, a.cursor};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        must(lies_in(parts[i], line.p, line.n) || (entry && lies_in(parts[i], room.p, room.n)));
    for (size_t i = 0; i < l->tag.n && !entry; i++)
        must(l->tag.p[i] != ' ' && l->tag.p[i] != '\t');
    free(exact);
    free(room.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct stamps t;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    stamps_init(&t, INT64_C(1795000000) * US_PER_S); /* 2026-11-18 */
    struct str rest = {(const char *)data, n};
    while (rest.n)
        check(&t, str_cut(&rest, "\n"));
    return 0;
}
