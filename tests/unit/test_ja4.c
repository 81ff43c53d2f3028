/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JA4 against what others published: FoxIO's description of it, recordings of its own
 * implementation, Wireshark's, and the fingerprints that are known of curl and Python.
 */
#include "edge/ja4.h"
#include "wire_help.h"

static void read_list(const char *text, uint16_t *values, uint16_t *count)
{
    unsigned v;
    int n = 0;
    *count = 0;
    for (; sscanf(text, "%4x%n", &v, &n) == 1; text += n, text += *text == ',')
        values[(*count)++] = (uint16_t)v;
    assert_string_equal(text, "");
}

static void expect(const struct client_hello *h, const char *expected)
{
    char text[JA4_N + 1];
    struct buf b = BUF(text);
    assert_true(ja4_format(&b, h));
    assert_int_equal(b.n, JA4_N);
    assert_string_equal(buf_cstr(&b), expected);
}

#define CHROME "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
#define CHROME_SIGNS "0403,0804,0401,0503,0805,0501,0806,0601"
#define FIREFOX                                                                                    \
    "1301,1303,1302,c02b,c02f,cca9,cca8,c02c,c030,c00a,c009,c013,c014,009c,009d,002f,0035"
#define FIREFOX_SIGNS "0403,0503,0603,0804,0805,0806,0401,0501,0601,0203,0201"

static void test_published(void **state)
{
    (void)state;
    static const struct {
        uint16_t version;
        const char *alpn, *ciphers, *extensions, *signatures, *ja4;
    } cases[] = {
        /* FoxIO, JA4.md, "Example", "Extension hash" */
        {0x0304, "h2", CHROME,
         "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015",
         CHROME_SIGNS, "t13d1516h2_8daaf6152771_e5627efa2ab1"},
        {0x0304, "h2", CHROME,
         "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015", "",
         "t13d1516h2_8daaf6152771_6d807ffa2a79"},
        /* Chrome 143, as browserleaks.com says it */
        {0x0304, "h2", CHROME,
         "002d,0033,0010,fe0d,0017,44cd,0000,000b,000a,002b,ff01,0023,0012,0005,000d,001b",
         CHROME_SIGNS, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
        /* Firefox, as Wireshark says it */
        {0x0304, "h2", FIREFOX,
         "0000,0017,ff01,000a,000b,0023,0010,0005,0022,0033,002b,000d,002d,001c,fe0d",
         FIREFOX_SIGNS, "t13d1715h2_5b57614c22b0_5c2c66f702b0"},
        {0x0304, "h2", FIREFOX,
         "0000,0017,ff01,000a,000b,0023,0010,0005,0022,0033,002b,000d,002d,001c,0015",
         FIREFOX_SIGNS, "t13d1715h2_5b57614c22b0_3d5424432f57"},
        /* FoxIO, socks-https-example.pcap: SNI is the only extension */
        {0x0301, "",
         "0039,0038,0035,0016,0013,000a,0033,0032,002f,009a,0099,0096,0005,0004,0015,0012,0009,"
         "0014,0011,0008,0006,0003,00ff",
         "0000", "", "t10d230100_6a57a6f57151_000000000000"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client_hello h = {.highest = cases[i].version, .sni = true};
        read_list(cases[i].ciphers, h.ciphers, &h.cipher_count);
        read_list(cases[i].extensions, h.extensions, &h.extension_count);
        read_list(cases[i].signatures, h.signatures, &h.signature_count);
        h.alpn_n = (uint8_t)strlen(cases[i].alpn);
        memcpy(h.alpn, cases[i].alpn, h.alpn_n);
        expect(&h, cases[i].ja4);
    }
}

/* Those of curl and Python were published for the same libraries. The others: sha256sum, by hand.
 */
static void test_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ja4;
    } cases[] = {
        {"curl", "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"},
        {"python", "t13i181000_85036bcba153_d41ae481755e"},
        {"openssl-tls13", "t13d311000_e8f1e7e78f70_1f22a2ca17c4"},
        {"openssl-tls12", "t12d280700_d943125447b4_e7e480e5a997"},
        {"openssl-tls10", "t10i230500_44099cda8a52_195413a0cc0f"},
        {"gnutls-tls13", "t13d291300_723694b0fccc_2cc26d266019"},
        {"gnutls-tls12", "t12d251000_7415a186c913_577ffa9d9a5c"},
        {"gnutls-tls10", "t10d080900_051fb07a0855_f8a36b20a605"},
        {"node", "t13d591000_a33745022dd6_1f22a2ca17c4"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str bytes = wire_recording("client_hello", cases[i].name);
        struct client_hello h;
        size_t used;
        assert_int_equal(client_hello_parse(bytes, &h, &used), HELLO_ITEM);
        expect(&h, cases[i].ja4);
        wire_free(bytes);
    }
}

/* "ALPN Extension Value", its examples, and its rule for a single character. */
static void test_alpn(void **state)
{
    (void)state;
    static const struct {
        struct str alpn;
        const char *shown;
    } cases[] = {
        {STR(""), "00"},
        {STR("h2"), "h2"},
        {STR("http/1.1"), "h1"},
        {STR("q"), "qq"},
        {STR("\xab"), "ab"},
        {STR("\xab\xcd"), "ad"},
        {STR("\x30\xab"), "3b"},
        {STR("\x30\x31\xab\xcd"), "3d"},
        {STR("\x30\xab\xcd\x31"), "01"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client_hello h = {.alpn_n = (uint8_t)cases[i].alpn.n};
        memcpy(h.alpn, cases[i].alpn.p, cases[i].alpn.n);
        char expected[JA4_N + 1];
        snprintf(expected, sizeof expected, "t00i0000%s_000000000000_000000000000", cases[i].shown);
        expect(&h, expected);
    }
}

static void test_versions_and_counts(void **state)
{
    (void)state;
    static const struct {
        uint16_t version, ciphers;
        const char *begin;
    } cases[] = {
        {0x0304, 0, "t13i00"},  {0x0303, 9, "t12i09"},   {0x0302, 99, "t11i99"},
        {0x0301, 1, "t10i01"},  {0x0300, 100, "ts3i99"}, {0x0305, 256, "t00i99"},
        {0x0002, 10, "t00i10"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client_hello h = {.highest = cases[i].version, .cipher_count = cases[i].ciphers};
        char text[JA4_N + 1];
        struct buf b = BUF(text);
        assert_true(ja4_format(&b, &h));
        assert_memory_equal(text, cases[i].begin, 6);
    }
}

static void test_none(void **state)
{
    (void)state;
    char text[JA4_N];
    struct buf b = BUF(text);
    struct client_hello old = {.sslv2 = true, .highest = 0x0301}, cut = {.dropped = 1}, plain = {0};
    assert_false(ja4_format(&b, &old));
    assert_false(ja4_format(&b, &cut));
    assert_true(b.n == 0 && !b.full);
    assert_true(ja4_format(&b, &plain) && b.n == JA4_N); /* as much room as it needs */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published), cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_alpn),      cmocka_unit_test(test_versions_and_counts),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
