/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, twice: as a JSON text, scanned whole and one byte at a time with
 * the same result; and as a value, which written, scanned and decoded is
 * itself again. The first byte says how much room the writer gets.
 */
#include <stdlib.h>

#include "journal/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

/* What can be said of an item that does not depend on where the text lies. */
static uint64_t mix(uint64_t h, const struct json_item *item)
{
    uint64_t parts[] = {item->kind, item->name.n, item->raw.n,
                        item->kind == JSON_IS_INTEGER ? (uint64_t)item->integer : 0,
                        item->kind == JSON_IS_BOOL ? item->boolean : 0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        h = (h ^ parts[i]) * UINT64_C(1099511628211);
    return h;
}

/* Decodes it into exactly as much memory as is promised to be enough. */
static void look_at(const struct json_item *item)
{
    struct str rest = item->raw, raw;
    if (item->kind == JSON_IS_STRING) {
        struct buf b = {malloc(item->raw.n + 1), 0, item->raw.n, false};
        must(b.p && json_decode(item->raw, &b));
        must(!item->plain || str_eq(item->raw, buf_view(&b)));
        free(b.p);
    } else if (item->kind == JSON_IS_STRINGS) {
        while (json_next_string(&rest, &raw)) {
            struct buf b = {malloc(raw.n + 1), 0, raw.n, false};
            must(b.p && json_decode(raw, &b));
            free(b.p);
        }
    } else if (item->kind == JSON_IS_OBJECT) {
        struct json_scan inner;
        struct json_item member;
        enum json_result r;
        json_scan_init(&inner, item->raw);
        while ((r = json_next(&inner, &member)) == JSON_ITEM)
            look_at(&member);
        must(r != JSON_MORE); /* it was found to be whole */
    }
}

static enum json_result scan_whole(struct str text, uint64_t *h)
{
    struct json_scan s;
    struct json_item item;
    enum json_result r;
    json_scan_init(&s, text);
    *h = 0;
    while ((r = json_next(&s, &item)) == JSON_ITEM) {
        must(item.raw.p >= text.p && item.raw.p + item.raw.n <= text.p + text.n);
        look_at(&item);
        *h = mix(*h, &item);
    }
    return r;
}

static enum json_result scan_bytewise(struct str text, uint64_t *h)
{
    struct json_scan s;
    struct json_item item;
    enum json_result r = JSON_MORE;
    json_scan_init(&s, (struct str){text.p, 0});
    *h = 0;
    for (size_t n = 0; n <= text.n && (r == JSON_MORE || r == JSON_END); n++) {
        json_scan_grow(&s, (struct str){text.p, n});
        while ((r = json_next(&s, &item)) == JSON_ITEM)
            *h = mix(*h, &item);
    }
    return r;
}

static void round_trip(struct str value, size_t room)
{
    size_t cap = JSON_STRING_MAX(value.n) + 8;
    struct buf line = {malloc(cap), 0, cap, false};
    must(line.p != NULL);
    buf_str(&line, STR("{\"a\":"));
    json_put_string(&line, value);
    buf_char(&line, '}');
    must(!line.full);

    struct json_scan s;
    struct json_item item;
    json_scan_init(&s, buf_view(&line));
    must(json_next(&s, &item) == JSON_ITEM && item.kind == JSON_IS_STRING);
    struct buf back = {malloc(value.n + 1), 0, value.n, false};
    must(back.p && json_decode(item.raw, &back) && str_eq(buf_view(&back), value));
    must(json_next(&s, &item) == JSON_END);
    for (size_t i = 0; i < line.n; i++)
        must((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
    free(back.p);

    /* With less room it is all or nothing. */
    struct buf small = {malloc(room + 1), 0, room, false};
    must(small.p != NULL);
    json_put_string(&small, value);
    must(small.full ? small.n == 0 && room < line.n - 6
                    : small.n == line.n - 6 && memcmp(small.p, line.p + 5, small.n) == 0);
    free(small.p);
    free(line.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *exact = malloc(n + 1); /* not the fuzzer's buffer: a byte too far is seen */
    must(exact != NULL);
    if (n)
        memcpy(exact, data, n);
    char *moved = realloc(exact, n ? n : 1);
    must(moved != NULL);
    struct str text = {moved, n};
    uint64_t whole, bytewise;
    enum json_result r = scan_whole(text, &whole);
    must(scan_bytewise(text, &bytewise) == r && (r == JSON_BAD || whole == bytewise));
    round_trip(text, n ? data[0] : 0);
    free(moved);
    return 0;
}
