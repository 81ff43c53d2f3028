/* SPDX-License-Identifier: Apache-2.0 */
/* main.cf and master.cf, as they are written. */
#include "mta/postfix/internal.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\n';
}

static struct str trim(struct str s)
{
    while (s.n && is_space(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

void *pf_grow(struct arena *a, void *list, unsigned count, size_t size)
{
    if (count & (count - 1) || (count && count < 8)) /* room for 8, 16, 32, ... */
        return list;
    void *grown = arena_alloc(a, (count ? 2 * (size_t)count : 8) * size);
    if (grown && count)
        memcpy(grown, list, count * size);
    return grown;
}

bool pf_split(struct str text, struct str *ret_name, struct str *ret_value)
{
    const char *equals = text.n ? memchr(text.p, '=', text.n) : NULL;
    if (!equals)
        return false;
    *ret_name = trim((struct str){text.p, (size_t)(equals - text.p)});
    *ret_value = trim((struct str){equals + 1, text.n - (size_t)(equals + 1 - text.p)});
    return ret_name->n > 0;
}

/* ---- lines -------------------------------------------------------------------- */

/* One line of the text without its newline; p is NULL at the end. */
static struct str physical(struct str *rest)
{
    struct str line = *rest;
    if (rest->n == 0)
        return (struct str){NULL, 0};
    const char *end = memchr(rest->p, '\n', rest->n);
    line.n = end ? (size_t)(end - rest->p) : rest->n;
    size_t used = line.n + (end != NULL);
    rest->p += used, rest->n -= used;
    return line;
}

static bool says_nothing(struct str line)
{
    struct str text = trim(line);
    return text.n == 0 || text.p[0] == '#';
}

/* How many bytes the lines have that continue the one before `rest`. Comments and empty lines
 * between do not end it. */
static size_t continued(struct str rest)
{
    struct str line;
    size_t n = 0;
    while ((line = physical(&rest)).p)
        if (!says_nothing(line)) {
            if (!is_space(line.p[0]))
                break;
            n += line.n;
        }
    return n;
}

bool pf_logical_line(struct arena *a, struct str *rest, unsigned *line_no, struct str *ret,
                     unsigned *ret_line)
{
    struct str line, before = *rest;
    char *joined = NULL;
    *ret_line = 0;
    for (; (line = physical(rest)).p; before = *rest) {
        ++*line_no;
        if (says_nothing(line))
            continue;
        if (*ret_line == 0) {
            size_t more = continued(*rest);
            *ret = line, *ret_line = *line_no;
            if (more == 0)
                return true;
            joined = arena_alloc(a, line.n + more);
            if (!joined)
                break;
            memcpy(joined, line.p, line.n);
            ret->p = joined;
        } else if (is_space(line.p[0])) {
            memcpy(joined + ret->n, line.p, line.n);
            ret->n += line.n;
        } else { /* the next one */
            --*line_no;
            break;
        }
    }
    if (line.p)
        *rest = before;
    return *ret_line && (joined || !line.p);
}

/* ---- main.cf ------------------------------------------------------------------- */

int pf_read_main(struct postfix *p, struct str text, struct err *e)
{
    struct pf_setting *list = NULL;
    struct str line, name, value;
    unsigned number = 0, at;
    while (pf_logical_line(&p->arena, &text, &number, &line, &at)) {
        if (is_space(line.p[0]))
            return err_set(
                e, "main.cf:%u: the first line begins with white space, as if it went on", at);
        if (!pf_split(line, &name, &value))
            return err_set(e, "main.cf:%u: \"name = value\" is expected", at);
        list = pf_grow(&p->arena, list, p->main_count, sizeof *list);
        if (!list)
            return err_set(e, "out of memory");
        struct pf_setting *s = &list[p->main_count++];
        *s = (struct pf_setting){arena_strdup(&p->arena, name), arena_strdup(&p->arena, value), at};
        p->main = list;
        if (!s->name || !s->value)
            return err_set(e, "out of memory");
    }
    return text.n ? err_set(e, "out of memory") : 0;
}

/* ---- master.cf ------------------------------------------------------------------ */

enum { NAME, TYPE, PRIVATE, UNPRIV, CHROOT, WAKEUP, MAXPROC, COMMAND, FIELDS };

/* Words of a line, separated by white space; {...} is one. */
static struct str argument(struct str *rest)
{
    while (rest->n && is_space(rest->p[0]))
        rest->p++, rest->n--;
    struct str word = {rest->p, 0};
    bool braces = rest->n && rest->p[0] == '{';
    int depth = 0;
    while (word.n < rest->n) {
        char c = rest->p[word.n];
        if (!depth && is_space(c))
            break;
        depth += braces && c == '{';
        depth -= braces && c == '}';
        word.n++;
    }
    rest->p += word.n, rest->n -= word.n;
    return word;
}

/* The -o of a service's arguments. */
static int read_options(struct postfix *p, struct pf_service *s, struct str rest, struct err *e)
{
    struct pf_setting *list = NULL;
    struct str word, name, value;
    while ((word = argument(&rest)).n) {
        s->verbose |= str_eq(word, STR("-v")) || str_eq(word, STR("-vv"));
        if (word.n < 2 || word.p[0] != '-' || word.p[1] != 'o')
            continue; /* -D, arguments of pipe(8) */
        struct str option = {word.p + 2, word.n - 2};
        if (option.n == 0)
            option = argument(&rest);
        if (!pf_split(pf_unbrace(option), &name, &value)) {
            if (strcmp(s->command, "pipe") == 0 || strcmp(s->command, "spawn") == 0)
                continue; /* -o of the program that it runs */
            return err_set(e, "master.cf:%u: %s/%s: behind -o, name=value is expected", s->line,
                           s->name, s->type);
        }
        list = pf_grow(&p->arena, list, s->option_count, sizeof *list);
        if (!list)
            return err_set(e, "out of memory");
        struct pf_setting *o = &list[s->option_count++];
        *o = (struct pf_setting){arena_strdup(&p->arena, name), arena_strdup(&p->arena, value),
                                 s->line};
        s->options = list;
        if (!o->name || !o->value)
            return err_set(e, "out of memory");
    }
    return 0;
}

/* The line on which each -o stands: they are found again, in order, in the text of the entry. */
static void number_options(struct pf_service *s, struct str entry, unsigned first)
{
    unsigned line = first - 1, i = 0;
    struct str text;
    while (i < s->option_count && (text = physical(&entry)).p) {
        line++;
        if (says_nothing(text))
            continue;
        while (i < s->option_count) {
            const char *found =
                memmem(text.p, text.n, s->options[i].name, strlen(s->options[i].name));
            if (!found)
                break;
            size_t used = (size_t)(found - text.p) + strlen(s->options[i].name);
            text.p += used, text.n -= used;
            ((struct pf_setting *)s->options)[i++].line = line; /* ours, still being made */
        }
    }
}

int pf_read_master(struct postfix *p, struct str text, struct err *e)
{
    struct pf_service *list = NULL;
    struct str line, rest = text, entry = text;
    unsigned number = 0, before = 0, at;
    /* what "-" means in the chroot column (master(5)); main.cf has been read */
    const char *otherwise = pf_expand(p, NULL, "${{$compatibility_level} <level {1} ? {y} : {n}}");
    bool chroot_by_default = otherwise && *otherwise == 'y';
    for (; pf_logical_line(&p->arena, &rest, &number, &line, &at); entry = rest, before = number) {
        struct str fields[FIELDS], arguments = line;
        if (is_space(line.p[0]))
            return err_set(
                e, "master.cf:%u: the first line begins with white space, as if it went on", at);
        for (int i = 0; i < FIELDS; i++)
            if ((fields[i] = argument(&arguments)).n == 0)
                return err_set(e, "master.cf:%u: %d fields are expected, and there are %d", at,
                               FIELDS, i);
        list = pf_grow(&p->arena, list, p->service_count, sizeof *list);
        if (!list)
            return err_set(e, "out of memory");
        struct pf_service *s = &list[p->service_count];
        *s = (struct pf_service){
            .name = arena_strdup(&p->arena, fields[NAME]),
            .type = arena_strdup(&p->arena, fields[TYPE]),
            .command = arena_strdup(&p->arena, fields[COMMAND]),
            .line = at,
        };
        p->services = list, p->service_count++;
        if (!s->name || !s->type || !s->command)
            return err_set(e, "out of memory");
        s->chroot = str_eq(fields[CHROOT], STR("y")) ||
                    (str_eq(fields[CHROOT], STR("-")) && chroot_by_default);
        if (read_options(p, s, arguments, e) < 0)
            return -1;
        entry.n -= rest.n;
        number_options(s, entry, before + 1);
    }
    return rest.n ? err_set(e, "out of memory") : 0;
}

/* ---- lists ----------------------------------------------------------------------- */

struct str pf_word(struct str *rest)
{
    while (rest->n && (is_space(rest->p[0]) || rest->p[0] == ','))
        rest->p++, rest->n--;
    struct str word = {rest->p, 0};
    int depth = 0;
    while (word.n < rest->n) {
        char c = rest->p[word.n];
        if (depth <= 0 && (is_space(c) || c == ','))
            break;
        depth += c == '{';
        depth -= c == '}';
        word.n++;
    }
    rest->p += word.n, rest->n -= word.n;
    return word;
}

struct str pf_unbrace(struct str word)
{
    if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
        return trim((struct str){word.p + 1, word.n - 2});
    return word;
}
