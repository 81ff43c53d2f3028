/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/input/input.h"
#include "audit/input/unpack.h"

enum { BUFFER = PLACE_TAIL + INPUT_LINE_MAX + 256 * 1024 };

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int64_t mtime_of(const struct stat *st)
{
    return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

/* As much as is there; fewer at the file's end; -1 with errno. */
static ssize_t read_at(int fd, char *p, size_t n, uint64_t at)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, p + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* ---- bytes ----------------------------------------------------------------------- */

/* Do the last bytes before read_at still stand where they were? Behind INPUT_LINE_MAX of a long
 * line they were dropped; then those before. */
static bool unchanged(const struct tail *t)
{
    char now[PLACE_TAIL];
    size_t to = t->dropped ? t->start + INPUT_LINE_MAX : t->end;
    size_t from = t->start - t->context;
    size_t n = least(to - from, sizeof now);
    uint64_t at = t->line_at - t->context + (to - n - from);
    return read_at(t->fd, now, n, at) == (ssize_t)n && memcmp(now, t->p + to - n, n) == 0;
}

static ssize_t more(struct tail *t)
{
    char *to = t->p + t->end;
    size_t n = BUFFER - t->end;
    return t->unpack ? unpack_read(t->unpack, to, n) : read_at(t->fd, to, n, t->read_at);
}

/* TAIL_LINE: there is more behind `end` now. */
static enum tail_result fill(struct tail *t)
{
    size_t from = t->start - t->context;
    memmove(t->p, t->p + from, t->end - from);
    t->start -= from;
    t->end -= from;
    t->searched -= from;

    struct stat st;
    errno = 0;
    ssize_t n = more(t);
    if (n < 0)
        return TAIL_BROKEN;
    if (!t->unpack) {
        /* After reading: what was truncated before is not taken, what is truncated from now on will
         * be found in the copy. It may have grown to the same size again. */
        if (fstat(t->fd, &st) < 0)
            return TAIL_BROKEN;
        bool written = n > 0 || mtime_of(&st) != t->mtime_ns;
        if ((uint64_t)st.st_size < t->read_at || (written && !unchanged(t)))
            return TAIL_CHANGED;
        t->mtime_ns = mtime_of(&st);
    }
    if (n == 0)
        return TAIL_END;
    if (t->read_at < PLACE_HEAD) {
        size_t head = least((uint64_t)n, PLACE_HEAD - t->read_at);
        memcpy(t->head + t->read_at, t->p + t->end, head);
        t->head_n = t->read_at + head;
    }
    t->end += (size_t)n;
    t->read_at += (uint64_t)n;
    return TAIL_LINE;
}

/* ---- lines ----------------------------------------------------------------------- */

/* p[start..to) was given. */
static void pass(struct tail *t, size_t to)
{
    size_t kept = t->start + (t->dropped ? INPUT_LINE_MAX : 0);
    t->line_at += to - t->start + t->dropped;
    t->context = least(PLACE_TAIL, to - kept + (t->dropped ? 0 : t->context));
    t->start = to;
    t->searched = to;
    t->dropped = 0;
}

static void give(struct tail *t, struct str *ret, size_t n, size_t to)
{
    t->cut = n > INPUT_LINE_MAX || t->dropped;
    *ret = (struct str){t->p + t->start, least(n, INPUT_LINE_MAX)};
    pass(t, to);
}

enum tail_result tail_next(struct tail *t, struct str *ret)
{
    for (;;) {
        if (!t->dropped) {
            size_t at = t->start;
            while (at < t->end && t->p[at] == '\0')
                at++;
            if (at > t->start)
                pass(t, at);
        }
        const char *newline = memchr(t->p + t->searched, '\n', t->end - t->searched);
        if (newline) {
            size_t n = (size_t)(newline - t->p) - t->start;
            give(t, ret, n, t->start + n + 1);
            return TAIL_LINE;
        }
        t->searched = t->end;
        if (t->end - t->start > INPUT_LINE_MAX && t->end > BUFFER / 2) {
            t->dropped += t->end - t->start - INPUT_LINE_MAX;
            t->end = t->searched = t->start + INPUT_LINE_MAX;
        }
        enum tail_result r = fill(t);
        if (r != TAIL_LINE)
            return r;
    }
}

bool tail_rest(struct tail *t, struct str *ret)
{
    if (t->start == t->end)
        return false;
    give(t, ret, t->end - t->start, t->end);
    return true;
}

/* ---- places ---------------------------------------------------------------------- */

struct place tail_place(const struct tail *t)
{
    uint64_t head_n = least(t->head_n, t->line_at);
    return (struct place){
        .device = t->device,
        .inode = t->inode,
        .offset = t->line_at,
        .head_n = head_n,
        .head_hash = place_hash(t->head, head_n),
        .tail_n = t->context,
        .tail_hash = place_hash(t->p + t->start - t->context, t->context),
        .mtime_ns = t->mtime_ns,
    };
}

static bool head_is(const struct tail *t, const struct place *at)
{
    return at->head_n == 0 ||
           (at->head_n <= t->head_n && place_hash(t->head, at->head_n) == at->head_hash);
}

static bool tail_is(const struct tail *t, const struct place *at)
{
    return at->tail_n == 0 || (at->tail_n <= t->context && place_hash(t->p + t->start - at->tail_n,
                                                                      at->tail_n) == at->tail_hash);
}

/* Only what is before the offset is asked for: a file that is shorter was truncated. */
static bool go_to(struct tail *t, const struct place *at, bool *ret_broken)
{
    size_t n = least(at->offset, PLACE_TAIL);
    ssize_t head = read_at(t->fd, t->head, PLACE_HEAD, 0);
    ssize_t before = read_at(t->fd, t->p, n, at->offset - n);
    *ret_broken = head < 0 || before < 0;
    if (*ret_broken)
        return false;
    t->head_n = (uint64_t)head;
    t->start = t->end = t->searched = t->context = n;
    t->line_at = t->read_at = at->offset;
    return before == (ssize_t)n;
}

static bool unpack_to(struct tail *t, const struct place *at, bool *ret_broken)
{
    while (t->line_at < at->offset || t->head_n < at->head_n) {
        if (t->start == t->end) {
            enum tail_result r = fill(t);
            *ret_broken = r == TAIL_BROKEN;
            if (r != TAIL_LINE || !head_is(t, at))
                return false;
        }
        pass(t, t->start + least(t->end - t->start, at->offset - t->line_at));
    }
    return true;
}

bool tail_open(struct tail *t, int fd, const struct place *at, bool *ret_broken)
{
    static const struct place start = {0};
    struct stat st;
    if (!at)
        at = &start;
    *t = (struct tail){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .p = malloc(BUFFER)};
    *ret_broken = true;
    if (t->fd >= 0 && t->p && fstat(fd, &st) == 0) {
        t->device = st.st_dev;
        t->inode = st.st_ino;
        t->mtime_ns = mtime_of(&st);
        *ret_broken = unpack_open(&t->unpack, t->fd) < 0;
    }
    if (!*ret_broken && (t->unpack ? unpack_to(t, at, ret_broken) : go_to(t, at, ret_broken)) &&
        head_is(t, at) && tail_is(t, at))
        return true;
    tail_close(t);
    return false;
}

struct place tail_last_line(int fd)
{
    char p[4096];
    struct stat st;
    if (fstat(fd, &st) < 0)
        return (struct place){0};
    uint64_t end = (uint64_t)st.st_size;
    for (uint64_t at = end; at > 0;) {
        size_t n = least(at, sizeof p);
        const char *newline = NULL;
        at -= n;
        if (read_at(fd, p, n, at) == (ssize_t)n)
            newline = memrchr(p, '\n', n);
        if (newline)
            return (struct place){.offset = at + (uint64_t)(newline - p) + 1};
    }
    return (struct place){0};
}

void tail_close(struct tail *t)
{
    if (t->unpack)
        unpack_close(t->unpack);
    if (t->fd >= 0)
        close(t->fd);
    free(t->p);
    *t = (struct tail){.fd = -1};
}
