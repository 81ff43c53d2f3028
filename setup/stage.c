/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the plan are run on a copy of main.cf and master.cf first: what they make of them
 * is shown, its checksums are known before anything is touched, and the real run must come to the
 * same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "setup/setup_internal.h"

static void path_in(const char *directory, int which, char ret[700])
{
    snprintf(ret, 700, "%.600s/%s", directory, setup_file(which));
}

int stage_commands(struct setup *s, const char *directory,
                   int (*after)(struct setup *s, struct err *e), struct err *e)
{
    struct plan *p = s->plan;
    for (unsigned i = 0; i < p->step_count * STEP_KINDS; i++) {
        const struct step *step = &p->steps[i % p->step_count];
        struct child_result r;
        if (step->kind != i / p->step_count)
            continue;
        const char **argv = plan_command(p, step, directory);
        if (!argv || child_run(argv, NULL, COMMAND_S, &s->arena, &r, e) < 0)
            return argv ? -1 : err_set(e, "memory ended");
        if (r.code)
            return err_set(e, "postconf %s %.100s: %.300s", argv[3], argv[4], r.err.p);
        if (after && after(s, e) < 0)
            return -1;
    }
    return s->plan->failed ? err_set(e, "memory ended") : 0;
}

/* One more content that a file will have. */
static void note_sum(struct manifest_file *f, const char *sum)
{
    const char *last = f->sum_count ? f->sums[f->sum_count - 1] : f->before;
    if (strcmp(last, sum) != 0 && f->sum_count < MANIFEST_SUMS)
        memcpy(f->sums[f->sum_count++], sum, FILE_SUM);
}

static int note_stage(struct setup *s, struct err *e)
{
    for (int i = MAIN_CF; i <= MASTER_CF; i++) {
        char path[700];
        path_in(s->stage, i, path);
        struct file_image image;
        if (file_load(path, &s->arena, &image, e) < 0)
            return -1;
        s->then[i] = file_of(image.text, &s->now[i]); /* postconf gives it another owner */
        note_sum(&s->makes.files[i], s->then[i].sum);
    }
    return 0;
}

static int begin_manifest(struct setup *s, struct err *e)
{
    s->makes.file_count = FILES;
    for (int i = 0; i < FILES; i++) {
        struct manifest_file *f = &s->makes.files[i];
        if (snprintf(f->path, sizeof f->path, "%s", s->paths[i]) >= (int)sizeof f->path)
            return err_set(e, "%.100s...: the path is too long", s->paths[i]);
        for (const char *c = f->path; *c; c++)
            if ((unsigned char)*c < 0x20)
                return err_set(e, "a path has control characters in it");
        f->mode = s->now[i].mode, f->uid = s->now[i].uid, f->gid = s->now[i].gid;
        memcpy(f->before, s->now[i].sum, FILE_SUM);
    }
    return 0;
}

int stage_make(struct setup *s, struct err *e)
{
    const char *temporary = getenv("TMPDIR");
    if (begin_manifest(s, e) < 0)
        return -1;
    snprintf(s->stage, sizeof s->stage, "%.30s/mailreeve-setup.XXXXXX",
             temporary ? temporary : "/tmp");
    if (!mkdtemp(s->stage)) {
        err_set(e, "%s: no temporary directory can be made", s->stage);
        s->stage[0] = '\0';
        return -1;
    }
    for (int i = MAIN_CF; i <= MASTER_CF; i++) {
        char path[700];
        struct file_image copy = s->now[i];
        copy.uid = geteuid(), copy.gid = getegid(), copy.mode = 0600;
        path_in(s->stage, i, path);
        s->then[i] = s->now[i];
        if (file_store(path, &copy, e) < 0)
            return -1;
    }
    if (stage_commands(s, s->stage, note_stage, e) < 0)
        return -1;
    for (int i = 0; i < FILES; i++)
        note_sum(&s->makes.files[i], s->then[i].sum);
    for (int i = 0; i < FILES; i++)
        if (s->makes.files[i].sum_count == 0) /* it stays as it is */
            memcpy(s->makes.files[i].sums[s->makes.files[i].sum_count++], s->now[i].sum, FILE_SUM);
    return 0;
}

void stage_remove(struct setup *s)
{
    char path[700];
    if (!*s->stage)
        return;
    for (int i = 0; i < FILES; i++) {
        path_in(s->stage, i, path);
        unlink(path);
        strncat(path, ".old", sizeof path - strlen(path) - 1);
        unlink(path);
    }
    rmdir(s->stage);
    s->stage[0] = '\0';
}
