/* SPDX-License-Identifier: Apache-2.0 */
/* The plan in words, what becomes of the files, and what to do next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "setup/setup_internal.h"

enum { WIDTH = 92 };

/* ---- words ------------------------------------------------------------------------- */

/* A text in lines of WIDTH; the first begins with `mark`, the others below the text. */
static void wrapped(FILE *out, const char *mark, const char *text)
{
    size_t indent = strlen(mark), column = indent;
    fputs(mark, out);
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column > indent && column + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (column > indent)
            fputc(' ', out), column++;
        fwrite(text, 1, n, out);
        column += n;
        text += n + (text[n] == ' ');
    }
    fputc('\n', out);
}

void show_plan(const struct setup *s)
{
    static const char *const marks[] = {[LINE_HEADING] = "  ",
                                        [LINE_STEP] = "    + ",
                                        [LINE_NOTE] = "      ",
                                        [LINE_WARNING] = "    ! "};
    const struct plan *p = s->plan;
    fprintf(s->out, "Postfix %u.%u.%u, %s\n", s->postfix.version / 10000,
            s->postfix.version / 100 % 100, s->postfix.version % 100, s->directory);
    for (unsigned i = 0; i < p->line_count; i++) {
        if (p->lines[i].kind == LINE_HEADING)
            fputc('\n', s->out);
        wrapped(s->out, marks[p->lines[i].kind], p->lines[i].text);
    }
    fputc('\n', s->out);
}

/* ---- differences ----------------------------------------------------------------------- */

static int write_to(const char *path, const struct file_image *image, struct err *e)
{
    struct file_image copy = *image;
    copy.there = true, copy.mode = 0600, copy.uid = geteuid(), copy.gid = getegid();
    return file_store(path, &copy, e);
}

int show_diff(struct setup *s, const struct file_image *from, const struct file_image *to,
              const char *path, struct err *e)
{
    char folder[64], a[80], b[80];
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.30s/mailreeve-diff.XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder))
        return err_set(e, "%s: no temporary directory can be made", folder);
    snprintf(a, sizeof a, "%s/a", folder), snprintf(b, sizeof b, "%s/b", folder);
    const char *const argv[] = {"diff",    "-u",
                                "--label", from->there ? path : "/dev/null",
                                "--label", to->there ? path : "/dev/null",
                                a,         b,
                                NULL};
    struct child_result r = {0};
    int failed = write_to(a, from, e) < 0 || write_to(b, to, e) < 0 ||
                 child_run(argv, NULL, COMMAND_S, &s->arena, &r, e) < 0;
    if (!failed && r.code > 1)
        failed = err_set(e, "diff: %.200s", r.err.p);
    unlink(a), unlink(b), rmdir(folder);
    if (!failed)
        fwrite(r.out.p, 1, r.out.n, s->out);
    return failed ? -1 : 0;
}

int show_diffs(struct setup *s, struct err *e)
{
    for (int i = FILES; i--;) /* mailreeve.yaml first, as it is done */
        if (strcmp(s->now[i].sum, s->then[i].sum) != 0 &&
            show_diff(s, &s->now[i], &s->then[i], s->paths[i], e) < 0)
            return -1;
    return 0;
}

/* ---- next ---------------------------------------------------------------------------------- */

void show_next(const struct setup *s)
{
    const char *with = s->options.with == WITH_MILTER                    ? " --with milter"
                       : s->options.with == (WITH_MILTER | WITH_POLICYD) ? " --with both"
                                                                         : "";
    bool plain = strcmp(s->directory, "/etc/postfix") == 0;
    const char *c = plain ? "" : " -c ", *directory = plain ? "" : s->directory;
    bool enforces = false;
    for (unsigned i = 0; i < s->wanted->policy->listener_count; i++)
        enforces |= s->wanted->policy->listeners[i]->mode == MODE_ENFORCE;
    fprintf(s->out, "\nDone. Mailreeve answers Postfix, and Postfix greets on every port.\n\n");
    if (!enforces)
        fprintf(
            s->out,
            "Nobody is refused yet (mode: audit). When the users whose clients would break are\n"
            "told (`mailreeve audit`, README.md \"From audit to enforce\"):\n\n"
            "    mailreeve setup postfix%s%s%s --enforce\n\n",
            c, directory, with);
    fprintf(s->out,
            "    mailreeve status                    what it does\n"
            "    mailreeve doctor                    is anything wrong with this server?\n");
    fprintf(s->out, "    mailreeve setup postfix%s%s --undo      everything as it was\n", c,
            directory);
}
