/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "journal/json.h"

enum {
    CHECK_S = 600,   /* ages and sizes while nothing is written */
    SLOW_DISK_S = 1, /* a write that takes longer is reported */
};

/* ---- opening ------------------------------------------------------------ */

/* The boot of the machine and the start of this process in it: within one of
 * these, seq counts up. */
static void boot_name(struct buf *b, const struct now *now)
{
    enum { BOOT_DIGITS = 12 };
    char id[64] = "";
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, id, sizeof id);
    if (fd >= 0)
        close(fd);
    size_t digits = 0;
    for (ssize_t i = 0; i < n && digits < BOOT_DIGITS; i++)
        if (id[i] != '-' && id[i] != '\n')
            buf_char(b, id[i]), digits++;
    if (digits == 0)
        buf_str(b, STR("unknown"));
    buf_printf(b, "-%llx", (unsigned long long)now->mono_us);
}

/* Everything of a line's beginning that stays the same. */
static int set_constant_part(struct journal *j, const char *program)
{
    char host[256] = "", text[64];
    gethostname(host, sizeof host - 1);
    struct now now;
    journal_system_io.now(&now);
    struct buf b = BUF(j->mid), boot = BUF(text);
    boot_name(&boot, &now);
    buf_str(&b, STR(",\"host\":"));
    json_put_string(&b, str_of(host));
    buf_str(&b, STR(",\"src\":"));
    json_put_string(&b, str_of(program));
    buf_str(&b, STR(",\"boot\":"));
    json_put_string(&b, buf_view(&boot));
    buf_str(&b, STR(",\"seq\":"));
    j->mid_n = b.n;
    j->head_second = INT64_MIN / US_PER_S / 2; /* no line is in it */
    return b.full || boot.full ? -1 : 0;
}

static void set_limits(struct journal *j, const struct journal_settings *s)
{
    atomic_store(&j->limits.keep_s, s->keep_s);
    atomic_store(&j->limits.max_total, s->max_total);
    atomic_store(&j->limits.min_free, s->min_free);
    atomic_store(&j->limits.min_free_is_percent, s->min_free_is_percent);
}

static struct journal *new_journal(struct err *err)
{
    struct journal *j = aligned_alloc(CACHE_LINE, sizeof *j);
    if (j)
        memset(j, 0, sizeof *j);
    else
        err_set(err, "no memory for the journal");
    return j;
}

/* What formatting a line needs. */
static int begin_lines(struct journal *j, const char *program, struct err *err)
{
    if (set_constant_part(j, program) < 0)
        return err_set(err, "the host or program name is too long for the journal");
    if (ring_init(&j->ring, RING_SIZE) < 0)
        return err_set(err, "no memory for the journal");
    return 0;
}

struct journal *journal_to_file(FILE *out, const char *program, struct err *err)
{
    struct journal *j = new_journal(err);
    if (!j)
        return NULL;
    if (begin_lines(j, program, err) < 0) {
        free(j);
        return NULL;
    }
    j->out = out;
    j->on = true;
    return j;
}

struct journal *journal_open(const struct journal_settings *s, const char *program, uid_t owner,
                             gid_t group, struct err *err)
{
    struct journal *j = new_journal(err);
    if (!j || !s->path[0])
        return j;
    memcpy(j->path, s->path, sizeof j->path);
    set_limits(j, s);
    j->segments.io = &journal_system_io;
    j->segments.limits = &j->limits;
    if (begin_lines(j, program, err) < 0)
        goto no_lines;
    if (segments_open(&j->segments, j->path, program, owner, group, err) < 0)
        goto no_segments;
    sem_init(&j->wake, 0, 0);
    sem_init(&j->done, 0, 0);
    j->on = true;
    return j;

no_segments:
    ring_free(&j->ring);
no_lines:
    free(j);
    return NULL;
}

void journal_set_io(struct journal *j, const struct journal_io *io)
{
    j->segments.io = io;
}

void journal_set_hook(struct journal *j, void (*hook)(void *arg, int dir, bool last), void *arg)
{
    j->hook = hook;
    j->hook_arg = arg;
}

int journal_start(struct journal *j, struct err *err)
{
    if (!j->on || j->out)
        return 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&j->thread, NULL, journal_writer, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return err_set(err, "cannot start the journal's writer: %s", strerror(failed));
    j->started = true;
    return 0;
}

int journal_reconfigure(struct journal *j, const struct journal_settings *s, struct err *err)
{
    if (strcmp(j->path, s->path) != 0)
        return err_set(err, "a new journal path needs a restart");
    set_limits(j, s);
    return 0;
}

void journal_write_out(struct journal *j)
{
    const char *p;
    size_t n;
    while ((n = ring_peek(&j->ring, atomic_load(&j->ring.head), &p))) {
        fwrite(p, 1, n, j->out); /* its error flag is the caller's to see */
        ring_consume(&j->ring, n);
    }
}

int journal_directory(const struct journal *j)
{
    return j && j->on && !j->out ? j->segments.dir : -1;
}

/* ---- ending ------------------------------------------------------------- */

uint64_t journal_stop(struct journal *j, int limit_ms)
{
    if (!j->on || j->stopped)
        return 0;
    j->stopped = true;
    if (j->started) {
        journal_request(j, REQUEST_STOP);
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t ns = t.tv_nsec + (int64_t)limit_ms * 1000000;
        t.tv_sec += ns / 1000000000;
        t.tv_nsec = ns % 1000000000;
        int r;
        while ((r = sem_clockwait(&j->done, CLOCK_MONOTONIC, &t)) < 0 && errno == EINTR) {
        }
        if (r == 0) {
            pthread_join(j->thread, NULL);
        } else {
            pthread_detach(j->thread);
            j->abandoned = true;
        }
    }
    return ring_count_lines(&j->ring);
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    if (j->started && !j->stopped)
        journal_stop(j, 0);
    if (j->abandoned)
        return; /* the thread may yet come back from its write */
    if (j->on)
        ring_free(&j->ring);
    if (j->on && !j->out) {
        segments_close(&j->segments);
        sem_destroy(&j->wake);
        sem_destroy(&j->done);
    }
    free(j);
}

/* ---- state -------------------------------------------------------------- */

static void say_trouble(struct journal_state *st, enum journal_trouble trouble)
{
    static const char *const what[] = {
        [TROUBLE_SPACE] = "less free disk space than journal.min_free",
        [TROUBLE_OPEN] = "cannot open a segment: ",
        [TROUBLE_WRITE] = "cannot write: ",
    };
    st->stalled = true;
    snprintf(st->why, sizeof st->why, "%s%s", what[trouble],
             trouble == TROUBLE_SPACE ? "" : strerrordesc_np(st->last_errno));
}

void journal_get_state(const struct journal *j, const struct now *now, struct journal_state *ret)
{
    *ret = (struct journal_state){0};
    if (!j || !j->on)
        return;
    ret->on = true;
    ret->lines = atomic_load(&j->lines_written);
    ret->bytes = atomic_load(&j->bytes_written);
    ret->lost = j->lost;
    ret->ring_used = ring_used(&j->ring);
    ret->ring_size = j->ring.size;
    ret->segments = atomic_load(&j->segments.opened);
    ret->last_errno = atomic_load(&j->last_errno);
    ret->last_write_mono_us = atomic_load(&j->last_write_us);
    uint64_t number = atomic_load(&j->segments.name_number);
    if (number) {
        struct buf b = BUF(ret->segment);
        segment_name(&b, atomic_load(&j->segments.name_utc_s), number);
        buf_cstr(&b);
    }
    enum journal_trouble trouble = (enum journal_trouble)atomic_load(&j->trouble);
    int64_t busy_since = atomic_load(&j->busy_since_us);
    if (busy_since && now->mono_us - busy_since > SLOW_DISK_S * US_PER_S) {
        ret->stalled = true;
        snprintf(ret->why, sizeof ret->why, "the disk has not answered for %lld s",
                 (long long)((now->mono_us - busy_since) / US_PER_S));
    } else if (trouble) {
        say_trouble(ret, trouble);
    }
}

enum journal_change journal_tick(struct journal *j, const struct now *now)
{
    if (!j || !j->on || j->out)
        return JOURNAL_SAME;
    journal_tell_losses(j, now);
    if (now->mono_us >= j->next_check_us) {
        j->next_check_us = now->mono_us + CHECK_S * US_PER_S;
        journal_request(j, REQUEST_CHECK);
    }
    struct journal_state st;
    journal_get_state(j, now, &st);
    bool changed = st.stalled != j->was_stalled;
    j->was_stalled = st.stalled;
    return !changed ? JOURNAL_SAME : st.stalled ? JOURNAL_STALLED : JOURNAL_RESUMED;
}
