/* SPDX-License-Identifier: Apache-2.0 */
/* Where the programs listen. */
#include <stdio.h>
#include <sys/stat.h>

#include "config/config_internal.h"

static const char examples[] =
    "\"unix:/path\", \"inet:127.0.0.1:10040\" or \"inet:[::1]:10040\", in quotes; "
    "or {path: /path, listener: NAME}";

static bool starts_with(struct str s, const char *start)
{
    size_t n = strlen(start);
    return s.n >= n && memcmp(s.p, start, n) == 0;
}

static struct str behind(struct str s, size_t n)
{
    return (struct str){s.p + n, s.n - n};
}

/* ---- one socket ------------------------------------------------------------ */

/* Sendmail takes no filter from a directory that all may write to, sticky or not. */
static void check_directory(struct reader *r, const struct yaml_node *n,
                            const struct socket_spec *s, bool milter)
{
    char directory[108];
    struct stat st;
    if (!s->is_unix)
        return;
    snprintf(directory, sizeof directory, "%s", s->path);
    char *slash = strrchr(directory, '/');
    slash[slash == directory ? 1 : 0] = '\0';
    if (stat(directory, &st) != 0 || !(st.st_mode & S_IWOTH) || (!milter && st.st_mode & S_ISVTX))
        return;
    problem_help(problem_at(r, milter ? SEVERITY_ERROR : SEVERITY_WARNING, n,
                            "everyone may write to %s", quote_of(str_of(directory)).text),
                 milter ? "Sendmail refuses a filter's socket there; make a directory for it that "
                          "only the daemon's user may write to"
                        : "somebody else could put a socket of his own there");
}

static bool read_path(struct reader *r, const struct yaml_node *n, struct str path,
                      struct socket_spec *ret)
{
    struct value v;
    struct complaint c;
    if (!value_parse(&options[OPTION_SOCKET_PATH], path, &v, &c)) {
        bad_value(r, n, "path", path, &c);
        return false;
    }
    ret->is_unix = true;
    memcpy(ret->path, path.p, path.n);
    ret->path[path.n] = '\0';
    return true;
}

static bool read_inet(struct reader *r, const struct yaml_node *n, struct str s,
                      struct socket_spec *ret)
{
    uint64_t port;
    struct str host = s;
    while (host.n && host.p[host.n - 1] != ':')
        host.n--;
    struct str digits = behind(s, host.n);
    if (host.n)
        host.n--; /* the colon */
    bool bare = memchr(host.n ? host.p : "", ':', host.n) && host.p[0] != '[';
    if (bare || !addr_parse(host, &ret->addr)) {
        problem_help(
            problem_at(r, SEVERITY_ERROR, n, "inet: %s is not address:port", quote_of(s).text),
            "for example \"127.0.0.1:10040\" or \"[::1]:10040\"; "
            "host names are not looked up");
        return false;
    }
    if (!str_to_u64(digits, 65535, &port) || port == 0) {
        problem_help(
            problem_at(r, SEVERITY_ERROR, n, "inet: %s is not a port", quote_of(digits).text),
            "a whole number from 1 to 65535");
        return false;
    }
    ret->port = (uint16_t)port;
    return true;
}

static bool read_text(struct reader *r, const struct yaml_node *n, struct socket_spec *ret)
{
    if (starts_with(n->text, "unix:"))
        return read_path(r, n, behind(n->text, strlen("unix:")), ret);
    if (starts_with(n->text, "inet:"))
        return read_inet(r, n, behind(n->text, strlen("inet:")), ret);
    struct problem *p =
        problem_at(r, SEVERITY_ERROR, n, "listen: %s is not a socket", quote_of(n->text).text);
    if (starts_with(n->text, "/"))
        problem_help(p, "did you mean \"unix:%.*s\"?", n->text.n > 107 ? 107 : STR_ARG(n->text));
    else
        problem_help(p, "%s", examples);
    return false;
}

/* A socket can only stand for a listener that exists. */
static void read_listener(struct reader *r, const struct value *v, struct socket_spec *ret)
{
    if (v->bad || v->text.n == 0)
        return;
    snprintf(ret->listener, sizeof ret->listener, "%.*s", STR_ARG(v->text));
    if (policy_listener_named(r->policy, v->text))
        return;
    struct problem *p = problem_at(r, SEVERITY_ERROR, v->node,
                                   "listener: no listener has the name %s", quote_of(v->text).text);
    const char *names[LISTENERS];
    unsigned count = r->policy->listener_count;
    for (unsigned i = 0; i < count; i++)
        names[i] = r->policy->listeners[i]->name_count ? r->policy->listeners[i]->names[0].p : "";
    help_words(p, names, (int)count, v->text);
}

static bool read_map(struct reader *r, const struct yaml_node *n, struct socket_spec *ret)
{
    struct value v[OPTION_COUNT];
    read_section(r, IN_SOCKET, n, v);
    const struct value *path = &v[OPTION_SOCKET_PATH], *inet = &v[OPTION_SOCKET_INET];
    read_listener(r, &v[OPTION_SOCKET_LISTENER], ret);
    if (!path->node == !inet->node) {
        problem_at(r, SEVERITY_ERROR, n, "a socket has either \"path\" or \"inet\"");
        return false;
    }
    if (path->bad || inet->bad)
        return false;
    return path->node ? read_path(r, path->node, path->text, ret)
                      : read_inet(r, inet->node, inet->text, ret);
}

/* ---- one program, all programs ---------------------------------------------- */

static bool same_socket(const struct socket_spec *a, const struct socket_spec *b)
{
    if (a->is_unix != b->is_unix)
        return false;
    if (a->is_unix)
        return strcmp(a->path, b->path) == 0;
    return a->port == b->port && addr_eq(&a->addr, &b->addr);
}

static void check_unused(struct reader *r, const struct yaml_node *n, const struct socket_spec *s)
{
    const struct program_settings *programs[] = {&r->config->policyd, &r->config->milter};
    for (int i = 0; i < 2; i++)
        for (unsigned k = 0; k < programs[i]->listen_count; k++)
            if (same_socket(&programs[i]->listen[k], s))
                problem_help(problem_at(r, SEVERITY_ERROR, n, "listen: this socket is used twice"),
                             "the other one is at %s:%u", r->source.file,
                             programs[i]->listen[k].line);
}

static void build_program(struct reader *r, int option, const struct value *given,
                          struct program_settings *ret)
{
    struct value v[OPTION_COUNT];
    read_section(r, IN_PROGRAM, given->bad ? NULL : given->node, v);
    struct value *listen = &v[OPTION_PROGRAM_LISTEN];
    snprintf(ret->group, sizeof ret->group, "%.*s", STR_ARG(v[OPTION_PROGRAM_GROUP].text));
    if (!listen->node) {
        const struct yaml_node *standard = default_node(r, &options[option]);
        if (!standard)
            return;
        listen->node = standard->child;
    }
    unsigned count;
    const struct yaml_node *n = list_items(listen, &count);
    if (count > SOCKETS_MAX)
        problem_at(r, SEVERITY_ERROR, listen->node, "listen: at most %d sockets, not %u",
                   SOCKETS_MAX, count);
    for (unsigned i = 0; i < count && i < SOCKETS_MAX; i++, n = n->next) {
        struct socket_spec s = {.line = n->line};
        bool ok = n->kind == YAML_SCALAR ? read_text(r, n, &s) : read_map(r, n, &s);
        if (!ok)
            continue;
        check_unused(r, n, &s);
        check_directory(r, n, &s, option == OPTION_MILTER);
        ret->listen[ret->listen_count++] = s;
    }
}

void build_programs(struct reader *r, const struct value root[OPTION_COUNT])
{
    build_program(r, OPTION_POLICYD, &root[OPTION_POLICYD], &r->config->policyd);
    build_program(r, OPTION_MILTER, &root[OPTION_MILTER], &r->config->milter);
}
