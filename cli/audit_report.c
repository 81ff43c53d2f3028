/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve audit: read everything, then report. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/audit.h"
#include "core/now.h"

enum { ROWS_MAX = 1000 * 1000, ROWS_SHOWN = 20, WIDTH = 100 };

struct whole {
    struct inquiry inquiry;
    struct audit_sources sources;
    struct tally *tally;
};

static void closed(void *context, const struct joined *j)
{
    struct whole *w = context;
    tally_add(w->tally, &j->session);
}

static bool take(void *context, const struct log_line *l, uint64_t line)
{
    struct whole *w = context;
    struct message m;
    reading_line(&w->inquiry.reading, l, line, &m);
    return true;
}

/* ---- writing -------------------------------------------------------------------- */

static int to_terminal(const struct audit_options *o, const struct report *r)
{
    bool terminal = isatty(STDOUT_FILENO);
    const char *no_color = getenv("NO_COLOR");
    struct winsize size = {0};
    struct report_style style = {.rows = o->all ? 0 : ROWS_SHOWN, .width = WIDTH};
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
        style.width = size.ws_col;
    style.colour = terminal && !(no_color && *no_color);
    return report_text(stdout, r, &style);
}

/* Beside its place, and then there as a whole. */
static int to_page(const char *path, const struct report *r)
{
    char *beside = NULL;
    if (strcmp(path, "-") == 0)
        return report_html(stdout, r);
    if (asprintf(&beside, "%s.new", path) < 0)
        return -1;
    FILE *f = fopen(beside, "w");
    int done = f ? report_html(f, r) : -1;
    if (f && fclose(f) != 0)
        done = -1;
    if (done == 0)
        done = rename(beside, path);
    if (done < 0 && f) {
        int why = errno;
        unlink(beside);
        errno = why;
    }
    free(beside);
    return done;
}

static int write_report(const struct audit_options *o, const struct report *r)
{
    const char *where = "standard output";
    int done;
    switch (o->output) {
    case OUTPUT_JSON: done = report_json(stdout, r); break;
    case OUTPUT_CSV: done = report_csv(stdout, r); break;
    case OUTPUT_HTML:
        where = o->html;
        done = to_page(o->html, r);
        break;
    default: done = to_terminal(o, r); break;
    }
    if (done == 0 && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "mailreeve audit: cannot write to %s: %s\n", where, strerror(errno));
    return -1;
}

static bool customers_have_findings(const struct report *r)
{
    for (unsigned i = 0; i < r->finding_count; i++)
        if (r->findings[i].customers)
            return true;
    return false;
}

/* ---- all of it ------------------------------------------------------------------- */

void audit_resolve(struct reading *r, const struct audit_options *o, const struct audit_policy *p)
{
    /* A file that names no listeners has the built-in ones: nobody has said what the names mean. */
    bool given = p->given && p->policy->listener_count && p->policy->listeners[0]->line;
    log_listeners_resolve(&r->listeners, r->names, p->policy, given, o->listeners,
                          o->listener_count);
}

struct resolving {
    struct reading *reading;
    const struct audit_options *options;
    const struct audit_policy *policy;
};

static void resolve(void *arg)
{
    struct resolving *r = arg;
    audit_resolve(r->reading, r->options, r->policy);
}

void audit_end(struct inquiry *v, const struct audit_options *o, const struct audit_policy *p)
{
    inquiry_end(v, resolve, &(struct resolving){&v->reading, o, p});
}

static int report(struct whole *w, const struct audit_options *o, const struct audit_policy *p,
                  double seconds)
{
    struct reading *in = &w->inquiry.reading;
    const struct inquiry *v = &w->inquiry;
    struct report_input input = {
        .lines = in->lines,
        .bytes = w->sources.bytes,
        .ours = in->ours,
        .unknown_ours = in->unknown,
        .first_us = in->first_us,
        .last_us = in->last_us,
        .since_us = o->since_us,
        .seconds = seconds,
        .shapes = &in->shapes,
        .sessions = sessions_counts(in->sessions),
        .journals = v->join ? &v->journals : NULL,
        .join = v->join ? join_counts(v->join) : NULL,
        .sources = w->sources.names,
        .source_count = w->sources.count,
        .problems = (const char *const *)w->sources.problems,
        .problem_count = w->sources.problem_count,
    };
    struct judge judge = {p->policy, &in->listeners, in->names, p->ciphers};
    struct report_settings settings = {&judge, p->given, o->by, p->privacy};
    struct report *r = report_new(w->tally, &input, &settings);
    if (!r) {
        fprintf(stderr, "mailreeve audit: there is not enough memory for the report\n");
        return EX_OSERR;
    }
    int ended = write_report(o, r) < 0                 ? EX_IOERR
                : w->sources.failed                    ? EX_NOINPUT
                : in->ours == 0 && !v->journals.events ? EX_DATAERR
                : customers_have_findings(r)           ? 1
                                                       : EX_OK;
    report_free(r);
    return ended;
}

/* A report for a program has no place to say it, unless the program looks for it. */
static void tell_problems(const struct audit_options *o, const struct audit_sources *s)
{
    for (unsigned i = 0; o->output != OUTPUT_TEXT && i < s->problem_count; i++)
        fprintf(stderr, "mailreeve audit: %s\n", s->problems[i]);
}

int audit_report(const struct audit_options *o, const struct audit_policy *p)
{
    static struct whole w;
    struct err err = {""};
    int64_t begun = clock_us(CLOCK_MONOTONIC);
    int ended = EX_OSERR;
    if (inquiry_open(&w.inquiry, o->since_us, closed, &w, &err) < 0) {
        fprintf(stderr, "mailreeve audit: %s\n", err.text);
        return ended;
    }
    struct reading *in = &w.inquiry.reading;
    w.tally = tally_new(in->names, &in->key, ROWS_MAX);
    if (!w.tally) {
        fprintf(stderr, "mailreeve audit: there is not enough memory\n");
    } else if (audit_journals_read(&w.sources, o, &w.inquiry, NULL) < 0) {
        ended = EX_NOINPUT;
    } else {
        audit_sources_read(&w.sources, o, take, &w);
        audit_end(&w.inquiry, o, p);
        if (names_overflow(in->names))
            audit_problem(&w.sources, "names that found no place, and are shown as (more): %llu",
                          (unsigned long long)names_overflow(in->names));
        tell_problems(o, &w.sources);
        ended = report(&w, o, p, (double)(clock_us(CLOCK_MONOTONIC) - begun) / US_PER_S);
    }
    tally_free(w.tally);
    inquiry_close(&w.inquiry);
    audit_sources_free(&w.sources);
    return ended;
}
