/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are hashes under a secret key, 64 bits long, and nothing but the hash is compared: of a
 * million sessions, two have the same one in 10^7 logs.
 */
#include "audit/session/open.h"

#include <stdlib.h>

struct place {
    uint64_t key; /* 0: free */
    uint32_t open;
};

/* ---- keys: open addressing, at most half full ----------------------------------------- */

/* The place of that key, or the free one where it belongs. There is always a free one. */
static struct place *place_of(const struct open_sessions *s, uint64_t key)
{
    uint32_t i = (uint32_t)key & s->mask;
    while (s->places[i].key && s->places[i].key != key)
        i = (i + 1) & s->mask;
    return &s->places[i];
}

uint32_t open_find(const struct open_sessions *s, uint64_t key)
{
    return key ? place_of(s, key)->open : NOBODY;
}

/* Closes the gap, so that no search stops at it. */
static void forget(struct open_sessions *s, uint64_t key)
{
    if (!key)
        return;
    uint32_t gap = (uint32_t)(place_of(s, key) - s->places);
    for (uint32_t i = (gap + 1) & s->mask; s->places[i].key; i = (i + 1) & s->mask) {
        uint32_t home = (uint32_t)s->places[i].key & s->mask;
        if (((i - home) & s->mask) < ((i - gap) & s->mask))
            continue;
        s->places[gap] = s->places[i];
        gap = i;
    }
    s->places[gap] = (struct place){0, NOBODY};
}

void open_second_key(struct open_sessions *s, uint32_t i, uint64_t key)
{
    forget(s, s->at[i].keys[1]);
    s->at[i].keys[1] = key;
    *place_of(s, key) = (struct place){key, i};
}

/* ---- lists ------------------------------------------------------------------------------ */

static void unlink_from(struct open_sessions *s, enum order by, uint32_t i)
{
    struct open *o = &s->at[i];
    s->at[o->order[by].before].order[by].after = o->order[by].after;
    s->at[o->order[by].after].order[by].before = o->order[by].before;
}

static void append_to(struct open_sessions *s, enum order by, uint32_t i)
{
    uint32_t last = s->at[NOBODY].order[by].before;
    s->at[i].order[by].before = last;
    s->at[i].order[by].after = NOBODY;
    s->at[last].order[by].after = i;
    s->at[NOBODY].order[by].before = i;
}

uint32_t open_first(const struct open_sessions *s, enum order by)
{
    return s->at[NOBODY].order[by].after;
}

void open_use(struct open_sessions *s, uint32_t i)
{
    unlink_from(s, BY_USE, i);
    append_to(s, BY_USE, i);
}

/* ---- memory ------------------------------------------------------------------------------ */

enum { FIRST_ROOM = 256 };

static bool make_places(struct open_sessions *s, uint32_t room)
{
    uint32_t mask = 1, old_mask = s->mask;
    while (mask < 2 * KEYS * room)
        mask = 2 * mask + 1;
    struct place *old = s->places, *places = calloc((size_t)mask + 1, sizeof *places);
    if (!places)
        return false;
    s->places = places;
    s->mask = mask;
    for (uint32_t i = 0; old && i <= old_mask; i++)
        if (old[i].key)
            *place_of(s, old[i].key) = old[i];
    free(old);
    return true;
}

static bool grow(struct open_sessions *s)
{
    uint32_t room = 2 * s->room < s->max + 1 ? 2 * s->room : s->max + 1;
    struct open *at = realloc(s->at, room * sizeof *at);
    if (!at)
        return false;
    s->at = at;
    if (!make_places(s, room))
        return false;
    s->room = room;
    return true;
}

bool open_init(struct open_sessions *s, uint32_t max)
{
    *s = (struct open_sessions){.max = max, .used = 1};
    s->room = max < FIRST_ROOM ? max + 1 : FIRST_ROOM;
    s->at = calloc(s->room, sizeof *s->at);
    return s->at && make_places(s, s->room);
}

void open_free(struct open_sessions *s)
{
    free(s->at);
    free(s->places);
}

uint32_t open_add(struct open_sessions *s, uint64_t key)
{
    uint32_t i = s->free;
    if (i)
        s->free = s->at[i].order[BY_USE].after;
    else if (s->used < s->room || grow(s))
        i = s->used++;
    else
        return NOBODY;
    memset(&s->at[i], 0, sizeof s->at[i]);
    s->at[i].keys[0] = key;
    *place_of(s, key) = (struct place){key, i};
    append_to(s, BY_USE, i);
    append_to(s, BY_BIRTH, i);
    s->count++;
    return i;
}

void open_remove(struct open_sessions *s, uint32_t i)
{
    for (int k = 0; k < KEYS; k++)
        forget(s, s->at[i].keys[k]);
    unlink_from(s, BY_USE, i);
    unlink_from(s, BY_BIRTH, i);
    s->at[i].order[BY_USE].after = s->free;
    s->free = i;
    s->count--;
}
