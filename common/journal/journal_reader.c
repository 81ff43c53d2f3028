/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "journal/json.h"

enum {
    BUFFER = 256 * 1024, /* a longer line is bad, whatever is in it */
    STREAMS = 64,        /* (src, boot) pairs remembered; the oldest gives way */
    STREAM_NAME = 160,
};

struct segment {
    uint64_t number;
    unsigned program;
    char name[64];
};

struct stream {
    char name[STREAM_NAME]; /* src, a NUL, boot */
    size_t n;
    int64_t seq;
};

struct journal_reader {
    int dir;    /* the journal's path */
    char *file; /* a single file instead; NULL: a journal */
    char (*programs)[64];
    unsigned program_count;
    struct segment *segments;
    size_t segment_count, segment_cap;
    size_t current; /* index into segments */
    struct journal_reader_stats stats;

    int fd; /* of the current segment; -1: open the next */
    uint64_t line;
    size_t from, to; /* what is unread in `buffer` */
    bool at_end;     /* of the file */
    bool skipping;   /* behind the beginning of a line that was too long */

    struct stream streams[STREAMS];
    unsigned stream_count, stream_last;
    char buffer[BUFFER];
};

/* ---- what there is to read ---------------------------------------------- */

static void *grow(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    *cap = *cap ? 2 * *cap : 16;
    return reallocarray(list, *cap, size);
}

static DIR *open_dir(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

static int list_segments(struct journal_reader *r, unsigned program, struct err *err)
{
    DIR *d = open_dir(r->dir, r->programs[program]);
    if (!d)
        return err_set(err, "cannot read the journal of %s: %s", r->programs[program],
                       strerror(errno));
    int result = 0;
    for (struct dirent *e; result == 0 && (e = readdir(d));) {
        struct segment s = {.number = segment_number(e->d_name), .program = program};
        if (s.number == 0 || strlen(e->d_name) >= sizeof s.name)
            continue;
        memcpy(s.name, e->d_name, strlen(e->d_name) + 1);
        void *list = grow(r->segments, r->segment_count, &r->segment_cap, sizeof s);
        if (list) {
            r->segments = list;
            r->segments[r->segment_count++] = s;
        } else {
            result = err_set(err, "no memory for the list of segments");
        }
    }
    closedir(d);
    return result;
}

static int list_programs(struct journal_reader *r, const char *path, const char *only,
                         struct err *err)
{
    DIR *d = opendir(path);
    if (!d)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    r->dir = fcntl(dirfd(d), F_DUPFD_CLOEXEC, 0);
    size_t cap = 0;
    int result = r->dir < 0 ? err_set(err, "cannot read %s: %s", path, strerror(errno)) : 0;
    for (struct dirent *e; result == 0 && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (only ? strcmp(e->d_name, only) != 0 : e->d_name[0] == '.' || e->d_type == DT_REG)
            continue;
        void *list = grow(r->programs, r->program_count, &cap, sizeof *r->programs);
        if (list && n < sizeof *r->programs) {
            r->programs = list;
            memcpy(r->programs[r->program_count++], e->d_name, n + 1);
        } else if (list) {
            r->programs = list;
        } else {
            result = err_set(err, "no memory for the list of programs");
        }
    }
    closedir(d);
    if (result == 0 && only && r->program_count == 0)
        result = err_set(err, "%s has no journal in %s", only, path);
    return result;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* A number says in which order segments were written, whatever the clock did. */
static int by_program_and_number(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    if (x->program != y->program)
        return x->program < y->program ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static struct journal_reader *new_reader(struct err *err)
{
    struct journal_reader *r = malloc(sizeof *r);
    if (!r) {
        err_set(err, "no memory to read the journal");
        return NULL;
    }
    memset(r, 0, offsetof(struct journal_reader, buffer));
    r->dir = r->fd = -1;
    return r;
}

struct journal_reader *journal_reader_open(const char *journal_path, const char *program,
                                           struct err *err)
{
    struct journal_reader *r = new_reader(err);
    if (!r)
        return NULL;
    int result = list_programs(r, journal_path, program, err);
    if (result == 0 && r->program_count)
        qsort(r->programs, r->program_count, sizeof *r->programs, by_name);
    for (unsigned i = 0; result == 0 && i < r->program_count; i++)
        result = list_segments(r, i, err);
    if (result < 0) {
        journal_reader_free(r);
        return NULL;
    }
    if (r->segment_count)
        qsort(r->segments, r->segment_count, sizeof *r->segments, by_program_and_number);
    return r;
}

/* It is opened here, so that who names a file that is not there is told. */
struct journal_reader *journal_reader_open_file(const char *file, struct err *err)
{
    struct journal_reader *r = new_reader(err);
    if (!r)
        return NULL;
    r->file = strdup(file);
    r->programs = calloc(1, sizeof *r->programs);
    r->segments = calloc(1, sizeof *r->segments);
    int result =
        r->file && r->programs && r->segments ? 0 : err_set(err, "no memory to read the journal");
    r->fd = result < 0 ? -1 : open(file, O_RDONLY | O_CLOEXEC);
    if (result == 0 && r->fd < 0)
        result = err_set(err, "cannot read %s: %s", file, strerror(errno));
    if (result < 0) {
        journal_reader_free(r);
        return NULL;
    }
    r->program_count = 1;
    r->segment_count = r->stats.segments = 1;
    return r;
}

void journal_reader_free(struct journal_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    if (r->dir >= 0)
        close(r->dir);
    free(r->file);
    free(r->programs);
    free(r->segments);
    free(r);
}

/* ---- lines of text ------------------------------------------------------ */

static bool open_segment(struct journal_reader *r)
{
    const struct segment *s = &r->segments[r->current];
    char path[160];
    snprintf(path, sizeof path, "%s/%s", r->programs[s->program], s->name);
    r->fd = openat(r->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (r->fd < 0) {
        r->stats.unreadable += errno != ENOENT; /* deleted by age: nothing to tell */
        return false;
    }
    r->stats.segments++;
    r->line = 0;
    r->from = r->to = 0;
    r->at_end = r->skipping = false;
    return true;
}

static void fill(struct journal_reader *r)
{
    memmove(r->buffer, r->buffer + r->from, r->to - r->from);
    r->to -= r->from;
    r->from = 0;
    ssize_t n;
    do
        n = read(r->fd, r->buffer + r->to, BUFFER - r->to);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        r->at_end = true;
        r->stats.unreadable += n < 0;
        return;
    }
    r->to += (size_t)n;
    r->stats.bytes += (uint64_t)n;
}

/* The next line of the segment, without its newline; false at its end. */
static bool next_text(struct journal_reader *r, struct str *ret)
{
    size_t searched = 0;
    for (;;) {
        char *start = r->buffer + r->from;
        size_t n = r->to - r->from;
        char *newline = n > searched ? memchr(start + searched, '\n', n - searched) : NULL;
        if (newline) {
            *ret = (struct str){start, (size_t)(newline - start)};
            r->from += ret->n + 1;
            r->line++;
            if (!r->skipping)
                return true;
            r->skipping = false; /* that was the rest of it */
            searched = 0;
            continue;
        }
        searched = n;
        if (n == BUFFER) {
            r->stats.bad += !r->skipping;
            r->skipping = true;
            r->from = r->to = searched = 0;
        }
        if (r->at_end) {
            r->stats.unfinished += n > 0 || r->skipping;
            return false;
        }
        fill(r);
    }
}

/* ---- lines of the journal ----------------------------------------------- */

static struct stream *stream_of(struct journal_reader *r, const struct journal_line *l)
{
    char name[STREAM_NAME];
    size_t n = l->src.n + 1 + l->boot.n;
    if (n > sizeof name)
        return NULL;
    memcpy(name, l->src.p, l->src.n);
    name[l->src.n] = '\0';
    memcpy(name + l->src.n + 1, l->boot.p, l->boot.n);
    /* Nearly always the one of the line before. */
    for (unsigned i = 0; i < r->stream_count; i++) {
        unsigned at = (r->stream_last + STREAMS - i) % STREAMS;
        if (r->streams[at].n == n && memcmp(r->streams[at].name, name, n) == 0)
            return &r->streams[at];
    }
    r->stream_last = r->stream_count ? (r->stream_last + 1) % STREAMS : 0;
    if (r->stream_count < STREAMS)
        r->stream_count++;
    struct stream *s = &r->streams[r->stream_last];
    memcpy(s->name, name, n);
    s->n = n;
    s->seq = 0;
    return s;
}

/* A stream that is first met in the middle has not lost what came before: it
 * may have been deleted by age. */
static void check_seq(struct journal_reader *r, struct journal_line *l)
{
    struct stream *s = stream_of(r, l);
    if (!s)
        return;
    if (s->seq && l->seq > s->seq + 1)
        l->missing = (uint64_t)(l->seq - s->seq - 1);
    else if (s->seq && l->seq <= s->seq)
        r->stats.repeated++;
    if (l->seq > s->seq)
        s->seq = l->seq;
    r->stats.missing += l->missing;
}

static bool parse(struct str text, struct journal_line *l)
{
    struct json_scan s;
    struct json_item item;
    enum json_result result;
    int64_t v = 0;
    const struct {
        struct str name;
        struct str *to;
    } strings[] = {
        {STR("ts"), &l->ts},     {STR("host"), &l->host},   {STR("src"), &l->src},
        {STR("boot"), &l->boot}, {STR("event"), &l->event}, {STR("key"), &l->key},
    };
    const struct {
        struct str name;
        int64_t *to;
    } integers[] = {{STR("v"), &v}, {STR("mono"), &l->mono_us}, {STR("seq"), &l->seq}};

    json_scan_init(&s, text);
    while ((result = json_next(&s, &item)) == JSON_ITEM) {
        for (size_t i = 0; item.kind == JSON_IS_STRING && i < 6; i++)
            if (str_eq(item.name, strings[i].name))
                *strings[i].to = item.raw;
        for (size_t i = 0; item.kind == JSON_IS_INTEGER && i < 3; i++)
            if (str_eq(item.name, integers[i].name))
                *integers[i].to = item.integer;
    }
    return result == JSON_END && v == 1 && l->src.n && l->boot.n && l->event.n && l->seq > 0;
}

bool journal_reader_next(struct journal_reader *r, struct journal_line *ret)
{
    for (; r->current < r->segment_count; r->current++) {
        if (r->fd < 0 && !open_segment(r))
            continue;
        const struct segment *s = &r->segments[r->current];
        struct str text;
        while (next_text(r, &text)) {
            *ret = (struct journal_line){.text = text,
                                         .program = r->programs[s->program],
                                         .segment = r->file ? r->file : s->name,
                                         .line = r->line};
            if (parse(text, ret)) {
                r->stats.lines++;
                check_seq(r, ret);
                return true;
            }
            r->stats.bad++;
        }
        close(r->fd);
        r->fd = -1;
    }
    return false;
}

const struct journal_reader_stats *journal_reader_get(const struct journal_reader *r)
{
    return &r->stats;
}
