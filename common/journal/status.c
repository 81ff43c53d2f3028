/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "journal/json.h"

struct text {
    size_t n;
    char p[STATUS_FILE_MAX];
};

struct status {
    struct journal *journal;
    const char *program, *version;
    int64_t started_us; /* wall clock */
    char file[256], digest[64], mode[512], sandbox[160];
    uint64_t reloads;
    bool reload_ok;
    int64_t reload_us; /* wall clock */
    char reload_why[512];
    int64_t last_us;    /* monotonic: when `before` was handed over */
    struct text before; /* without the time */

    pthread_mutex_t lock; /* held to copy, never to write */
    bool fresh;
    struct text handed;

    struct text writing; /* the writer thread's */
};

/* ---- the writer thread -------------------------------------------------- */

static void write_file(int dir, const struct text *t)
{
    int fd = openat(dir, "status.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return; /* the old one gets old, which its reader sees */
    fchmod(fd, 0640);
    bool ok = write(fd, t->p, t->n) == (ssize_t)t->n;
    close(fd);
    if (!ok || renameat(dir, "status.new", dir, "status") < 0)
        unlinkat(dir, "status.new", 0);
}

static void write_status(void *arg, int dir, bool last)
{
    (void)last;
    struct status *st = arg;
    pthread_mutex_lock(&st->lock);
    bool fresh = st->fresh;
    if (fresh) {
        memcpy(st->writing.p, st->handed.p, st->handed.n);
        st->writing.n = st->handed.n;
    }
    st->fresh = false;
    pthread_mutex_unlock(&st->lock);
    if (fresh)
        write_file(dir, &st->writing);
}

/* ---- the loop thread ---------------------------------------------------- */

struct status *status_open(struct journal *j, const char *program, const char *version,
                           const struct now *now)
{
    struct status *st = calloc(1, sizeof *st);
    if (!st)
        return NULL;
    st->journal = j;
    st->program = program;
    st->version = version;
    st->started_us = now->wall_us;
    pthread_mutex_init(&st->lock, NULL);
    journal_set_hook(j, write_status, st);
    return st;
}

void status_free(struct status *st)
{
    /* If the writer thread hangs in a frozen disk, it may yet come for it. */
    if (!st || st->journal->abandoned)
        return;
    pthread_mutex_destroy(&st->lock);
    free(st);
}

void status_set_policy(struct status *st, const char *file, const char *digest, const char *mode)
{
    snprintf(st->file, sizeof st->file, "%s", file ? file : "");
    snprintf(st->digest, sizeof st->digest, "%s", digest);
    snprintf(st->mode, sizeof st->mode, "%s", mode);
}

void status_set_sandbox(struct status *st, const char *told)
{
    snprintf(st->sandbox, sizeof st->sandbox, "%s", told);
}

void status_set_reload(struct status *st, bool ok, const char *why, const struct now *now)
{
    st->reloads++;
    st->reload_ok = ok;
    st->reload_us = now->wall_us;
    snprintf(st->reload_why, sizeof st->reload_why, "%s", ok || !why ? "" : why);
}

static void name(struct buf *b, const char *n)
{
    if (b->n && b->p[b->n - 1] != '{')
        buf_char(b, ',');
    json_put_string(b, str_of(n));
    buf_char(b, ':');
}

static void text(struct buf *b, const char *n, const char *v)
{
    name(b, n);
    json_put_string(b, str_of(v));
}

static void number(struct buf *b, const char *n, uint64_t v)
{
    name(b, n);
    buf_u64(b, v < INT64_MAX ? v : INT64_MAX);
}

static void truth(struct buf *b, const char *n, bool v)
{
    name(b, n);
    buf_str(b, v ? STR("true") : STR("false"));
}

static void date(struct buf *b, const char *n, int64_t wall_us)
{
    name(b, n);
    buf_char(b, '"');
    clock_format(b, wall_us, 0);
    buf_char(b, '"');
}

static void put_journal(struct buf *b, const struct journal *j, const struct now *now)
{
    struct journal_state s;
    journal_get_state(j, now, &s);
    name(b, "journal");
    buf_char(b, '{');
    text(b, "segment", s.segment);
    number(b, "segments", s.segments);
    number(b, "lines", s.lines);
    number(b, "bytes", s.bytes);
    number(b, "lost", s.lost);
    number(b, "ring_used", s.ring_used);
    number(b, "ring_size", s.ring_size);
    truth(b, "stalled", s.stalled);
    text(b, "why", s.why);
    number(b, "last_errno", (uint64_t)s.last_errno);
    buf_char(b, '}');
}

/* Everything but the time, so that two of them can be compared. */
static void put_all(struct buf *b, const struct status *st, const struct now *now,
                    const struct status_counter *counters, size_t count)
{
    buf_char(b, '{');
    number(b, "v", 1);
    text(b, "program", st->program);
    text(b, "version", st->version);
    number(b, "pid", (uint64_t)getpid());
    date(b, "started", st->started_us);
    text(b, "config", st->file);
    text(b, "policy", st->digest);
    text(b, "mode", st->mode);
    text(b, "sandbox", st->sandbox);
    number(b, "reloads", st->reloads);
    if (st->reloads) {
        truth(b, "reload_ok", st->reload_ok);
        date(b, "reload_at", st->reload_us);
        text(b, "reload_why", st->reload_why);
    }
    put_journal(b, st->journal, now);
    name(b, "counters");
    buf_char(b, '{');
    size_t omitted = 0;
    for (size_t i = 0; i < count; i++) {
        size_t before = b->n;
        /* Room for the end, and never half a counter. */
        if (i < STATUS_COUNTERS_MAX && b->n + 512 < b->cap)
            number(b, counters[i].name, counters[i].value);
        if (b->n == before)
            omitted++;
    }
    buf_char(b, '}');
    if (omitted)
        number(b, "counters_omitted", omitted);
}

void status_publish(struct status *st, const struct now *now, const struct status_counter *counters,
                    size_t count, bool force)
{
    if (!st->journal->on)
        return;
    int64_t age_s = (now->mono_us - st->last_us) / US_PER_S;
    char all[STATUS_FILE_MAX];
    struct buf b = BUF(all);
    put_all(&b, st, now, counters, count);
    bool same = st->before.n == b.n && memcmp(st->before.p, b.p, b.n) == 0;
    if (b.full || (same && age_s < STATUS_IDLE_S && !force))
        return;
    if (force ? pthread_mutex_lock(&st->lock) : pthread_mutex_trylock(&st->lock))
        return;
    st->before.n = b.n;
    memcpy(st->before.p, b.p, b.n);
    date(&b, "as_of", now->wall_us);
    number(&b, "as_of_us", (uint64_t)now->wall_us);
    buf_str(&b, STR("}\n"));
    st->fresh = !b.full;
    memcpy(st->handed.p, b.p, b.n);
    st->handed.n = b.n;
    pthread_mutex_unlock(&st->lock);
    st->last_us = now->mono_us;
    journal_request(st->journal, REQUEST_HOOK);
}
