/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a user and of a client's address may be written, to the journal and
 * to syslog alike. Every writer passes what it writes through here.
 *
 * hash: "h:" and 16 hex digits, the first 64 bits of HMAC-SHA256 with a secret
 * of this installation: the same user gives the same hash in every program and
 * on every day, and without the secret it cannot be tried out. The secret is
 * <journal path>/secret, 32 random bytes, mode 0640, made by the first program that
 * finds none; deleting it and restarting cuts the link to all older lines.
 *
 * Thread use: one thread at a time.
 */
#ifndef EDGE_PRIVACY_H
#define EDGE_PRIVACY_H

#include <sys/types.h>

#include "core/err.h"
#include "core/net.h"
#include "core/siphash.h"
#include "config/config.h"

struct privacy;

enum { PRIVACY_TEXT_MAX = 320 }; /* what `scratch` below should hold */

/*
 * Reads the secret of <journal_path>/, or makes it (owner and group as given,
 * (uid_t)-1, (gid_t)-1: as they come), also if nothing is hashed yet: a later
 * reload has no right to. Call it while still root, after journal_open(), which makes
 * the directory. With an empty path the secret is random and lives as long as
 * the process. NULL with *err set: the secret cannot be read or made, has the
 * wrong length, or OpenSSL has no HMAC.
 */
struct privacy *privacy_open(const struct privacy_settings *s, const char *journal_path,
                             uid_t owner, gid_t group, struct err *err);
void privacy_free(struct privacy *p);

/* After a reload. */
void privacy_reconfigure(struct privacy *p, const struct privacy_settings *s);

/*
 * The functions below return what to write: the argument itself where it may
 * be written plainly (no copy), else text in `scratch`, which they begin anew
 * and which must live as long as the result. Empty stays empty. Should it not
 * fit or OpenSSL fail, the result is "h:?", never the plain text.
 */

/* A login name; the domain alone is "@example.com", "@" if it has none. ASCII
 * case does not count in a hash. */
struct str privacy_user(struct privacy *p, struct str user, struct buf *scratch);

/* A sender address: it tells who the user is, so the same settings apply. */
struct str privacy_sender(struct privacy *p, struct str sender, struct buf *scratch);

/* `text` is the address as it was given, `a` what it means. The network is
 * "192.0.2.0/24" or "2001:db8:1::/48"; "unknown" if there is no address. */
struct str privacy_address(struct privacy *p, struct str text, const struct addr *a,
                           struct buf *scratch);

/* A host name of the client (helo_name), which may spell its
 * address: plain, hashed, or empty where only the network may be written. */
struct str privacy_name(struct privacy *p, struct str name, struct buf *scratch);

/* A key that every program with the same secret derives alike, for
 * session_key(); `purpose` keeps keys for different uses apart. */
int privacy_derive_key(struct privacy *p, const char *purpose, struct sipkey *ret);

#endif
