/* SPDX-License-Identifier: Apache-2.0 */
/* The model: loading it, and what a parameter's value is. */
#include "mta/postfix/postfix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mta/child.h"
#include "mta/postfix/internal.h"

enum { POSTCONF_S = 20 };

/* ---- loading -------------------------------------------------------------------- */

static int read_file(struct arena *a, const char *directory, const char *name, struct str *ret,
                     struct err *e)
{
    char path[512];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return err_set(e, "%s/%s: the path is too long", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = arena_alloc(a, POSTFIX_FILE_MAX + 1);
    ssize_t n = 0;
    size_t have = 0;
    if (fd < 0 || !text) {
        err_set(e, "%s: %s", path, fd < 0 ? strerror(errno) : "out of memory");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while (have <= POSTFIX_FILE_MAX && (n = read(fd, text + have, POSTFIX_FILE_MAX + 1 - have)) > 0)
        have += (size_t)n;
    int failed = n < 0 ? err_set(e, "%s: %s", path, strerror(errno)) : 0;
    if (have > POSTFIX_FILE_MAX)
        failed = err_set(e, "%s is larger than %d bytes", path, POSTFIX_FILE_MAX);
    close(fd);
    *ret = (struct str){text, have};
    return failed;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pf_setting *)a)->name, ((const struct pf_setting *)b)->name);
}

/* "3.7.11" and "3.12-20260821" to 30711 and 31200. */
static unsigned version_of(const char *text)
{
    unsigned part[3] = {0};
    if (sscanf(text, "%u.%u.%u", &part[0], &part[1], &part[2]) < 2)
        return 0;
    return part[0] * 10000 + part[1] * 100 + (part[2] < 100 ? part[2] : 99);
}

/* Lines "name = value" of postconf; false: none is there. */
static bool take_defaults(struct postfix *p, struct str text)
{
    struct pf_setting *list = NULL;
    struct str name, value;
    unsigned count = 0;
    while (text.n) {
        struct str line = str_cut(&text, "\n");
        if (!pf_split(line, &name, &value))
            continue;
        list = pf_grow(&p->arena, list, count, sizeof *list);
        if (!list)
            return false;
        list[count] =
            (struct pf_setting){arena_strdup(&p->arena, name), arena_strdup(&p->arena, value), 0};
        if (!list[count].name || !list[count].value)
            return false;
        count++;
    }
    if (count == 0)
        return false;
    qsort(list, count, sizeof *list, by_name);
    p->defaults = list, p->default_count = count;
    return true;
}

static const struct pf_setting built_in[] = {
#define DEFAULT(name, value) {name, value, 0},
#include "mta/postfix/defaults.def"
#undef DEFAULT
};

static void without_postconf(struct postfix *p)
{
    p->defaults = built_in, p->default_count = sizeof built_in / sizeof *built_in;
    p->version = 0, p->asked = false, p->warnings = "";
}

/* The lines of texts, each once: postconf repeats a warning at every look at the file. "" when
 * memory ends. */
static const char *distinct_lines(struct arena *a, const struct str *texts, unsigned count)
{
    struct buf all = {NULL, 0, 1, false};
    for (unsigned i = 0; i < count; i++)
        all.cap += texts[i].n + 1;
    all.p = arena_alloc(a, all.cap);
    for (unsigned i = 0; all.p && i < count; i++) {
        struct str rest = texts[i];
        while (rest.n) {
            struct str line = str_cut(&rest, "\n");
            line.n += rest.p != NULL; /* with its newline, so that no line is part of another */
            if (!memmem(all.p, all.n, line.p, line.n))
                buf_str(&all, line);
        }
    }
    return all.p ? all.p : "";
}

/* What postconf knows; without it, what we know. */
static void ask_postconf(struct postfix *p)
{
    /* not -d: mydomain and mynetworks are worked out from what main.cf says of the machine */
    const char *const defaults[] = {"postconf", "-c", p->directory, NULL};
    const char *const written[] = {"postconf", "-c", p->directory, "-n", NULL};
    const char *const services[] = {"postconf", "-c", p->directory, "-P", NULL};
    struct child_result r;
    without_postconf(p);
    if (child_run(defaults, NULL, POSTCONF_S, &p->arena, &r, NULL) < 0 || r.code ||
        !take_defaults(p, r.out))
        return;
    p->asked = true;
    p->version = version_of(postfix_text(p, NULL, "mail_version"));
    struct child_result n = {0}, m = {0};
    if (child_run(written, NULL, POSTCONF_S, &p->arena, &n, NULL) < 0 ||
        child_run(services, NULL, POSTCONF_S, &p->arena, &m, NULL) < 0)
        return;
    const struct str said[] = {n.err, m.err};
    p->warnings = distinct_lines(&p->arena, said, 2);
}

int postfix_parse(struct str main_cf, struct str master_cf, struct postfix *ret, struct err *e)
{
    *ret = (struct postfix){.directory = ""};
    without_postconf(ret);
    if (pf_read_main(ret, main_cf, e) == 0 && pf_read_master(ret, master_cf, e) == 0)
        return 0;
    postfix_free(ret);
    return -1;
}

int postfix_load(const char *directory, struct postfix *ret, struct err *e)
{
    struct arena files = {0};
    struct str main_cf, master_cf;
    int failed = -1;
    if (read_file(&files, directory, "main.cf", &main_cf, e) == 0 &&
        read_file(&files, directory, "master.cf", &master_cf, e) == 0)
        failed = postfix_parse(main_cf, master_cf, ret, e);
    arena_free(&files);
    if (failed)
        return -1;
    ret->directory = arena_strdup(&ret->arena, str_of(directory));
    if (!ret->directory) {
        postfix_free(ret);
        return err_set(e, "out of memory");
    }
    ask_postconf(ret);
    return 0;
}

void postfix_free(struct postfix *p)
{
    arena_free(&p->arena);
    *p = (struct postfix){.directory = ""};
}

/* ---- values ------------------------------------------------------------------------ */

static const struct pf_setting *last_of(const struct pf_setting *list, unsigned count,
                                        struct str name)
{
    while (count--)
        if (str_eq(str_of(list[count].name), name))
            return &list[count];
    return NULL;
}

static const struct pf_setting *default_of(const struct postfix *p, struct str name)
{
    char key[128];
    struct buf b = BUF(key);
    buf_str(&b, name);
    if (b.full || memchr(key, '\0', b.n))
        return NULL;
    struct pf_setting wanted = {.name = buf_cstr(&b)};
    return bsearch(&wanted, p->defaults, p->default_count, sizeof *p->defaults, by_name);
}

struct pf_value pf_written(struct postfix *p, const struct pf_service *service, struct str name)
{
    const struct pf_setting *s =
        service ? last_of(service->options, service->option_count, name) : NULL;
    if (s)
        return (struct pf_value){NULL, s->value, PF_MASTER, s->line};
    s = last_of(p->main, p->main_count, name);
    if (s)
        return (struct pf_value){NULL, s->value, PF_MAIN, s->line};
    s = default_of(p, name);
    if (!s && str_eq(name, STR("config_directory"))) /* what postconf -c says */
        return (struct pf_value){NULL, *p->directory ? p->directory : NULL, PF_DEFAULT, 0};
    return (struct pf_value){NULL, s ? s->value : NULL, PF_DEFAULT, 0};
}

struct pf_value postfix_value(struct postfix *p, const struct pf_service *service, const char *name)
{
    struct pf_value v = pf_written(p, service, str_of(name));
    if (v.raw)
        v.text = pf_expand(p, service, v.raw);
    return v;
}

const char *postfix_text(struct postfix *p, const struct pf_service *service, const char *name)
{
    struct pf_value v = postfix_value(p, service, name);
    return v.text ? v.text : "";
}

bool postfix_yes(struct postfix *p, const struct pf_service *service, const char *name,
                 bool otherwise)
{
    struct str text = str_of(postfix_text(p, service, name));
    return str_eq_nocase(text, STR("yes")) || (otherwise && !str_eq_nocase(text, STR("no")));
}

const char *postfix_where(struct postfix *p, const struct pf_service *service, struct pf_value v)
{
    char text[256];
    if (v.source == PF_DEFAULT)
        return "default";
    if (v.source == PF_MAIN)
        snprintf(text, sizeof text, "main.cf:%u", v.line);
    else
        snprintf(text, sizeof text, "master.cf:%u, %s/%s", v.line, service->name, service->type);
    const char *copy = arena_strdup(&p->arena, str_of(text));
    return copy ? copy : "";
}

const struct pf_service *postfix_service(const struct postfix *p, const char *name,
                                         const char *type)
{
    for (unsigned i = 0; i < p->service_count; i++)
        if (strcmp(p->services[i].name, name) == 0 && strcmp(p->services[i].type, type) == 0)
            return &p->services[i];
    return NULL;
}
