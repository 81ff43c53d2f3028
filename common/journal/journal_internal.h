/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the journal share. Only journal*.c, status.c and their
 * tests include this.
 *
 *   journal.c           life, state, what the loop thread sees
 *   journal_line.c      formatting a line into the ring (loop thread)
 *   journal_ring.c      the ring between the two threads
 *   journal_writer.c    the writer thread
 *   journal_segments.c  directory, lock, segment files (before the start: loop
 *                       thread; after it: writer thread)
 */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "journal/journal.h"

enum { CACHE_LINE = 64 };

/* ---- ring --------------------------------------------------------------- */

/*
 * Bytes between one producer and one consumer. Positions only grow; a
 * position's place is position % size. What is reserved is contiguous: where
 * the end of the memory is too near, the rest of it is skipped, and `wrap_at`
 * tells the consumer where.
 */
struct ring {
    char *p;
    uint64_t size;
    /* The producer's. */
    alignas(CACHE_LINE) _Atomic uint64_t head;
    _Atomic uint64_t wrap_at;
    uint64_t start;     /* of what is reserved */
    uint64_t tail_seen; /* the consumer was at least this far */
    /* The consumer's. */
    alignas(CACHE_LINE) _Atomic uint64_t tail;
};

enum { RING_SIZE = 4 * 1024 * 1024 };

int ring_init(struct ring *r, uint64_t size); /* -1 and errno */
void ring_free(struct ring *r);

/* Producer. NULL: full. What is reserved last counts; commit at most as much. */
char *ring_reserve(struct ring *r, uint64_t n);
void ring_commit(struct ring *r, uint64_t n);

/* Consumer: the contiguous bytes that begin at the tail (at most up to the
 * position `head`, which the caller loaded); 0: none. */
size_t ring_peek(struct ring *r, uint64_t head, const char **ret);
void ring_consume(struct ring *r, size_t n);

/* Either: bytes used; lines ('\n') between tail and head. */
uint64_t ring_used(const struct ring *r);
uint64_t ring_count_lines(const struct ring *r);

/* ---- the system, as far as tests replace it ----------------------------- */

struct journal_io {
    ssize_t (*write)(int fd, const void *p, size_t n);
    int (*space)(int fd, uint64_t *ret_free, uint64_t *ret_total); /* of the file system */
    void (*now)(struct now *ret);
};
extern const struct journal_io journal_system_io;

/* ---- segments ----------------------------------------------------------- */

/* What a reload may change; the loop thread stores, the writer thread loads. */
struct journal_limits {
    _Atomic int64_t keep_s;
    _Atomic uint64_t max_total, min_free;
    atomic_bool min_free_is_percent;
};

struct segments {
    int dir, lock; /* descriptors */
    const struct journal_io *io;
    const struct journal_limits *limits;
    /* The segment in use. */
    int fd; /* -1: none */
    uint64_t size;
    int64_t day;           /* UTC, on which it was opened */
    uint64_t next;         /* number of the next one */
    int64_t next_check_us; /* monotonic: look at the free space then */
    /* For the loop thread. */
    _Atomic int64_t name_utc_s;
    _Atomic uint64_t name_number; /* 0: none yet */
    _Atomic uint64_t opened;
};

/* Where it went wrong. */
enum journal_trouble {
    TROUBLE_NONE,
    TROUBLE_SPACE, /* less than min_free */
    TROUBLE_OPEN,
    TROUBLE_WRITE
};

enum { SEGMENT_NAME_MAX = 40 };
#define SEGMENT_MAX (UINT64_C(64) << 20)
enum { WRITE_MAX = 256 * 1024 }; /* larger writes gain nothing (docs/performance.md) */

/* Opens directory and lock; see journal_open(). */
int segments_open(struct segments *s, const char *path, const char *program, uid_t owner,
                  gid_t group, struct err *err);
void segments_close(struct segments *s);

/*
 * Appends whole lines; opens, changes and deletes segments as it must. Returns
 * how many bytes of them are in the file: all, or as many whole lines as
 * were possible before what *ret_trouble (and errno) says.
 */
size_t segments_append(struct segments *s, const char *lines, size_t n,
                       enum journal_trouble *ret_trouble);

/* Sees to age and total size while nothing is written. */
void segments_check(struct segments *s);

int segments_sync(struct segments *s);

/* "20261121T031500Z-17.jsonl". */
void segment_name(struct buf *b, int64_t utc_s, uint64_t number);
/* Its number; 0: not a segment's name. */
uint64_t segment_number(const char *name);

/* ---- the journal -------------------------------------------------------- */

/* What the writer thread is doing, which says whether it wants to be woken. */
enum writer_state {
    WRITER_BUSY,    /* no */
    WRITER_DOZING,  /* for some milliseconds, so that lines gather: if the ring is half full */
    WRITER_SLEEPING /* until something happens: yes */
};

enum { REQUEST_STOP = 1, REQUEST_CHECK = 2, REQUEST_HOOK = 4 };

struct journal {
    bool on, started, stopped, abandoned;
    FILE *out; /* journal_to_file(): there are no segments and no writer */
    char path[sizeof((struct journal_settings *)0)->path];
    struct journal_limits limits;
    struct segments segments;

    /* The loop thread's: formatting. */
    char head[64]; /* {"v":1,"ts":"2026-11-21T03:15:00. */
    size_t head_n;
    int64_t head_second; /* the second it holds */
    char mid[640];       /* ","host":...,"seq": */
    size_t mid_n;
    uint64_t seq;
    uint64_t lost, lost_told;
    int64_t lost_since_us; /* wall clock; of the first that is not told */
    int64_t next_check_us; /* monotonic */
    bool was_stalled;

    struct ring ring;
    _Atomic uint64_t lines; /* committed */

    /* Between the threads. */
    alignas(CACHE_LINE) atomic_int writer; /* enum writer_state */
    atomic_uint requests;
    sem_t wake, done;
    pthread_t thread;
    void (*hook)(void *arg, int dir, bool last);
    void *hook_arg;

    /* The writer thread's, for the loop thread to read. */
    alignas(CACHE_LINE) _Atomic int64_t busy_since_us; /* monotonic; 0: it waits */
    _Atomic int64_t last_write_us;
    _Atomic uint64_t lines_written, bytes_written;
    atomic_int trouble; /* enum journal_trouble */
    atomic_int last_errno;
};

void *journal_writer(void *journal);

/* Whatever is in the ring, to j->out. */
void journal_write_out(struct journal *j);

/* Journals losses that were not told, if there is room. */
void journal_tell_losses(struct journal *j, const struct now *now);

/* Any thread. */
void journal_request(struct journal *j, unsigned requests);

/* Replaces the system; before journal_start(). */
void journal_set_io(struct journal *j, const struct journal_io *io);

/*
 * A piece of work for the writer thread, done when journal_request(j,
 * REQUEST_HOOK) was called, and once more at the very end (`last`). `dir` is the program's
 * directory. Before journal_start().
 */
void journal_set_hook(struct journal *j, void (*hook)(void *arg, int dir, bool last), void *arg);

#endif
