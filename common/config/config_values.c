/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "config/config_internal.h"
#include "config/utf8.h"

static bool complain(struct complaint *c, const char *help, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool complain(struct complaint *c, const char *help, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->why, sizeof c->why, fmt, ap);
    va_end(ap);
    snprintf(c->help, sizeof c->help, "%s", help);
    return false;
}

/* ---- numbers with a unit ------------------------------------------------- */

struct unit {
    const char *name;
    uint64_t factor;
};

/* The order in which they are tried for writing. */
static const struct unit durations[] = {
    {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"w", 7 * 86400},
};
static const struct unit sizes[] = {
    {"GiB", UINT64_C(1) << 30}, {"GB", 1000000000}, {"MiB", 1 << 20}, {"MB", 1000000},
    {"KiB", 1 << 10},           {"KB", 1000},       {"B", 1},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))
static const char duration_help[] = "a number and s, m, h, d or w, for example 7d";
static const char size_help[] = "a number and B, KiB, MiB, GiB, KB, MB or GB, for example 2 GiB";

/* "7d", "2 GiB": digits, perhaps blanks, a unit. */
static bool parse_units(const struct unit *units, size_t count, struct str s, uint64_t *ret)
{
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    struct str name = str_trim((struct str){s.p + digits, s.n - digits});
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(name, str_of(units[i].name)))
            continue;
        uint64_t number = 0, most = UINT64_MAX / units[i].factor;
        if (digits == 0)
            return false;
        bool fits = str_to_u64((struct str){s.p, digits}, most, &number);
        *ret = fits ? number * units[i].factor : UINT64_MAX; /* that is out of bounds */
        return true;
    }
    return false;
}

static void format_units(struct buf *b, const struct unit *units, size_t count, const char *blank,
                         uint64_t v)
{
    size_t i = 0;
    while (i + 1 < count && (v == 0 || v % units[i].factor != 0))
        i++;
    buf_u64(b, v / units[i].factor);
    buf_cstring(b, blank);
    buf_cstring(b, units[i].name);
}

void duration_format(struct buf *b, uint64_t seconds)
{
    format_units(b, durations, 4, "", seconds);
}

void size_format(struct buf *b, uint64_t bytes)
{
    format_units(b, sizes, COUNT(sizes), " ", bytes);
}

static bool in_bounds(const struct option *o, uint64_t v, void (*format)(struct buf *, uint64_t),
                      struct complaint *c)
{
    if (v >= o->min && v <= o->max)
        return true;
    char text[128];
    struct buf b = BUF(text);
    buf_cstring(&b, "at least ");
    format(&b, o->min);
    buf_cstring(&b, ", at most ");
    format(&b, o->max);
    return complain(c, buf_cstr(&b), v < o->min ? "is too small" : "is too large");
}

static bool parse_number(const struct option *o, struct str s, struct value *ret,
                         struct complaint *c)
{
    char help[80];
    snprintf(help, sizeof help, "a whole number from %llu to %llu", (unsigned long long)o->min,
             (unsigned long long)o->max);
    if (!str_to_u64(s, UINT64_MAX, &ret->number))
        return complain(c, help, "is not a number");
    if (ret->number < o->min || ret->number > o->max)
        return complain(c, help, "is out of range");
    return true;
}

static bool parse_duration(const struct option *o, struct str s, struct value *ret,
                           struct complaint *c)
{
    uint64_t number;
    if (str_to_u64(s, UINT64_MAX, &number))
        return complain(c, duration_help, "has no unit");
    if (!parse_units(durations, COUNT(durations), s, &ret->number))
        return complain(c, duration_help, "is not a duration");
    return in_bounds(o, ret->number, duration_format, c);
}

static bool parse_size(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    uint64_t number;
    if (str_to_u64(s, UINT64_MAX, &number))
        return complain(c, size_help, "has no unit");
    if (!parse_units(sizes, COUNT(sizes), s, &ret->number))
        return complain(c, size_help, "is not a size");
    return in_bounds(o, ret->number, size_format, c);
}

static bool parse_free(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    ret->percent = s.n && s.p[s.n - 1] == '%';
    if (!ret->percent)
        return parse_size(o, s, ret, c);
    struct str digits = str_trim((struct str){s.p, s.n - 1});
    if (!str_to_u64(digits, 99, &ret->number))
        return complain(c, "0% to 99%, or a size such as 1 GiB", "is not a percentage");
    return true;
}

/* ---- text ---------------------------------------------------------------- */

size_t clean_length(struct str s)
{
    size_t clean = 0;
    while (clean < s.n) {
        uint32_t c;
        size_t n = utf8_next((struct str){s.p + clean, s.n - clean}, &c);
        if (n == 0 || c == '\t' || c == '\n' || c == '\r' || !utf8_visible(c))
            break;
        clean += n;
    }
    return clean;
}

static bool check_length(const struct option *o, struct str s, struct complaint *c)
{
    char help[40];
    snprintf(help, sizeof help, "at most %llu bytes", (unsigned long long)o->max);
    if (s.n < o->min)
        return complain(c, "", "is empty");
    if (s.n > o->max)
        return complain(c, help, "is %zu bytes long", s.n);
    return true;
}

static bool parse_text(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    ret->text = s;
    if (o->min && str_trim(s).n == 0)
        return complain(c, "", "is empty");
    if (!check_length(o, s, c))
        return false;
    if (clean_length(s) < s.n)
        return complain(c, "text on one line", "has a control character in it");
    return true;
}

static bool name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-_.:@/+[]", c));
}

static bool parse_name(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    ret->text = s;
    if (!check_length(o, s, c))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!name_character(s.p[i]))
            return complain(c, "letters, digits and - _ . : @ / + [ ]",
                            "has a character in it that a name cannot have");
    return true;
}

static bool parse_path(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    if (!parse_text(o, s, ret, c))
        return false;
    if (o->kind == KIND_PATH && s.n && s.p[0] != '/')
        return complain(c, "a path that begins with /", "is not an absolute path");
    return true;
}

static bool hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool starts_with(struct str s, const char *start)
{
    size_t n = strlen(start);
    return s.n >= n && memcmp(s.p, start, n) == 0;
}

static bool parse_url(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    static const char help[] = "for example https://help.example.com/mail/%id";
    ret->text = s;
    if (s.n == 0)
        return true;
    if (!starts_with(s, "https://") && !starts_with(s, "http://"))
        return complain(c, help, "does not begin with https:// or http://");
    if (!check_length(o, s, c))
        return false;
    unsigned ids = 0;
    for (size_t i = 0; i < s.n; i++) {
        char a = s.p[i];
        if (a <= ' ' || a > '~' || strchr("\"<>\\^`{|}", a))
            return complain(c, "write other characters as %20 and the like",
                            "has a character in it that a URL cannot have");
        if (a != '%')
            continue;
        struct str rest = {s.p + i + 1, s.n - i - 1};
        if (starts_with(rest, "id"))
            ids++;
        else if (rest.n < 2 || !hex(rest.p[0]) || !hex(rest.p[1]))
            return complain(c, "% stands before \"id\" or two hexadecimal digits",
                            "has a stray %% in it");
    }
    return ids <= 1 ? true : complain(c, help, "has %%id in it more than once");
}

static bool parse_date(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    (void)o;
    int64_t until;
    if (!clock_parse_until(s, &until))
        return complain(c, "2027-03-31 (to the end of that day, UTC) or 2027-03-31T18:00:00Z",
                        "is not a date that exists");
    ret->number = (uint64_t)until;
    return true;
}

/* ---- words --------------------------------------------------------------- */

static bool parse_bool(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    (void)o;
    static const char *const words[] = {"no", "yes", "false", "true"};
    for (unsigned i = 0; i < COUNT(words); i++) {
        if (str_eq_nocase(s, str_of(words[i]))) {
            ret->number = i % 2;
            return true;
        }
    }
    return complain(c, "yes or no", "is neither yes nor no");
}

static bool parse_word(const struct option *o, struct str s, struct value *ret, struct complaint *c)
{
    int i = name_index(o->words, o->word_count, s);
    if (i >= 0) {
        ret->number = (uint64_t)i;
        return true;
    }
    struct buf b = BUF(c->help);
    const char *near = suggest(o->words, o->word_count, s);
    if (near)
        buf_printf(&b, "did you mean \"%s\"? ", near);
    buf_cstring(&b, "allowed: ");
    for (i = 0; i < o->word_count; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", o->words[i]);
    buf_cstr(&b);
    snprintf(c->why, sizeof c->why, "is not one of the words allowed here");
    return false;
}

bool value_parse(const struct option *o, struct str text, struct value *ret, struct complaint *c)
{
    typedef bool parse_function(const struct option *, struct str, struct value *,
                                struct complaint *);
    static parse_function *const parse[] = {
        [KIND_WORD] = parse_word, [KIND_BOOL] = parse_bool, [KIND_NUMBER] = parse_number,
        [KIND_TEXT] = parse_text, [KIND_NAME] = parse_name, [KIND_PATH] = parse_path,
        [KIND_FILE] = parse_path, [KIND_URL] = parse_url,   [KIND_DURATION] = parse_duration,
        [KIND_SIZE] = parse_size, [KIND_FREE] = parse_free, [KIND_DATE] = parse_date,
    };
    return parse[o->kind](o, text, ret, c);
}
