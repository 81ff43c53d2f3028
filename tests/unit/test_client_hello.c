/* SPDX-License-Identifier: Apache-2.0 */
/* ClientHellos: of real programs, made by hand, and wrong ones; each whole and byte by byte. */
#include "core/wire/client_hello.h"
#include "wire_help.h"

/*
 * Of each beginning, nothing is known before its last byte. One that is wrong is MORE, then BAD;
 * never anything else.
 */
static enum hello_result parse(struct str bytes, struct client_hello *ret)
{
    size_t used = 0;
    enum hello_result whole = client_hello_parse(bytes, ret, &used);
    bool bad = false;
    for (size_t n = 0; n <= bytes.n; n++) {
        struct client_hello h;
        size_t part_used = 0;
        struct str part = wire_copy((struct str){bytes.p, n});
        enum hello_result result = client_hello_parse(part, &h, &part_used);
        wire_free(part);
        if (result == HELLO_ITEM) {
            assert_int_equal(whole, HELLO_ITEM);
            assert_true(n >= used && part_used == used);
            assert_memory_equal(&h, ret, sizeof h);
        } else if (whole == HELLO_ITEM) {
            assert_true(n < used && result == HELLO_MORE);
        }
        assert_true(!bad || result == HELLO_BAD);
        bad = result == HELLO_BAD;
    }
    return whole;
}

static bool text_is(const char *p, size_t n, const char *expected)
{
    return str_eq((struct str){p, n}, str_of(expected));
}

/* ---- real ones --------------------------------------------------------------------------- */

/* Read off the recordings by another program. */
static const struct {
    const char *name;
    uint16_t legacy, highest, versions, ciphers, first_cipher, last_cipher;
    uint16_t extensions, first_extension, last_extension, signatures, last_signature;
    const char *server_name, *alpn;
} recorded[] = {
    {"openssl-tls13", 0x0303, 0x0304, 4, 31, 0x1302, 0x00ff, 10, 0x0000, 0x0033, 20, 0x0602,
     "mail.example.com", ""},
    {"openssl-tls12", 0x0303, 0x0303, 1, 28, 0xc02c, 0x00ff, 7, 0x0000, 0x000d, 20, 0x0602,
     "mail.example.com", ""},
    {"openssl-tls10", 0x0301, 0x0301, 1, 23, 0xc00a, 0x00ff, 5, 0x000b, 0x0017, 0, 0, "", ""},
    {"curl", 0x0303, 0x0304, 4, 31, 0x1302, 0x00ff, 12, 0x0000, 0x0015, 20, 0x0602,
     "mail.example.com", "h2"},
    {"python", 0x0303, 0x0304, 2, 18, 0x1302, 0x00ff, 10, 0x000b, 0x0015, 20, 0x0602, "", ""},
    {"gnutls-tls13", 0x0303, 0x0304, 4, 29, 0x1302, 0x0033, 13, 0x0005, 0x001c, 16, 0x0203,
     "mail.example.com", ""},
    {"gnutls-tls12", 0x0303, 0x0303, 1, 25, 0xc02c, 0x0033, 10, 0x0005, 0x001c, 16, 0x0203,
     "mail.example.com", ""},
    {"gnutls-tls10", 0x0301, 0x0301, 1, 8, 0xc00a, 0x0033, 9, 0x0005, 0x001c, 0, 0,
     "mail.example.com", ""},
    {"node", 0x0303, 0x0304, 2, 59, 0x1302, 0x00ff, 10, 0x0000, 0x0033, 20, 0x0602,
     "mail.example.com", ""},
};

static void test_recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(recorded); i++) {
        struct str bytes = wire_recording("client_hello", recorded[i].name);
        struct client_hello h;
        assert_int_equal(parse(bytes, &h), HELLO_ITEM);
        assert_int_equal(h.legacy_version, recorded[i].legacy);
        assert_int_equal(h.highest, recorded[i].highest);
        assert_int_equal(h.version_count, recorded[i].versions);
        assert_int_equal(h.cipher_count, recorded[i].ciphers);
        assert_int_equal(h.ciphers[0], recorded[i].first_cipher);
        assert_int_equal(h.ciphers[h.cipher_count - 1], recorded[i].last_cipher);
        assert_int_equal(h.extension_count, recorded[i].extensions);
        assert_int_equal(h.extensions[0], recorded[i].first_extension);
        assert_int_equal(h.extensions[h.extension_count - 1], recorded[i].last_extension);
        assert_int_equal(h.signature_count, recorded[i].signatures);
        if (h.signature_count)
            assert_int_equal(h.signatures[h.signature_count - 1], recorded[i].last_signature);
        assert_true(text_is(h.server_name, h.server_name_n, recorded[i].server_name));
        assert_int_equal(h.sni, recorded[i].server_name[0] != 0);
        assert_int_equal(h.supported, h.highest == 0x0304);
        assert_true(text_is(h.alpn, h.alpn_n, recorded[i].alpn));
        assert_true(h.dropped == 0 && !h.sslv2);
        wire_free(bytes);
    }
}

/* ---- made by hand ------------------------------------------------------------------------ */

#define RANDOM "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define START "0303" RANDOM "00" /* no session id */
#define ONE START "0002 1301 0100"

enum { MESSAGE_MAX = 18 * 1024 };

/* Of a body, a message; of a message, records of these sizes (the last takes the rest). */
static struct str message_of(const char *body)
{
    struct str b = wire_hex(body);
    char text[MESSAGE_MAX] = {1, 0, (char)(b.n >> 8), (char)b.n};
    memcpy(text + 4, b.p, b.n);
    struct str message = wire_copy((struct str){text, b.n + 4});
    wire_free(b);
    return message;
}

static struct str records_of(struct str message, const size_t *sizes, size_t count)
{
    char text[MESSAGE_MAX];
    size_t n = 0;
    for (size_t i = 0; message.n; i++) {
        size_t size = i < count && sizes[i] < message.n ? sizes[i] : message.n;
        memcpy(text + n, "\x16\x03\x01", 3);
        text[n + 3] = (char)(size >> 8);
        text[n + 4] = (char)size;
        memcpy(text + n + 5, message.p, size);
        n += 5 + size;
        message = (struct str){message.p + size, message.n - size};
    }
    return wire_copy((struct str){text, n});
}

static enum hello_result parse_body(const char *body, struct client_hello *ret)
{
    struct str message = message_of(body), bytes = records_of(message, NULL, 0);
    enum hello_result result = parse(bytes, ret);
    wire_free(message);
    wire_free(bytes);
    return result;
}

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *what, *body;
        enum hello_result result;
    } cases[] = {
        {"as in SSL 3.0", ONE, HELLO_ITEM},
        {"no extensions", ONE "0000", HELLO_ITEM},
        {"no ciphers", START "0000 0100", HELLO_ITEM},
        {"an extension that is not known", ONE "0006 1234 0002 abcd", HELLO_ITEM},
        {"a session id of 32", "0303" RANDOM "20" RANDOM "0002 1301 0100", HELLO_ITEM},
        {"a session id of 33", "0303" RANDOM "21" RANDOM "00 0002 1301 0100", HELLO_BAD},
        {"empty", "", HELLO_BAD},
        {"ends in the random", "0303 00010203", HELLO_BAD},
        {"ends behind the session id", START, HELLO_BAD},
        {"ends in the ciphers", START "0004 1301", HELLO_BAD},
        {"half a cipher", START "0003 1301c0 0100", HELLO_BAD},
        {"no compression methods", START "0002 1301", HELLO_BAD},
        {"half a length of extensions", ONE "00", HELLO_BAD},
        {"extensions too long", ONE "0005 1234 0000", HELLO_BAD},
        {"extensions too short", ONE "0004 1234 0000 00", HELLO_BAD},
        {"an extension is longer than all", ONE "0004 1234 0001", HELLO_BAD},
        {"half an extension", ONE "0003 1234 00", HELLO_BAD},
        {"server_name without a list", ONE "0004 0000 0000", HELLO_BAD},
        {"server_name: a list that is too long", ONE "0006 0000 0002 0001", HELLO_BAD},
        {"server_name: a name that is too long", ONE "000a 0000 0006 0004 00 0002 61", HELLO_BAD},
        {"server_name: bytes behind the list", ONE "0007 0000 0003 0000 00", HELLO_BAD},
        {"ALPN: a name that is too long", ONE "0008 0010 0004 0002 0261", HELLO_BAD},
        {"signature_algorithms: half of one", ONE "0009 000d 0005 0003 040308", HELLO_BAD},
        {"supported_versions: half of one", ONE "0008 002b 0004 03 030403", HELLO_BAD},
        {"supported_versions: bytes behind", ONE "0008 002b 0004 02 0304 00", HELLO_BAD},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client_hello h;
        enum hello_result result = parse_body(cases[i].body, &h);
        if (result != cases[i].result)
            fail_msg("%s: %d", cases[i].what, result);
    }
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint16_t legacy, highest, count;
        bool supported;
    } cases[] = {
        {ONE, 0x0303, 0x0303, 1, false},
        {"0300" RANDOM "00 0002 000a 0100", 0x0300, 0x0300, 1, false},
        {"0305" RANDOM "00 0002 000a 0100", 0x0305, 0, 1, false},
        {"0002" RANDOM "00 0002 000a 0100", 0x0002, 0, 1, false},
        {ONE "0009 002b 0005 04 03030304", 0x0303, 0x0304, 2, true},
        {ONE "000b 002b 0007 06 8a8a 0302 0301", 0x0303, 0x0302, 2, true}, /* GREASE */
        {ONE "0009 002b 0005 04 7f1c 0303", 0x0303, 0x0304, 2, true},      /* a draft */
        {ONE "0007 002b 0003 02 0a0a", 0x0303, 0, 0, true},
        {ONE "0009 002b 0005 04 fefd 0399", 0x0303, 0, 2, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client_hello h;
        assert_int_equal(parse_body(cases[i].body, &h), HELLO_ITEM);
        assert_int_equal(h.legacy_version, cases[i].legacy);
        assert_int_equal(h.highest, cases[i].highest);
        assert_int_equal(h.version_count, cases[i].count);
        assert_int_equal(h.supported, cases[i].supported);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *body, *server_name, *alpn;
        bool sni;
    } cases[] = {
        {ONE, "", "", false},
        {ONE "000a 0000 0006 0004 00 0001 61", "a", "", true},
        {ONE "000e 0000 000a 0008 00 0001 61 00 0001 62", "a", "", true}, /* the first */
        {ONE "000e 0000 000a 0008 07 0001 61 00 0001 62", "b", "", true}, /* of its type */
        {ONE "0009 0000 0005 0003 00 0000", "", "", true},
        {ONE "0006 0000 0002 0000", "", "", true},
        {ONE "0014 0000 0006 0004 00 0001 61 0000 0006 0004 00 0001 62", "a", "", true},
        {ONE "000c 0010 0008 0006 02 6832 02 6833", "", "h2", false},
        {ONE "000c 0010 0008 0006 02 3a3a 02 6833", "", "h3", false}, /* GREASE */
        {ONE "0007 0010 0003 0001 00", "", "", false},
        {ONE "0006 0010 0002 0000", "", "", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client_hello h;
        assert_int_equal(parse_body(cases[i].body, &h), HELLO_ITEM);
        assert_true(text_is(h.server_name, h.server_name_n, cases[i].server_name));
        assert_true(text_is(h.alpn, h.alpn_n, cases[i].alpn));
        assert_int_equal(h.sni, cases[i].sni);
    }
}

static void test_grease(void **state)
{
    (void)state;
    struct str bytes = wire_recording("client_hello", "grease");
    struct client_hello h;
    assert_int_equal(parse(bytes, &h), HELLO_ITEM);
    assert_true(h.cipher_count == 1 && h.ciphers[0] == 0x1301);
    assert_true(h.extension_count == 3 && h.extensions[0] == 43);
    assert_true(h.signature_count == 1 && h.signatures[0] == 0x0403);
    assert_true(h.version_count == 2 && h.highest == 0x0304);
    assert_true(text_is(h.alpn, h.alpn_n, "h2") && h.dropped == 0);
    wire_free(bytes);
}

/* What does not fit is counted. */
static void test_full(void **state)
{
    (void)state;
    struct str bytes = wire_recording("client_hello", "many-ciphers"); /* 300 */
    struct client_hello h;
    assert_int_equal(parse(bytes, &h), HELLO_ITEM);
    assert_int_equal(h.cipher_count, HELLO_CIPHERS);
    assert_int_equal(h.dropped, 300 - HELLO_CIPHERS);
    assert_int_equal(h.ciphers[HELLO_CIPHERS - 1], 0x1300 + HELLO_CIPHERS - 1);
    wire_free(bytes);

    char body[4096];
    snprintf(body, sizeof body, ONE "0128 0010 0124 0122 21 %066d ff %0510d", 0, 0);
    assert_int_equal(parse_body(body, &h), HELLO_ITEM);
    assert_true(h.alpn_n == 0 && h.dropped == 1);
    for (int n = 255; n <= 256; n++) {
        snprintf(body, sizeof body, ONE "%04x 0000 %04x %04x 00 %04x %0*d", n + 9, n + 5, n + 3, n,
                 2 * n, 0);
        assert_int_equal(parse_body(body, &h), HELLO_ITEM);
        assert_true(h.sni && h.server_name_n == (n == 255 ? 255 : 0));
    }
}

/* ---- records ----------------------------------------------------------------------------- */

static void test_split(void **state)
{
    (void)state;
    struct str whole = wire_recording("client_hello", "openssl-tls10");
    struct str message = {whole.p + 5, whole.n - 5};
    struct client_hello expected, h;
    assert_int_equal(parse(whole, &expected), HELLO_ITEM);
    size_t sizes[64];
    for (size_t each = 1; each <= 64; each++) {
        for (size_t i = 0; i < COUNT(sizes); i++)
            sizes[i] = each;
        /* The 64th record takes the rest. A 65th would be one too many. */
        struct str bytes = records_of(message, sizes, 63), more = records_of(message, sizes, 64);
        assert_int_equal(parse(bytes, &h), HELLO_ITEM);
        assert_memory_equal(&h, &expected, sizeof h);
        assert_int_equal(parse(more, &h), each == 1 ? HELLO_BAD : HELLO_ITEM);
        wire_free(bytes);
        wire_free(more);
    }
    wire_free(whole);
}

static void test_largest(void **state)
{
    (void)state;
    static char text[MESSAGE_MAX];
    for (size_t n = HELLO_MAX - 1; n <= HELLO_MAX + 1; n++) {
        struct str start = wire_hex(ONE);
        size_t body = n - 4, extensions = body - start.n - 2, extension = extensions - 4;
        memset(text, 0, sizeof text);
        char *p = text;
        memcpy(p, (char[]){1, 0, (char)(body >> 8), (char)body}, 4);
        memcpy(p += 4, start.p, start.n);
        memcpy(p += start.n, (char[]){(char)(extensions >> 8), (char)extensions, 0x12, 0x34}, 4);
        memcpy(p += 4, (char[]){(char)(extension >> 8), (char)extension}, 2);
        struct str bytes = records_of((struct str){text, n}, (size_t[]){9000}, 1);
        struct client_hello h;
        size_t used;
        assert_int_equal(client_hello_parse(bytes, &h, &used),
                         n <= HELLO_MAX ? HELLO_ITEM : HELLO_BAD);
        wire_free(bytes);
        wire_free(start);
    }
}

static void test_records(void **state)
{
    (void)state;
    static const struct {
        const char *what, *bytes;
        enum hello_result result, begins;
    } cases[] = {
        {"nothing", "", HELLO_MORE, HELLO_MORE},
        {"too few to tell", "16 03", HELLO_MORE, HELLO_MORE},
        {"as few as tell", "16 03 01", HELLO_MORE, HELLO_ITEM},
        {"a version of the future", "16 03 05", HELLO_BAD, HELLO_BAD},
        {"another major version", "16 02", HELLO_BAD, HELLO_BAD},
        {"an alert", "15 03 01 0002 0100", HELLO_BAD, HELLO_BAD},
        {"clear text", "45 48 4c 4f 20", HELLO_BAD, HELLO_BAD},
        {"an empty record", "16 03 01 0000", HELLO_BAD, HELLO_ITEM},
        {"a record too long", "16 03 01 4001", HELLO_BAD, HELLO_ITEM},
        {"another message", "16 03 01 0004 02 000000", HELLO_BAD, HELLO_ITEM},
        {"a message too long", "16 03 01 4000 01 003ffd", HELLO_BAD, HELLO_ITEM},
        {"one that may be", "16 03 01 4000 01 003ffc", HELLO_MORE, HELLO_ITEM},
        {"an empty message", "16 03 01 0004 01 000000", HELLO_BAD, HELLO_ITEM},
        {"bytes behind the message", "16 03 01 0006 01 000001 00 00", HELLO_BAD, HELLO_ITEM},
        {"an alert in between", "16 03 01 0002 01 00 15 03 01 0002 0100", HELLO_BAD, HELLO_ITEM},
        {"SSLv2: too few to tell", "80 2e 01 03", HELLO_MORE, HELLO_MORE},
        {"SSLv2: another message", "80 2e 02", HELLO_BAD, HELLO_BAD},
        {"SSLv2: another version", "80 2e 01 03 05", HELLO_BAD, HELLO_BAD},
        {"SSLv2: too long", "c0 01 01 03 01", HELLO_BAD, HELLO_ITEM},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str bytes = wire_hex(cases[i].bytes);
        struct client_hello h;
        enum hello_result result = parse(bytes, &h), begins = client_hello_begins(bytes);
        if (result != cases[i].result || begins != cases[i].begins)
            fail_msg("%s: %d, begins %d", cases[i].what, result, begins);
        wire_free(bytes);
    }
}

static void test_sslv2(void **state)
{
    (void)state;
    struct client_hello h;
    struct str bytes = wire_recording("client_hello", "sslv2");
    assert_int_equal(parse(bytes, &h), HELLO_ITEM);
    assert_true(h.sslv2 && h.legacy_version == 0x0301 && h.highest == 0x0301);
    assert_true(h.cipher_count == 2 && h.ciphers[0] == 0x002f && h.ciphers[1] == 0x0035);
    assert_int_equal(h.dropped, 1); /* SSL_CK_RC4_128_WITH_MD5: three bytes */
    assert_true(h.extension_count == 0 && !h.sni);
    wire_free(bytes);

    bytes = wire_recording("client_hello", "sslv2-only");
    assert_int_equal(parse(bytes, &h), HELLO_ITEM);
    assert_true(h.sslv2 && h.legacy_version == 0x0002 && h.highest == 0 && h.cipher_count == 0);
    wire_free(bytes);

    bytes = wire_recording("client_hello", "sslv2-wrong-lengths");
    assert_int_equal(parse(bytes, &h), HELLO_BAD);
    wire_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded), cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_names),
        cmocka_unit_test(test_grease),   cmocka_unit_test(test_full),
        cmocka_unit_test(test_split),    cmocka_unit_test(test_largest),
        cmocka_unit_test(test_records),  cmocka_unit_test(test_sslv2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
