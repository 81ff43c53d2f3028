/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sentence.h"

static bool counts(const char *name, const char *counter)
{
    if (*counter != '*')
        return strcmp(name, counter) == 0;
    size_t end = strlen(counter + 1), n = strlen(name);
    return n >= end && strcmp(name + n - end, counter + 1) == 0;
}

void sentence_put(struct buf *b, const struct sentence_part *parts,
                  const struct status_counter *list, size_t count)
{
    for (const struct sentence_part *p = parts; p->one; p++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++)
            if (counts(list[i].name, p->counter))
                sum += list[i].value;
        buf_grouped(b, sum);
        buf_printf(b, " %s, ", sum == 1 ? p->one : p->many);
    }
}

void sentence_put_journal(struct buf *b, const struct journal_state *state)
{
    if (state->stalled)
        buf_printf(b, "JOURNAL STALLED: %s", state->why);
    else
        buf_cstring(b, state->on ? "journal ok" : "no journal");
}
