/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers of both versions, right and wrong; each whole and byte by byte. */
#include "core/wire/proxy_header.h"
#include "wire_help.h"

static enum proxy_result parse(struct str bytes, struct proxy_header *ret, size_t *ret_used)
{
    enum proxy_result whole = proxy_header_parse(bytes, ret, ret_used);
    for (size_t n = 0; n < bytes.n; n++) {
        struct str part = wire_copy((struct str){bytes.p, n});
        struct proxy_header h;
        size_t used = 0;
        enum proxy_result result = proxy_header_parse(part, &h, &used);
        wire_free(part);
        if (result == PROXY_MORE)
            continue;
        assert_int_equal(result, whole); /* once told, told for good */
        if (result == PROXY_ITEM) {
            assert_true(used == *ret_used && n >= used);
            assert_memory_equal(&h, ret, sizeof h);
        }
    }
    return whole;
}

/* "none", "bad", "more"; of a header its bytes and what it tells. */
static void describe(struct buf *b, struct str bytes)
{
    static const char *const names[] = {
        [PROXY_MORE] = "more", [PROXY_ITEM] = "item", [PROXY_NONE] = "none", [PROXY_BAD] = "bad"};
    struct proxy_header h;
    size_t used;
    enum proxy_result result = parse(bytes, &h, &used);
    if (result != PROXY_ITEM) {
        buf_cstring(b, names[result]);
        return;
    }
    buf_u64(b, used);
    if (!h.told)
        return;
    buf_char(b, ' ');
    addr_format(b, &h.client);
    buf_printf(b, " %u ", h.client_port);
    addr_format(b, &h.server);
    buf_printf(b, " %u", h.server_port);
}

static void expect(struct str bytes, const char *expected)
{
    char text[200];
    struct buf b = BUF(text);
    struct str copy = wire_copy(bytes);
    describe(&b, copy);
    wire_free(copy);
    assert_string_equal(buf_cstr(&b), expected);
}

static void test_version_1(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *expected;
    } cases[] = {
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 51234 25\r\nEHLO a\r\n"),
         "45 192.0.2.7 51234 198.51.100.25 25"},
        {STR("PROXY TCP6 2001:db8::7 2001:db8::19 0 65535\r\n"),
         "45 2001:db8::7 0 2001:db8::19 65535"},
        {STR("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 1 2\r\n"), "50 192.0.2.7 1 192.0.2.1 2"},
        {STR("PROXY UNKNOWN\r\n"), "15"},
        {STR("PROXY UNKNOWN ffff::1 what ever\r\n"), "33"},
        {STR(""), "more"},
        {STR("PROXY"), "more"},
        {STR("PROXY TCP4 192.0.2.7"), "more"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 51234 25\r"), "more"},
        {STR("EHLO a\r\n"), "none"},
        {STR("P"), "more"},
        {STR("proxy UNKNOWN\r\n"), "none"},
        {STR("PROXYX"), "none"},
        {STR("PROXY \n"), "bad"},
        {STR("PROXY \r\n"), "bad"},
        {STR("PROXY TCP4\r\n"), "bad"},
        {STR("PROXY UDP4 192.0.2.7 198.51.100.25 1 2\r\n"), "bad"},
        {STR("PROXY tcp4 192.0.2.7 198.51.100.25 1 2\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 1 2\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 1\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 1 2 3\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 1 2 \r\n"), "bad"},
        {STR("PROXY TCP4  192.0.2.7 198.51.100.25 1 2\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 1 65536\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 01 2\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 -1 2\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.256 198.51.100.25 1 2\r\n"), "bad"},
        {STR("PROXY TCP4 2001:db8::7 2001:db8::19 1 2\r\n"), "bad"},
        {STR("PROXY TCP6 192.0.2.7 198.51.100.25 1 2\r\n"), "bad"},
        {STR("PROXY TCP6 [2001:db8::7] [2001:db8::19] 1 2\r\n"), "bad"},
        {STR("PROXY TCP6 IPv6:2001:db8::7 2001:db8::19 1 2\r\n"), "bad"},
        {STR("PROXY TCP4 192.0.2.7\0 198.51.100.25 1 2\r\n"), "bad"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].bytes, cases[i].expected);
}

static void test_length_of_version_1(void **state)
{
    (void)state;
    for (int n = 105; n <= 110; n++) {
        char text[200];
        int length = snprintf(text, sizeof text, "PROXY UNKNOWN %0*d\r\n", n - 16, 0);
        assert_int_equal(length, n);
        char expected[16];
        snprintf(expected, sizeof expected, "%d", n);
        expect((struct str){text, (size_t)n}, n <= 107 ? expected : "bad");
    }
}

#define BEGIN "0d0a0d0a000d0a515549540a"
#define V4 "c0000207 c6336419 c822 0019"
#define V6 "20010db8000000000000000000000007 20010db8000000000000000000000019 c822 024b"

static void test_version_2(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {BEGIN "21 11 000c" V4 "45484c4f", "28 192.0.2.7 51234 198.51.100.25 25"},
        {BEGIN "21 12 000c" V4, "28 192.0.2.7 51234 198.51.100.25 25"},
        {BEGIN "21 21 0024" V6, "52 2001:db8::7 51234 2001:db8::19 587"},
        {BEGIN "21 11 0010" V4 "04000155", "32 192.0.2.7 51234 198.51.100.25 25"}, /* a TLV */
        {BEGIN "20 00 0000", "16"},                                                /* LOCAL */
        {BEGIN "20 11 000c" V4, "28"},
        {BEGIN "20 ff 0001 00", "17"}, /* of LOCAL, nothing is looked at */
        {BEGIN "21 00 0000", "16"},    /* UNSPEC */
        {BEGIN "21 10 0000", "16"},
        {BEGIN "21 00 0003 010203", "19"},
        {"0d0a0d0a000d0a51554954", "more"},
        {BEGIN, "more"},
        {BEGIN "21 11 000c", "more"},
        {BEGIN "21 11 ffff" V4, "more"},
        {BEGIN "21 11 000b c0000207 c6336419 c822 00", "bad"},
        {BEGIN "21 21 000c" V4, "bad"},
        {BEGIN "21 31 000c" V4, "bad"},
        {BEGIN "21 41 000c" V4, "bad"},
        {BEGIN "21 13 000c" V4, "bad"},
        {BEGIN "22 11 000c" V4, "bad"},
        {BEGIN "11 11 000c" V4, "bad"},
        {"0d0a0d0a000d0a515549540d", "none"},
        {"0d0a45", "none"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str bytes = wire_hex(cases[i].bytes);
        expect(bytes, cases[i].expected);
        wire_free(bytes);
    }
}

/* IPv4-mapped is IPv4; a Unix socket has no ports. */
static void test_families(void **state)
{
    (void)state;
    struct str bytes = wire_hex(BEGIN "21 21 0024 00000000000000000000ffffc0000207"
                                      "00000000000000000000ffffc6336419 c822 0019");
    expect(bytes, "52 192.0.2.7 51234 198.51.100.25 25");
    wire_free(bytes);
    bytes = wire_recording("proxy_header", "v2-unix");
    expect(bytes, "232");
    wire_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_length_of_version_1),
        cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
