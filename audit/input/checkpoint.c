/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/json.h"

enum { VERSION = 1, TEXT_MAX = 32 * 1024 };

uint64_t place_hash(const void *p, size_t n)
{
    static const struct sipkey key = {UINT64_C(0x6d61696c72656576), 1};
    return siphash(&key, p, n);
}

/* ---- the text -------------------------------------------------------------------- */

static const struct field {
    const char *name;
    size_t at;
    bool text;
} fields[] = {
#define NUMBER(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct checkpoint_state, member), false                                     \
    }
#define CURSOR(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct checkpoint_state, member), true                                      \
    }
#define PLACE(p)                                                                                   \
    NUMBER(#p "_device", p.device), NUMBER(#p "_inode", p.inode), NUMBER(#p "_offset", p.offset),  \
        NUMBER(#p "_head_n", p.head_n), NUMBER(#p "_head", p.head_hash),                           \
        NUMBER(#p "_tail_n", p.tail_n), NUMBER(#p "_tail", p.tail_hash),                           \
        NUMBER(#p "_mtime", p.mtime_ns), CURSOR(#p "_cursor", p##_entry.cursor),                   \
        NUMBER(#p "_time", p##_entry.wall_us)
    PLACE(told), PLACE(from)};

enum { FIELDS = sizeof fields / sizeof *fields };

static const struct str sum_name = {",\"sum\":", 7};

static void put(struct buf *b, const char *log, const struct checkpoint_state *s)
{
    buf_printf(b, "{\"v\":%d,\"log\":", VERSION);
    json_put_string(b, str_of(log));
    for (unsigned i = 0; i < FIELDS; i++) {
        const char *at = (const char *)s + fields[i].at;
        int64_t number;
        buf_printf(b, ",\"%s\":", fields[i].name);
        if (fields[i].text) {
            json_put_string(b, (struct str){at, strnlen(at, CURSOR_MAX)});
        } else {
            memcpy(&number, at, sizeof number);
            buf_printf(b, "%lld", (long long)number);
        }
    }
    int64_t sum = (int64_t)place_hash(b->p, b->n);
    buf_str(b, sum_name);
    buf_printf(b, "%lld}\n", (long long)sum);
}

static bool take_field(struct checkpoint_state *s, const struct json_item *item, unsigned *count)
{
    for (unsigned i = 0; i < FIELDS; i++) {
        char *at = (char *)s + fields[i].at;
        if (!str_eq(item->name, str_of(fields[i].name)))
            continue;
        ++*count;
        if (!fields[i].text) {
            memcpy(at, &item->integer, sizeof item->integer);
            return item->kind == JSON_IS_INTEGER;
        }
        struct buf b = {at, 0, CURSOR_MAX - 1, false};
        return item->kind == JSON_IS_STRING && json_decode(item->raw, &b) && (at[b.n] = '\0', true);
    }
    return true;
}

/* The version first: a newer one may have other rules for all the rest. */
static int parse(const struct checkpoint *c, struct str text, struct checkpoint_state *s,
                 struct err *err)
{
    char log[TEXT_MAX];
    struct buf log_text = BUF(log);
    int64_t version = 0, sum = 0;
    unsigned count = 0;
    bool good = true;
    struct json_scan scan;
    struct json_item item;
    enum json_result result;
    json_scan_init(&scan, text);
    while ((result = json_next(&scan, &item)) == JSON_ITEM) {
        if (str_eq(item.name, STR("v")))
            version = item.kind == JSON_IS_INTEGER ? item.integer : 0;
        else if (str_eq(item.name, STR("sum")))
            sum = item.kind == JSON_IS_INTEGER ? item.integer : 0;
        else if (str_eq(item.name, STR("log")))
            good = good && item.kind == JSON_IS_STRING && json_decode(item.raw, &log_text);
        else
            good = take_field(s, &item, &count) && good;
    }
    if (version > VERSION)
        return err_set(err, "the checkpoint %s was written by a newer version of mailreeve",
                       c->path);
    const char *end = memmem(text.p, text.n, sum_name.p, sum_name.n);
    if (result != JSON_END || version != VERSION || !good || count != FIELDS || !end ||
        sum != (int64_t)place_hash(text.p, (size_t)(end - text.p)))
        return err_set(err,
                       "%s is no checkpoint, or is damaged; without that file, following begins at "
                       "the log's end",
                       c->path);
    if (!str_eq(buf_view(&log_text), str_of(c->log)))
        return err_set(err, "the checkpoint %s is that of %.*s, not of %s", c->path,
                       STR_ARG(buf_view(&log_text)), c->log);
    return 1;
}

/* ---- the files ------------------------------------------------------------------- */

static int lock(struct checkpoint *c, struct err *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s.lock", c->path) < 0)
        return err_set(err, "there is not enough memory");
    int done = 0;
    c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->lock < 0)
        done = err_set(err, "the checkpoint cannot be kept: %s: %s", path, strerror(errno));
    else if (flock(c->lock, LOCK_EX | LOCK_NB) < 0)
        done = errno == EWOULDBLOCK
                   ? err_set(err, "another mailreeve uses the checkpoint %s", c->path)
                   : err_set(err, "%s cannot be locked: %s", path, strerror(errno));
    free(path);
    return done;
}

/* The whole file, or -1 with errno. */
static ssize_t read_whole(const char *path, char *p, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    size_t n = 0;
    ssize_t got = 0;
    while (n < size && (got = read(fd, p + n, size - n)) > 0)
        n += (size_t)got;
    int why = errno;
    close(fd);
    errno = why;
    return got < 0 ? -1 : (ssize_t)n;
}

int checkpoint_open(struct checkpoint *c, const char *path, const char *log,
                    struct checkpoint_state *ret, struct err *err)
{
    char text[TEXT_MAX];
    *c = (struct checkpoint){.path = strdup(path), .log = strdup(log), .lock = -1};
    *ret = (struct checkpoint_state){0};
    int done = -1;
    if (!c->path || !c->log || asprintf(&c->fresh, "%s.new", path) < 0) {
        c->fresh = NULL;
        err_set(err, "there is not enough memory");
    } else if (lock(c, err) == 0) {
        ssize_t n = read_whole(path, text, sizeof text);
        if (n >= 0)
            done = parse(c, (struct str){text, (size_t)n}, ret, err);
        else if (errno == ENOENT)
            done = 0;
        else
            err_set(err, "the checkpoint %s cannot be read: %s", path, strerror(errno));
    }
    if (done < 0)
        checkpoint_close(c);
    return done;
}

static int write_whole(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0)
            return -1;
        p += done;
        n -= (size_t)done;
    }
    return fdatasync(fd);
}

int checkpoint_write(const struct checkpoint *c, const struct checkpoint_state *s, struct err *err)
{
    char text[TEXT_MAX];
    struct buf b = BUF(text);
    put(&b, c->log, s);
    int fd = open(c->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int done = fd < 0 || b.full ? -1 : write_whole(fd, b.p, b.n);
    if (fd >= 0 && close(fd) < 0)
        done = -1;
    if (done == 0)
        done = rename(c->fresh, c->path);
    if (done < 0) {
        err_set(err, "the checkpoint %s cannot be written: %s", c->path, strerror(errno));
        if (fd >= 0)
            unlink(c->fresh);
    }
    return done;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c->lock >= 0)
        close(c->lock);
    free(c->path);
    free(c->fresh);
    free(c->log);
    *c = (struct checkpoint){.lock = -1};
}
