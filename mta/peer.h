/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a socket answer, seen by the user and from the root directory that the
 * MTA's process has? By a real connect in a child process that becomes that user; reading modes
 * would miss ACLs, AppArmor and the like.
 *
 * Thread use: any; it forks.
 */
#ifndef MTA_PEER_H
#define MTA_PEER_H

#include "core/err.h"

enum peer_outcome {
    PEER_ANSWERS,
    PEER_ABSENT,  /* no such socket */
    PEER_DENIED,  /* a directory or the socket itself does not let that user in */
    PEER_REFUSED, /* it is there, and nobody listens */
    PEER_SILENT,  /* no answer within 5 s, or none that is one; peer_connect: it accepts nobody */
    PEER_UNKNOWN, /* could not be tried: not root, no such user, ... */
};

struct peer {
    const char *user;      /* "postfix"; NULL: who we are */
    const char *root;      /* the chroot, or NULL */
    const char *directory; /* what a relative path is relative to; inside `root` if there is one */
};

/*
 * `endpoint` is "unix:PATH", "local:PATH", "inet:HOST:PORT", "inet:PORT@HOST" or "PATH". `why` is
 * one sentence: which directory or file stops it and who may, or the errno.
 */
enum peer_outcome peer_connect(const struct peer *p, const char *endpoint, char why[256]);

/* The same, and puts one policy request that no rule says anything about; PEER_ANSWERS: it said
 * "action=". */
enum peer_outcome peer_ask_policyd(const struct peer *p, const char *endpoint, char why[256]);

#endif
