/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checkpoint file of a follower: up to where lines were told, and from where a restart reads
 * again. One JSON object with a hash of itself. It is replaced as a whole (FILE.new, synchronized,
 * renamed), so that it is the old or the new one whatever happens. FILE.lock says that somebody
 * uses it; it stays, empty. Internal to input/.
 *
 * One thread at a time.
 */
#ifndef AUDIT_CHECKPOINT_H
#define AUDIT_CHECKPOINT_H

#include "core/err.h"
#include "core/siphash.h"
#include "core/str.h"

enum {
    PLACE_HEAD = 1024, /* of the first bytes of a file this many at most are hashed */
    PLACE_TAIL = 256,  /* and of those just before the offset */
    CURSOR_MAX = 256   /* journald's are about 150 bytes */
};

/* A place in a file that may have been renamed, copied or compressed meanwhile. Of a compressed
 * file, the offset and the bytes are those of what is in it. */
struct place {
    uint64_t device, inode;
    uint64_t offset;
    uint64_t head_n, head_hash; /* head_n 0: nothing is known of what is in it */
    uint64_t tail_n, tail_hash;
    int64_t mtime_ns;
};

/* An offset: behind all of it, whatever that is. */
#define PLACE_WHOLE UINT64_MAX

/* A place in the journal. */
struct journal_place {
    char cursor[CURSOR_MAX]; /* empty: none */
    int64_t wall_us;         /* of that entry */
};

/* All lines before `told` were told; `from` is the same place or an earlier one. */
struct checkpoint_state {
    struct place told, from;
    struct journal_place told_entry, from_entry;
};

struct checkpoint {
    char *path, *fresh; /* the file, and what replaces it */
    char *log;
    int lock; /* -1: not open */
};

/*
 * `log`: what is followed, by its absolute name; a checkpoint of another one is refused. 1: *ret
 * is what it says; 0: there is none yet; -1 with *err set: no right to it, in use, damaged, of
 * another log or of a newer version. After -1 nothing is open.
 */
int checkpoint_open(struct checkpoint *c, const char *path, const char *log,
                    struct checkpoint_state *ret, struct err *err);

/* 0; -1 with *err set, and the old one is still there. */
int checkpoint_write(const struct checkpoint *c, const struct checkpoint_state *s, struct err *err);

void checkpoint_close(struct checkpoint *c);

/* What `head_hash` and `tail_hash` are. The key is no secret: whoever can write the log can write
 * what he likes into it anyway. */
uint64_t place_hash(const void *p, size_t n);

#endif
