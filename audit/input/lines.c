/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/lines.h"

#include "audit/input/entry.h"

void lines_init(struct lines *l, int64_t reference_us, input_take *take, void *context)
{
    l->take = take;
    l->context = context;
    l->counts = (struct input_counts){0};
    l->stopped = l->too_long = false;
    l->carried = 0;
    stamps_init(&l->stamps, reference_us);
}

static bool give(struct lines *l, const char *p, size_t n)
{
    struct entry e;
    struct buf room = BUF(l->room);
    if (n > INPUT_LINE_MAX) {
        n = INPUT_LINE_MAX;
        l->too_long = true;
    }
    l->counts.lines++;
    l->counts.cut += l->too_long;
    l->too_long = false;
    entry_of_line(&l->stamps, (struct str){p, n}, &room, &e);
    l->stopped = !l->take(l->context, &e.line, l->counts.lines);
    return !l->stopped;
}

static void carry(struct lines *l, const char *p, size_t n)
{
    size_t room = sizeof l->carry - l->carried;
    if (n > room) {
        n = room;
        l->too_long = true;
    }
    memcpy(l->carry + l->carried, p, n);
    l->carried += n;
}

static bool give_carried(struct lines *l)
{
    size_t n = l->carried;
    l->carried = 0;
    return give(l, l->carry, n);
}

bool lines_feed(struct lines *l, const char *p, size_t n)
{
    l->counts.bytes += n;
    while (n && !l->stopped) {
        const char *newline = memchr(p, '\n', n);
        size_t part = newline ? (size_t)(newline - p) : n;
        if (!newline || l->carried)
            carry(l, p, part);
        if (!newline)
            return true;
        if (l->carried)
            give_carried(l);
        else
            give(l, p, part);
        p += part + 1, n -= part + 1;
    }
    return !l->stopped;
}

void lines_end(struct lines *l)
{
    if (l->carried)
        give_carried(l);
}
