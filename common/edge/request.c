/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/request.h"

_Static_assert(ATTR_COUNT <= 32, "request.present is too small");

const struct str attribute_names[ATTR_COUNT] = {
#define ATTRIBUTE(name) [ATTR_##name] = {#name, sizeof #name - 1},
#include "edge/request_attributes.def"
#undef ATTRIBUTE
};

/* How long the name is if the line begins with `name=`, else 0. */
static size_t begins_with(struct str line, enum attribute a)
{
    struct str name = attribute_names[a];
    return line.n > name.n && line.p[name.n] == '=' && memcmp(line.p, name.p, name.n) == 0 ? name.n
                                                                                            : 0;
}

/* One line without its newline. False: not `name=value`. */
static bool take_line(struct request *r, struct str line, unsigned *guess)
{
    size_t name = 0;
    unsigned a = *guess;
    /* Postfix sends them in order, so the one behind the last is nearly always right. */
    for (unsigned i = 0; i < ATTR_COUNT && !(name = begins_with(line, a)); i++)
        a = a + 1 < ATTR_COUNT ? a + 1 : 0;
    if (!name) /* not one of ours; but it must be one */
        return line.p[0] != '=' && memchr(line.p, '=', line.n);
    *guess = a + 1 < ATTR_COUNT ? a + 1 : 0;
    if (request_has(r, a)) {
        r->duplicates++;
    } else {
        r->present |= UINT32_C(1) << a;
        r->value[a] = (struct str){line.p + name + 1, line.n - name - 1};
    }
    return true;
}

enum parsed request_parse(struct str in, struct request *ret, size_t *ret_used,
                          const char **ret_why)
{
    const char *p = in.p, *end = in.p + in.n, *newline;
    unsigned guess = 0;
    ret->present = 0;
    ret->duplicates = 0;
    while (p < end && (newline = memchr(p, '\n', (size_t)(end - p)))) {
        struct str line = {p, (size_t)(newline - p)};
        p = newline + 1;
        if ((size_t)(p - in.p) > REQUEST_MAX)
            break;
        if (line.n == 0) {
            *ret_used = (size_t)(p - in.p);
            if (memchr(in.p, '\0', *ret_used)) {
                *ret_why = "it has a NUL byte in it";
                return PARSED_BAD;
            }
            if (!str_eq(request_value(ret, ATTR_request), STR("smtpd_access_policy"))) {
                *ret_why = "it has no request=smtpd_access_policy";
                return PARSED_BAD;
            }
            return PARSED_ITEM;
        }
        if (!take_line(ret, line, &guess)) {
            *ret_why = "it has a line that is not name=value";
            return PARSED_BAD;
        }
    }
    if (in.n >= REQUEST_MAX) {
        *ret_why = "it is longer than 64 KiB";
        return PARSED_BAD;
    }
    return PARSED_MORE;
}
