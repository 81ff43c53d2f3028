/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner of json.h. Each function below takes one thing off the cursor:
 * JSON_ITEM: done; JSON_MORE, JSON_BAD: as in json.h, the cursor is then moot. */
#include "journal/json.h"

#include "config/utf8.h"

struct cursor {
    const char *p;
    size_t n, at;
};

static bool at_end(const struct cursor *c)
{
    return c->at == c->n;
}

static unsigned char peek(const struct cursor *c)
{
    return (unsigned char)c->p[c->at];
}

static void space(struct cursor *c)
{
    while (!at_end(c) && (peek(c) == ' ' || peek(c) == '\t' || peek(c) == '\n' || peek(c) == '\r'))
        c->at++;
}

/* Space, then that byte. */
static enum json_result mark(struct cursor *c, char byte)
{
    space(c);
    if (at_end(c))
        return JSON_MORE;
    return c->p[c->at++] == byte ? JSON_ITEM : JSON_BAD;
}

static enum json_result hex4(struct cursor *c, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, c->at++) {
        if (at_end(c))
            return JSON_MORE;
        unsigned char d = peek(c);
        if (d >= '0' && d <= '9')
            *ret = *ret << 4 | (d - '0');
        else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
            *ret = *ret << 4 | ((d | 0x20u) - 'a' + 10);
        else
            return JSON_BAD;
    }
    return JSON_ITEM;
}

/* Behind the backslash. */
static enum json_result escape(struct cursor *c)
{
    if (at_end(c))
        return JSON_MORE;
    char kind = c->p[c->at++];
    if (kind != 'u')
        return kind && strchr("\"\\/bfnrt", kind) ? JSON_ITEM : JSON_BAD;
    uint32_t high, low;
    enum json_result r = hex4(c, &high);
    if (r != JSON_ITEM || high < 0xd800 || high > 0xdfff)
        return r;
    /* A surrogate comes as a pair, the high one first (RFC 7493 2.1). */
    if (high >= 0xdc00)
        return JSON_BAD;
    for (int i = 0; i < 2; i++, c->at++) {
        if (at_end(c))
            return JSON_MORE;
        if (c->p[c->at] != "\\u"[i])
            return JSON_BAD;
    }
    r = hex4(c, &low);
    return r != JSON_ITEM || (low >= 0xdc00 && low <= 0xdfff) ? r : JSON_BAD;
}

/* True: more bytes could make it a character. */
static bool begins_character(struct str s)
{
    char low[4], high[4];
    if (s.n >= sizeof low)
        return false;
    memset(low, 0x80, sizeof low); /* the least and the greatest that can follow */
    memset(high, 0xbf, sizeof high);
    memcpy(low, s.p, s.n);
    memcpy(high, s.p, s.n);
    return utf8_next((struct str){low, 4}, NULL) > s.n ||
           utf8_next((struct str){high, 4}, NULL) > s.n;
}

static enum json_result character(struct cursor *c, bool *plain)
{
    uint32_t u;
    struct str rest = {c->p + c->at, c->n - c->at};
    size_t used = utf8_next(rest, &u);
    if (used == 0)
        return begins_character(rest) ? JSON_MORE : JSON_BAD;
    if (u == 0xef00 || (u >= 0xef80 && u <= 0xefff))
        *plain = false;
    c->at += used;
    return JSON_ITEM;
}

static enum json_result string(struct cursor *c, struct str *ret_raw, bool *ret_plain)
{
    enum json_result r = mark(c, '"');
    if (r != JSON_ITEM)
        return r;
    size_t from = c->at;
    *ret_plain = true;
    while (!at_end(c) && peek(c) != '"') {
        unsigned char byte = peek(c);
        if (byte < 0x20)
            return JSON_BAD;
        if (byte == '\\') {
            c->at++;
            *ret_plain = false;
            r = escape(c);
        } else if (byte >= 0x80) {
            r = character(c, ret_plain);
        } else {
            c->at++;
        }
        if (r != JSON_ITEM)
            return r;
    }
    if (at_end(c))
        return JSON_MORE;
    *ret_raw = (struct str){c->p + from, c->at - from};
    c->at++;
    return JSON_ITEM;
}

static enum json_result literal(struct cursor *c, const char *word)
{
    for (; *word; word++, c->at++) {
        if (at_end(c))
            return JSON_MORE;
        if (c->p[c->at] != *word)
            return JSON_BAD;
    }
    return JSON_ITEM;
}

static enum json_result digits(struct cursor *c)
{
    size_t from = c->at;
    while (!at_end(c) && peek(c) >= '0' && peek(c) <= '9')
        c->at++;
    /* A number ends where something else begins. */
    return at_end(c) ? JSON_MORE : c->at > from ? JSON_ITEM : JSON_BAD;
}

static enum json_result number(struct cursor *c, struct json_item *item)
{
    bool negative = peek(c) == '-';
    c->at += negative;
    size_t from = c->at;
    enum json_result r = digits(c);
    if (r != JSON_ITEM)
        return r;
    if (c->p[from] == '0' && c->at > from + 1)
        return JSON_BAD;

    uint64_t magnitude, max = (uint64_t)INT64_MAX + negative;
    if (str_to_u64((struct str){c->p + from, c->at - from}, max, &magnitude)) {
        item->kind = JSON_IS_INTEGER;
        item->integer = (int64_t)(negative ? 0 - magnitude : magnitude);
    }
    if (peek(c) == '.') {
        item->kind = JSON_IS_OTHER;
        c->at++;
        if ((r = digits(c)) != JSON_ITEM)
            return r;
    }
    if (peek(c) == 'e' || peek(c) == 'E') {
        item->kind = JSON_IS_OTHER;
        if (++c->at == c->n)
            return JSON_MORE;
        c->at += peek(c) == '+' || peek(c) == '-';
        r = digits(c);
    }
    return r;
}

static enum json_result value(struct cursor *c, struct json_item *item, unsigned depth);

/* An array or an object, behind its first bracket; `strings`: nothing else is in it. */
static enum json_result members(struct cursor *c, bool object, bool *strings, unsigned depth)
{
    const char close = object ? '}' : ']';
    *strings = true;
    for (bool first = true;; first = false) {
        space(c);
        if (at_end(c))
            return JSON_MORE;
        if (c->p[c->at] == close) {
            c->at++;
            return JSON_ITEM;
        }
        enum json_result r;
        if (!first) {
            if ((r = mark(c, ',')) != JSON_ITEM)
                return r;
            space(c);
            if (at_end(c))
                return JSON_MORE;
        }
        struct json_item inner;
        if (object && ((r = string(c, &inner.name, &inner.plain)) != JSON_ITEM ||
                       (r = mark(c, ':')) != JSON_ITEM))
            return r;
        if ((r = value(c, &inner, depth)) != JSON_ITEM)
            return r;
        *strings = *strings && inner.kind == JSON_IS_STRING;
    }
}

static enum json_result value(struct cursor *c, struct json_item *item, unsigned depth)
{
    space(c);
    if (at_end(c))
        return JSON_MORE;
    item->kind = JSON_IS_OTHER;
    enum json_result r;
    bool strings;
    size_t from = c->at;
    switch (peek(c)) {
    case '"': item->kind = JSON_IS_STRING; return string(c, &item->raw, &item->plain);
    case '{':
    case '[':
        if (depth == 0)
            return JSON_BAD;
        c->at++;
        r = members(c, c->p[from] == '{', &strings, depth - 1);
        if (r != JSON_ITEM)
            return r;
        if (c->p[from] == '{')
            item->kind = JSON_IS_OBJECT;
        else if (strings) {
            item->kind = JSON_IS_STRINGS;
            item->raw = (struct str){c->p + from + 1, c->at - from - 2};
            return JSON_ITEM;
        }
        break;
    case 't':
    case 'f':
        item->kind = JSON_IS_BOOL;
        item->boolean = peek(c) == 't';
        r = literal(c, item->boolean ? "true" : "false");
        break;
    case 'n':
        item->kind = JSON_IS_NULL;
        r = literal(c, "null");
        break;
    default: r = number(c, item);
    }
    item->raw = (struct str){c->p + from, c->at - from};
    return r;
}

/* ---- the object --------------------------------------------------------- */

void json_scan_init(struct json_scan *s, struct str text)
{
    s->p = text.p;
    s->n = text.n;
    s->at = 0;
    s->count = 0;
    s->open = s->closed = s->bad = false;
}

void json_scan_grow(struct json_scan *s, struct str text)
{
    s->p = text.p;
    s->n = text.n;
}

/* False: not a name we take, or the second of its kind, or one too many. */
static bool remember(struct json_scan *s, struct str name, bool plain)
{
    if (!plain || name.n > 255 || s->count == JSON_NAMES)
        return false;
    uint32_t hash = 2166136261u; /* FNV-1a; what it misses the comparison finds */
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c >= 0x7f)
            return false;
        hash = (hash ^ c) * 16777619u;
    }
    for (unsigned i = 0; i < s->count; i++)
        if (s->names[i].hash == hash &&
            str_eq(name, (struct str){s->p + s->names[i].at, s->names[i].n}))
            return false;
    s->names[s->count].at = (uint32_t)(name.p - s->p);
    s->names[s->count].n = (uint16_t)name.n;
    s->names[s->count++].hash = hash;
    return true;
}

/* From the beginning or the last member to the next member's name, or to the
 * end of the object, which is JSON_END. */
static enum json_result to_member(const struct json_scan *s, struct cursor *c)
{
    enum json_result r;
    if (!s->open && (r = mark(c, '{')) != JSON_ITEM)
        return r;
    space(c);
    if (at_end(c))
        return JSON_MORE;
    if (peek(c) == '}') {
        c->at++;
        return JSON_END;
    }
    return s->open ? mark(c, ',') : JSON_ITEM;
}

static enum json_result member(struct json_scan *s, struct json_item *ret)
{
    struct cursor c = {s->p, s->n, s->at};
    struct json_item item = {0};
    bool plain;
    enum json_result r;
    if (!s->closed) {
        if ((r = to_member(s, &c)) == JSON_END)
            s->closed = true;
        else if (r != JSON_ITEM || (r = string(&c, &item.name, &plain)) != JSON_ITEM ||
                 (r = mark(&c, ':')) != JSON_ITEM ||
                 (r = value(&c, &item, JSON_DEPTH - 1)) != JSON_ITEM)
            return r;
    }
    if (s->closed) {
        space(&c);
        s->at = c.at;
        return at_end(&c) ? JSON_END : JSON_BAD;
    }
    if (!remember(s, item.name, plain))
        return JSON_BAD;
    s->open = true;
    s->at = c.at;
    *ret = item;
    return JSON_ITEM;
}

enum json_result json_next(struct json_scan *s, struct json_item *ret)
{
    enum json_result r = s->bad || s->n > UINT32_MAX ? JSON_BAD : member(s, ret);
    s->bad = r == JSON_BAD;
    return r;
}
