/* SPDX-License-Identifier: Apache-2.0 */
/* --undo: everything as it was, unless somebody would lose something by it. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "setup/setup_internal.h"

/* What was changed since by somebody else, shown as what would be lost. True: something was. */
static bool shows_losses(struct setup *s)
{
    bool any = false;
    for (unsigned i = 0; i < s->store.manifest.file_count; i++) {
        const struct manifest_file *f = &s->store.manifest.files[i];
        struct file_image now, was;
        struct err e;
        if (file_load(f->path, &s->arena, &now, &e) < 0) {
            setup_fail(s, 0, "%s", e.text);
            any = true;
        } else if (!manifest_knows(f, now.sum) ||
                   (s->store.manifest.done && strcmp(now.sum, f->before) != 0 &&
                    strcmp(now.sum, f->sums[f->sum_count - 1]) != 0)) {
            any = true;
            setup_say(s, "%s was changed since. What undo would make of it:\n\n", f->path);
            if (store_copy(&s->store, f, &s->arena, &was, &e) < 0 ||
                show_diff(s, &now, &was, f->path, &e) < 0)
                setup_fail(s, 0, "%s", e.text);
            setup_say(s, "\n");
        }
    }
    return any;
}

static int show_undo(struct setup *s)
{
    for (unsigned i = 0; i < s->store.manifest.file_count; i++) {
        const struct manifest_file *f = &s->store.manifest.files[i];
        struct file_image now, was;
        struct err e;
        if (file_load(f->path, &s->arena, &now, &e) < 0 ||
            store_copy(&s->store, f, &s->arena, &was, &e) < 0 ||
            (strcmp(now.sum, was.sum) != 0 && show_diff(s, &now, &was, f->path, &e) < 0))
            return setup_fail(s, EX_IOERR, "%s", e.text);
    }
    return 0;
}

static int undo(struct setup *s)
{
    struct err e;
    if (geteuid() != 0)
        return setup_fail(s, EX_NOPERM, "only root may do this");
    if (find_directory(s, &e) < 0 || postfix_load(s->directory, &s->postfix, &e) < 0)
        return setup_fail(s, EX_UNAVAILABLE, "%s", e.text);
    if (store_open(&s->store, s->o->state, s->directory, false, &e) < 0)
        return setup_fail(s, EX_IOERR, "%s", e.text);
    if (s->store.number == 0) {
        setup_say(s, "Nothing to undo: no setup of %s is remembered in %s.\n", s->directory,
                  s->o->state);
        return EX_OK;
    }
    struct file_image yaml;
    const struct manifest_file *f = &s->store.manifest.files[YAML];
    if (s->store.manifest.file_count == FILES && file_load(f->path, &s->arena, &yaml, &e) == 0)
        s->wanted = load_config(yaml.text, f->path, &e); /* for the journal's path */
    if (shows_losses(s)) {
        struct str reverse = store_reverse(&s->store, &s->arena);
        setup_say(s,
                  "Nothing was undone, because this would be lost. To take out only what setup "
                  "put in, the newest\nfirst, then postfix reload:\n\n%.*s",
                  STR_ARG(reverse));
        return 1;
    }
    int code = show_undo(s);
    if (code || s->o->how == SETUP_DRY_RUN)
        return code;
    if (s->o->how == SETUP_ASK && isatty(STDIN_FILENO) && !agreed(s)) {
        setup_say(s, "\nNothing was changed.\n");
        return 1;
    }
    if (!put_back(s))
        return setup_fail(s, EX_IOERR, "not everything could be put back; run --undo again");
    setup_say(s, "\nUndone: everything is as it was before setup.\n");
    return EX_OK;
}

int setup_postfix_undo(const struct setup_options *o, FILE *out, FILE *err)
{
    struct setup *s = calloc(1, sizeof *s);
    if (!s)
        return EX_OSERR;
    s->o = o, s->options = o->plan, s->out = out, s->err = err, s->store.lock = -1;
    int code = undo(s);
    clean_up(s);
    free(s);
    return code;
}
