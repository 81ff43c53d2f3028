/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report/tally.h"

#include <stdlib.h>

#include "core/table.h"

/* What is known of one address. */
struct place {
    bool login;    /* somebody logged in */
    uint32_t user; /* who; NAMES_MORE: several; 0: nobody whose name was told */
    unsigned tried_count;
    uint64_t tried[TALLY_GUESSES]; /* different names whose login failed, hashed */
};

/* Beside its hash a row is looked at only if it is the one: rows are in memory far away. */
struct slot {
    uint32_t hash, row; /* 1 + its index; 0: free */
};

struct tally {
    const struct names *names;
    struct sipkey key;
    struct row *rows;
    struct slot *slots; /* twice as many as `room`, which is 2^n */
    uint32_t count, room, max;
    uint64_t overflow;
    struct arena arena;
    struct table users;  /* hash of seen.h to the user's number in `names` */
    struct table places; /* struct addr to struct place */
};

struct tally *tally_new(const struct names *names, const struct sipkey *key, uint32_t max_rows)
{
    struct tally *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->names = names;
    t->key = *key;
    t->max = max_rows < UINT32_MAX / 4 ? max_rows : UINT32_MAX / 4;
    table_init(&t->users, &t->arena, key);
    table_init(&t->places, &t->arena, key);
    return t;
}

void tally_free(struct tally *t)
{
    if (!t)
        return;
    table_free(&t->users);
    table_free(&t->places);
    arena_free(&t->arena);
    free(t->rows);
    free(t->slots);
    free(t);
}

const struct sipkey *tally_key(const struct tally *t)
{
    return &t->key;
}

/* ---- rows ----------------------------------------------------------------------- */

static uint32_t hash_of(const struct tally *t, const struct seen *s)
{
    return (uint32_t)siphash(&t->key, s, sizeof *s);
}

/* The slot of that session, or the free one where it belongs. */
static struct slot *find(const struct tally *t, uint32_t hash, const struct seen *s)
{
    uint32_t mask = 2 * t->room - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct slot *at = &t->slots[i];
        if (!at->row || (at->hash == hash && memcmp(&t->rows[at->row - 1].seen, s, sizeof *s) == 0))
            return at;
    }
}

static bool grow(struct tally *t)
{
    uint32_t room = t->room ? 2 * t->room : 1024, mask = 2 * room - 1;
    struct row *rows = realloc(t->rows, room * sizeof *rows);
    if (!rows)
        return false;
    t->rows = rows;
    struct slot *slots = calloc(room, 2 * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < 2 * t->room; i++) {
        uint32_t at = t->slots[i].hash & mask;
        while (t->slots[i].row && slots[at].row)
            at = (at + 1) & mask;
        if (t->slots[i].row)
            slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->room = room;
    return true;
}

/* ---- who logs in, and from where ------------------------------------------------ */

static bool learn_user(struct tally *t, uint32_t user)
{
    if (user <= NAMES_MORE)
        return true; /* not told, or one of those that found no place */
    uint64_t hash = sessions_user_hash(&t->key, names_text(t->names, user));
    return table_get(&t->users, &hash, sizeof hash) ||
           table_put(&t->users, &hash, sizeof hash, (void *)(uintptr_t)user);
}

static struct place *place_of(struct tally *t, const struct addr *a)
{
    struct place *p = table_get(&t->places, a, sizeof *a);
    if (p || table_count(&t->places) == t->max)
        return p;
    p = arena_alloc(&t->arena, sizeof *p);
    return p && table_put(&t->places, a, sizeof *a, p) ? p : NULL;
}

static void add_tried(struct place *p, uint64_t hash)
{
    for (unsigned i = 0; i < p->tried_count; i++)
        if (p->tried[i] == hash)
            return;
    if (p->tried_count < TALLY_GUESSES)
        p->tried[p->tried_count++] = hash;
}

static bool learn(struct tally *t, const struct seen *s)
{
    if (!(s->flags & SEEN_AUTH) && s->failed_user == 0)
        return true;
    if (s->flags & SEEN_AUTH && !learn_user(t, s->user))
        return false;
    if (s->client.bits == 0)
        return true;
    struct place *p = place_of(t, &s->client);
    if (!p)
        return false;
    if (s->failed_user)
        add_tried(p, s->failed_user);
    if (s->flags & SEEN_AUTH) {
        p->login = true;
        if (s->user)
            p->user = p->user == 0 || p->user == s->user ? s->user : NAMES_MORE;
    }
    return true;
}

/* NULL: no place. Sessions of a row that exists teach nothing new. */
static struct row *row_of(struct tally *t, const struct seen *s)
{
    uint32_t hash = hash_of(t, s);
    struct slot *at = t->room ? find(t, hash, s) : NULL;
    if (at && at->row)
        return &t->rows[at->row - 1];
    if (!learn(t, s) || t->count == t->max || (t->count == t->room && !grow(t)))
        return NULL;
    t->rows[t->count] = (struct row){.seen = *s};
    *find(t, hash, s) = (struct slot){hash, ++t->count};
    return &t->rows[t->count - 1];
}

bool tally_add(struct tally *t, const struct closed_session *c)
{
    struct row *r = row_of(t, c->seen);
    if (!r) {
        t->overflow++;
        return false;
    }
    r->count++;
    if (c->first_us && (r->first_us == 0 || c->first_us < r->first_us))
        r->first_us = c->first_us;
    if (c->last_us > r->last_us)
        r->last_us = c->last_us;
    return true;
}

/* ---- asked at the end ----------------------------------------------------------- */

uint64_t tally_overflow(const struct tally *t)
{
    return t->overflow;
}

size_t tally_rows(const struct tally *t)
{
    return t->count;
}

const struct row *tally_row(const struct tally *t, size_t i)
{
    return &t->rows[i];
}

uint32_t tally_user_of_hash(const struct tally *t, uint64_t failed)
{
    return (uint32_t)(uintptr_t)table_get(&t->users, &failed, sizeof failed);
}

/* 127.0.0.0/8 and ::1. */
static bool loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->bits == 32 ? a->b[0] == 127 : memcmp(a->b, one, sizeof one) == 0;
}

uint32_t tally_user_at(const struct tally *t, const struct addr *client)
{
    const struct place *p = table_get(&t->places, client, sizeof *client);
    if (!p || !p->login)
        return 0;
    return p->user && !loopback(client) ? p->user : NAMES_MORE;
}

bool tally_guesses(const struct tally *t, const struct addr *client)
{
    const struct place *p = table_get(&t->places, client, sizeof *client);
    return p && !p->login && p->tried_count == TALLY_GUESSES;
}
