/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/log_help.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

char log_top[64];
static int descriptors_before;

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

int log_set_up(void **state)
{
    (void)state;
    setenv("TZ", "UTC0", 1);
    signal(SIGPIPE, SIG_IGN);
    snprintf(log_top, sizeof log_top, "/tmp/mailreeve-log-XXXXXX");
    descriptors_before = descriptors();
    return mkdtemp(log_top) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int log_tear_down(void **state)
{
    (void)state;
    bool alone =
        waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD && descriptors() == descriptors_before;
    return nftw(log_top, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 && alone ? 0 : -1;
}

const char *log_path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", log_top, name);
    return path;
}

const char *log_file(const char *name, struct str bytes)
{
    const char *path = log_path(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static char *copy_of(struct str s)
{
    char *copy = malloc(s.n + 1);
    assert_non_null(copy);
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

bool got_take(void *context, const struct log_line *l, uint64_t line)
{
    struct got *g = context;
    if ((g->count & (g->count - 1)) == 0) { /* full: there is room for a power of two */
        g->list = realloc(g->list, (g->count ? 2 * g->count : 1) * sizeof *g->list);
        assert_non_null(g->list);
    }
    g->list[g->count++] = (struct got_line){.wall_us = l->wall_us,
                                            .pid = l->pid,
                                            .times = l->times,
                                            .number = line,
                                            .host = copy_of(l->host),
                                            .tag = copy_of(l->tag),
                                            .text = {copy_of(l->text), l->text.n}};
    return g->count != g->stop_after;
}

int got_read(struct got *g, const char *path)
{
    *g = (struct got){.stop_after = g->stop_after};
    memset(&g->counts, 0xa5, sizeof g->counts);
    return input_read(path, NOW_US, got_take, g, &g->counts, &g->err);
}

void got_free(struct got *g)
{
    for (size_t i = 0; i < g->count; i++) {
        free(g->list[i].host);
        free(g->list[i].tag);
        free((char *)g->list[i].text.p);
    }
    free(g->list);
    g->list = NULL;
    g->count = 0;
}

void assert_texts(const struct got *g, const char *expected)
{
    struct str rest = str_of(expected);
    for (size_t i = 0; i < g->count; i++) {
        struct str text = str_cut(&rest, "/");
        if (!str_eq(text, g->list[i].text))
            fail_msg("line %zu is \"%.*s\", not \"%.*s\"", i + 1, STR_ARG(g->list[i].text),
                     STR_ARG(text));
        assert_int_equal(g->list[i].number, i + 1);
    }
    if (rest.p && (rest.n || g->count))
        fail_msg("missing: %.*s", STR_ARG(rest));
}

static void *dribble(void *context)
{
    struct log_dribble *d = context;
    struct str rest = d->bytes;
    size_t step = rest.n > 20000 ? 997 : 1;
    while (rest.n) {
        ssize_t n = write(d->ends[1], rest.p, step < rest.n ? step : rest.n);
        if (n <= 0)
            break; /* the reader had enough */
        rest.p += n, rest.n -= (size_t)n;
        /* the next when these were read */
        for (int left = 1; !d->over && ioctl(d->ends[1], FIONREAD, &left) == 0 && left > 0;)
            sched_yield();
    }
    close(d->ends[1]);
    return NULL;
}

const char *log_dribble(struct log_dribble *d, struct str bytes)
{
    pthread_t thread;
    d->bytes = bytes;
    d->over = false;
    assert_int_equal(pipe2(d->ends, O_CLOEXEC), 0);
    snprintf(d->path, sizeof d->path, "/dev/fd/%d", d->ends[0]);
    assert_int_equal(pthread_create(&thread, NULL, dribble, d), 0);
    d->thread = thread;
    return d->path;
}

void log_dribble_end(struct log_dribble *d)
{
    d->over = true;
    close(d->ends[0]);
    pthread_join(d->thread, NULL);
}
