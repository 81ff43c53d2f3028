/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mailreeve.yaml is to say, and the editor that makes it say so with the
 * least change: what need not change stays as it is, byte for byte, comments too.
 *
 * Thread use: any.
 */
#ifndef SETUP_WISH_H
#define SETUP_WISH_H

#include "config/config.h"
#include "core/err.h"

enum { WISH_SOCKETS = 4, WISH_TRUSTED = 64 };

struct wish_listener {
    char name[64];
    uint16_t port;
    enum role role;
};

struct wish_program {
    const char *sockets[WISH_SOCKETS]; /* paths */
    unsigned count;                    /* 0: as it is */
    const char *group;
};

struct wish {
    struct wish_listener listeners[LISTENERS];
    unsigned listener_count;
    bool enforce; /* else the mode stays as it is, and a new file has audit */
    struct wish_program policyd, milter;
    const char *networks[WISH_TRUSTED], *certificates[WISH_TRUSTED]; /* to be trusted, too */
    unsigned network_count, certificate_count;
};

/*
 * The text of mailreeve.yaml that fulfils the wish, into *ret (in the arena;
 * equal to `old` if nothing has to change). `old`.p NULL: there is no file. A file that says
 * nothing but "mode: audit", as it is installed, is written anew. Listeners that are there keep
 * their options. The result has been read again: it is valid, says what was wished, and nothing
 * else in it means something else. -1 and *e: `old` is wrong, or cannot be edited (what is to
 * be changed is written in braces), or has another role for a port.
 */
int wish_edit(struct str old, const char *path, const struct wish *w, struct arena *arena,
              struct str *ret, struct err *e);

#endif
