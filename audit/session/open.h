/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open sessions: found by keys, in order of use and of birth. Inside audit/session/ only.
 *
 * A session is named by an index, which is valid until it is removed; `at` moves when one is added.
 */
#ifndef AUDIT_OPEN_H
#define AUDIT_OPEN_H

#include "audit/session/seen.h"

enum {
    NOBODY = 0,        /* no session; and the head of both lists */
    KEYS = 2,          /* its own, and that of its last mail's queue id */
    QUEUE_ID_MAX = 24, /* a longer one is none */
};

enum order { BY_USE, BY_BIRTH, ORDERS };

struct open {
    uint64_t keys[KEYS]; /* 0: none */
    struct {
        uint32_t before, after;
    } order[ORDERS];
    uint64_t number, first_position;
    int64_t first_us, last_us;
    int64_t used_us;  /* on the clock that only goes forward */
    int64_t begun_us; /* when the client connected, as far as it is told */
    uint32_t pid;
    uint16_t client_port;
    uint8_t queue_id_n;
    char queue_id[QUEUE_ID_MAX];
    struct seen seen;
};

struct place;

struct open_sessions {
    struct open *at;     /* at[NOBODY] is where the lists begin and end */
    uint32_t count, max; /* open now; at most */
    uint32_t room, used; /* how many there are, how many were ever needed */
    uint32_t free;       /* first of those given back, linked by BY_USE.after */
    struct place *places;
    uint32_t mask;
};

/* False when memory ends. */
bool open_init(struct open_sessions *s, uint32_t max);
void open_free(struct open_sessions *s);

/* NOBODY: none has that key; none has 0. */
uint32_t open_find(const struct open_sessions *s, uint64_t key);

/* A new one, zeroed, under a key that nobody has. There must be less than max. NOBODY when memory
 * ends. */
uint32_t open_add(struct open_sessions *s, uint64_t key);
void open_remove(struct open_sessions *s, uint32_t i);

/* Gives it a second key that nobody has, instead of its last one. */
void open_second_key(struct open_sessions *s, uint32_t i, uint64_t key);

/* It was used just now. */
void open_use(struct open_sessions *s, uint32_t i);

/* The one used longest ago; the oldest. NOBODY if there is none. */
uint32_t open_first(const struct open_sessions *s, enum order by);

#endif
