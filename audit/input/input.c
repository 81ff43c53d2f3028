/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/input/journalctl.h"
#include "audit/input/source.h"

/* ---- one run --------------------------------------------------------------------- */

struct run {
    struct source source;
    struct lines lines;
};

static struct run *run_new(int64_t reference_us, input_take *take, void *context,
                           struct input_counts *counts, struct err *err)
{
    struct run *r = malloc(sizeof *r);
    *counts = (struct input_counts){0};
    if (!r)
        err_set(err, "not enough memory");
    else
        lines_init(&r->lines, reference_us, take, context);
    return r;
}

static void run_free(struct run *r, struct input_counts *counts)
{
    *counts = r->lines.counts;
    free(r);
}

/* ---- the journal ------------------------------------------------------------------- */

static int read_journal(const char *const args[], input_take *take, void *context,
                        struct input_counts *counts, struct err *err)
{
    struct journalctl j;
    struct run *r = run_new(0, take, context, counts, err);
    if (!r)
        return -1;
    int failed = journalctl_start(&j, args, err);
    if (failed == 0) {
        r->source.fd = j.out;
        r->source.name = "journalctl";
        failed = source_next(&r->source, 1, err);
        if (failed == 0)
            failed = source_read_plain(&r->source, &r->lines, err);
        if (journalctl_end(&j, failed || r->lines.stopped, err) < 0)
            failed = -1;
    }
    run_free(r, counts);
    return failed;
}

int input_read_journal(int64_t since_us, input_take *take, void *context,
                       struct input_counts *counts, struct err *err)
{
    char since[48];
    snprintf(since, sizeof since, "--since=@%lld", (long long)(since_us / US_PER_S));
    const char *const args[] = {"SYSLOG_FACILITY=2", since_us ? since : NULL, NULL};
    return read_journal(args, take, context, counts, err);
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

/* Journal files are in it, or in a directory in it, as in /var/log/journal. */
static bool is_journal_directory(const char *path, unsigned depth)
{
    char below[4096];
    bool found = false;
    DIR *d = opendir(path);
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        found = ends_in(e->d_name, ".journal");
        if (found || depth == 0 || e->d_name[0] == '.')
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below)
            found = is_journal_directory(below, depth - 1);
    }
    if (d)
        closedir(d);
    return found;
}

static int read_journal_files(const char *option, const char *path, input_take *take, void *context,
                              struct input_counts *counts, struct err *err)
{
    char arg[4096 + 16];
    const char *const args[] = {arg, NULL};
    if (snprintf(arg, sizeof arg, "%s=%s", option, path) >= (int)sizeof arg)
        return err_set(err, "%s: the name is too long", path);
    return read_journal(args, take, context, counts, err);
}

/* ---- files ------------------------------------------------------------------------- */

/* By the first bytes. */
static const struct format {
    struct str magic;
    source_read *read; /* NULL: we cannot */
    const char *what, *instead;
} formats[] = {
    {STR("\x1f\x8b"), source_read_gzip, NULL, NULL},
    {STR("\xfd"
         "7zXZ\0"),
     source_read_xz, NULL, NULL},
    {STR("BZh"), NULL, "compressed with bzip2", "bzip2 -dc"},
    {STR("\x28\xb5\x2f\xfd"), NULL, "compressed with zstd", "zstd -dc"},
    {STR("LPKSHHRH"), NULL, "a file of systemd's journal", "journalctl -o json --file"},
    {STR(""), source_read_plain, NULL, NULL},
};
enum { MAGIC_MAX = 8 };

static int read_any(struct run *r, struct err *err)
{
    const struct format *f = formats;
    if (source_next(&r->source, MAGIC_MAX, err) < 0)
        return -1;
    while (r->source.n < f->magic.n || memcmp(r->source.piece, f->magic.p, f->magic.n) != 0)
        f++;
    if (!f->read)
        return err_set(err, "%s: is %s, which is not read here; try: %s FILE | mailreeve audit -",
                       r->source.name, f->what, f->instead);
    return f->read(&r->source, &r->lines, err);
}

/* When a file was written last; now for a pipe. */
static int64_t reference(int fd, int64_t now_us)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return now_us;
    return st.st_mtim.tv_sec * US_PER_S + st.st_mtim.tv_nsec / 1000;
}

static int read_descriptor(int fd, const char *name, int64_t now_us, input_take *take,
                           void *context, struct input_counts *counts, struct err *err)
{
    struct run *r = run_new(reference(fd, now_us), take, context, counts, err);
    if (!r)
        return -1;
    r->source.fd = fd;
    r->source.name = name;
    int failed = read_any(r, err);
    run_free(r, counts);
    return failed;
}

int input_read(const char *path, int64_t now_us, input_take *take, void *context,
               struct input_counts *counts, struct err *err)
{
    struct stat st = {0};
    *counts = (struct input_counts){0};
    if (strcmp(path, "-") == 0)
        return read_descriptor(STDIN_FILENO, "standard input", now_us, take, context, counts, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_set(err, "%s: cannot be opened: %s", path, strerror(errno));
    int failed;
    fstat(fd, &st);
    if (S_ISDIR(st.st_mode) && is_journal_directory(path, 1))
        failed = read_journal_files("--directory", path, take, context, counts, err);
    else if (S_ISDIR(st.st_mode))
        failed = err_set(err, "%s: is a directory; name the log files in it", path);
    else if (ends_in(path, ".journal") || ends_in(path, ".journal~"))
        failed = read_journal_files("--file", path, take, context, counts, err);
    else
        failed = read_descriptor(fd, path, now_us, take, context, counts, err);
    close(fd);
    return failed;
}

/* ---- the first time ------------------------------------------------------------------ */

static bool take_first(void *context, const struct log_line *l, uint64_t line)
{
    enum { LINES_MAX = 100 };
    int64_t *wall_us = context;
    *wall_us = l->wall_us;
    return *wall_us == 0 && line < LINES_MAX;
}

int64_t input_first_time(const char *path, int64_t now_us)
{
    struct stat st;
    struct input_counts counts;
    int64_t wall_us = 0;
    /* What is read from a pipe is gone. */
    if (stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
        input_read(path, now_us, take_first, &wall_us, &counts, NULL);
    return wall_us;
}
