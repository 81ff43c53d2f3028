/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/follow_help.h"

#include <fcntl.h>
#include <ftw.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zlib.h>

char log_dir[128];
struct got got;

int follow_set_up(void **state)
{
    (void)state;
    const char *top = getenv("TMPDIR");
    snprintf(log_dir, sizeof log_dir, "%.90s/mailreeve-follow-XXXXXX", top ? top : "/tmp");
    memset(&got, 0, sizeof got);
    got.needed = UINT64_MAX;
    return mkdtemp(log_dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int follow_tear_down(void **state)
{
    (void)state;
    return nftw(log_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *at(const char *name)
{
    static char ring[8][256];
    static unsigned next;
    char *p = ring[next++ % 8];
    snprintf(p, sizeof ring[0], "%s/%s", log_dir, name);
    return p;
}

/* ---- what happens to logs ---------------------------------------------------------- */

size_t numbered(char *p, size_t size, unsigned number)
{
    int n = snprintf(p, size, "2026-11-21T08:00:00.%06u+00:00 mx postfix/smtpd[7]: n %u of %.*s\n",
                     number % 1000000, number, (int)(number * 7 % 90),
                     "many lines, which are of different lengths as those of real logs are, up to "
                     "about two hundred bytes");
    assert_true(n > 0 && (size_t)n < size);
    return (size_t)n;
}

void bytes(const char *name, const char *p, size_t n)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
}

void text(const char *name, const char *s)
{
    bytes(name, s, strlen(s));
}

void lines(const char *name, unsigned first, unsigned last)
{
    char p[256];
    for (unsigned i = first; i <= last; i++)
        bytes(name, p, numbered(p, sizeof p, i));
}

void move(const char *from, const char *to)
{
    assert_int_equal(rename(at(from), at(to)), 0);
}

/* Malloced. */
static char *content(const char *name, size_t *ret_n)
{
    struct stat st;
    int fd = open(at(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    char *p = malloc((size_t)st.st_size + 1);
    assert_non_null(p);
    assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_n = (size_t)st.st_size;
    return p;
}

void copy(const char *from, const char *to)
{
    size_t n;
    char *p = content(from, &n);
    bytes(to, p, n);
    free(p);
}

void empty(const char *name)
{
    assert_int_equal(truncate(at(name), 0), 0);
}

void gone(const char *name)
{
    assert_int_equal(remove(at(name)), 0);
}

static void replace(const char *name, const char *packed)
{
    struct stat st;
    assert_int_equal(stat(at(name), &st), 0);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, at(packed), times, 0), 0);
    gone(name);
}

void gzip(const char *name)
{
    size_t n;
    char packed[128], *p = content(name, &n);
    snprintf(packed, sizeof packed, "%s.gz", name);
    gzFile z = gzopen(at(packed), "wb0");
    assert_non_null(z);
    assert_int_equal(n ? gzwrite(z, p, (unsigned)n) : 0, n);
    assert_int_equal(gzclose(z), Z_OK);
    free(p);
    replace(name, packed);
}

void xz(const char *name)
{
    size_t n, packed_n = 0;
    char packed[128], *p = content(name, &n);
    size_t size = lzma_stream_buffer_bound(n);
    uint8_t *z = malloc(size);
    assert_non_null(z);
    assert_int_equal(
        lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, (uint8_t *)p, n, z, &packed_n, size),
        LZMA_OK);
    snprintf(packed, sizeof packed, "%s.xz", name);
    bytes(packed, (char *)z, packed_n);
    free(z);
    free(p);
    replace(name, packed);
}

/* ---- a follower -------------------------------------------------------------------- */

static bool take(void *context, const struct follow_line *l)
{
    struct got *g = context;
    struct str s = l->line->text;
    unsigned number = 0;
    g->text_n = s.n;
    snprintf(g->text, sizeof g->text, "%.*s", STR_ARG(s));
    if (s.n > 2 && s.p[0] == 'n' && s.p[1] == ' ')
        number = (unsigned)strtoul(g->text + 2, NULL, 10);
    assert_true(l->position >= g->after);
    g->position = l->position;
    g->after = l->position + 1;
    if (l->again)
        g->again[g->again_count++ % 4096] = number;
    else
        g->number[g->count++ % 4096] = number;
    return l->again ? g->again_count != g->stop_again : g->count != g->stop_at;
}

static uint64_t idle(void *context)
{
    struct got *g = context;
    if (g->at_idle)
        g->at_idle(g->idle);
    g->idle++;
    return g->needed;
}

static void note(void *context, const char *words)
{
    struct got *g = context;
    g->notes++;
    snprintf(g->note, sizeof g->note, "%s", words);
}

struct follow_settings ordinary(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s", at("mail.log"));
    return (struct follow_settings){.path = path,
                                    .from_start = true,
                                    .take = take,
                                    .idle = idle,
                                    .note = note,
                                    .context = &got,
                                    .poll_ms = 10,
                                    .quiet_ms = 1,
                                    .checkpoint_ms = -1};
}

struct follow_settings kept(void)
{
    static char path[256];
    struct follow_settings s = ordinary();
    snprintf(path, sizeof path, "%s", at("place"));
    s.checkpoint = path;
    return s;
}

struct follow *opened(const struct follow_settings *s)
{
    struct err err;
    struct follow *f = follow_open(s, &err);
    if (!f)
        fail_msg("%s", err.text);
    got.after = 0;
    return f;
}

void refused_with(const struct follow_settings *s, const char *words)
{
    struct err err;
    assert_null(follow_open(s, &err));
    if (!strstr(err.text, words))
        fail_msg("expected \"%s\", have \"%s\"", words, err.text);
}

static int alarm_in(int64_t us)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec t = {.it_value = {us / US_PER_S, us % US_PER_S * 1000}};
    assert_true(fd >= 0 && timerfd_settime(fd, 0, &t, NULL) == 0);
    return fd;
}

void run_for(struct follow *f, int64_t us)
{
    struct err err;
    int stop = alarm_in(us);
    if (follow_run(f, stop, &err) < 0)
        fail_msg("%s", err.text);
    close(stop);
}

void until(struct follow *f, unsigned count)
{
    got.stop_at = count;
    if (got.count < count)
        run_for(f, 20 * US_PER_S);
    got.stop_at = 0;
    assert_int_equal(got.count, count);
}

void until_again(struct follow *f, unsigned count)
{
    got.stop_again = count;
    if (got.again_count < count)
        run_for(f, 20 * US_PER_S);
    got.stop_again = 0;
    assert_int_equal(got.again_count, count);
}

void rest(struct follow *f)
{
    int ends[2];
    struct err err;
    assert_int_equal(pipe(ends), 0);
    close(ends[1]); /* readable: its end */
    if (follow_run(f, ends[0], &err) < 0)
        fail_msg("%s", err.text);
    close(ends[0]);
}

void until_noted(struct follow *f, const char *words)
{
    for (unsigned i = 0; i < 2000 && !strstr(got.note, words); i++)
        run_for(f, 10000);
    if (!strstr(got.note, words))
        fail_msg("expected the note \"%s\", have \"%s\"", words, got.note);
}

void expect(unsigned first, unsigned last)
{
    assert_int_equal(got.count, last - first + 1);
    for (unsigned i = 0; i < got.count; i++)
        assert_int_equal(got.number[i], first + i);
}
