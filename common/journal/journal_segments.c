/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/now.h"
#include "journal/journal_internal.h"

#define S_PER_DAY INT64_C(86400)

static int system_space(int fd, uint64_t *ret_free, uint64_t *ret_total)
{
    struct statvfs v;
    if (fstatvfs(fd, &v) < 0)
        return -1;
    *ret_free = (uint64_t)v.f_bavail * v.f_frsize;
    *ret_total = (uint64_t)v.f_blocks * v.f_frsize;
    return 0;
}

static void system_now(struct now *ret)
{
    *ret = clock_now();
}

const struct journal_io journal_system_io = {write, system_space, system_now};

/* ---- names -------------------------------------------------------------- */

void segment_name(struct buf *b, int64_t utc_s, uint64_t number)
{
    char text[32];
    struct buf t = BUF(text);
    clock_format(&t, utc_s * US_PER_S, 0);
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] != '-' && t.p[i] != ':')
            buf_char(b, t.p[i]);
    buf_char(b, '-');
    buf_u64(b, number);
    buf_str(b, STR(".jsonl"));
}

uint64_t segment_number(const char *name)
{
    const char *shape = "00000000T000000Z-", *p = name;
    for (; *shape; shape++, p++)
        if (*shape == '0' ? *p < '0' || *p > '9' : *p != *shape)
            return 0;
    struct str number = {p, strcspn(p, ".")};
    uint64_t n;
    if (strcmp(p + number.n, ".jsonl") != 0 || !str_to_u64(number, INT64_MAX, &n))
        return 0;
    return n;
}

/* ---- directory and lock ------------------------------------------------- */

/* Opens a directory, made if missing. `owner` is given only to one that we made
 * or, as root, to one that somebody else owns. */
static int open_directory(int at, const char *name, uid_t owner, gid_t group, struct err *err)
{
    bool made = mkdirat(at, name, 0750) == 0;
    if (!made && errno != EEXIST)
        return err_set(err, "cannot make the directory %s: %s", name, strerror(errno));
    int fd =
        openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (at == AT_FDCWD ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return err_set(err, "cannot open the directory %s: %s", name, strerror(errno));
    struct stat st;
    bool foreign = geteuid() == 0 && at != AT_FDCWD && owner != (uid_t)-1 && !fstat(fd, &st) &&
                   st.st_uid != owner;
    /* The mode after the owner: chown may clear the set-group-id bit. */
    if ((made || foreign) && (fchown(fd, owner, group) < 0 || fchmod(fd, 02750) < 0)) {
        err_set(err, "cannot set owner and mode of the directory %s: %s", name, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* The directories above the last one, as far as they are missing. */
static void make_parents(const char *path)
{
    char part[PATH_MAX];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        mkdir(part, 0755); /* what fails here fails better when the last one is opened */
    }
}

/* One writer: the lock is the process's as long as it lives, and a killed one
 * leaves none behind. */
static int take_lock(int dir, uid_t owner, gid_t group, const char *program, struct err *err)
{
    int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_set(err, "cannot open the journal's lock: %s", strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char pid[24];
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
        int held = errno;
        pid[n > 0 ? n : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        if (n > 0)
            err_set(err, "another %s writes this journal already: pid %s", program, pid);
        else
            err_set(err, "cannot lock the journal: %s", strerror(held));
        close(fd);
        return -1;
    }
    /* For people and for `mailreeve status`; on a full disk it stays empty. */
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) < 0)
        errno = 0;
    if (geteuid() == 0 && fchown(fd, owner, group) < 0)
        errno = 0; /* it is open already */
    return fd;
}

/* Calls f for each segment, in no order. -1: the directory cannot be read. */
static int each_segment(int dir, void (*f)(void *arg, const char *name, uint64_t number), void *arg)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t number = segment_number(e->d_name);
        if (number)
            f(arg, e->d_name, number);
    }
    closedir(d);
    return 0;
}

static void note_highest(void *arg, const char *name, uint64_t number)
{
    (void)name;
    uint64_t *highest = arg;
    if (number > *highest)
        *highest = number;
}

int segments_open(struct segments *s, const char *path, const char *program, uid_t owner,
                  gid_t group, struct err *err)
{
    s->dir = s->lock = s->fd = -1;
    if (path[0] != '/')
        return err_set(err, "the journal's path \"%s\" does not begin with /", path);
    make_parents(path);
    int top = open_directory(AT_FDCWD, path, (uid_t)-1, group, err);
    if (top < 0)
        return -1;
    s->dir = open_directory(top, program, owner, group, err);
    close(top);
    if (s->dir < 0)
        return -1;
    s->lock = take_lock(s->dir, owner, group, program, err);
    uint64_t highest = 0;
    if (s->lock >= 0 && each_segment(s->dir, note_highest, &highest) < 0)
        err_set(err, "cannot read the journal's directory: %s", strerror(errno));
    else if (s->lock >= 0) {
        s->next = highest + 1;
        return 0;
    }
    segments_close(s);
    return -1;
}

void segments_close(struct segments *s)
{
    int *const fds[] = {&s->fd, &s->lock, &s->dir};
    for (int i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* ---- age and size ------------------------------------------------------- */

static uint64_t segment_max(const struct segments *s)
{
    uint64_t share = atomic_load(&s->limits->max_total) / 8;
    return share < SEGMENT_MAX ? share : SEGMENT_MAX;
}

struct survey {
    const struct segments *s;
    uint64_t total;
    uint64_t oldest; /* number; 0: none that may go */
    char oldest_name[256];
    int64_t oldest_s; /* when it was last written */
};

static void survey(void *arg, const char *name, uint64_t number)
{
    struct survey *v = arg;
    struct stat st;
    if (fstatat(v->s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    v->total += (uint64_t)st.st_size;
    if (number < v->s->next - (v->s->fd >= 0) && (v->oldest == 0 || number < v->oldest)) {
        v->oldest = number;
        v->oldest_s = st.st_mtim.tv_sec;
        snprintf(v->oldest_name, sizeof v->oldest_name, "%s", name);
    }
}

/* Deletes the oldest as long as they are too old or, with one more full
 * segment, too much. */
static void delete_old(struct segments *s, const struct now *now)
{
    int64_t last_day_s = now->wall_us / US_PER_S - atomic_load(&s->limits->keep_s);
    uint64_t max_total = atomic_load(&s->limits->max_total);
    uint64_t reserve = s->fd >= 0 && s->size < segment_max(s) ? segment_max(s) - s->size : 0;
    for (;;) {
        struct survey v = {.s = s};
        if (each_segment(s->dir, survey, &v) < 0 || v.oldest == 0)
            return;
        if (v.oldest_s >= last_day_s && v.total + reserve <= max_total)
            return;
        if (unlinkat(s->dir, v.oldest_name, 0) < 0)
            return;
    }
}

/* ---- appending ---------------------------------------------------------- */

static void close_segment(struct segments *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static int open_segment(struct segments *s, const struct now *now)
{
    char text[SEGMENT_NAME_MAX];
    struct buf name = BUF(text);
    int64_t utc_s = now->wall_us / US_PER_S;
    segment_name(&name, utc_s, s->next);
    s->fd = openat(s->dir, buf_cstr(&name),
                   O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (s->fd < 0)
        return -1;
    fchmod(s->fd, 0640); /* whatever the umask is: the group reads it */
    s->size = 0;
    s->day = utc_s / S_PER_DAY;
    atomic_store(&s->name_utc_s, utc_s);
    atomic_store(&s->name_number, s->next++);
    atomic_fetch_add(&s->opened, 1);
    delete_old(s, now);
    return 0;
}

/* True: the file system has what min_free asks for. Asked once a second. */
static bool enough_space(struct segments *s, const struct now *now)
{
    if (now->mono_us < s->next_check_us)
        return true;
    uint64_t min_free = atomic_load(&s->limits->min_free), free, total;
    if (s->io->space(s->dir, &free, &total) == 0) {
        if (atomic_load(&s->limits->min_free_is_percent))
            min_free = total / 100 * min_free;
        if (free < min_free) {
            errno = ENOSPC;
            return false;
        }
    }
    s->next_check_us = now->mono_us + US_PER_S;
    /* Somebody deleted the file we write to: nobody would ever read it. */
    struct stat st;
    if (s->fd >= 0 && fstat(s->fd, &st) == 0 && st.st_nlink == 0)
        close_segment(s);
    return true;
}

/* Half a line at the end would spoil the next one. */
static void take_back(struct segments *s)
{
    if (ftruncate(s->fd, (off_t)s->size) < 0)
        close_segment(s);
}

size_t segments_append(struct segments *s, const char *lines, size_t n,
                       enum journal_trouble *ret_trouble)
{
    struct now now;
    s->io->now(&now);
    *ret_trouble = TROUBLE_SPACE;
    if (!enough_space(s, &now))
        return 0;
    bool full = s->size && s->size + n > segment_max(s);
    if (s->fd >= 0 && (full || now.wall_us / US_PER_S / S_PER_DAY != s->day))
        close_segment(s);
    *ret_trouble = TROUBLE_OPEN;
    if (s->fd < 0 && open_segment(s, &now) < 0)
        return 0;

    *ret_trouble = TROUBLE_WRITE;
    size_t done = 0;
    while (done < n) {
        ssize_t w = s->io->write(s->fd, lines + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            int why = w < 0 ? errno : EIO;
            const char *last = done ? memrchr(lines, '\n', done) : NULL;
            size_t whole = last ? (size_t)(last - lines) + 1 : 0;
            s->size += whole;
            take_back(s);
            errno = why;
            return whole;
        }
        done += (size_t)w;
    }
    s->size += n;
    *ret_trouble = TROUBLE_NONE;
    return n;
}

void segments_check(struct segments *s)
{
    struct now now;
    s->io->now(&now);
    if (s->fd >= 0 && s->size && now.wall_us / US_PER_S / S_PER_DAY != s->day)
        close_segment(s);
    delete_old(s, &now);
}

int segments_sync(struct segments *s)
{
    return s->fd >= 0 ? fsync(s->fd) : 0;
}
