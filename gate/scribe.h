/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes down who was refused: the event `auth_refused` in the journal (docs/journal.md) and a line
 * in the log. A thread of its own does it, from a queue: neither OpenSSL nor a disk, not even one
 * that hangs while the journal is opened, holds up an answer. Nothing here is ever fatal. A journal
 * that cannot be opened is tried again every SCRIBE_RETRY_S seconds; meanwhile the log's lines go
 * on, without the user. A queue that is full, because that thread hangs, loses refusals; they are
 * counted and told.
 *
 * Its thread enters a sandbox of its own as soon as the journal and its secret are open, and not
 * before: until then it has to be able to open them.
 *
 * Thread use: the loop thread calls everything here. The queue holds user names; they are
 * wiped as soon as they are hashed.
 */
#ifndef GATE_SCRIBE_H
#define GATE_SCRIBE_H

#include <sys/types.h>

#include "core/err.h"
#include "config/config.h"
#include "edge/sandbox.h"
#include "gate/dialogue.h"

enum { SCRIBE_RETRY_S = 10, SCRIBE_QUEUE = 1024 };

struct scribe_options {
    const char *program; /* outlives the scribe */
    const char *journal; /* the journal's path; "": none */
    enum address_privacy address;
    struct sandbox sandbox; /* begun; the scribe's own from then on */
};

struct scribe;

/* NULL when memory ends: one can do without. */
struct scribe *scribe_new(const struct scribe_options *options);

/* Opens the journal with the rights that there are now, for that owner, if those are needed: as
 * root, before -u. */
void scribe_open_now(struct scribe *s, uid_t owner, gid_t group);

/* Begins to write, as the user we run as. -1: no thread to be had; nothing will be written. */
int scribe_start(struct scribe *s, struct err *e);

/* One that was refused. Never waits. NULL is allowed. */
void scribe_tell(struct scribe *s, const struct attempt *a);

/*
 * Writes what is in the queue, and the end; waits some seconds for that at most. False: its
 * thread is held up by a disk and may come back, so end the process by _exit(2): it still uses
 * OpenSSL and memory. NULL is allowed.
 */
bool scribe_stop(struct scribe *s);

#endif
