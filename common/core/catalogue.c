/* SPDX-License-Identifier: Apache-2.0 */
#include "core/catalogue.h"

const char *const evidence_names[EVIDENCE_COUNT] = {
    [EVIDENCE_NONE] = "none",
    [EVIDENCE_SOURCE] = "source",
    [EVIDENCE_MANUAL] = "manual",
    [EVIDENCE_NOT_CHECKED] = "not checked",
};

const struct software_info catalogue[SOFTWARE_COUNT] = {
#define SOFTWARE(name, id, kind, people, shows, implicit, starttls, evidence, note)                \
    [SOFTWARE_##name] = {                                                                          \
        id,                                                                                        \
        people,                                                                                    \
        KIND_##kind,                                                                               \
        SHOWS_##shows,                                                                             \
        {[ROLE_SUBMISSION] = starttls, [ROLE_SUBMISSIONS] = implicit},                             \
        EVIDENCE_##evidence,                                                                       \
        note,                                                                                      \
    },
#include "core/catalogue.def"
};

enum field { FIELD_HEADER, FIELD_HELO };
enum follows { FOLLOWS_VERSION, FOLLOWS_NOTHING };

static const struct pattern {
    enum field field;
    struct str text;
    enum follows follows;
    enum software_id software;
    enum certainty certainty;
} patterns[] = {
#define PATTERN(field, text, follows, name, certainty)                                             \
    {FIELD_##field,                                                                                \
     {text, sizeof(text) - 1},                                                                     \
     FOLLOWS_##follows,                                                                            \
     SOFTWARE_##name,                                                                              \
     CERTAINTY_##certainty},
#include "core/catalogue.def"
};

/* What of a value is looked at. */
struct input {
    struct str rest;
    bool more; /* there is more of it behind `rest` */
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool in_version(char c)
{
    return digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || one_of(c, ".+-");
}

/* Blanks and folds (RFC 5322 2.2.3). False if there are none. */
static bool eat_blanks(struct str *s)
{
    size_t before = s->n;
    while (s->n && one_of(s->p[0], " \t\r\n"))
        s->p++, s->n--;
    return s->n < before;
}

/* False leaves *s as it was. */
static bool eat(struct str *s, struct str text)
{
    struct str rest = *s;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ') {
            if (!eat_blanks(&rest))
                return false;
        } else if (rest.n && lower(rest.p[0]) == lower(text.p[i])) {
            rest.p++, rest.n--;
        } else {
            return false;
        }
    }
    *s = rest;
    return true;
}

/* Eats up to the end of the first place that has `text`. */
static bool eat_through(struct str *s, struct str text)
{
    for (; s->n; s->p++, s->n--)
        if (eat(s, text))
            return true;
    return false;
}

static bool eat_pattern(struct str *s, struct str pattern)
{
    bool ok = eat(s, str_cut(&pattern, "*"));
    while (ok && pattern.p)
        ok = eat_through(s, str_cut(&pattern, "*"));
    return ok;
}

static bool then_version(struct input in, struct str *ret)
{
    struct str v = {in.rest.p, 0};
    if (in.rest.n == 0 || !digit(in.rest.p[0]))
        return false;
    while (v.n < in.rest.n && in_version(v.p[v.n]))
        v.n++;
    bool ends = v.n < in.rest.n ? one_of(v.p[v.n], " \t\r\n()[],;_>") : !in.more;
    if (ends && v.n <= CATALOGUE_VERSION_MAX)
        *ret = v;
    return true;
}

static bool then_nothing(struct input in, struct str *ret)
{
    (void)ret;
    eat_blanks(&in.rest);
    return in.rest.n == 0 && !in.more;
}

static bool (*const then[])(struct input, struct str *) = {
    [FOLLOWS_VERSION] = then_version,
    [FOLLOWS_NOTHING] = then_nothing,
};

static bool look_up(enum field field, struct str value, struct software *ret)
{
    struct input in = {value, value.n > CATALOGUE_LOOKS_AT};
    if (in.more)
        in.rest.n = CATALOGUE_LOOKS_AT;
    eat_blanks(&in.rest);
    *ret = (struct software){0};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const struct pattern *p = &patterns[i];
        struct input after = in;
        if (p->field == field && eat_pattern(&after.rest, p->text) &&
            then[p->follows](after, &ret->version)) {
            ret->info = &catalogue[p->software];
            ret->certainty = p->certainty;
            return true;
        }
    }
    return false;
}

bool catalogue_header(struct str value, struct software *ret)
{
    return look_up(FIELD_HEADER, value, ret);
}

bool catalogue_helo(struct str argument, struct software *ret)
{
    return look_up(FIELD_HELO, argument, ret);
}

const struct software_info *catalogue_by_id(struct str id)
{
    for (size_t i = 0; i < SOFTWARE_COUNT; i++)
        if (str_eq(id, str_of(catalogue[i].id)))
            return &catalogue[i];
    return NULL;
}

const char *catalogue_setting(const struct software_info *info, enum role role)
{
    return (unsigned)role < ROLE_COUNT ? info->setting[role] : NULL;
}
