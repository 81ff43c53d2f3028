/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/rotated.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/input/checkpoint.h"

enum {
    TRIES = 20,         /* a directory that changes again and again while it is read */
    COUNTER_DIGITS = 6, /* mail.log.123456 is counted, mail.log.20261121 is a date */
};

/* ---- names ----------------------------------------------------------------------- */

static bool ends_in(struct str s, struct str end)
{
    return s.n > end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static bool begins_with(struct str s, struct str start)
{
    return s.n >= start.n && memcmp(s.p, start.p, start.n) == 0;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ".1", "-20261121", ".20261121-082200", "-2026-11-21T08:22". */
static bool is_suffix(struct str s, uint64_t *ret_number)
{
    if (s.n < 2 || (s.p[0] != '.' && s.p[0] != '-') || !digit(s.p[1]))
        return false;
    for (size_t i = 2; i < s.n; i++)
        if (!digit(s.p[i]) && !memchr("-.:_T", s.p[i], 5))
            return false;
    struct str number = {s.p + 1, s.n - 1};
    if (number.n > COUNTER_DIGITS || !str_to_u64(number, 999999, ret_number))
        *ret_number = 0;
    else
        ++*ret_number; /* newsyslog begins with .0 */
    return true;
}

static bool is_rotated(struct str log, struct str name, struct rotated_file *f)
{
    static const struct str packed[] = {{".gz", 3}, {".xz", 3}, {".bz2", 4}, {".zst", 4}};
    for (unsigned i = 0; i < sizeof packed / sizeof *packed && !f->packed; i++)
        if (ends_in(name, packed[i])) {
            f->packed = true;
            name.n -= packed[i].n;
        }
    f->stem_n = name.n;
    if (begins_with(name, log))
        return is_suffix((struct str){name.p + log.n, name.n - log.n}, &f->number);
    /* logrotate's `extension .log` */
    const char *dot = memrchr(log.p, '.', log.n);
    struct str stem = {log.p, dot ? (size_t)(dot - log.p) : 0};
    struct str ext = {dot, log.n - stem.n};
    return stem.n && begins_with(name, stem) && ends_in(name, ext) && name.n > log.n &&
           is_suffix((struct str){name.p + stem.n, name.n - log.n}, &f->number);
}

/* ---- one reading of the directory ------------------------------------------------ */

static uint64_t print_of(const struct rotated_file *f, bool with_content)
{
    uint64_t parts[5] = {f->device, f->inode, place_hash(f->name, strlen(f->name))};
    if (with_content) {
        parts[3] = f->size;
        parts[4] = (uint64_t)f->mtime_ns;
    }
    return place_hash(parts, sizeof parts);
}

static void look(struct rotated_file *f, const struct stat *st)
{
    f->device = st->st_dev;
    f->inode = st->st_ino;
    f->size = (uint64_t)st->st_size;
    f->mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static int add(struct rotated *r, struct rotated_file f, const char *name)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        void *files = reallocarray(r->files, cap, sizeof *r->files);
        if (!files)
            return -1;
        r->files = files;
        r->cap = cap;
    }
    f.name = strdup(name);
    if (!f.name)
        return -1;
    r->files[r->n++] = f;
    return 0;
}

static enum rotated_log kind_of(const struct stat *st)
{
    return S_ISREG(st->st_mode) ? LOG_FILE : S_ISDIR(st->st_mode) ? LOG_DIRECTORY : LOG_NOT_A_FILE;
}

static int consider(struct rotated *r, int directory, struct str log, const char *name)
{
    struct rotated_file f = {.fd = -1, .stem_n = log.n};
    struct stat st;
    bool is_log = str_eq(str_of(name), log);
    if (!is_log && !is_rotated(log, str_of(name), &f))
        return 0;
    if (fstatat(directory, name, &st, 0) < 0)
        return 0;
    if (is_log)
        r->log = kind_of(&st);
    if (!S_ISREG(st.st_mode))
        return 0;
    look(&f, &st);
    f.order = is_log ? INT64_MAX : 0;
    return add(r, f, name);
}

static int scan(struct rotated *r, int directory, const char *log)
{
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    if (!d) {
        if (again >= 0)
            close(again);
        return -1;
    }
    int done = 0;
    *r = (struct rotated){.log = LOG_ABSENT};
    for (struct dirent *e; done == 0 && (e = readdir(d));)
        done = consider(r, directory, str_of(log), e->d_name);
    closedir(d);
    for (size_t i = 0; i < r->n; i++) {
        r->identity += print_of(&r->files[i], false);
        r->signature += print_of(&r->files[i], r->files[i].order == 0);
    }
    return done;
}

/* ---- in order, and open ---------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
    const struct rotated_file *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->number != y->number)
        return x->number > y->number ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Numbers tell the order whatever the clock did; dates do not tell it better than the time of the
 * last writing, which gzip, xz and logrotate keep. */
static void put_in_order(struct rotated *r)
{
    bool numbered = true;
    for (size_t i = 0; i < r->n; i++)
        numbered = numbered && (r->files[i].number || r->files[i].order);
    for (size_t i = 0; i < r->n; i++)
        if (!r->files[i].order)
            r->files[i].order = numbered ? -(int64_t)r->files[i].number : r->files[i].mtime_ns;
    if (r->n)
        qsort(r->files, r->n, sizeof *r->files, by_age);
}

void rotated_drop(struct rotated *r, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        if (r->files[i].fd >= 0)
            close(r->files[i].fd);
        free(r->files[i].name);
    }
    if (n)
        memmove(r->files + first, r->files + first + n, (r->n - first - n) * sizeof *r->files);
    r->n -= n;
}

static bool has_double(const struct rotated *r, const struct rotated_file *f)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct rotated_file *o = &r->files[i];
        if (o != f && o->stem_n == f->stem_n && memcmp(o->name, f->name, f->stem_n) == 0 &&
            (!o->packed || o < f))
            return true;
    }
    return false;
}

/* False: it is another file now. */
static bool open_one(int directory, struct rotated_file *f)
{
    struct stat st;
    f->fd = openat(directory, f->name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    f->why = f->fd < 0 ? errno : 0;
    if (f->fd < 0 && errno == ENOENT)
        return false;
    return f->fd < 0 || (fstat(f->fd, &st) == 0 && st.st_dev == f->device && st.st_ino == f->inode);
}

static bool open_all(struct rotated *r, int directory)
{
    for (size_t i = r->n; i-- > 0;)
        if (r->files[i].packed && has_double(r, &r->files[i]))
            rotated_drop(r, i, 1);
    put_in_order(r);
    if (r->n > ROTATED_MAX)
        rotated_drop(r, 0, r->n - ROTATED_MAX);
    for (size_t i = 0; i < r->n; i++)
        if (!open_one(directory, &r->files[i]))
            return false;
    if (r->log == LOG_FILE && r->files[r->n - 1].fd < 0) {
        r->log = LOG_DENIED;
        rotated_drop(r, r->n - 1, 1);
    }
    return true;
}

void rotated_free(struct rotated *r)
{
    rotated_drop(r, 0, r->n);
    free(r->files);
    *r = (struct rotated){0};
}

/* copytruncate is at work: the newest is a copy, so far, of the log, which is not truncated yet. */
static bool is_copy(const struct rotated_file *newest, const struct rotated_file *log)
{
    char a[PLACE_HEAD], b[PLACE_HEAD];
    ssize_t n = newest->fd < 0 ? 0 : pread(newest->fd, a, sizeof a, 0);
    return n > 0 && newest->size <= log->size && pread(log->fd, b, (size_t)n, 0) == n &&
           memcmp(a, b, (size_t)n) == 0;
}

static void drop_copy(struct rotated *r)
{
    if (r->log != LOG_FILE || r->n < 2 || !is_copy(&r->files[r->n - 2], &r->files[r->n - 1]))
        return;
    rotated_drop(r, r->n - 2, 1);
    r->signature++;
}

/* A file that gets another name while the directory is read may be met twice or not at all: it is
 * read until two readings give the same. */
int rotated_list(struct rotated *r, const char *directory, const char *log)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int done = fd < 0 ? -1 : 0;
    bool same = false;
    *r = (struct rotated){0};
    for (int i = 0; done == 0 && !same && i < TRIES; i++) {
        struct rotated after = {0};
        rotated_free(r);
        done = scan(r, fd, log);
        same = done == 0 && open_all(r, fd);
        if (done == 0)
            done = scan(&after, fd, log);
        same = same && done == 0 && r->identity == after.identity;
        rotated_free(&after);
    }
    int why = done < 0 ? errno : EAGAIN;
    if (same)
        drop_copy(r);
    else
        rotated_free(r);
    if (fd >= 0)
        close(fd);
    errno = why;
    return same ? done : -1;
}

uint64_t rotated_signature(const char *directory, const char *log)
{
    struct rotated r;
    uint64_t signature = rotated_list(&r, directory, log) == 0 ? r.signature : 0;
    rotated_free(&r);
    return signature;
}
