/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/request.h"

_Static_assert(ATTR_COUNT <= 32, "request.present is too small");

const struct str attribute_names[ATTR_COUNT] = {
#define ATTRIBUTE(name) [ATTR_##name] = {#name, sizeof #name - 1},
#include "edge/request_attributes.def"
#undef ATTRIBUTE
};

/* True if the line begins with the name of that attribute and '='. */
static inline bool begins_with(struct str line, enum attribute a)
{
    struct str name = attribute_names[a];
    return line.n > name.n && line.p[name.n] == '=' && memcmp(line.p, name.p, name.n) == 0;
}

static inline unsigned behind(unsigned a)
{
    return a + 1 < ATTR_COUNT ? a + 1 : 0;
}

/* The attribute of a line; ATTR_COUNT: a name that is not ours. */
static unsigned attribute_of(struct str line, unsigned guess)
{
    unsigned a = guess;
    do {
        if (begins_with(line, a))
            return a;
    } while ((a = behind(a)) != guess);
    return ATTR_COUNT;
}

/* The end of a request is there: is it one that we understand? */
static enum parsed finish(struct str whole, const struct request *r, const char **ret_why)
{
    if (memchr(whole.p, '\0', whole.n))
        *ret_why = "it has a NUL byte in it";
    else if (!str_eq(request_value(r, ATTR_request), STR("smtpd_access_policy")))
        *ret_why = "it has no request=smtpd_access_policy";
    else
        return PARSED_ITEM;
    return PARSED_BAD;
}

enum parsed request_parse(struct str in, struct request *ret, size_t *ret_used,
                          const char **ret_why)
{
    const char *p = in.p, *end = in.p + (in.n < REQUEST_MAX ? in.n : REQUEST_MAX), *newline;
    unsigned next = 0; /* Postfix sends them in order, so this guess is nearly always right */
    ret->present = 0;
    ret->duplicates = 0;
    while (p < end && (newline = memchr(p, '\n', (size_t)(end - p)))) {
        struct str line = {p, (size_t)(newline - p)};
        p = newline + 1;
        if (line.n == 0) {
            *ret_used = (size_t)(p - in.p);
            return finish((struct str){in.p, *ret_used}, ret, ret_why);
        }
        unsigned a = begins_with(line, next) ? next : attribute_of(line, next);
        if (a == ATTR_COUNT) {
            if (line.p[0] != '=' && memchr(line.p, '=', line.n))
                continue;
            *ret_why = "it has a line that is not name=value";
            return PARSED_BAD;
        }
        next = behind(a);
        if (request_has(ret, a)) {
            ret->duplicates++;
            continue;
        }
        size_t name = attribute_names[a].n + 1;
        ret->present |= UINT32_C(1) << a;
        ret->value[a] = (struct str){line.p + name, line.n - name};
    }
    if (in.n >= REQUEST_MAX) {
        *ret_why = "it is longer than 64 KiB";
        return PARSED_BAD;
    }
    return PARSED_MORE;
}
