/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before: postconf reads the same files. Where it does not come to what our model came
 * to, about a service or about anything that the plan changes, nothing is done: the plan would be
 * about another Postfix. After: what postconf wrote is read again, and must
 * say what was planned.
 */
#include <stdio.h>

#include "core/buf.h"
#include "setup/setup_internal.h"

/* Runs of white space are one blank: postconf joins continuation lines in its own way. */
static bool same_words(struct str a, struct str b)
{
    size_t i = 0, k = 0;
    a = str_trim(a), b = str_trim(b);
    while (i < a.n && k < b.n) {
        bool blank = a.p[i] == ' ' || a.p[i] == '\t' || a.p[i] == '\n' || a.p[i] == '\r';
        bool other = b.p[k] == ' ' || b.p[k] == '\t' || b.p[k] == '\n' || b.p[k] == '\r';
        if (blank != other || (!blank && a.p[i] != b.p[k]))
            return false;
        if (!blank) {
            i++, k++;
            continue;
        }
        while (i < a.n && strchr(" \t\r\n", a.p[i]))
            i++;
        while (k < b.n && strchr(" \t\r\n", b.p[k]))
            k++;
    }
    return i == a.n && k == b.n;
}

static int listing(struct setup *s, const char *option, struct str *ret, struct err *e)
{
    const char *const argv[] = {"postconf", "-c", s->directory, option, NULL};
    struct child_result r;
    if (child_run(argv, NULL, COMMAND_S, &s->arena, &r, e) < 0)
        return -1;
    *ret = r.out;
    return r.code ? err_set(e, "postconf %s: %.300s", option, r.err.p) : 0;
}

/* The value behind "name = " in a listing; p NULL: it is not there. */
static struct str value_in(struct str text, const char *name)
{
    size_t n = strlen(name);
    struct str found = {NULL, 0};
    while (text.n) {
        struct str line = str_cut(&text, "\n");
        if (line.n >= n + 2 && memcmp(line.p, name, n) == 0 && memcmp(line.p + n, " =", 2) == 0)
            found = (struct str){line.p + n + 2, line.n - n - 2};
    }
    return found;
}

static int compare_step(const struct step *step, struct str main_cf, struct str options,
                        struct err *e)
{
    char name[512];
    if (!step->name)
        return 0;
    snprintf(name, sizeof name, "%s%s%s", step->service ? step->service : "",
             step->service ? "/" : "", step->name);
    struct str theirs = value_in(step->service ? options : main_cf, name);
    if ((theirs.p != NULL) == (step->before != NULL) &&
        (!theirs.p || same_words(theirs, str_of(step->before))))
        return 0;
    return err_set(e, "postconf reads %s as \"%.*s\", and we read \"%s\"", name,
                   theirs.n > 150 ? 150 : (int)theirs.n, theirs.p ? theirs.p : "",
                   step->before ? step->before : "");
}

/* Services in order, by name, type and command. */
static int compare_services(const struct setup *s, struct str text, struct err *e)
{
    static const int fields[] = {0, 1, 7};
    for (unsigned i = 0; text.n; i++) {
        struct str line = str_cut(&text, "\n"), word = {NULL, 0};
        const struct pf_service *v = &s->postfix.services[i];
        if (i >= s->postfix.service_count)
            return err_set(e, "postconf -M has more services than we read in master.cf");
        const char *const ours[] = {v->name, v->type, v->command};
        struct str first = line;
        for (int field = 0, k = 0; field < 8 && k < 3; field++) {
            word = pf_word(&line);
            if (field == fields[k] && !str_eq(word, str_of(ours[k++])))
                return err_set(e, "master.cf:%u: we read %s/%s %s, postconf reads \"%.*s\"",
                               v->line, v->name, v->type, v->command,
                               first.n > 120 ? 120 : (int)first.n, first.p);
        }
    }
    return 0;
}

int agree_with_postconf(struct setup *s, struct err *e)
{
    struct str main_cf, options, services;
    if (listing(s, "-n", &main_cf, e) < 0 || listing(s, "-P", &options, e) < 0 ||
        listing(s, "-M", &services, e) < 0 || compare_services(s, services, e) < 0)
        return -1;
    for (unsigned i = 0; i < s->plan->step_count; i++)
        if (compare_step(&s->plan->steps[i], main_cf, options, e) < 0)
            return -1;
    return 0;
}

/* ---- after --------------------------------------------------------------------------- */

static const char *written(const struct pf_setting *list, unsigned count, const char *name)
{
    while (count--)
        if (strcmp(list[count].name, name) == 0)
            return list[count].value;
    return NULL;
}

static int says(const struct postfix *m, const struct step *step, struct err *e)
{
    char name[200] = "";
    const char *value = NULL;
    if (step->service) {
        size_t n = strcspn(step->service, "/");
        snprintf(name, sizeof name, "%.*s", (int)n, step->service);
        const struct pf_service *v = postfix_service(m, name, step->service + n + 1);
        if (!v)
            return err_set(e, "postconf did not write the service %s", step->service);
        if (!step->name)
            return 0;
        value = written(v->options, v->option_count, step->name);
    } else {
        value = written(m->main, m->main_count, step->name);
    }
    if ((value != NULL) == (step->value != NULL) && (!value || strcmp(value, step->value) == 0))
        return 0;
    return err_set(e, "postconf made \"%.150s\" of %s, where \"%.150s\" was meant",
                   value ? value : "nothing", step->name, step->value ? step->value : "nothing");
}

int agree_with_stage(struct setup *s, struct err *e)
{
    struct postfix m;
    if (postfix_parse(s->then[MAIN_CF].text, s->then[MASTER_CF].text, &m, e) < 0)
        return -1;
    int failed = 0;
    for (unsigned i = 0; !failed && i < s->plan->step_count; i++)
        failed = says(&m, &s->plan->steps[i], e);
    postfix_free(&m);
    return failed;
}

/* postconf would write the next line behind the last one. */
int agree_on_newlines(struct setup *s, struct err *e)
{
    for (int i = MAIN_CF; s->plan->step_count && i <= MASTER_CF; i++) {
        struct str text = s->now[i].text;
        if (text.n && text.p[text.n - 1] != '\n')
            return err_set(e,
                           "%s does not end with a newline, and postconf would write behind its "
                           "last line: echo >>%s",
                           s->paths[i], s->paths[i]);
    }
    return 0;
}
