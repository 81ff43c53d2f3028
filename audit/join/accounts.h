/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accounts of all sessions, and how one is found: by an exact key, or by address and time.
 * First all events, then the questions. Inside audit/join/ only.
 *
 * An account is named by its number, from 1; 0 is none.
 */
#ifndef AUDIT_ACCOUNTS_H
#define AUDIT_ACCOUNTS_H

#include "core/table.h"
#include "audit/join/match.h"

enum { ACCOUNT_NONE = 0 };

/* Accounts without ports are of the gate, and of policyd on an old Postfix; a session may have one
 * of each kind. */
enum { KEYLESS, KEYED, KINDS };

/* Exact keys that a session of the log and an account may have in common. */
enum { BY_QUEUE_ID, BY_PORT, BY_PROCESS, BY_KEYS };

struct account_node {
    struct account account;
    bool taken;     /* it is a part of a session that was told */
    bool ambiguous; /* a session of the log may be its, or another's */
};

struct accounts {
    struct account_node *nodes; /* from 1 */
    uint32_t count, room, max;
    struct arena arena;
    struct table by_key, by[BY_KEYS];
    uint32_t *sorted; /* by address, kind and time; NULL: not asked yet */
    bool failed;      /* memory has ended */
};

void accounts_init(struct accounts *a, const struct sipkey *key, uint32_t max);
void accounts_free(struct accounts *a);

static inline struct account_node *accounts_at(const struct accounts *a, uint32_t number)
{
    return &a->nodes[number];
}

static inline int account_kind(const struct account *a)
{
    return a->key ? KEYED : KEYLESS;
}

/* Adds an event to the account that it belongs to, or to a new one. ACCOUNT_NONE: no place. */
uint32_t accounts_add(struct accounts *a, const struct event *e, struct names *names);

/* False ends a search. */
typedef bool accounts_each(void *context, uint32_t number);

/* Those with an exact key in common. Some may come twice. */
void accounts_exact(const struct accounts *a, const struct waiting *w, accounts_each *each,
                    void *context);

/*
 * Those of a client that began between the two times. At most ACCOUNTS_LOOK are looked at: false if
 * there are more, or memory has ended. Needs no order of calls, but no event may come after it.
 */
enum { ACCOUNTS_LOOK = 4096 };
bool accounts_near(struct accounts *a, const struct addr *client, int kind, int64_t from_us,
                   int64_t to_us, accounts_each *each, void *context);

#endif
