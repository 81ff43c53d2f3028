/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SASL mechanisms that are known, how they are offered to the MTA, and who wants to log
 * in, as far as a mechanism says that without being asked for a secret. What is taken
 * out is the name alone; passwords, tokens and digests are never looked at further
 * than to find where the name ends.
 *
 * Pure: no globals, nothing kept. What is decoded on the way is wiped.
 */
#ifndef GATE_MECHANISMS_H
#define GATE_MECHANISMS_H

#include "core/buf.h"

enum { USER_MAX = 255 }; /* bytes of a user name; a longer one is unknown */

struct mechanism {
    struct str name;
    const char *flags; /* behind "MECH <name>", each with its tab, as Dovecot 2.3 says them */
    /*
     * The name within a decoded initial response: a view into it, empty if there is none.
     * NULL: the mechanism does not tell it there.
     */
    struct str (*user)(struct str response);
    bool asks_for_user; /* without an initial response, the name can be asked for first */
};

extern const struct mechanism mechanisms[];
extern const size_t mechanism_count;

/* The known one of that name, in any letter case; NULL: none. */
const struct mechanism *mechanism_of(struct str name);

/*
 * Whoever tries to log in by a response in base64 (RFC 4648 4, padding needed; RFC 4954 4:
 * "=" is an empty one). False, with nothing in `ret`: it is not told, or no base64, or too long.
 */
bool mechanism_user(const struct mechanism *m, struct str response, struct buf *ret);

#endif
