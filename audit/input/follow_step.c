/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/follow_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/now.h"

enum {
    LINES = 1000, /* given in one step */
    ROUTE_TRIES = 50,
    UNSURE_MAX = 50, /* a directory that changes with each look */
    BOTH = 60,       /* a file that was rotated, and the next, both being written */
    OLD_S = 60,      /* since its last writing: nobody writes it any more */
};

uint64_t follow_position(const struct file_follow *f)
{
    return f->tail.fd >= 0 ? f->base + f->tail.line_at : f->position;
}

struct place follow_here(const struct file_follow *f)
{
    return f->tail.fd >= 0 && f->tail.line_at ? tail_place(&f->tail) : f->before;
}

/* ---- one file after the other ---------------------------------------------------- */

void follow_began(struct file_follow *f, uint64_t offset)
{
    char path[64];
    f->base = f->position - offset;
    f->begun = f->position;
    f->sure = offset > 0 || f->forced;
    f->forced = false;
    f->grew_us = clock_us(CLOCK_MONOTONIC);
    f->grown_to = f->tail.read_at;
    f->both_us = 0;
    f->broken = false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", f->tail.fd);
    if (f->inotify >= 0 && !f->tail.unpack)
        f->watch = inotify_add_watch(f->inotify, path, IN_MODIFY | IN_ATTRIB);
}

static void close_tail(struct file_follow *f)
{
    f->position = follow_position(f);
    if (f->watch >= 0)
        inotify_rm_watch(f->inotify, f->watch);
    f->watch = -1;
    tail_close(&f->tail);
}

static bool is_again(struct file_follow *f, uint64_t offset)
{
    f->again = f->again && !(f->told_here && offset >= f->told.offset);
    return f->again;
}

static bool give(struct file_follow *f, struct str line, uint64_t offset)
{
    struct follow *b = &f->follow;
    struct buf room = BUF(b->room);
    struct entry e;
    if (f->tail.cut && !f->cut)
        follow_say(b, "%s has a line of more than %d kB; the rest of such lines is not looked at",
                   b->s.path, INPUT_LINE_MAX / 1024);
    f->cut = f->cut || f->tail.cut;
    entry_of_line(&b->stamps, line, &room, &e);
    return follow_give(b, &e.line, f->base + offset, is_again(f, offset));
}

/* Half a line, of a file that is left. */
static bool give_rest(struct file_follow *f)
{
    struct str line;
    uint64_t offset = f->tail.line_at;
    return f->tail.fd < 0 || !tail_rest(&f->tail, &line) || give(f, line, offset);
}

static void remember(struct file_follow *f)
{
    if (!f->tail.line_at)
        return;
    if (f->left_n == LEFT_MAX)
        memmove(f->left, f->left + 1, --f->left_n * sizeof *f->left);
    f->left[f->left_n++] = (struct left){tail_place(&f->tail), f->base, f->begun};
}

/* The tail is over; `next` comes now. */
static enum step leave(struct file_follow *f, struct rotated *next, bool damaged)
{
    bool on = damaged || give_rest(f); /* half a line may say something else than the whole */
    remember(f);
    f->before = follow_here(f);
    f->again = f->again && !f->told_here;
    close_tail(f);
    rotated_free(&f->queue);
    f->queue = *next;
    f->signature = next->signature;
    return on ? STEP_ON : STEP_STOP;
}

/* Is the place up to which all was told in one of these? The first is what is read next. By what
 * is in it: meanwhile it may have been compressed. */
static bool find_told(struct file_follow *f, const struct rotated *r)
{
    size_t i = resume_find(r, &f->told);
    f->told_here = i == 0;
    return i < r->n;
}

static enum step open_next(struct file_follow *f)
{
    struct rotated_file *n = &f->queue.files[0];
    bool broken = false;
    if (f->again && !find_told(f, &f->queue)) {
        f->again = false;
        return follow_resume(f, &f->told);
    }
    errno = n->why;
    bool opened = n->fd >= 0 && tail_open(&f->tail, n->fd, NULL, &broken);
    if (opened)
        follow_began(f, 0);
    else
        follow_say(&f->follow, "%s/%s cannot be read, and its lines are missing: %s", f->directory,
                   n->name, strerror(errno));
    rotated_drop(&f->queue, 0, 1);
    return opened ? STEP_ON : STEP_WAIT;
}

/* ---- from a place on ------------------------------------------------------------- */

/* Said once, and of a log that is not there only when that lasts: between a rotation and the next
 * line that is so for a moment. */
static void look_at_log(struct file_follow *f, enum rotated_log log)
{
    static const char *const texts[] = {
        [LOG_FILE] = "is there again",
        [LOG_ABSENT] = "is not there; waiting for it",
        [LOG_DIRECTORY] = "is a directory; waiting for a file",
        [LOG_NOT_A_FILE] = "is no ordinary file; waiting for one",
        [LOG_DENIED] = "may not be read by us; waiting for the permission",
    };
    int64_t now = clock_us(CLOCK_MONOTONIC);
    if (f->log != log)
        f->log_us = now;
    f->log = log;
    bool lasts = now - f->log_us >= f->follow.s.quiet_ms * INT64_C(1000);
    if (f->noted == log || (log == LOG_ABSENT && !lasts))
        return;
    f->noted = log;
    follow_say(&f->follow, "%s %s", f->follow.s.path, texts[log]);
}

static bool list(struct file_follow *f, struct rotated *r)
{
    if (rotated_list(r, f->directory, f->name) == 0)
        return true;
    if (errno != EAGAIN)
        look_at_log(f, errno == EACCES ? LOG_DENIED : LOG_ABSENT);
    return false;
}

/* The list from the place on. What seems to be lost may have been moved or copied while we looked.
 */
static bool route(struct file_follow *f, struct place *at, struct rotated *r, bool *ret_found)
{
    const struct place wanted = *at;
    for (unsigned tries = 0; list(f, r); tries++) {
        *at = wanted;
        *ret_found = resume_keep(r, at, f->left, f->left_n);
        if (*ret_found || tries == ROUTE_TRIES ||
            r->signature == rotated_signature(f->directory, f->name))
            return true;
        rotated_free(r);
    }
    return false;
}

enum step follow_resume(struct file_follow *f, const struct place *at)
{
    struct place place = *at;
    struct rotated r;
    bool on = true, found, broken, known = place.head_n;
    if (!route(f, &place, &r, &found))
        return STEP_WAIT;
    if (f->again && !(found && find_told(f, &r))) {
        rotated_free(&r);
        f->again = false;
        return follow_resume(f, &f->told);
    }
    if (!found)
        on = give_rest(f);
    close_tail(f);
    f->lost = known && !found;
    f->before = place;
    if (found && place.offset != PLACE_WHOLE) {
        if (tail_open(&f->tail, r.files[0].fd, &place, &broken))
            follow_began(f, place.offset);
        rotated_drop(&r, 0, f->tail.fd >= 0 ? 1 : r.n);
    }
    rotated_free(&f->queue);
    f->queue = r;
    f->signature = r.signature;
    return on ? STEP_ON : STEP_STOP;
}

/* ---- the end of what is there ---------------------------------------------------- */

static bool is_log(const struct file_follow *f)
{
    struct stat st;
    return stat(f->follow.s.path, &st) == 0 && st.st_dev == f->tail.device &&
           st.st_ino == f->tail.inode;
}

static bool has_content(const struct rotated *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->files[i].size)
            return true;
    return false;
}

/* Nobody writes the tail any more. */
static bool is_quiet(struct file_follow *f)
{
    int64_t now = clock_us(CLOCK_MONOTONIC);
    int64_t quiet = now - f->grew_us, asked = f->follow.s.quiet_ms * INT64_C(1000);
    int64_t age = clock_us(CLOCK_REALTIME) - f->tail.mtime_ns / 1000;
    if (f->tail.unpack || quiet >= asked || age > OLD_S * US_PER_S)
        return true;
    if (now - f->both_us > BOTH * asked) {
        follow_say(&f->follow, "%s was rotated, but the old file is still written; it is left now",
                   f->follow.s.path);
        f->forced = true;
        return true;
    }
    if (asked - quiet < f->wait_us)
        f->wait_us = asked - quiet;
    return false;
}

/* What comes behind the tail. That is a matter of its inode, which nobody else can have while it is
 * open, unless it was deleted. */
static bool later(struct file_follow *f, struct rotated *r)
{
    struct place here = follow_here(f);
    if (!list(f, r))
        return false;
    if (!resume_behind(r, f->tail.device, f->tail.inode) &&
        resume_keep(r, &here, f->left, f->left_n) && here.offset != PLACE_WHOLE)
        rotated_drop(r, 0, 1);
    return true;
}

/* A deleted file we have only as long as it is open; unless it was deleted because it is compressed
 * now. */
static bool is_there(struct file_follow *f)
{
    struct place start = {.head_n = f->tail.head_n,
                          .head_hash = place_hash(f->tail.head, f->tail.head_n)};
    struct rotated r;
    struct stat st;
    if (fstat(f->tail.fd, &st) == 0 && st.st_nlink)
        return true;
    bool found = list(f, &r) && resume_find(&r, &start) < r.n;
    rotated_free(&r);
    return found;
}

/* Nothing was given of the tail yet, and the directory is not as it was when the tail was chosen:
 * there may be a copy of what was in it, or a file before it. */
static bool came_between(struct file_follow *f)
{
    return f->signature != rotated_signature(f->directory, f->name) && is_there(f);
}

static enum step look_again(struct file_follow *f)
{
    close_tail(f);
    return follow_resume(f, &f->before);
}

static enum step at_end(struct file_follow *f, bool broken)
{
    struct rotated next;
    if (!f->tail.line_at && !f->sure && came_between(f))
        return look_again(f);
    if (f->tail.read_at != f->grown_to)
        f->grew_us = clock_us(CLOCK_MONOTONIC);
    f->grown_to = f->tail.read_at;
    if (is_log(f)) {
        look_at_log(f, LOG_FILE);
        return STEP_WAIT;
    }
    if (!later(f, &next))
        return STEP_WAIT;
    look_at_log(f, next.log);
    bool first_met = has_content(&next) && !f->both_us;
    if (has_content(&next) && f->both_us && (broken || is_quiet(f)))
        return leave(f, &next, broken);
    rotated_free(&next);
    if (!first_met)
        return STEP_WAIT;
    /* Who began the next file was done with this one; but that may have been after we met its end.
     */
    f->both_us = clock_us(CLOCK_MONOTONIC);
    return STEP_ON;
}

/* ---- one step -------------------------------------------------------------------- */

static enum step changed(struct file_follow *f)
{
    struct place here = follow_here(f);
    follow_say(&f->follow, "%s was truncated", f->follow.s.path);
    remember(f);
    return follow_resume(f, &here);
}

static enum step broken(struct file_follow *f)
{
    if (!f->broken)
        follow_say(&f->follow, "a file of %s cannot be read to its end, and lines are missing: %s",
                   f->follow.s.path, errno ? strerror(errno) : "it is damaged");
    f->broken = true;
    return at_end(f, true);
}

static enum step read_some(struct file_follow *f)
{
    struct str line;
    f->follow.stamps.reference_us = f->tail.mtime_ns / 1000;
    for (unsigned i = 0; i < LINES; i++) {
        uint64_t offset = f->tail.line_at;
        switch (tail_next(&f->tail, &line)) {
        case TAIL_LINE:
            if (!f->sure && came_between(f) && ++f->unsure < UNSURE_MAX)
                return look_again(f);
            f->sure = true;
            f->unsure = 0;
            if (!give(f, line, offset))
                return STEP_STOP;
            break;
        case TAIL_END: return at_end(f, false);
        case TAIL_CHANGED: return changed(f);
        case TAIL_BROKEN: return broken(f);
        }
    }
    return STEP_ON;
}

enum step follow_step(struct file_follow *f)
{
    if (f->tail.fd >= 0)
        return read_some(f);
    if (f->queue.n == 0) {
        enum step s = follow_resume(f, &f->before);
        if (s != STEP_ON)
            return s;
        look_at_log(f, f->queue.log);
    }
    return f->tail.fd >= 0 ? STEP_ON : f->queue.n ? open_next(f) : STEP_WAIT;
}
