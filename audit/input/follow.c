/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/follow_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/now.h"

enum { STOP_S = 5 };

/* ---- places ---------------------------------------------------------------------- */

static struct place earlier(struct place p, uint64_t offset)
{
    if (offset < p.offset) {
        p.offset = offset;
        p.tail_n = p.tail_hash = 0;
    }
    return p;
}

/* The line that has this position, or the oldest that is known. */
static struct place place_at(const struct file_follow *f, uint64_t position)
{
    struct place here = follow_here(f);
    if (position >= follow_position(f))
        return here;
    if (f->tail.fd >= 0 && f->tail.line_at && (position >= f->begun || !f->left_n))
        return earlier(here, position - f->base);
    for (size_t i = f->left_n; i-- > 0;) {
        const struct left *l = &f->left[i];
        if (position >= l->begun || i == 0)
            return earlier(l->place, (position > l->begun ? position : l->begun) - l->base);
    }
    return here;
}

static void places(const struct follow *b, struct checkpoint_state *ret)
{
    const struct file_follow *f = (const struct file_follow *)b;
    ret->from = place_at(f, b->needed);
    ret->told = f->again ? f->told : follow_here(f);
}

/* ---- running --------------------------------------------------------------------- */

static void drain(int fd)
{
    char events[4096];
    while (read(fd, events, sizeof events) > 0)
        ;
}

static int run(struct follow *b, int stop_fd, struct err *err)
{
    struct file_follow *f = (struct file_follow *)b;
    int64_t deadline = 0; /* 0: go on for ever */
    for (;;) {
        f->wait_us = b->s.poll_ms * INT64_C(1000);
        enum step s = follow_step(f);
        if (s == STEP_ON && (!deadline || clock_us(CLOCK_MONOTONIC) < deadline)) {
            if (follow_settle_is_due(b))
                follow_settle(b);
            continue;
        }
        follow_settle(b);
        if (s == STEP_STOP || deadline) {
            follow_write(b);
            return 0;
        }
        bool readable[2];
        if (follow_wait((int[]){stop_fd, f->inotify}, f->wait_us, readable, err) < 0)
            return -1;
        if (readable[0])
            deadline = clock_us(CLOCK_MONOTONIC) + STOP_S * US_PER_S;
        if (readable[1])
            drain(f->inotify);
    }
}

/* ---- opening --------------------------------------------------------------------- */

static void file_free(struct follow *b)
{
    struct file_follow *f = (struct file_follow *)b;
    tail_close(&f->tail);
    rotated_free(&f->queue);
    if (f->inotify >= 0)
        close(f->inotify);
    free(f->directory);
    free(f->name);
    follow_end(b);
}

/* The path in an absolute form, and its two parts. */
static int split(struct file_follow *f, const char *path, char **ret_absolute, struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    char *directory = slash ? strndup(path, n) : strdup(".");
    f->name = strdup(path[n] ? path + n : ".");
    errno = ENOMEM;
    f->directory = directory && f->name ? realpath(directory, NULL) : NULL;
    int why = errno;
    free(directory);
    if (!f->directory)
        return err_set(err, "%s cannot be followed: %s", path, strerror(why));
    if (asprintf(ret_absolute, "%s/%s", strcmp(f->directory, "/") ? f->directory : "", f->name) < 0)
        return err_set(err, "there is not enough memory");
    return 0;
}

static void watch(struct file_follow *f)
{
    f->inotify = f->follow.s.no_inotify ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->inotify >= 0)
        inotify_add_watch(f->inotify, f->directory,
                          IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
}

/* All that is written from now on; or all that is in the log, too. */
static void start_anew(struct file_follow *f, struct rotated *r)
{
    bool broken;
    f->before = resume_before_log(r);
    f->signature = r->signature;
    if (r->log != LOG_FILE)
        return;
    const struct rotated_file *log = &r->files[r->n - 1];
    struct place at = {0};
    if (!f->follow.s.from_start)
        at = tail_last_line(log->fd);
    if (tail_open(&f->tail, log->fd, &at, &broken))
        follow_began(f, at.offset);
}

static int start(struct file_follow *f, const struct checkpoint_state *state, struct err *err)
{
    static const char *const texts[] = {
        [LOG_DIRECTORY] = "is a directory; name the log in it",
        [LOG_NOT_A_FILE] = "is no ordinary file",
        [LOG_DENIED] = "may not be read by us",
    };
    const char *path = f->follow.s.path;
    struct rotated r;
    if (rotated_list(&r, f->directory, f->name) < 0)
        return err_set(err, "%s cannot be followed: %s", path, strerror(errno));
    /* With a checkpoint it was followed before, and what is there now may pass. */
    bool bad = texts[r.log] && (!state || r.log == LOG_DENIED);
    int failed = bad ? err_set(err, "%s %s", path, texts[r.log]) : 0;
    if (!failed && !state)
        start_anew(f, &r);
    rotated_free(&r);
    if (failed || !state)
        return failed;
    f->follow.written = *state;
    f->before = f->told = state->told;
    f->again = memcmp(&state->told, &state->from, sizeof state->told) != 0;
    follow_resume(f, f->again ? &state->from : &state->told);
    if (f->lost)
        follow_say(&f->follow,
                   "the file of %s that was read last is not there any more, nor one that it was "
                   "rotated to: lines may be missing or come twice",
                   path);
    return 0;
}

struct follow *follow_open(const struct follow_settings *s, struct err *err)
{
    struct checkpoint_state state;
    struct file_follow *f = calloc(1, sizeof *f);
    char *path = NULL;
    if (!f) {
        err_set(err, "there is not enough memory");
        return NULL;
    }
    f->tail.fd = f->inotify = f->watch = -1;
    f->follow.run = run;
    f->follow.places = places;
    f->follow.free = file_free;
    struct follow_settings absolute = *s;
    int there = split(f, s->path, &path, err);
    absolute.path = path;
    if (there == 0)
        there = follow_begin(&f->follow, &absolute, path, &state, err);
    free(path);
    if (there >= 0)
        watch(f);
    if (there < 0 || start(f, there ? &state : NULL, err) < 0) {
        file_free(&f->follow);
        return NULL;
    }
    follow_write(&f->follow);
    return &f->follow;
}
