/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following the journal through `journalctl --follow`, which tells rotation and vacuuming by
 * itself. A place is a cursor. An entry's position is its number in this run; to come back to one,
 * every so many entries the cursor before them is kept.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/input/follow_internal.h"
#include "audit/input/journalctl.h"
#include "core/now.h"

enum {
    BUFFER = 512 * 1024, /* journalctl shows fields up to 4 kB each */
    SAMPLES = 256,
    PAUSE_MAX = 64, /* times poll_ms, between two starts of journalctl */
};

struct sample {
    uint64_t position;
    struct journal_place before;
};

struct journal_follow {
    struct follow follow; /* the first member: one is cast to the other */
    struct journalctl child;
    bool running, skipping;  /* the rest of a line that is too long */
    int64_t start_us;        /* monotonic: when to start it again */
    unsigned pause;          /* times poll_ms */
    struct journal_place at; /* the last entry that was given */
    struct journal_place told;
    bool again; /* `told` was not met yet */
    uint64_t position;
    struct sample samples[SAMPLES]; /* one for `every` entries; twice as many when it is full */
    size_t samples_n;
    uint64_t every;
    char *p;
    size_t start, end;
};

/* ---- places ---------------------------------------------------------------------- */

static struct journal_place place_of(const struct entry *e)
{
    struct journal_place p = {.wall_us = e->line.wall_us};
    if (e->cursor.n < CURSOR_MAX)
        memcpy(p.cursor, e->cursor.p, e->cursor.n);
    return p;
}

static void keep_sample(struct journal_follow *f)
{
    if (f->position % f->every)
        return;
    if (f->samples_n == SAMPLES) {
        f->every *= 2;
        f->samples_n /= 2;
        for (size_t i = 0; i < f->samples_n; i++)
            f->samples[i] = f->samples[2 * i];
    }
    f->samples[f->samples_n++] = (struct sample){f->position, f->at};
}

static void places(const struct follow *b, struct checkpoint_state *ret)
{
    const struct journal_follow *f = (const struct journal_follow *)b;
    ret->told_entry = f->again ? f->told : f->at;
    ret->from_entry = f->at;
    for (size_t i = f->samples_n; b->needed < f->position && i-- > 0;)
        if (f->samples[i].position <= b->needed || i == 0) {
            ret->from_entry = f->samples[i].before;
            break;
        }
}

/* ---- entries --------------------------------------------------------------------- */

/* The entry up to which all was told may have been vacuumed: a later one comes behind it, too. */
static bool is_again(struct journal_follow *f, const struct journal_place *p)
{
    bool met = strcmp(p->cursor, f->told.cursor) == 0;
    bool again = f->again && (met || p->wall_us <= f->told.wall_us);
    f->again = again && !met;
    return again;
}

/* False: stop. What is no entry - a message without text - is nothing to us. */
static bool give(struct journal_follow *f, struct str json)
{
    struct buf room = BUF(f->follow.room);
    struct entry e;
    entry_of_line(&f->follow.stamps, json, &room, &e);
    if (!e.cursor.n)
        return true;
    keep_sample(f);
    f->at = place_of(&e);
    f->pause = 1;
    return follow_give(&f->follow, &e.line, f->position++, is_again(f, &f->at));
}

/* All whole lines. False: stop. */
static bool give_all(struct journal_follow *f)
{
    const char *newline;
    bool on = true;
    while (on && (newline = memchr(f->p + f->start, '\n', f->end - f->start))) {
        struct str line = {f->p + f->start, (size_t)(newline - f->p) - f->start};
        f->start += line.n + 1;
        on = f->skipping || give(f, line);
        f->skipping = false;
    }
    return on;
}

static ssize_t more(struct journal_follow *f)
{
    memmove(f->p, f->p + f->start, f->end - f->start);
    f->end -= f->start;
    f->start = 0;
    if (f->end == BUFFER) {
        f->skipping = true;
        f->end = 0;
    }
    ssize_t n = read(f->child.out, f->p + f->end, BUFFER - f->end);
    f->end += n > 0 ? (size_t)n : 0;
    return n;
}

/* ---- the child ------------------------------------------------------------------- */

static int start(struct journal_follow *f, const char *const first[], struct err *err)
{
    char directory[PATH_MAX + 32], after[CURSOR_MAX + 32];
    const char *args[JOURNALCTL_ARGS + 1] = {0};
    size_t n = 0;
    while (first[n]) {
        args[n] = first[n];
        n++;
    }
    if (f->follow.s.path) {
        snprintf(directory, sizeof directory, "--directory=%s", f->follow.s.path);
        args[n++] = directory;
    }
    if (f->at.cursor[0]) {
        snprintf(after, sizeof after, "--after-cursor=%s", f->at.cursor);
        args[n++] = after;
    }
    return journalctl_start(&f->child, args, err);
}

static void wait_longer(struct journal_follow *f, const char *why)
{
    int64_t pause_us = f->pause * f->follow.s.poll_ms * INT64_C(1000);
    f->start_us = clock_us(CLOCK_MONOTONIC) + pause_us;
    follow_say(&f->follow, "%s; journalctl is started again in %lld s", why,
               (long long)((pause_us + US_PER_S - 1) / US_PER_S));
    if (f->pause < PAUSE_MAX)
        f->pause *= 2;
}

static void follow_on(struct journal_follow *f)
{
    static const char *const args[] = {"--follow", "--no-tail", "SYSLOG_FACILITY=2", NULL};
    struct err err;
    f->running = start(f, args, &err) == 0;
    if (!f->running)
        wait_longer(f, err.text);
}

/* Half a line goes with the child that wrote it. */
static void ended(struct journal_follow *f)
{
    struct err err = {"journalctl ended"};
    journalctl_end(&f->child, false, &err);
    f->running = f->skipping = false;
    f->start = f->end = 0;
    wait_longer(f, err.text);
}

/* Where the journal ends now: all later entries are new. -1 with *err set: no journalctl. */
static int find_end(struct journal_follow *f, struct err *err)
{
    static const char *const args[] = {"--lines=1", NULL};
    if (start(f, args, err) < 0)
        return -1;
    while (more(f) > 0)
        ;
    const char *newline = memchr(f->p, '\n', f->end);
    if (newline) {
        struct buf room = BUF(f->follow.room);
        struct entry e;
        entry_of_line(&f->follow.stamps, (struct str){f->p, (size_t)(newline - f->p)}, &room, &e);
        f->at = place_of(&e);
    }
    f->start = f->end = 0;
    return journalctl_end(&f->child, false, err);
}

/* ---- running --------------------------------------------------------------------- */

/* True: go on at once. */
static bool look(struct journal_follow *f, bool readable)
{
    if (!f->running) {
        if (clock_us(CLOCK_MONOTONIC) >= f->start_us)
            follow_on(f);
        return false;
    }
    if (!readable)
        return false;
    ssize_t n = more(f);
    if (n == 0 || (n < 0 && errno != EINTR))
        ended(f);
    return n > 0;
}

static int run(struct follow *b, int stop_fd, struct err *err)
{
    struct journal_follow *f = (struct journal_follow *)b;
    bool stopping = false, readable[2] = {false, false};
    for (;;) {
        bool on = look(f, readable[1]);
        if (!give_all(f))
            break;
        if (!on || follow_settle_is_due(b))
            follow_settle(b);
        int64_t wait_us = on ? 0 : b->s.poll_ms * INT64_C(1000);
        int fds[2] = {stop_fd, f->running ? f->child.out : -1};
        if (follow_wait(fds, wait_us, readable, err) < 0)
            return -1;
        stopping = stopping || readable[0];
        if (stopping && !readable[1])
            break;
    }
    follow_settle(b);
    follow_write(b);
    return 0;
}

static void journal_free(struct follow *b)
{
    struct journal_follow *f = (struct journal_follow *)b;
    if (f->running)
        journalctl_end(&f->child, true, NULL);
    free(f->p);
    follow_end(b);
}

struct follow *follow_journal_open(const struct follow_settings *s, struct err *err)
{
    char name[PATH_MAX + 16];
    struct checkpoint_state state;
    struct journal_follow *f = calloc(1, sizeof *f);
    if (!f || !(f->p = malloc(BUFFER))) {
        free(f);
        err_set(err, "there is not enough memory");
        return NULL;
    }
    f->pause = f->every = 1;
    f->follow.run = run;
    f->follow.places = places;
    f->follow.free = journal_free;
    snprintf(name, sizeof name, "the journal%s%s", s->path ? " in " : "", s->path ? s->path : "");
    int there = follow_begin(&f->follow, s, name, &state, err);
    if (there == 0 && !s->from_start)
        there = find_end(f, err);
    if (there < 0) {
        journal_free(&f->follow);
        return NULL;
    }
    if (there) {
        f->follow.written = state;
        f->told = state.told_entry;
        f->at = state.from_entry;
        f->again = strcmp(f->told.cursor, f->at.cursor) != 0;
    }
    follow_write(&f->follow);
    return &f->follow;
}
