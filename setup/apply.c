/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doing it. First what nobody notices: mailreeve.yaml, the sockets, the daemon, a question to it.
 * Only then Postfix. Whatever fails, everything is put back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "setup/setup_internal.h"

/* ---- Postfix ---------------------------------------------------------------------- */

int postfix_command(struct setup *s, const char *verb, struct err *e)
{
    const char *const argv[] = {"postfix", "-c", s->directory, verb, NULL};
    struct child_result r;
    if (child_run(argv, NULL, COMMAND_S, &s->arena, &r, e) < 0)
        return -1;
    return r.code ? err_set(e, "postfix %s: %.400s", verb, r.err.n ? r.err.p : r.out.p) : 0;
}

bool postfix_runs(struct setup *s)
{
    struct err e;
    return postfix_command(s, "status", &e) == 0;
}

/* ---- back ------------------------------------------------------------------------------ */

static bool restore(struct setup *s, const struct manifest_file *f)
{
    struct file_image image, now;
    struct err e;
    if (file_load(f->path, &s->arena, &now, &e) == 0 && strcmp(now.sum, f->before) == 0 &&
        (!now.there || (now.mode == f->mode && now.uid == f->uid && now.gid == f->gid)))
        return true;
    if (store_copy(&s->store, f, &s->arena, &image, &e) == 0 &&
        file_store(f->path, &image, &e) == 0)
        return true;
    setup_fail(s, 0, "%s", e.text);
    return false;
}

bool put_back(struct setup *s)
{
    struct manifest *m = &s->store.manifest;
    struct err e;
    bool good = true;
    /* Postfix first: it must not ask on a socket that is gone */
    for (unsigned i = 0; i < m->file_count; i++)
        good &= restore(s, &m->files[i]);
    if (good && postfix_runs(s) && postfix_command(s, "reload", &e) < 0)
        good = false, setup_fail(s, 0, "%s", e.text);
    daemons_take_back(s);
    for (unsigned i = m->made_count; i--;)
        if (rmdir(m->made[i]) < 0 && errno != ENOENT && errno != ENOTEMPTY)
            setup_fail(s, 0, "%s: %s", m->made[i], strerror(errno));
    if (good && store_forget(&s->store, &e) < 0)
        good = false, setup_fail(s, 0, "%s", e.text);
    return good;
}

static int give_up(struct setup *s, int code)
{
    if (put_back(s))
        setup_say(s, "Everything was put back; nothing is changed.\n");
    else
        setup_fail(s, 0, "not everything could be put back; the files as they were are in %s/%u",
                   s->store.path, s->store.number);
    return code;
}

/* ---- forth ------------------------------------------------------------------------------- */

static int write_yaml(struct setup *s, struct err *e)
{
    char folder[600];
    snprintf(folder, sizeof folder, "%.590s", s->paths[YAML]);
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        if (access(folder, F_OK) < 0 &&
            (store_made(&s->store, folder, e) < 0 ||
             (mkdir(folder, 0755) < 0 && err_set(e, "%s: %s", folder, strerror(errno)) < 0)))
            return -1;
    }
    if (strcmp(s->now[YAML].sum, s->then[YAML].sum) == 0)
        return 0;
    return file_store(s->paths[YAML], &s->then[YAML], e);
}

/* postconf writes files of root's with mode 0644; they get back what they had. */
static int settle(struct setup *s, struct err *e)
{
    for (int i = MAIN_CF; i <= MASTER_CF; i++) {
        struct file_image now;
        if (file_load(s->paths[i], &s->arena, &now, e) < 0)
            return -1;
        if (strcmp(now.sum, s->then[i].sum) != 0)
            return err_set(e, "%s did not become what was shown", s->paths[i]);
        if (chown(s->paths[i], s->now[i].uid, s->now[i].gid) < 0 ||
            chmod(s->paths[i], s->now[i].mode) < 0)
            return err_set(e, "%s: %s", s->paths[i], strerror(errno));
    }
    return 0;
}

static int change_postfix(struct setup *s, struct err *e)
{
    if (stage_commands(s, s->directory, NULL, e) < 0 || settle(s, e) < 0 ||
        postfix_command(s, "check", e) < 0)
        return -1;
    if (!postfix_runs(s)) {
        setup_say(s, "Postfix is not running; what was changed takes effect when it starts.\n");
        return 0;
    }
    if (postfix_command(s, "reload", e) < 0 || daemons_ask(s, e) < 0)
        return -1;
    return verify_ports(s, e);
}

static char *reverse_text(struct setup *s)
{
    const char *text = "";
    for (unsigned i = s->plan->step_count; i--;) {
        struct plan *p = s->plan;
        const char *line = plan_reverse(p, &p->steps[i], s->directory);
        size_t n = strlen(text), k = strlen(line);
        char *grown = arena_alloc(&s->arena, n + k + 8);
        if (!grown)
            return NULL;
        snprintf(grown, n + k + 8, "%s    %s\n", text, line);
        text = grown;
    }
    return (char *)text;
}

/* The files are still those that the plan is about. */
static int look_again(struct setup *s, struct err *e)
{
    for (int i = 0; i < FILES; i++) {
        struct file_image now;
        if (file_load(s->paths[i], &s->arena, &now, e) < 0)
            return -1;
        if (strcmp(now.sum, s->now[i].sum) != 0)
            return err_set(e, "%s was changed meanwhile; run the command again", s->paths[i]);
    }
    return 0;
}

int apply(struct setup *s)
{
    struct err e;
    if (store_open(&s->store, s->o->state, s->directory, true, &e) < 0 || look_again(s, &e) < 0)
        return setup_fail(s, EX_IOERR, "%s; nothing was changed", e.text);
    char *reverse = reverse_text(s);
    if (!reverse || store_begin(&s->store, &s->makes, str_of(reverse), &e) < 0)
        return setup_fail(s, EX_IOERR, "%s; nothing was changed",
                          reverse ? e.text : "memory ended");
    if (write_yaml(s, &e) < 0)
        return give_up(s, setup_fail(s, EX_IOERR, "%s", e.text));
    int code = daemons_bring(s);
    if (code == EX_TEMPFAIL)
        return code;
    if (code)
        return give_up(s, code);
    if (daemons_ask(s, &e) < 0 || change_postfix(s, &e) < 0)
        return give_up(s, setup_fail(s, EX_UNAVAILABLE, "%s", e.text));
    s->store.manifest.done = true;
    if (store_save(&s->store, &e) < 0)
        return give_up(s, setup_fail(s, EX_IOERR, "%s", e.text));
    show_next(s);
    return EX_OK;
}
