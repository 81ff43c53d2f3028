/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a plan: noting them, and the postconf commands that they are. */
#include <stdarg.h>
#include <stdio.h>

#include "setup/plan_internal.h"

/* ---- text ------------------------------------------------------------------------ */

const char *plan_copy(struct plan *p, struct str s)
{
    const char *copy = arena_strdup(&p->arena, s);
    p->failed |= !copy;
    return copy ? copy : "";
}

static const char *format(struct plan *p, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = n < 0 ? NULL : arena_alloc(&p->arena, (size_t)n + 1);
    p->failed |= !text;
    if (!text)
        return "";
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    return text;
}

const char *plan_text(struct plan *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = format(p, fmt, ap);
    va_end(ap);
    return text;
}

void plan_say(struct plan *p, enum line_kind kind, const char *fmt, ...)
{
    va_list ap;
    if (p->line_count == PLAN_LINES) {
        p->failed = true;
        return;
    }
    va_start(ap, fmt);
    p->lines[p->line_count++] = (struct line){kind, format(p, fmt, ap)};
    va_end(ap);
}

/* ---- what is written --------------------------------------------------------------- */

static const char *last(const struct pf_setting *list, unsigned count, const char *name)
{
    while (count--)
        if (strcmp(list[count].name, name) == 0)
            return list[count].value;
    return NULL;
}

const char *plan_in_main(const struct plan *p, const char *name)
{
    return last(p->postfix->main, p->postfix->main_count, name);
}

const char *plan_in_service(const struct pf_service *s, const char *name)
{
    return last(s->options, s->option_count, name);
}

/* ---- steps ----------------------------------------------------------------------------- */

/* A step about the same thing takes the place of an earlier one. */
static void note(struct plan *p, struct step step)
{
    for (unsigned i = 0; i < p->step_count; i++) {
        struct step *s = &p->steps[i];
        if (s->name && step.name && strcmp(s->name, step.name) == 0 &&
            strcmp(s->service ? s->service : "", step.service ? step.service : "") == 0) {
            *s = step;
            return;
        }
    }
    if (p->step_count == PLAN_STEPS)
        p->failed = true;
    else
        p->steps[p->step_count++] = step;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool plan_main(struct plan *p, const char *name, const char *value)
{
    const char *before = plan_in_main(p, name);
    if (same(before, value))
        return false;
    note(p, (struct step){STEP_MAIN, NULL, name, value, before});
    return true;
}

bool plan_main_out(struct plan *p, const char *name)
{
    const char *before = plan_in_main(p, name);
    if (before)
        note(p, (struct step){STEP_MAIN_OUT, NULL, name, NULL, before});
    return before != NULL;
}

bool plan_is_new(const struct pf_service *s)
{
    return s->line == 0;
}

bool plan_option(struct plan *p, const struct pf_service *s, const char *name, const char *value)
{
    const char *before = plan_in_service(s, name);
    if (same(before, value))
        return false;
    if (plan_is_new(s))
        before = NULL;
    note(p,
         (struct step){STEP_OPTION, plan_text(p, "%s/%s", s->name, s->type), name, value, before});
    return true;
}

bool plan_option_out(struct plan *p, const struct pf_service *s, const char *name)
{
    const char *before = plan_in_service(s, name);
    if (before)
        note(p, (struct step){STEP_OPTION_OUT, plan_text(p, "%s/%s", s->name, s->type), name, NULL,
                              before});
    return before != NULL;
}

/* ---- lists ------------------------------------------------------------------------------ */

const char *plan_join(struct plan *p, const char *a, const char *b)
{
    return plan_text(p, "%s%s%s", a, *a && *b ? "," : "", b);
}

/* `list` with commas between its words; NULL: a word has blanks in it. */
static const char *with_commas(struct plan *p, const char *list)
{
    const char *result = "";
    struct str rest = str_of(list), word;
    while ((word = pf_word(&rest)).n) {
        for (size_t i = 0; i < word.n; i++)
            if (word.p[i] == ' ' || word.p[i] == '\t')
                return NULL;
        result = plan_join(p, result, plan_copy(p, word));
    }
    return result;
}

const char *plan_list(struct plan *p, const struct pf_service *s, const char *name,
                      const char *variable)
{
    struct pf_value v = postfix_value(p->postfix, s, name);
    const char *written = v.source == PF_DEFAULT ? v.text : v.raw;
    const char *list = with_commas(p, written ? written : "");
    if (list)
        return list;
    plan_main(p, variable, written);
    return plan_text(p, "$%s", variable);
}

bool plan_has(const char *list, const char *wanted)
{
    struct str rest = str_of(list), word;
    while ((word = pf_word(&rest)).n)
        if (str_eq(word, str_of(wanted)))
            return true;
    return false;
}

const char *plan_without(struct plan *p, const char *list, const char *unwanted,
                         const char *argument)
{
    const char *result = "";
    struct str rest = str_of(list), word;
    while ((word = pf_word(&rest)).n) {
        struct str behind = rest;
        if (str_eq(word, str_of(unwanted)) &&
            (!argument || str_eq(pf_word(&behind), str_of(argument))))
            rest = behind;
        else
            result = plan_join(p, result, plan_copy(p, word));
    }
    return result;
}

/* ---- commands ----------------------------------------------------------------------------- */

/* What postconf calls it. */
static const char *const options[STEP_KINDS] = {
    [STEP_MAIN] = "-e",        [STEP_SERVICE] = "-M",  [STEP_OPTION] = "-P",
    [STEP_OPTION_OUT] = "-PX", [STEP_MAIN_OUT] = "-X",
};

static const char *operand(struct plan *p, const struct step *s)
{
    const char *service = s->service ? s->service : "", *name = s->name ? s->name : "";
    const char *value = s->value ? s->value : "";
    switch (s->kind) {
    case STEP_MAIN: return plan_text(p, "%s = %s", name, value);
    case STEP_SERVICE: return plan_text(p, "%s=%s", service, value);
    case STEP_OPTION: return plan_text(p, "%s/%s=%s", service, name, value);
    case STEP_OPTION_OUT: return plan_text(p, "%s/%s", service, name);
    default: return name;
    }
}

const char **plan_command(struct plan *p, const struct step *s, const char *directory)
{
    const char **argv = arena_alloc(&p->arena, 6 * sizeof *argv);
    if (!argv) {
        p->failed = true;
        return NULL;
    }
    argv[0] = "postconf", argv[1] = "-c", argv[2] = directory;
    argv[3] = options[s->kind], argv[4] = operand(p, s);
    return argv;
}

const char *plan_reverse(struct plan *p, const struct step *s, const char *directory)
{
    static const enum step_kind out[STEP_KINDS] = {
        [STEP_MAIN] = STEP_MAIN_OUT,     [STEP_MAIN_OUT] = STEP_MAIN,
        [STEP_OPTION] = STEP_OPTION_OUT, [STEP_OPTION_OUT] = STEP_OPTION,
        [STEP_SERVICE] = STEP_SERVICE,
    };
    struct step back = *s;
    back.value = s->before;
    back.kind = s->before ? (s->service ? STEP_OPTION : STEP_MAIN) : out[s->kind];
    if (s->kind == STEP_SERVICE)
        return plan_text(p, "postconf -c %s -MX %s", directory, s->service);
    return plan_text(p, "postconf -c %s %s '%s'", directory, options[back.kind], operand(p, &back));
}
