/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/setup.h"

#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "setup/setup_internal.h"

/* ---- telling ----------------------------------------------------------------------- */

void setup_say(const struct setup *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(s->out, fmt, ap);
    va_end(ap);
}

int setup_fail(const struct setup *s, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fflush(s->out);
    fprintf(s->err, "mailreeve setup: ");
    vfprintf(s->err, fmt, ap);
    fputc('\n', s->err);
    va_end(ap);
    return code;
}

const char *setup_file(int which)
{
    static const char *const names[FILES] = {"main.cf", "master.cf", "mailreeve.yaml"};
    return names[which];
}

/* ---- what is there ---------------------------------------------------------------------- */

int find_directory(struct setup *s, struct err *e)
{
    const char *const argv[] = {"postconf", "-h", "config_directory", NULL};
    struct child_result r;
    char text[400], real[4096];
    if (s->o->directory) {
        snprintf(text, sizeof text, "%s", s->o->directory);
    } else {
        if (child_run(argv, NULL, COMMAND_S, &s->arena, &r, e) < 0)
            return -1;
        struct str line = str_trim(str_cut(&r.out, "\n"));
        snprintf(text, sizeof text, "%.*s", STR_ARG(line));
    }
    if (!realpath(text, real) || strlen(real) >= 400)
        return err_set(e, "%s: there is no such directory", text);
    snprintf(s->directory, sizeof s->directory, "%.400s", real);
    return 0;
}

static int load_files(struct setup *s, struct err *e)
{
    char path[700];
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", s->directory, setup_file(i));
        s->paths[i] = i == YAML ? s->o->yaml : arena_strdup(&s->arena, str_of(path));
        if (!s->paths[i])
            return err_set(e, "memory ended");
        if (file_load(s->paths[i], &s->arena, &s->now[i], e) < 0)
            return -1;
    }
    return 0;
}

/* The group that smtpd runs with. */
static int find_group(struct setup *s, struct err *e)
{
    const char *owner = postfix_text(&s->postfix, NULL, "mail_owner");
    struct passwd *user = getpwnam(owner);
    struct group *group = user ? getgrgid(user->pw_gid) : NULL;
    if (!group)
        return err_set(e, "there is no user %s (mail_owner)", owner);
    s->options.group = arena_strdup(&s->arena, str_of(group->gr_name));
    return s->options.group ? 0 : err_set(e, "memory ended");
}

struct config *load_config(struct str text, const char *path, struct err *e)
{
    struct problems ps = {0};
    struct config *c = config_parse(text, path, &ps);
    for (unsigned i = 0; !c && i < ps.count; i++)
        if (ps.list[i].severity == SEVERITY_ERROR) {
            char why[512];
            struct buf b = BUF(why);
            problem_format(&b, &ps.list[i], false);
            err_set(e, "%.480s", buf_cstr(&b));
            break;
        }
    problems_free(&ps);
    return c;
}

/* ---- planning ------------------------------------------------------------------------------ */

/* An exit code, told; 0: *s has plan, stage and texts. */
static int make_plan(struct setup *s)
{
    static struct bridge bridges[BRIDGES_MAX];
    struct err e;
    struct str text;
    s->options.bridges = bridges, s->options.bridge_count = bridges_here(bridges);
    if (find_directory(s, &e) < 0 || load_files(s, &e) < 0 ||
        postfix_load(s->directory, &s->postfix, &e) < 0 || find_group(s, &e) < 0)
        return setup_fail(s, EX_UNAVAILABLE, "%s", e.text);
    if (s->now[YAML].there) {
        s->config = load_config(s->now[YAML].text, s->paths[YAML], &e);
        if (!s->config)
            return setup_fail(s, EX_CONFIG, "%s; mend it first (mailreeve check)", e.text);
    }
    if (plan_make(&s->postfix, s->config ? s->config->policy : NULL, &s->options, s->plan, &e) < 0)
        return setup_fail(s, EX_DATAERR, "%s", e.text);
    if (agree_on_newlines(s, &e) < 0 || agree_with_postconf(s, &e) < 0)
        return setup_fail(s, EX_DATAERR, "%s; nothing was changed", e.text);
    struct str old = s->now[YAML].there ? s->now[YAML].text : (struct str){NULL, 0};
    if (s->plan->idle)
        text = old;
    else if (wish_edit(old, s->paths[YAML], &s->plan->wish, &s->arena, &text, &e) < 0)
        return setup_fail(s, EX_CONFIG, "%s", e.text);
    static const struct file_image usual = {.mode = 0644};
    s->then[YAML] =
        s->plan->idle ? s->now[YAML] : file_of(text, s->now[YAML].there ? &s->now[YAML] : &usual);
    s->wanted = load_config(text, s->paths[YAML], &e);
    if (!s->wanted)
        return setup_fail(s, EX_CONFIG, "%s", e.text);
    if (stage_make(s, &e) < 0)
        return setup_fail(s, EX_IOERR, "%s", e.text);
    return agree_with_stage(s, &e) < 0
               ? setup_fail(s, EX_DATAERR, "%s; nothing was changed", e.text)
               : 0;
}

/* Ports that go on without enforcing because mailreeve.yaml says so of them. */
static void note_modes(struct setup *s)
{
    for (unsigned i = 0; s->options.enforce && i < s->plan->wish.listener_count; i++) {
        const struct listener *l =
            policy_listener_on(s->wanted->policy, s->plan->wish.listeners[i].port);
        if (l && l->mode == MODE_AUDIT)
            setup_say(s, "Port %u stays in mode audit: mailreeve.yaml says so of it.\n\n",
                      (unsigned)l->port);
    }
}

static bool changes_something(const struct setup *s)
{
    for (int i = 0; i < FILES; i++)
        if (strcmp(s->now[i].sum, s->then[i].sum) != 0)
            return true;
    return false;
}

/* Was an earlier setup cut short? Then there is something to finish. */
static bool is_unfinished(struct setup *s)
{
    struct store store;
    struct err e;
    bool unfinished = store_open(&store, s->o->state, s->directory, false, &e) == 0 &&
                      store.number && !store.manifest.done;
    store_close(&store);
    return unfinished;
}

bool agreed(struct setup *s)
{
    char answer[16];
    if (!isatty(STDIN_FILENO))
        return false;
    fprintf(s->out, "\nApply? [y/N] ");
    fflush(s->out);
    return fgets(answer, sizeof answer, stdin) && (*answer == 'y' || *answer == 'Y');
}

static int go_on(struct setup *s)
{
    struct err e;
    if (s->o->how == SETUP_PRINT) {
        show_ansible(s);
        return EX_OK;
    }
    show_plan(s);
    note_modes(s);
    bool unfinished = geteuid() == 0 && is_unfinished(s);
    if (!changes_something(s) && !unfinished) {
        setup_say(s, "Nothing to change.\n");
        return EX_OK;
    }
    if (show_diffs(s, &e) < 0)
        return setup_fail(s, EX_IOERR, "%s", e.text);
    if (unfinished)
        setup_say(s, "An earlier setup is not finished; this one goes on from there.\n");
    if (s->o->how == SETUP_DRY_RUN)
        return EX_OK;
    int code = look_first(s);
    if (code)
        return code;
    if (s->o->how == SETUP_ASK && !agreed(s)) {
        setup_say(s, "\nNothing was changed%s.\n",
                  isatty(STDIN_FILENO) ? "" : ": there is no terminal to ask on; --yes does it");
        return 1;
    }
    return apply(s);
}

/* ---- the whole ------------------------------------------------------------------------------- */

void clean_up(struct setup *s)
{
    stage_remove(s);
    store_close(&s->store);
    if (s->config)
        config_free(s->config);
    if (s->wanted)
        config_free(s->wanted);
    if (s->plan)
        plan_free(s->plan);
    free(s->plan);
    postfix_free(&s->postfix);
    arena_free(&s->arena);
}

int setup_postfix(const struct setup_options *o, FILE *out, FILE *err)
{
    struct setup *s = calloc(1, sizeof *s);
    if (!s)
        return EX_OSERR;
    s->o = o, s->options = o->plan, s->out = out, s->err = err, s->store.lock = -1;
    s->plan = calloc(1, sizeof *s->plan);
    int code = s->plan ? make_plan(s) : setup_fail(s, EX_OSERR, "memory ended");
    if (!code)
        code = go_on(s);
    clean_up(s);
    free(s);
    return code;
}
