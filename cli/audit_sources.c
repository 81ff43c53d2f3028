/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve audit: the logs, one behind the other in the order of their times. */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/audit.h"
#include "core/now.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void audit_problem(struct audit_sources *s, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    if (s->problem_count < AUDIT_PROBLEMS_MAX && vasprintf(&text, fmt, args) >= 0)
        s->problems[s->problem_count++] = text;
    va_end(args);
}

void audit_sources_free(struct audit_sources *s)
{
    while (s->problem_count)
        free(s->problems[--s->problem_count]);
}

/* ---- what was given ------------------------------------------------------------- */

const char *audit_sources_sort(struct audit_options *o, char *const *list, int count)
{
    for (int i = 0; i < count; i++) {
        bool journal = journals_is_one(list[i]);
        if (journal && o->journal_count < JOURNALS_MAX)
            o->journals[o->journal_count++] = list[i];
        else if (!journal && o->log_count < AUDIT_SOURCES_MAX)
            o->logs[o->log_count++] = list[i];
        else
            return "too many files";
    }
    return NULL;
}

/* ---- in order ------------------------------------------------------------------ */

struct dated {
    const char *path;
    int64_t first_us;
    unsigned given; /* its place on the command line */
    dev_t device;
    ino_t inode;
};

static int by_time(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;
    if (x->first_us != y->first_us)
        return x->first_us < y->first_us ? -1 : 1;
    return x->given < y->given ? -1 : 1;
}

/* The same file twice would count everything twice. */
static bool met(const struct dated *list, unsigned count, const struct dated *d)
{
    for (unsigned i = 0; i < count; i++)
        if (d->inode && list[i].inode == d->inode && list[i].device == d->device)
            return true;
    return false;
}

/* Rotated logs come as the shell sorts their names: mail.log, mail.log.1, mail.log.10.gz,
 * mail.log.2.gz. */
static unsigned put_in_order(struct audit_sources *s, const struct audit_options *o,
                             struct dated *list)
{
    unsigned n = 0;
    for (unsigned i = 0; i < o->log_count; i++) {
        struct stat st = {0};
        struct dated d = {o->logs[i], INT64_MAX, i, 0, 0};
        if (strcmp(d.path, "-") != 0 && stat(d.path, &st) == 0) {
            d.device = st.st_dev;
            d.inode = st.st_ino;
            if (o->log_count > 1)
                d.first_us = input_first_time(d.path, o->now_us);
        }
        if (met(list, n, &d))
            audit_problem(s, "%s was given twice, and is read once", d.path);
        else
            list[n++] = d;
    }
    qsort(list, n, sizeof *list, by_time);
    return n;
}

/* ---- journals ------------------------------------------------------------------- */

/* The secret with which the journals' hashes were made lies beside them. Without it, or the right
 * to read it, hashes stay hashes. */
static struct privacy *open_hashing(const struct audit_options *o)
{
    static const struct privacy_settings hash = {USER_HASH, ADDRESS_HASH};
    for (unsigned i = 0; i < o->journal_count; i++) {
        char secret[sizeof((struct journal_settings *)0)->path + sizeof "/secret"];
        struct err err;
        int n = snprintf(secret, sizeof secret, "%s/secret", o->journals[i]);
        if (n > 0 && (size_t)n < sizeof secret && access(secret, R_OK) == 0)
            return privacy_open(&hash, o->journals[i], (uid_t)-1, (gid_t)-1, &err);
    }
    return NULL;
}

static void tell_journal_problems(struct audit_sources *s, const struct inquiry *v)
{
    const struct {
        uint64_t count;
        const char *what;
    } all[] = {
        {v->journals.bad, "lines of the journals were not understood, and passed over"},
        {v->journals.missing, "lines of the journals were lost when they were written"},
        {v->journals.unreadable, "files of the journals could not be read"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].count)
            audit_problem(s, "%llu %s", (unsigned long long)all[i].count, all[i].what);
    if (join_counts(v->join)->overflow)
        audit_problem(s,
                      "%llu events of the journals found no place, and are left out; with "
                      "--since there are fewer",
                      (unsigned long long)join_counts(v->join)->overflow);
}

int audit_journals_read(struct audit_sources *s, const struct audit_options *o, struct inquiry *v,
                        inquiry_event *each)
{
    struct err err = {""};
    if (!o->journal_count)
        return 0;
    v->hashing = open_hashing(o);
    if (inquiry_journals(v, o->journals, o->journal_count, each, &err) < 0) {
        fprintf(stderr, "mailreeve: %s\n", err.text);
        return -1;
    }
    for (unsigned i = 0; i < o->journal_count && s->count < AUDIT_SOURCES_MAX; i++)
        s->names[s->count++] = o->journals[i];
    tell_journal_problems(s, v);
    s->bytes += v->journals.bytes;
    return 0;
}

/* ---- reading ------------------------------------------------------------------- */

struct feed {
    struct input_counts counts;
    input_take *each;
    void *context;
    int64_t begun_us, shown_us; /* monotonic */
    uint64_t lines;
    bool terminal;
};

enum { LOOK_EVERY = 65536 };

static void show_progress(struct feed *f)
{
    int64_t now = clock_us(CLOCK_MONOTONIC);
    if (now - f->begun_us < US_PER_S || now - f->shown_us < US_PER_S / 4)
        return;
    f->shown_us = now;
    fprintf(stderr, "\r%llu lines, %llu MB ", (unsigned long long)f->lines,
            (unsigned long long)(f->counts.bytes / 1000000));
}

static bool take(void *context, const struct log_line *l, uint64_t line)
{
    struct feed *f = context;
    (void)line; /* of its file; ours is of all files */
    f->lines++;
    if (f->terminal && f->lines % LOOK_EVERY == 0)
        show_progress(f);
    return f->each(f->context, l, f->lines) && !interrupted;
}

static void read_one(struct audit_sources *s, const struct audit_options *o, struct feed *f,
                     const char *path)
{
    struct err err = {""};
    int done = path ? input_read(path, o->now_us, take, f, &f->counts, &err)
                    : input_read_journal(o->since_us, take, f, &f->counts, &err);
    s->names[s->count++] = !path ? "the journal" : strcmp(path, "-") == 0 ? "standard input" : path;
    if (done < 0) {
        s->failed = true;
        audit_problem(s, "%s", err.text);
    }
}

void audit_sources_read(struct audit_sources *s, const struct audit_options *o, input_take *each,
                        void *context)
{
    static struct dated list[AUDIT_SOURCES_MAX];
    struct feed f = {.each = each, .context = context, .begun_us = clock_us(CLOCK_MONOTONIC)};
    struct sigaction on = {.sa_handler = interrupt}, before;
    f.terminal = isatty(STDERR_FILENO);
    sigaction(SIGINT, &on, &before);
    if (o->journal)
        read_one(s, o, &f, NULL);
    unsigned n = put_in_order(s, o, list);
    for (unsigned i = 0; i < n && !interrupted; i++)
        read_one(s, o, &f, list[i].path);
    sigaction(SIGINT, &before, NULL);
    if (f.shown_us)
        fprintf(stderr, "\r%40s\r", "");
    if (interrupted)
        audit_problem(s, "interrupted after %llu lines: the rest was not read",
                      (unsigned long long)f.lines);
    if (f.counts.cut)
        audit_problem(s, "%llu lines are longer than %d kB; what is behind that was not looked at",
                      (unsigned long long)f.counts.cut, INPUT_LINE_MAX / 1024);
    s->bytes += f.counts.bytes;
}
