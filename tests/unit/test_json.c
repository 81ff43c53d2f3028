/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON writer and scanner: by hand, and against jansson. Texts lie in
 * memory of exactly their size, so that the address sanitizer sees a byte too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "journal/json.h"
#include "config/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct str copy_of(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);
    assert_non_null(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

static void free_str(struct str s)
{
    free((char *)s.p);
}

/* ---- writing ------------------------------------------------------------ */

static void test_spelling(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *text;
    } cases[] = {
        {STR(""), "\"\""},
        {STR("bob@example.com"), "\"bob@example.com\""},
        {STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {STR("\b\t\n\f\r\x1b\x1f\x7f"), "\"\\b\\t\\n\\f\\r\\u001b\\u001f\\u007f\""},
        {STR("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x93\xa7"),
         "\"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x93\xa7\""},
        {STR("caf\xe9"), "\"caf\\uefe9\""},     /* Latin-1 */
        {STR("a\0b"), "\"a\\uef00b\""},         /* NUL */
        {STR("\xc2\x9b[2J"), "\"\\u009b[2J\""}, /* C1: a terminal's CSI */
        {STR("\xc2\xa0"), "\"\xc2\xa0\""},
        {STR("\xc0\xaf"), "\"\\uefc0\\uefaf\""},                       /* overlong */
        {STR("\xed\xb2\x80"), "\"\\uefed\\uefb2\\uef80\""},            /* a surrogate */
        {STR("\xf4\x90\x80\x80"), "\"\\ueff4\\uef90\\uef80\\uef80\""}, /* above U+10FFFF */
        {STR("\xe2\x82"), "\"\\uefe2\\uef82\""},                       /* cut */
        {STR("\xee\xbe\x80"), "\"\\uefee\\uefbe\\uef80\""},            /* a real U+EF80 */
        {STR("\xee\xbc\x80"), "\"\\uefee\\uefbc\\uef80\""},            /* a real U+EF00 */
        {STR("\xee\xbc\x81"), "\"\xee\xbc\x81\""}, /* U+EF01 stands for nothing */
        {STR("01234567\xff"
             "89abcdef"),
         "\"01234567\\uefff89abcdef\""},
        {STR("\x1f"
             "1234567890\x20\x7e"),
         "\"\\u001f1234567890 ~\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[200];
        struct buf b = BUF(text);
        json_put_string(&b, cases[i].bytes);
        assert_string_equal(buf_cstr(&b), cases[i].text);
    }
}

/* What json.h says of characters and bytes, once more, the slow way. */
static void put_bytes(struct buf *b, struct str s)
{
    while (s.n) {
        uint32_t c = 0;
        size_t n = utf8_next(s, &c);
        assert_true(n > 0);
        if (c == 0xef00 || (c >= 0xef80 && c <= 0xefff))
            buf_char(b, (char)(c - 0xef00));
        else
            buf_put(b, s.p, n);
        s.p += n, s.n -= n;
    }
}

/* Written, read by jansson, its characters back to bytes: what it was. */
static void round_trip(struct str bytes)
{
    struct str exact = copy_of(bytes);
    size_t cap = JSON_STRING_MAX(bytes.n);
    struct buf b = {malloc(cap), 0, cap, false};
    json_put_string(&b, exact);
    assert_false(b.full);

    json_error_t e;
    json_t *j = json_loadb(b.p, b.n, JSON_DECODE_ANY, &e);
    assert_non_null(j);
    struct buf back = {malloc(b.n), 0, b.n, false};
    put_bytes(&back, (struct str){json_string_value(j), json_string_length(j)});
    assert_true(str_eq(buf_view(&back), bytes));
    json_decref(j);

    struct str raw = {b.p + 1, b.n - 2};
    back.n = 0;
    assert_true(json_decode(raw, &back));
    assert_true(str_eq(buf_view(&back), bytes));
    free(back.p);
    free(b.p);
    free_str(exact);
}

static void test_round_trip(void **state)
{
    (void)state;
    char s[8];
    for (int a = 0; a < 256; a++) {
        s[0] = (char)a;
        round_trip((struct str){s, 1});
        for (int b = 0; b < 256; b++) {
            s[1] = (char)b;
            round_trip((struct str){s, 2});
        }
    }
    /* Around every border of UTF-8 and of the characters that stand for bytes. */
    static const int third[] = {0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xbc, 0xbe, 0xbf, 0xc0};
    for (int a = 0xe0; a < 0x100; a++)
        for (int b = 0x7f; b < 0xc1; b++)
            for (size_t c = 0; c < COUNT(third); c++) {
                const int bytes[] = {a, b, third[c], 0x80, 'x', 0xbf};
                for (int i = 0; i < 6; i++)
                    s[i] = (char)bytes[i];
                round_trip((struct str){s, 6});
                round_trip((struct str){s, 3});
            }
    srand(1);
    for (int i = 0; i < 20000; i++) {
        char r[64];
        size_t n = (size_t)rand() % sizeof r;
        for (size_t k = 0; k < n; k++)
            r[k] = (char)(rand() % 3 ? rand() % 95 + 32 : rand() % 256);
        round_trip((struct str){r, n});
    }
}

/* With every size that is too small: nothing is written, and it is said. */
static void test_no_room(void **state)
{
    (void)state;
    static const struct str values[] = {STR("0123456789abcdefghij"), STR("0123456\n"),
                                        STR("\xff\xfe"), STR("caf\xc3\xa9"), STR("")};
    for (size_t i = 0; i < COUNT(values); i++) {
        char whole[200];
        struct buf b = BUF(whole);
        json_put_string(&b, values[i]);
        for (size_t cap = 0; cap < b.n; cap++) {
            struct buf small = {malloc(cap + 3), 3, cap + 3, false};
            memcpy(small.p, "abc", 3);
            json_put_string(&small, values[i]);
            assert_true(small.full && small.n == 3 && memcmp(small.p, "abc", 3) == 0);
            free(small.p);
        }
        struct buf just = {malloc(b.n), 0, b.n, false};
        json_put_string(&just, values[i]);
        assert_true(!just.full && just.n == b.n && memcmp(just.p, b.p, b.n) == 0);
        free(just.p);
    }
}

/* ---- scanning ----------------------------------------------------------- */

static const char kind_letters[] = "sibnaoX"; /* by enum json_kind */

/* What a scan gives as text: "name:kind=value ... END". */
static enum json_result describe(struct json_scan *s, struct buf *out)
{
    struct json_item item;
    enum json_result r;
    while ((r = json_next(s, &item)) == JSON_ITEM) {
        buf_printf(out, "%.*s:%c", STR_ARG(item.name), kind_letters[item.kind]);
        if (item.kind == JSON_IS_INTEGER)
            buf_printf(out, "=%lld", (long long)item.integer);
        else if (item.kind == JSON_IS_BOOL)
            buf_printf(out, "=%d", item.boolean);
        else
            buf_printf(out, "=%.*s", STR_ARG(item.raw));
        buf_char(out, ' ');
    }
    buf_cstring(out, r == JSON_END ? "END" : r == JSON_MORE ? "MORE" : "BAD");
    return r;
}

static const struct {
    const char *text, *expected;
} scans[] = {
    {"{}", "END"},
    {" { } \r\n\t", "END"},
    {"{\"a\":1}", "a:i=1 END"},
    {"{\"a\":1,\"b\":\"x\\ny\"}\n", "a:i=1 b:s=x\\ny END"},
    {"{ \"a\" : true , \"b\" : false , \"c\" : null }", "a:b=1 b:b=0 c:n=null END"},
    {"{\"a\":[],\"b\":[ ],\"c\":[\"x\",\"y\"]}", "a:a= b:a=  c:a=\"x\",\"y\" END"},
    {"{\"a\":[1],\"b\":[\"x\",1],\"c\":{\"d\":[{}]}}",
     "a:X=[1] b:X=[\"x\",1] c:o={\"d\":[{}]} END"},
    {"{\"a\":-0,\"b\":-12,\"c\":9223372036854775807,\"d\":-9223372036854775808}",
     "a:i=0 b:i=-12 c:i=9223372036854775807 d:i=-9223372036854775808 END"},
    {"{\"a\":9223372036854775808,\"b\":1.5,\"c\":1e3,\"d\":-0.0E-10}",
     "a:X=9223372036854775808 b:X=1.5 c:X=1e3 d:X=-0.0E-10 END"},
    {"{\"\":0}", ":i=0 END"},
    {"{\"a\":\"\\ud83d\\udce7 \\/ \\uEFE9\"}", "a:s=\\ud83d\\udce7 \\/ \\uEFE9 END"},
    {"{\"a\":\"\xc3\xa9\"}", "a:s=\xc3\xa9 END"},
    {"{\"a\":[[[[[[[1]]]]]]]}", "a:X=[[[[[[[1]]]]]]] END"}, /* with the object: JSON_DEPTH */

    {"", "MORE"},
    {"{", "MORE"},
    {"{\"a\"", "MORE"},
    {"{\"a\":12", "MORE"},
    {"{\"a\":\"x", "MORE"},
    {"{\"a\":\"x\\", "MORE"},
    {"{\"a\":\"x\\ud83d", "MORE"},
    {"{\"a\":\"\xe2\x82", "MORE"},
    {"{\"a\":tr", "MORE"},
    {"{\"a\":1,", "a:i=1 MORE"},
    {"{\"a\":1", "MORE"},
    {"{\"a\":[1,", "MORE"},
    {"{\"a\":1e", "MORE"},

    {"[]", "BAD"},
    {"\"a\"", "BAD"},
    {"{a:1}", "BAD"},
    {"{'a':1}", "BAD"},
    {"{,}", "BAD"},
    {"{\"a\":1,}", "a:i=1 BAD"},
    {"{\"a\":1,,\"b\":1}", "a:i=1 BAD"},
    {"{\"a\":1 \"b\":2}", "a:i=1 BAD"},
    {"{\"a\" 1}", "BAD"},
    {"{\"a\":}", "BAD"},
    {"{\"a\":[1,]}", "BAD"},
    {"{\"a\":[,1]}", "BAD"},
    {"{\"a\":{\"b\":1,}}", "BAD"},
    {"{\"a\":{1:1}}", "BAD"},
    {"{\"a\":1}}", "a:i=1 BAD"},
    {"{\"a\":1} x", "a:i=1 BAD"},
    {"{\"a\":01}", "BAD"},
    {"{\"a\":-}", "BAD"},
    {"{\"a\":+1}", "BAD"},
    {"{\"a\":.5}", "BAD"},
    {"{\"a\":1.}", "BAD"},
    {"{\"a\":1e}", "BAD"},
    {"{\"a\":0x1}", "a:i=0 BAD"},
    {"{\"a\":NaN}", "BAD"},
    {"{\"a\":True}", "BAD"},
    {"{\"a\":nul}", "BAD"},
    {"{\"a\":\"\t\"}", "BAD"},
    {"{\"a\":\"\\x41\"}", "BAD"},
    {"{\"a\":\"\\u12g4\"}", "BAD"},
    {"{\"a\":\"\\ud83d\"}", "BAD"},
    {"{\"a\":\"\\udce7\"}", "BAD"},
    {"{\"a\":\"\\ud83d\\u0041\"}", "BAD"},
    {"{\"a\":\"\xff\"}", "BAD"},
    {"{\"a\":\"\xc0\xaf\"}", "BAD"},
    {"{\"a\":\"\xed\xa0\x80\"}", "BAD"},
    {"\xef\xbb\xbf{}", "BAD"},
    {"{\"a\":1,\"a\":2}", "a:i=1 BAD"},
    {"{\"a\":1,\"b\":2,\"a\":null}", "a:i=1 b:i=2 BAD"},
    {"{\"\\u0061\":1}", "BAD"},
    {"{\"\xc3\xa9\":1}", "BAD"},
    {"{\"a\x7f\":1}", "BAD"},
    {"{\"a\":[[[[[[[[1]]]]]]]]}", "BAD"},
};

static void test_scan(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scans); i++) {
        struct str text = copy_of(str_of(scans[i].text));
        char got[400];
        struct buf out = BUF(got);
        struct json_scan s;
        json_scan_init(&s, text);
        enum json_result r = describe(&s, &out);
        assert_string_equal(buf_cstr(&out), scans[i].expected);
        struct json_item item;
        if (r == JSON_BAD)
            assert_int_equal(json_next(&s, &item), JSON_BAD); /* and stays so */
        free_str(text);
    }
}

/* Each text as it would come in one byte at a time, moving each time. */
static void test_scan_bytewise(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scans); i++) {
        struct str whole = str_of(scans[i].text), before = copy_of((struct str){whole.p, 0});
        char got[400];
        struct buf out = BUF(got);
        struct json_scan s;
        json_scan_init(&s, before);
        enum json_result r = describe(&s, &out);
        for (size_t n = 1; n <= whole.n && (r == JSON_MORE || r == JSON_END); n++) {
            struct str text = copy_of((struct str){whole.p, n});
            json_scan_grow(&s, text);
            free_str(before);
            before = text;
            out.n -= r == JSON_MORE ? 4 : 3; /* the last word */
            r = describe(&s, &out);
        }
        assert_string_equal(buf_cstr(&out), scans[i].expected);
        free_str(before);
    }
}

static void test_many_names(void **state)
{
    (void)state;
    for (int names = JSON_NAMES; names <= JSON_NAMES + 1; names++) {
        char text[8192];
        struct buf b = BUF(text);
        for (int i = 0; i < names; i++)
            buf_printf(&b, "%c\"n%d\":%d", i ? ',' : '{', i, i);
        buf_char(&b, '}');
        struct json_scan s;
        struct json_item item;
        json_scan_init(&s, buf_view(&b));
        int count = 0;
        enum json_result r;
        while ((r = json_next(&s, &item)) == JSON_ITEM)
            assert_int_equal(item.integer, count++);
        assert_int_equal(count, JSON_NAMES);
        assert_int_equal(r, names == JSON_NAMES ? JSON_END : JSON_BAD);
    }
}

static void test_strings(void **state)
{
    (void)state;
    struct str rest = STR(" \"a\" , \"b\\\"]\\\\\",\"\" "), raw;
    assert_true(json_next_string(&rest, &raw) && str_eq(raw, STR("a")));
    assert_true(json_next_string(&rest, &raw) && str_eq(raw, STR("b\\\"]\\\\")));
    char text[16];
    struct buf b = BUF(text);
    assert_true(json_decode(raw, &b));
    assert_string_equal(buf_cstr(&b), "b\"]\\");
    assert_true(json_next_string(&rest, &raw) && raw.n == 0);
    assert_false(json_next_string(&rest, &raw));
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        struct str bytes;
    } cases[] = {
        {"", STR("")},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", STR("\"\\/\b\f\n\r\t")},
        {"\\u0041\\u00e9\\u20AC\\ud83d\\udce7", STR("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa7")},
        {"\\u0000\\uef00", STR("\0\0")},
        {"\\uefe9 \xee\xbf\xa9", STR("\xe9 \xe9")}, /* escaped or not, it is the same character */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str raw = copy_of(str_of(cases[i].raw));
        struct buf b = {malloc(raw.n + 1), 0, raw.n, false};
        assert_true(json_decode(raw, &b));
        assert_true(str_eq(buf_view(&b), cases[i].bytes));
        if (b.n) {
            struct buf small = {b.p, 0, b.n - 1, false};
            assert_false(json_decode(raw, &small));
            assert_true(small.full && small.n == 0);
        }
        free(b.p);
        free_str(raw);
    }
}

/* ---- jansson ------------------------------------------------------------ */

static void compare_item(const struct json_item *item, const json_t *object)
{
    char name[256], bytes[4096], more[4096];
    snprintf(name, sizeof name, "%.*s", STR_ARG(item->name));
    const json_t *v = json_object_get(object, name);
    assert_non_null(v);
    struct buf b = BUF(bytes), t = BUF(more);
    struct str theirs = {json_string_value(v), json_string_length(v)};
    switch (item->kind) {
    case JSON_IS_STRING:
        assert_true(json_is_string(v));
        assert_true(json_decode(item->raw, &b));
        put_bytes(&t, theirs);
        assert_true(!t.full && str_eq(buf_view(&b), buf_view(&t)));
        assert_true(!item->plain || str_eq(item->raw, theirs));
        break;
    case JSON_IS_INTEGER:
        assert_true(json_is_integer(v) && json_integer_value(v) == item->integer);
        break;
    case JSON_IS_BOOL: assert_true(json_is_boolean(v) && json_is_true(v) == item->boolean); break;
    case JSON_IS_NULL: assert_true(json_is_null(v)); break;
    case JSON_IS_STRINGS: {
        assert_true(json_is_array(v));
        struct str rest = item->raw, raw;
        size_t count = 0;
        while (json_next_string(&rest, &raw))
            count++;
        assert_int_equal(count, json_array_size(v));
        break;
    }
    case JSON_IS_OBJECT: assert_true(json_is_object(v)); break;
    case JSON_IS_OTHER: break;
    }
}

/* What we take jansson takes, with the same values; what it takes and we do
 * not is only what json.h says. */
static bool against_jansson(struct str text)
{
    struct json_scan s;
    struct json_item item;
    enum json_result r;
    bool nested = false;
    json_error_t e;
    json_t *j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    json_scan_init(&s, text);
    while ((r = json_next(&s, &item)) == JSON_ITEM) {
        nested |= item.kind >= JSON_IS_OBJECT; /* duplicates and sizes in there we do not look at */
        if (j)
            compare_item(&item, j);
    }
    if (r == JSON_END && !j)
        assert_true(nested);
    if (j && r != JSON_END) {
        bool odd_name = false;
        const char *name;
        json_t *value;
        if (json_is_object(j))
            json_object_foreach(j, name, value) for (const char *c = name; *c; c++) odd_name |=
                *c < 0x20 || *c == 0x7f || *c == '"' || *c == '\\';
        /* Names may be escaped to something harmless, too. */
        assert_true(!json_is_object(j) || odd_name || memchr(text.p, '\\', text.n));
    }
    json_decref(j);
    return r == JSON_END;
}

static void test_oracle(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "{\"v\":1,\"ts\":\"2026-11-21T03:15:00.000001Z\",\"mono\":123,\"key\":null,\"ok\":true}",
        "{\"a\":[\"x\",\"y\\u00e9\\ud83d\\udce7\"],\"b\":-7,\"c\":\"\xc3\xa9\\\"\\\\\\n\"}",
        "{\"counters\":{\"a\":1,\"b\":[null,false,1.5e3]},\"d\":[] }",
    };
    static const char alphabet[] = "{}[]:,\"\\u0019eE+-. \n\ttruefalsn\xc3\xa9\xed\xff\x7f\x01/";
    srand(2);
    int accepted = 0;
    for (int i = 0; i < 200000; i++) {
        char text[256];
        const char *seed = seeds[i % (int)COUNT(seeds)];
        size_t n = strlen(seed);
        memcpy(text, seed, n);
        for (int edits = rand() % 3; edits >= 0; edits--) {
            size_t at = (size_t)rand() % n;
            char c = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
            switch (rand() % 3) {
            case 0: text[at] = c; break;
            case 1: memmove(text + at, text + at + 1, --n - at); break;
            default: memmove(text + at + 1, text + at, n++ - at); text[at] = c;
            }
        }
        struct str exact = copy_of((struct str){text, n});
        accepted += against_jansson(exact);
        free_str(exact);
    }
    /* Or the comparison compared nothing. */
    assert_true(accepted > 10000 && accepted < 190000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelling),      cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_room),       cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_bytewise), cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_strings),       cmocka_unit_test(test_decode),
        cmocka_unit_test(test_oracle),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
