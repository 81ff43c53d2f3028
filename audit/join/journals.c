/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/journals.h"

#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A journal's lines are nearly in order: each is read ahead by one. */
struct stream {
    struct journal_reader *reader;
    struct event_parser parser;
    struct journal_line line;
    struct event event;
};

struct journals {
    struct stream *streams[JOURNALS_MAX];
    unsigned count;
    unsigned last; /* whose event was returned; count: none's */
    uint64_t events;
    struct journals_counts ended; /* of streams that are at their end */
};

/* ---- what there is to read ------------------------------------------------------------ */

static const char suffix[] = ".jsonl";

static bool is_segment(const char *name)
{
    size_t n = strlen(name), k = sizeof suffix - 1;
    return n > k && strcmp(name + n - k, suffix) == 0;
}

bool journals_is_one(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && (S_ISDIR(st.st_mode) || is_segment(path));
}

/* -1: memory ends, or there are too many. */
static int add(struct journals *j, struct journal_reader *reader, struct err *err)
{
    if (!reader)
        return -1;
    struct stream *s = j->count < JOURNALS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        journal_reader_free(reader);
        return err_set(err,
                       j->count < JOURNALS_MAX ? "no memory to read the journals"
                                               : "more than %d journals",
                       JOURNALS_MAX);
    }
    s->reader = reader;
    event_parser_init(&s->parser);
    j->streams[j->count++] = s;
    return 0;
}

/* Does the directory itself hold segments? Then it is one program's. */
static bool is_program(const char *path)
{
    bool is = false;
    DIR *d = opendir(path);
    for (struct dirent *e; d && !is && (e = readdir(d));)
        is = is_segment(e->d_name);
    if (d)
        closedir(d);
    return is;
}

static int add_program(struct journals *j, const char *path, struct err *err)
{
    char above[4096];
    int n = snprintf(above, sizeof above, "%s", path);
    if (n < 0 || (size_t)n >= sizeof above)
        return err_set(err, "%s: the path is too long", path);
    while (n > 1 && above[n - 1] == '/')
        above[--n] = '\0';
    char *slash = strrchr(above, '/');
    if (!slash)
        return add(j, journal_reader_open(".", above, err), err);
    *slash = '\0';
    return add(j, journal_reader_open(slash == above ? "/" : above, slash + 1, err), err);
}

static int add_journal(struct journals *j, const char *path, struct err *err)
{
    unsigned before = j->count;
    int done = 0;
    DIR *d = opendir(path);
    if (!d)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    for (struct dirent *e; done == 0 && (e = readdir(d));) {
        char program[4096];
        int n = snprintf(program, sizeof program, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.' && n > 0 && (size_t)n < sizeof program && is_program(program))
            done = add(j, journal_reader_open(path, e->d_name, err), err);
    }
    closedir(d);
    if (done == 0 && j->count == before)
        done = err_set(err, "%s is no journal: no directory in it has files NAME.jsonl", path);
    return done;
}

static int add_path(struct journals *j, const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return add(j, journal_reader_open_file(path, err), err);
    return is_program(path) ? add_program(j, path, err) : add_journal(j, path, err);
}

/* Is that path given already, by itself or as part of a directory? Twice read is twice counted. */
static bool is_covered(const char *const *paths, unsigned count, unsigned which)
{
    char *path = realpath(paths[which], NULL);
    bool covered = false;
    for (unsigned i = 0; path && !covered && i < count; i++) {
        char *other = i == which ? NULL : realpath(paths[i], NULL);
        size_t n = other ? strlen(other) : 0;
        if (n && strncmp(path, other, n) == 0)
            covered = path[n] == '/' || (path[n] == '\0' && i < which);
        free(other);
    }
    free(path);
    return covered;
}

/* ---- the next event -------------------------------------------------------------------- */

static void count(struct journals_counts *c, const struct journal_reader *reader)
{
    const struct journal_reader_stats *s = journal_reader_get(reader);
    c->lines += s->lines;
    c->bytes += s->bytes;
    c->bad += s->bad;
    c->missing += s->missing;
    c->unreadable += s->unreadable;
}

static void end_stream(struct journals *j, unsigned i)
{
    count(&j->ended, j->streams[i]->reader);
    journal_reader_free(j->streams[i]->reader);
    free(j->streams[i]);
    j->streams[i] = j->streams[--j->count];
}

/* False: it is at its end. */
static bool read_ahead(struct stream *s)
{
    while (journal_reader_next(s->reader, &s->line))
        if (event_parse(&s->parser, &s->line, &s->event))
            return true;
    return false;
}

struct journals *journals_open(const char *const *paths, unsigned path_count, struct err *err)
{
    struct journals *j = calloc(1, sizeof *j);
    if (!j) {
        err_set(err, "no memory to read the journals");
        return NULL;
    }
    for (unsigned i = 0; i < path_count; i++) {
        if (!is_covered(paths, path_count, i) && add_path(j, paths[i], err) < 0) {
            journals_free(j);
            return NULL;
        }
    }
    for (unsigned i = j->count; i-- > 0;)
        if (!read_ahead(j->streams[i]))
            end_stream(j, i);
    j->last = j->count;
    return j;
}

void journals_free(struct journals *j)
{
    while (j && j->count)
        end_stream(j, 0);
    free(j);
}

bool journals_next(struct journals *j, struct event *ret, struct journal_line *ret_line)
{
    if (j->last < j->count && !read_ahead(j->streams[j->last]))
        end_stream(j, j->last);
    j->last = j->count;
    for (unsigned i = 0; i < j->count; i++)
        if (j->last == j->count ||
            j->streams[i]->event.wall_us < j->streams[j->last]->event.wall_us)
            j->last = i;
    if (j->last == j->count)
        return false;
    j->events++;
    *ret = j->streams[j->last]->event;
    if (ret_line)
        *ret_line = j->streams[j->last]->line;
    return true;
}

void journals_get(const struct journals *j, struct journals_counts *ret)
{
    *ret = j->ended;
    for (unsigned i = 0; i < j->count; i++)
        count(ret, j->streams[i]->reader);
    ret->events = j->events;
}
