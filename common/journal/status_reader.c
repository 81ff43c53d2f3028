/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/status_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "journal/json.h"

/* ---- fields ------------------------------------------------------------- */

/* Where a field goes; its name in the file is its name here. */
enum type { TEXT, NUMBER, TRUTH };
struct field {
    const char *name;
    enum type type;
    size_t at, size;
};
#define FIELD(type, name, member)                                                                  \
    {                                                                                              \
#name, type, offsetof(struct status_report, member),                                       \
            sizeof((struct status_report *)0)->member                                              \
    }

static const struct field top_fields[] = {
    FIELD(TEXT, program, program),
    FIELD(TEXT, version, version),
    FIELD(NUMBER, pid, pid),
    FIELD(TEXT, started, started),
    FIELD(TEXT, config, config),
    FIELD(TEXT, policy, policy),
    FIELD(TEXT, mode, mode),
    FIELD(TEXT, sandbox, sandbox),
    FIELD(NUMBER, reloads, reloads),
    FIELD(TRUTH, reload_ok, reload_ok),
    FIELD(TEXT, reload_at, reload_at),
    FIELD(TEXT, reload_why, reload_why),
    FIELD(TEXT, as_of, as_of),
    FIELD(NUMBER, as_of_us, as_of_us),
    {0},
};

static const struct field journal_fields[] = {
    FIELD(TEXT, segment, journal.segment),
    FIELD(TEXT, why, journal.why),
    FIELD(NUMBER, lines, journal.lines),
    FIELD(NUMBER, bytes, journal.bytes),
    FIELD(NUMBER, lost, journal.lost),
    FIELD(NUMBER, ring_used, journal.ring_used),
    FIELD(NUMBER, ring_size, journal.ring_size),
    FIELD(TRUTH, stalled, journal.stalled),
    {0},
};

static void store(struct status_report *r, const struct field *f, const struct json_item *item)
{
    char *to = (char *)r + f->at;
    if (f->type == TEXT && item->kind == JSON_IS_STRING) {
        struct buf b = {to, 0, f->size - 1, false};
        json_decode(item->raw, &b); /* a text that is too long stays empty */
        to[b.n] = '\0';
    } else if (f->type == NUMBER && item->kind == JSON_IS_INTEGER) {
        int64_t v = item->integer; /* all numbers of the report are 64 bits wide */
        memcpy(to, &v, sizeof v);
    } else if (f->type == TRUTH && item->kind == JSON_IS_BOOL) {
        memcpy(to, &item->boolean, sizeof item->boolean);
    }
}
_Static_assert(sizeof(long) == sizeof(int64_t), "pid is stored as 64 bits");

static int read_fields(struct status_report *r, struct str text, const struct field *fields)
{
    struct json_scan s;
    struct json_item item;
    enum json_result result;
    json_scan_init(&s, text);
    while ((result = json_next(&s, &item)) == JSON_ITEM) {
        if (fields == top_fields && item.kind == JSON_IS_OBJECT) {
            if (str_eq(item.name, STR("counters")))
                r->counters = item.raw;
            else if (str_eq(item.name, STR("journal")) &&
                     read_fields(r, item.raw, journal_fields) < 0)
                return -1;
            continue;
        }
        for (const struct field *f = fields; f->name; f++)
            if (str_eq(item.name, str_of(f->name)))
                store(r, f, &item);
    }
    return result == JSON_END ? 0 : -1;
}

/* ---- files -------------------------------------------------------------- */

/* -1: cannot be read (errno); else its size; *ret is cut to it. */
static ssize_t read_file(int dir, const char *name, char *ret, size_t cap)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    size_t n = 0;
    ssize_t r;
    while (n < cap && (r = read(fd, ret + n, cap - n)) > 0)
        n += (size_t)r;
    close(fd);
    return (ssize_t)n;
}

/* Whether somebody holds the lock; without taking it, which might get in the
 * way of a daemon that starts now. -1: cannot tell (errno). */
static int is_locked(int dir)
{
    int fd = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int r = fcntl(fd, F_OFD_GETLK, &lock);
    close(fd);
    return r < 0 ? -1 : lock.l_type != F_UNLCK;
}

static int open_program(const char *journal_path, const char *program)
{
    char path[512];
    int n = snprintf(path, sizeof path, "%s/%s", journal_path, program);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int status_read(const char *journal_path, const char *program, struct status_report *ret,
                struct err *err)
{
    memset(ret, 0, sizeof *ret);
    int dir = open_program(journal_path, program);
    if (dir < 0)
        return err_set(err, "cannot read %s/%s: %s", journal_path, program, strerror(errno));
    char pid[24];
    int locked = is_locked(dir), result = 0;
    ssize_t n = -1, pid_n = -1;
    if (locked >= 0) {
        pid_n = read_file(dir, "lock", pid, sizeof pid);
        n = read_file(dir, "status", ret->file, sizeof ret->file);
    }
    if (locked < 0 || (n < 0 && errno != ENOENT))
        result = err_set(err, "cannot read %s of %s: %s", locked < 0 ? "the lock" : "the status",
                         program, strerror(errno));
    close(dir);
    if (result < 0)
        return result;

    ret->running = locked > 0;
    if (n >= 0) {
        ret->file_n = (size_t)n;
        ret->found = true;
        if (read_fields(ret, (struct str){ret->file, (size_t)n}, top_fields) < 0)
            return err_set(err, "%s/%s/status is damaged", journal_path, program);
    }
    /* The lock's pid is that of now; the file's may be that of the one before. */
    uint64_t number;
    if (locked > 0 && pid_n > 0 && pid[pid_n - 1] == '\n' &&
        str_to_u64((struct str){pid, (size_t)pid_n - 1}, INT32_MAX, &number))
        ret->pid = (long)number;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int status_programs(const char *journal_path, char ret[STATUS_PROGRAMS_MAX][64], struct err *err)
{
    DIR *d = opendir(journal_path);
    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return err_set(err, "cannot read %s: %s", journal_path, strerror(errno));
    int count = 0;
    for (struct dirent *e; count < STATUS_PROGRAMS_MAX && (e = readdir(d));) {
        char lock[320];
        snprintf(lock, sizeof lock, "%s/lock", e->d_name);
        if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof ret[0])
            continue;
        /* One that may not be looked into is told of, not left out. */
        if (faccessat(dirfd(d), lock, F_OK, 0) == 0 || errno == EACCES)
            memcpy(ret[count++], e->d_name, strlen(e->d_name) + 1);
    }
    closedir(d);
    qsort(ret, (size_t)count, sizeof ret[0], by_name);
    return count;
}
