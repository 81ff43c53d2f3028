/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/fail2ban/jails.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "core/buf.h"
#include "mta/text.h"

enum { DEPTH_MAX = 10, STEPS_MAX = 1000 };

/* ---- reading ------------------------------------------------------------------- */

static int add_name(struct jails *j, const char *section, struct err *e)
{
    if (strcmp(section, "DEFAULT") == 0 || strcmp(section, "INCLUDES") == 0)
        return 0;
    for (unsigned i = 0; i < j->name_count; i++)
        if (strcmp(j->names[i], section) == 0)
            return 0;
    if (j->name_count == JAILS)
        return err_set(e, "more than %d jails", JAILS);
    j->names[j->name_count++] = section;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Without what stands behind " ;". */
static struct str without_comment(struct str s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (is_blank(s.p[i]) && s.p[i + 1] == ';')
            s.n = i;
    return s;
}

static int add_setting(struct jails *j, const char *section, const char *file, struct str line,
                       unsigned number, struct err *e)
{
    struct str key = line, value = {NULL, 0};
    for (size_t i = 0; i < line.n && !value.p; i++)
        if (line.p[i] == '=' || line.p[i] == ':') {
            key.n = i;
            value = (struct str){line.p + i + 1, line.n - i - 1};
        }
    if (!value.p || !section)
        return 0; /* fail2ban would not take the file; it is not for us to say */
    if (!j->settings)
        j->settings = arena_alloc(&j->arena, JAILS_SETTINGS * sizeof *j->settings);
    if (j->count == JAILS_SETTINGS)
        return err_set(e, "more than %d settings", JAILS_SETTINGS);
    struct jail_setting s = {section, text_string(&j->arena, key),
                             text_string(&j->arena, without_comment(value)), file, number};
    if (!j->settings || !s.key || !s.value)
        return err_set(e, "out of memory");
    for (char *c = (char *)s.key; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    j->settings[j->count++] = s;
    return 0;
}

int jails_parse(struct str text, const char *file, struct jails *j, struct err *e)
{
    const char *section = NULL;
    struct str line;
    unsigned last = 0, number;
    const char *name = arena_strdup(&j->arena, str_of(file));
    if (!name)
        return err_set(e, "out of memory");
    while (text_line(&text, &last, &line, &number)) {
        line = text_trim(line);
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] != '[') {
            if (add_setting(j, section, name, line, number, e))
                return -1;
            continue;
        }
        line.p++, line.n--;
        section = text_string(&j->arena, str_cut(&line, "]"));
        if (!section)
            return err_set(e, "out of memory");
        if (add_name(j, section, e))
            return -1;
    }
    return 0;
}

/* 1: read; 0: it is not there. */
static int read_one(struct jails *j, const char *directory, const char *file, struct err *e)
{
    char path[4096];
    struct arena a = {0};
    struct str text;
    struct err why;
    if (snprintf(path, sizeof path, "%s/%s", directory, file) >= (int)sizeof path)
        return err_set(e, "%s: the path is too long", directory);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    int failed = text_read(path, JAILS_TEXT_MAX, &a, &text, e);
    if (!failed && jails_parse(text, file, j, &why))
        failed = err_set(e, "%s: %s", path, why.text);
    arena_free(&a);
    return failed ? -1 : 1;
}

/* The files of jail.d with that ending, by name. */
static int read_folder(struct jails *j, const char *directory, const char *ending, struct err *e)
{
    char path[4096];
    struct dirent **list;
    snprintf(path, sizeof path, "%s/jail.d", directory);
    int count = scandir(path, &list, NULL, alphasort), read = 0;
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(list[i]->d_name, '.');
        char file[300];
        snprintf(file, sizeof file, "jail.d/%s", list[i]->d_name);
        if (read >= 0 && dot && dot != list[i]->d_name && strcmp(dot, ending) == 0) {
            int one = read_one(j, directory, file, e);
            read = one < 0 ? -1 : read + one;
        }
        free(list[i]);
    }
    if (count >= 0)
        free(list);
    return read;
}

int jails_read(const char *directory, struct jails *ret, struct err *e)
{
    *ret = (struct jails){0};
    int read = 0;
    for (int step = 0; step < 4; step++) {
        const char *ending = step < 2 ? ".conf" : ".local";
        int one = step % 2 == 0
                      ? read_one(ret, directory, step == 0 ? "jail.conf" : "jail.local", e)
                      : read_folder(ret, directory, ending, e);
        if (one < 0)
            return -1;
        read += one;
    }
    return read ? 0 : err_set(e, "%s has no jail.conf", directory);
}

void jails_clear(struct jails *j)
{
    arena_free(&j->arena);
    *j = (struct jails){0};
}

/* ---- questions ---------------------------------------------------------------------- */

static const struct jail_setting *find(const struct jails *j, const char *section, struct str key)
{
    for (unsigned i = j->count; i-- > 0;)
        if (strcmp(j->settings[i].section, section) == 0 && str_eq(str_of(j->settings[i].key), key))
            return &j->settings[i];
    return NULL;
}

static const struct jail_setting *find_for(const struct jails *j, const char *jail, struct str key)
{
    const struct jail_setting *own = find(j, jail, key);
    return own ? own : find(j, "DEFAULT", key);
}

const struct jail_setting *jail_setting(const struct jails *j, const char *jail, const char *key)
{
    return find_for(j, jail, str_of(key));
}

/* What is not set becomes empty: it is the business of a filter or an action. */
static void expand(const struct jails *j, const char *jail, struct str text, int depth,
                   unsigned *steps, struct buf *b)
{
    while (text.n && !b->full) {
        const char *close = memchr(text.p, ')', text.n);
        if (text.n < 3 || text.p[0] != '%' || text.p[1] != '(' || !close) {
            buf_char(b, *text.p++), text.n--;
            continue;
        }
        struct str key = {text.p + 2, (size_t)(close - text.p - 2)};
        size_t used = (size_t)(close - text.p) + 1;
        used += used < text.n && text.p[used] == 's';
        const struct jail_setting *s = find_for(j, jail, key);
        b->full |= ++*steps > STEPS_MAX || (s && depth == DEPTH_MAX);
        if (str_eq(key, STR("__name__")))
            buf_cstring(b, jail);
        else if (s && !b->full)
            expand(j, jail, str_of(s->value), depth + 1, steps, b);
        text.p += used, text.n -= used;
    }
}

bool jail_value(const struct jails *j, const char *jail, const char *key, char ret[JAIL_VALUE_MAX])
{
    const struct jail_setting *s = jail_setting(j, jail, key);
    struct buf b = {ret, 0, JAIL_VALUE_MAX, false};
    unsigned steps = 0;
    if (!s)
        return false;
    expand(j, jail, str_of(s->value), 0, &steps, &b);
    bool fits = !b.full && b.n < b.cap;
    buf_cstr(&b);
    return fits;
}

bool jail_is_enabled(const struct jails *j, const char *jail)
{
    char value[JAIL_VALUE_MAX];
    static const char *const yes[] = {"1", "on", "yes", "true"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (jail_value(j, jail, "enabled", value) && strcasecmp(value, yes[i]) == 0)
            return true;
    return false;
}

static bool copy(struct str s, char *ret, size_t size)
{
    if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
        s.p++, s.n -= 2;
    return snprintf(ret, size, "%.*s", STR_ARG(s)) < (int)size;
}

bool jail_filter(const struct jails *j, const char *jail, char name[64], char mode[32])
{
    char value[JAIL_VALUE_MAX];
    mode[0] = 0;
    if (!jail_value(j, jail, "filter", value))
        return copy(str_of(jail), name, 64);
    struct str rest = str_of(value), head = text_trim(str_cut(&rest, "["));
    if (!copy(head, name, 64) || !*name)
        return false;
    struct str options = str_cut(&rest, "]");
    while (options.p) {
        struct str option = str_cut(&options, ","), key = text_trim(str_cut(&option, "="));
        if (str_eq(key, STR("mode")) && !copy(text_trim(option), mode, 32))
            return false;
    }
    return true;
}
