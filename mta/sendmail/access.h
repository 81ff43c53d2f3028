/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /etc/mail/access says of TLS and AUTH: its lines Srv_Features: and
 * TLS_Clt:. Sendmail reads access.db, which makemap has made of it; whether
 * that is as new is for the caller to see.
 *
 * Thread use: any; nothing is kept.
 */
#ifndef MTA_SENDMAIL_ACCESS_H
#define MTA_SENDMAIL_ACCESS_H

#include "mta/sendmail/cf.h"

enum { ACCESS_TEXT_MAX = 64 * 1024 * 1024, ACCESS_ENTRIES = 1024 };

enum access_tag { ACCESS_SRV_FEATURES, ACCESS_TLS_CLT, ACCESS_TAGS };

struct access_entry {
    enum access_tag tag;
    const char *key; /* of which clients; "": of all that no other line names */
    const char *value;
    unsigned line;
};

struct access {
    struct arena arena;
    struct access_entry *entries;
    unsigned count, dropped; /* dropped: there are more than ACCESS_ENTRIES of these */
};

/* -1 and *e: no memory. The caller clears it in any case. */
int access_parse(struct str text, struct access *ret, struct err *e);

/* The same from a file; -1 also if it cannot be read. */
int access_read(const char *path, struct access *ret, struct err *e);

void access_clear(struct access *a);

/* The entry of a tag for all clients, the last of several; NULL: there is none. */
const struct access_entry *access_for_all(const struct access *a, enum access_tag tag);

/* What Sendmail's ruleset srv_features says to any client of a daemon. */
struct srv_features {
    const char
        *letters; /* "A": no AUTH; "l": AUTH is required; "c": as AuthOptions=p; "S": no STARTTLS */
    const char *file; /* "sendmail.cf", "access"; NULL: nothing is said */
    unsigned line;
    bool unknown; /* Local_srv_features has rules of another form than the one below */
};

/*
 * Rules of this form, which cf/README's macro LOCAL_SRV_FEATURES makes, are understood;
 * where they say nothing, the entry for all clients in access counts:
 *   R$*      $: $&{daemon_name}
 *   Rname    $# A
 *   R$*      $# l
 */
struct srv_features srv_features(const struct cf *c, const struct access *a,
                                 const struct cf_daemon *d);

#endif
