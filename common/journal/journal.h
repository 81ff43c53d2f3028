/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event journal: one JSON object a line, in segments below
 * <path>/<program>/. docs/journal.md is the contract with readers.
 *
 * The loop thread formats lines into a ring in memory; a thread of the journal
 * writes them. The loop thread never waits: if the ring is full, because the
 * disk is full, frozen or too slow, a line is dropped and counted, and the
 * count is journaled as the event "lost" as soon as there is room.
 *
 * Thread use: one thread, the loop thread, calls everything here. (It may open
 * the journal before it drops privileges, and starts it after.) Only
 * journal_open() and journal_stop() touch the file
 * system and may wait for it.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdio.h>
#include <sys/types.h>

#include "core/clock.h"
#include "core/err.h"
#include "config/config.h"

struct journal;

enum {
    JOURNAL_LINE_MAX = 4096,   /* bytes, newline included */
    JOURNAL_OVERSIZED_MAX = 16 /* names kept for the field "oversized" */
};

/* ---- life --------------------------------------------------------------- */

/*
 * Opens <s->path>/<program>/: creates what is missing (mode 2750, owner and
 * group as given, (uid_t)-1 and (gid_t)-1: as they come) and takes the lock,
 * so that there is one writer. Call it while still root, if at all; the lock
 * stays with the process. No segment is made before there is a line.
 * `program` is a literal or outlives the journal: "mailreeve-policyd".
 *
 * With an empty path it returns a journal that is off: every call below is
 * allowed and does nothing.
 *
 * NULL with *err set: a directory cannot be made or opened, another process is
 * the writer (its pid is named), memory ends. s is copied.
 */
struct journal *journal_open(const struct journal_settings *s, const char *program, uid_t owner,
                             gid_t group, struct err *err);

/*
 * A journal that writes each line to `out` at once, the same bytes as one on disk, without a
 * thread and without a directory: for a tool that reads what was captured earlier. `out` stays the
 * caller's, who also looks at its error flag; it outlives the journal. journal_start() is then
 * without effect. NULL with *err set: memory ends.
 */
struct journal *journal_to_file(FILE *out, const char *program, struct err *err);

/* Starts the writer thread, all signals blocked. After privileges are dropped.
 * Lines written before are kept in the ring. -1: no thread to be had. */
int journal_start(struct journal *j, struct err *err);

/*
 * New keep, max_total and min_free, after a reload. -1 and *err if the path
 * is another one: that needs a restart, and nothing is changed.
 */
int journal_reconfigure(struct journal *j, const struct journal_settings *s, struct err *err);

/* The descriptor of <path>/<program>/, the journal's own; -1: it has none. All that the writer
 * opens from journal_start() on is in there. */
int journal_directory(const struct journal *j);

/*
 * Ends it: writes what is in the ring, syncs the segment to disk, waits for
 * that at most `limit_ms`. Returns how many lines could not be written (0: all
 * is safe). No line may be written after it.
 */
uint64_t journal_stop(struct journal *j, int limit_ms);

/* Gives everything back, the lock too. If the writer thread still hangs in a
 * frozen disk its memory is left to it. NULL is allowed. */
void journal_free(struct journal *j);

/*
 * Call it about once a second. It journals losses not yet told, sees to the
 * age of segments, and says whether the journal changed between writing and
 * not writing, so that the caller tells it in the log, once and loudly; the
 * words for it are in journal_state: `why`.
 */
enum journal_change { JOURNAL_SAME, JOURNAL_STALLED, JOURNAL_RESUMED };
enum journal_change journal_tick(struct journal *j, const struct now *now);

/* ---- state -------------------------------------------------------------- */

struct journal_state {
    bool on;        /* there is a path */
    bool stalled;   /* lines are not reaching the disk at present */
    uint64_t lines; /* written to the segment files */
    uint64_t bytes;
    uint64_t lost;                 /* dropped since the start */
    uint64_t ring_used, ring_size; /* bytes */
    uint64_t segments;             /* opened since the start */
    char segment[40];              /* the file in use; "": none yet */
    int last_errno;                /* of the last failure; 0: none since the start */
    char why[160];                 /* if stalled: the reason, for people; else "" */
    int64_t last_write_mono_us;    /* 0: nothing written yet */
};

/* Never blocks. Numbers may be a moment apart from each other. */
void journal_get_state(const struct journal *j, const struct now *now, struct journal_state *ret);

/* ---- writing a line ----------------------------------------------------- */

/*
 *     struct jline l;
 *     journal_begin(j, &l, &now, "decision", key);
 *     jline_str(&l, "client_address", addr);
 *     journal_commit(j, &l);
 *
 * One line at a time, begin to commit. Where the journal is off or the ring is
 * full all of it is a few instructions. Each begin is a line: it takes a
 * sequence number, also if it is lost.
 *
 * `event` and `name` are literals: ASCII letters, digits, "_", "-"; names are
 * at most 40 bytes, live until the commit, and are not repeated within a line.
 *
 * Nothing is cut: a value that does not fit the line is written as null, and
 * "oversized":["name",...] at the end of the line says so.
 */
struct jline {
    struct buf b;      /* in the ring, cap: what values may fill; p == NULL: not written */
    size_t reserved;   /* bytes that "oversized" will need */
    uint8_t oversized; /* how many names are in `names` */
    bool crowded;      /* more than that: their fields are left out */
    const char *names[JOURNAL_OVERSIZED_MAX];
};

/* `key`: session_key(), 0: unknown (null in the line). */
void journal_begin(struct journal *j, struct jline *l, const struct now *now, const char *event,
                   uint64_t key);
void journal_commit(struct journal *j, struct jline *l);

void jline_put_str(struct jline *l, const char *name, size_t name_n, struct str v);
void jline_put_u64(struct jline *l, const char *name, size_t name_n, uint64_t v);
void jline_put_bool(struct jline *l, const char *name, size_t name_n, bool v);
void jline_put_strs(struct jline *l, const char *name, size_t name_n, const struct str *v,
                    size_t count);

/* Inline, so that the length of a literal name costs nothing. */
static inline void jline_str(struct jline *l, const char *name, struct str v)
{
    if (l->b.p)
        jline_put_str(l, name, strlen(name), v);
}

/* The same, left out if v is empty. */
static inline void jline_str_if(struct jline *l, const char *name, struct str v)
{
    if (l->b.p && v.n)
        jline_put_str(l, name, strlen(name), v);
}

/* At most INT64_MAX, which is what JSON readers can be trusted with. */
static inline void jline_u64(struct jline *l, const char *name, uint64_t v)
{
    if (l->b.p)
        jline_put_u64(l, name, strlen(name), v);
}

static inline void jline_bool(struct jline *l, const char *name, bool v)
{
    if (l->b.p)
        jline_put_bool(l, name, strlen(name), v);
}

/* An array of strings, all or nothing. */
static inline void jline_strs(struct jline *l, const char *name, const struct str *v, size_t count)
{
    if (l->b.p)
        jline_put_strs(l, name, strlen(name), v, count);
}

#endif
