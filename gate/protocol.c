/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/protocol.h"

/* ---- attributes of AUTH -------------------------------------------------- */

/* Where an attribute goes; with none of the two it is a flag, `secured`. */
static const struct attribute {
    struct str name;
    size_t text; /* offset of a struct str; 0: none */
} attributes[] = {
    {{"service", 7}, offsetof(struct auth_command, service)},
    {{"rip", 3}, offsetof(struct auth_command, client_address)},
    {{"lip", 3}, offsetof(struct auth_command, server_address)},
    {{"secured", 7}, 0},
};

static bool put_attribute(struct auth_command *c, struct str field)
{
    struct str value = field, name = str_cut(&value, "=");
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        const struct attribute *a = &attributes[i];
        if (!str_eq(name, a->name))
            continue;
        if (!a->text) {
            c->secured = true; /* later Dovecots say secured=tls */
            return true;
        }
        struct str *to = (struct str *)((char *)c + a->text);
        if (to->p)
            return false; /* which of the two would be meant? */
        *to = value.p ? value : (struct str){"", 0};
        return true;
    }
    return true; /* nologin, and what later versions add */
}

/* ---- commands -------------------------------------------------------------- */

static bool take_number(struct str *rest, uint32_t *ret)
{
    uint64_t n;
    if (!rest->p || !str_to_u64(str_cut(rest, "\t"), UINT32_MAX, &n))
        return false;
    *ret = (uint32_t)n;
    return true;
}

static const char *parse_number(struct auth_command *c, struct str rest)
{
    return take_number(&rest, &c->number) ? NULL : "a number is missing";
}

static const char *parse_cont(struct auth_command *c, struct str rest)
{
    if (!take_number(&rest, &c->number))
        return "CONT without an id";
    c->has_response = rest.p != NULL;
    c->response = rest;
    return NULL;
}

static const char *parse_auth(struct auth_command *c, struct str rest)
{
    static const struct str resp = {"resp=", 5};
    if (!take_number(&rest, &c->number))
        return "AUTH without an id";
    if (rest.p)
        c->mechanism = str_cut(&rest, "\t");
    if (c->mechanism.n == 0)
        return "AUTH without a mechanism";
    while (rest.p) {
        struct str field = str_cut(&rest, "\t");
        if (field.n >= resp.n && memcmp(field.p, resp.p, resp.n) == 0) {
            /* The last one, by the protocol: whatever stands in it is no attribute. */
            size_t behind = rest.p ? 1 + rest.n : 0;
            c->has_response = true;
            c->response = (struct str){field.p + resp.n, field.n - resp.n + behind};
            return NULL;
        }
        if (!put_attribute(c, field))
            return "AUTH with an attribute that is there twice";
    }
    return NULL;
}

static const struct {
    struct str name;
    enum auth_verb verb;
    const char *(*parse)(struct auth_command *c, struct str rest); /* why not; NULL: well */
} verbs[] = {
    {{"VERSION", 7}, VERB_VERSION, parse_number},
    {{"CPID", 4}, VERB_CPID, parse_number},
    {{"AUTH", 4}, VERB_AUTH, parse_auth},
    {{"CONT", 4}, VERB_CONT, parse_cont},
};

static const char *parse_line(struct auth_command *c, struct str line)
{
    struct str rest = line, name = str_cut(&rest, "\t");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_eq(name, verbs[i].name)) {
            c->verb = verbs[i].verb;
            return verbs[i].parse(c, rest);
        }
    return NULL;
}

enum auth_parsed auth_parse(struct str in, struct auth_command *ret, size_t *used, const char **why)
{
    size_t reach = in.n < AUTH_LINE_MAX ? in.n : AUTH_LINE_MAX;
    const char *end = reach ? memchr(in.p, '\n', reach) : NULL;
    if (!end && in.n < AUTH_LINE_MAX)
        return AUTH_MORE;
    *why = "a line that is too long";
    if (!end)
        return AUTH_BAD;
    struct str line = {in.p, (size_t)(end - in.p)};
    *why = "a NUL byte";
    if (memchr(line.p, '\0', line.n))
        return AUTH_BAD;
    *ret = (struct auth_command){.verb = VERB_OTHER};
    *why = parse_line(ret, line);
    *used = line.n + 1;
    return *why ? AUTH_BAD : AUTH_ITEM;
}
