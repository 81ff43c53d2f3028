/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may break which rule until when. Each exception names a reason and an
 * owner; each ends. Found by user and by network, however many there are.
 */
#ifndef CORE_EXCEPTIONS_H
#define CORE_EXCEPTIONS_H

#include "core/clock.h"
#include "core/finding.h"
#include "core/prefix_index.h"

struct exception {
    finding_set allow;
    int64_t until_us; /* wall clock; over from then on */
    const char *reason, *owner;
    const char *file; /* where it was written */
    unsigned line;
    /* If there are users and networks, one of each must match. */
    const struct prefix *clients;
    size_t client_count;
    size_t user_count; /* names; they are in the index only */
};

struct exceptions {
    struct arena *arena;
    struct table by_user; /* names in lower case */
    struct prefix_index by_client;
    size_t count;
    finding_set any; /* union of all `allow`: a finding outside needs no lookup */
};

void exceptions_init(struct exceptions *x, struct arena *arena, const struct sipkey *key);

/*
 * Adds one: `e` and all it points to lie in the arena, `users` need not. An
 * exception without a user and without a network would be for everyone and is
 * refused by the callers who read it. False when memory ends.
 */
bool exceptions_add(struct exceptions *x, const struct exception *e, const struct str *users);

/* What there is for one client and user, in force or not: looked up once, asked for each finding.
 */
struct exception_matches {
    const struct addr *client;
    unsigned count;
    /* one for the user, one for each network around the client: it cannot overflow */
    const struct exception_entry *list[1 + 128 + 1];
};

/* User names compare without regard to ASCII case. `client` must outlive *ret. */
void exceptions_match(const struct exceptions *x, const struct addr *client, struct str user,
                      struct exception_matches *ret);

/*
 * The exception among them that allows `f` at that time, or NULL. Where there
 * is none in force but one that has run out, *ret_expired is the one that ended
 * last, else NULL.
 */
const struct exception *exceptions_find(const struct exception_matches *m, enum finding f,
                                        const struct now *now,
                                        const struct exception **ret_expired);

void exceptions_free(struct exceptions *x);

#endif
