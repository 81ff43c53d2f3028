/* SPDX-License-Identifier: Apache-2.0 */
/* Captured bytes to a TCP segment: every link, every way to be wrong, every place to be cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/packet_help.h"

#define FROM "192.0.2.17"
#define TO "198.51.100.1"
#define FROM6 "2001:db8:17::1"
#define TO6 "2001:db8::25"

enum { TYPE_NULL = 0, TYPE_ETHER = 1, TYPE_RAW_DLT = 12, TYPE_RAW = 101, TYPE_LOOP = 108 };
enum { TYPE_SLL = 113, TYPE_IPV4 = 228, TYPE_IPV6 = 229, TYPE_SLL2 = 276 };

static struct packet p;
static struct segment s;

static void ipv4(const char *payload)
{
    packet_begin(&p, str_of(payload));
    packet_tcp(&p, 40001, 587, 0x01020304, TCP_ACK, 0, 0);
    packet_ip4(&p, FROM, TO, 0);
}

static void ipv6(const char *payload)
{
    packet_begin(&p, str_of(payload));
    packet_tcp(&p, 40001, 587, 0x01020304, TCP_ACK, 0, 0);
    packet_ip6(&p, FROM6, TO6, 6);
}

/* As the link's header says, in a copy of exactly that size. */
static enum packet_kind parse_cut(int type, size_t captured, size_t length)
{
    struct str whole = packet_view(&p);
    captured = captured < whole.n ? captured : whole.n;
    char *copy = malloc(captured ? captured : 1);
    assert_non_null(copy);
    memcpy(copy, whole.p, captured);
    s = (struct segment){0};
    enum packet_kind kind =
        packet_parse(packet_link(type), (struct str){copy, captured}, length, &s);
    s.payload.p = NULL; /* it was freed */
    free(copy);
    return kind;
}

static enum packet_kind parse(int type)
{
    size_t n = packet_view(&p).n;
    return parse_cut(type, n, n);
}

static void expect_segment(bool six, const char *payload)
{
    struct addr from, to;
    assert_true(addr_parse(str_of(six ? FROM6 : FROM), &from));
    assert_true(addr_parse(str_of(six ? TO6 : TO), &to));
    assert_true(addr_eq(&s.client, &from));
    assert_true(addr_eq(&s.server, &to));
    assert_int_equal(s.client_port, 40001);
    assert_int_equal(s.server_port, 587);
    assert_int_equal(s.seq, 0x01020304);
    assert_int_equal(s.flags, TCP_ACK);
    assert_int_equal(s.length, strlen(payload));
    assert_int_equal(s.payload.n, strlen(payload));
}

/* ---- links -------------------------------------------------------------------------- */

#define MACS "000000000000000000000000"

static const struct {
    int type;
    bool six;
    const char *header; /* hexadecimal */
} good_links[] = {
    {TYPE_ETHER, false, MACS "0800"},
    {TYPE_ETHER, true, MACS "86dd"},
    {TYPE_ETHER, false, MACS "810000050800"},
    {TYPE_ETHER, true, MACS "8100000586dd"},
    {TYPE_ETHER, false, MACS "88a80001810000050800"},
    {TYPE_ETHER, false, MACS "91000001810000050800"},
    {TYPE_SLL, false, "00000001000600000000000000000800"},
    {TYPE_SLL, true, "000000010006000000000000000086dd"},
    {TYPE_SLL, false,
     "000000010006000000000000000081000005"
     "0800"},
    {TYPE_SLL2, false, "0800000000000001000100060000000000000000"},
    {TYPE_SLL2, true, "86dd000000000001000100060000000000000000"},
    {TYPE_NULL, false, "02000000"},
    {TYPE_NULL, false, "00000002"}, /* written on a machine with the other order */
    {TYPE_NULL, true, "0a000000"},
    {TYPE_NULL, true, "1e000000"},
    {TYPE_NULL, true, "0000001c"},
    {TYPE_LOOP, false, "00000002"},
    {TYPE_LOOP, true, "00000018"},
    {TYPE_RAW, false, ""},
    {TYPE_RAW, true, ""},
    {TYPE_RAW_DLT, false, ""},
    {TYPE_IPV4, false, ""},
    {TYPE_IPV6, true, ""},
};

static void test_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_links / sizeof *good_links; i++) {
        (good_links[i].six ? ipv6 : ipv4)("EHLO x\r\n");
        packet_hex(&p, good_links[i].header);
        if (parse(good_links[i].type) != PACKET_TCP)
            fail_msg("link %d, header %s", good_links[i].type, good_links[i].header);
        expect_segment(good_links[i].six, "EHLO x\r\n");
    }
    assert_null(packet_link(127));
    assert_null(packet_link(-1));
    assert_true(packet_link_has_vlans(packet_link(TYPE_ETHER)));
    assert_false(packet_link_has_vlans(packet_link(TYPE_SLL)));
}

/* Each packet, cut at each of its bytes, says where; and reads nothing behind the cut. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_links / sizeof *good_links; i++) {
        (good_links[i].six ? ipv6 : ipv4)("EHLO x\r\n");
        packet_hex(&p, good_links[i].header);
        size_t all = packet_view(&p).n, link = strlen(good_links[i].header) / 2;
        size_t ip = link + (good_links[i].six ? 40 : 20), tcp = ip + 20;
        for (size_t cut = 0; cut <= all; cut++) {
            enum packet_kind kind = parse_cut(good_links[i].type, cut, all);
            enum packet_kind right = cut < link  ? PACKET_LINK_CUT
                                     : cut < ip  ? PACKET_IP_CUT
                                     : cut < tcp ? PACKET_TCP_CUT
                                                 : PACKET_TCP;
            if (kind != right)
                fail_msg("link %d (%s) cut at %zu: %s, not %s", good_links[i].type,
                         good_links[i].header, cut, packet_kind_names[kind],
                         packet_kind_names[right]);
            if (kind == PACKET_TCP) {
                assert_int_equal(s.length, 8);
                assert_int_equal(s.payload.n, cut - tcp);
            }
        }
    }
}

/* ---- what is not ours, and what is wrong ---------------------------------------------- */

/* A change to a good packet, and what it is then. `at` counts from the link's header. */
static const struct {
    bool six;
    size_t at;
    uint8_t byte;
    enum packet_kind is;
} changes[] = {
    {false, 12, 0x08 + 1, PACKET_NOT_IP}, {false, 13, 0x06, PACKET_NOT_IP}, /* ARP */
    {false, 14, 0x65, PACKET_IP_VERSION}, /* IPv6 where the link says IPv4 */
    {false, 14, 0x05, PACKET_IP_VERSION}, {false, 14, 0x44, PACKET_IP_HEADER}, /* 16 bytes */
    {false, 14, 0x4f, PACKET_IP_LENGTH}, /* 60 bytes: longer than the packet says it is */
    {false, 16, 0x01, PACKET_IP_LENGTH}, /* longer than it was */
    {false, 17, 19, PACKET_IP_LENGTH},   /* shorter than its header */
    {false, 17, 39, PACKET_IP_LENGTH},   /* shorter than TCP's header */
    {false, 17, 40, PACKET_TCP},         /* the link padded it */
    {false, 20, 0x20, PACKET_FRAGMENT},  /* more fragments */
    {false, 21, 0x01, PACKET_FRAGMENT},  /* an offset */
    {false, 20, 0x40, PACKET_TCP},       /* do not fragment */
    {false, 23, 17, PACKET_NOT_TCP},      {false, 46, 0x40, PACKET_TCP_HEADER}, /* 16 bytes */
    {false, 46, 0xf0, PACKET_TCP_HEADER}, /* 60 bytes: longer than the packet */
    {true, 14, 0x45, PACKET_IP_VERSION},  {true, 18, 0x01, PACKET_IP_LENGTH},
    {true, 19, 19, PACKET_IP_LENGTH},     {true, 20, 58, PACKET_NOT_TCP}, /* ICMPv6 */
    {true, 20, 59, PACKET_NOT_TCP},                                       /* no next header */
    {true, 20, 44, PACKET_FRAGMENT},
};

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        (changes[i].six ? ipv6 : ipv4)("EHLO x\r\n");
        packet_hex(&p, changes[i].six ? MACS "86dd" : MACS "0800");
        p.bytes[p.at + changes[i].at] = changes[i].byte;
        enum packet_kind kind = parse(TYPE_ETHER);
        if (kind != changes[i].is)
            fail_msg("byte %zu = %02x: %s, not %s", changes[i].at, changes[i].byte,
                     packet_kind_names[kind], packet_kind_names[changes[i].is]);
    }
    for (int k = 0; k < PACKET_KINDS; k++)
        assert_non_null(packet_kind_names[k]);
}

static void test_tags(void **state)
{
    (void)state;
    ipv4("x");
    packet_hex(&p, MACS "88a80001810000028100000308"
                        "00");
    assert_int_equal(parse(TYPE_ETHER), PACKET_VLAN_DEPTH);
    ipv4("x");
    packet_hex(&p, MACS "8100");
    assert_int_equal(parse_cut(TYPE_ETHER, 16, 100), PACKET_LINK_CUT);
    ipv4("x");
    packet_hex(&p, "07000000"); /* no family of IP's */
    assert_int_equal(parse(TYPE_NULL), PACKET_NOT_IP);
    ipv6("x");
    assert_int_equal(parse(TYPE_IPV4), PACKET_IP_VERSION);
    ipv4("x");
    assert_int_equal(parse(TYPE_IPV6), PACKET_IP_VERSION);
}

static void test_options(void **state)
{
    (void)state;
    packet_begin(&p, STR("EHLO x\r\n"));
    packet_tcp(&p, 40001, 587, 0x01020304, TCP_ACK, 40, 0);
    packet_ip4(&p, FROM, TO, 40);
    assert_int_equal(parse(TYPE_RAW), PACKET_TCP);
    expect_segment(false, "EHLO x\r\n");
    assert_int_equal(parse_cut(TYPE_RAW, 59, 128), PACKET_IP_CUT);
    assert_int_equal(parse_cut(TYPE_RAW, 119, 128), PACKET_TCP_CUT);
}

static void test_extensions(void **state)
{
    (void)state;
    static const uint8_t all[] = {0, 60, 43, 60};
    packet_begin(&p, STR("EHLO x\r\n"));
    packet_tcp(&p, 40001, 587, 0x01020304, TCP_ACK, 0, 0);
    for (unsigned i = 4; i-- > 0;)
        packet_extension(&p, i == 3 ? 6 : all[i + 1], (uint8_t)i);
    packet_ip6(&p, FROM6, TO6, 0);
    assert_int_equal(parse(TYPE_RAW), PACKET_TCP);
    expect_segment(true, "EHLO x\r\n");
    assert_int_equal(parse_cut(TYPE_RAW, 45, packet_view(&p).n), PACKET_IP_CUT);

    packet_begin(&p, STR(""));
    packet_hex(&p, "06c80000000000000000000000000000"); /* says to be longer than it is */
    packet_ip6(&p, FROM6, TO6, 60);
    assert_int_equal(parse(TYPE_RAW), PACKET_IP_LENGTH);

    packet_begin(&p, STR("x"));
    packet_tcp(&p, 1, 587, 1, TCP_ACK, 0, 0);
    for (int i = 0; i < 9; i++)
        packet_extension(&p, i ? 60 : 6, 0);
    packet_ip6(&p, FROM6, TO6, 60);
    assert_int_equal(parse(TYPE_RAW), PACKET_IP_EXTENSIONS);

    packet_begin(&p, STR("x")); /* a fragment's header behind another one */
    packet_tcp(&p, 1, 587, 1, TCP_ACK, 0, 0);
    packet_extension(&p, 6, 0);
    packet_extension(&p, 44, 0);
    packet_ip6(&p, FROM6, TO6, 0);
    assert_int_equal(parse(TYPE_RAW), PACKET_FRAGMENT);
}

/* ---- lengths, addresses, flags -------------------------------------------------------- */

static void test_large_packets(void **state)
{
    (void)state;
    static char mail[60000];
    packet_begin(&p, (struct str){mail, sizeof mail});
    packet_tcp(&p, 1, 25, 1, TCP_ACK, 0, 0);
    packet_ip4(&p, FROM, TO, 0);
    assert_int_equal(parse_cut(TYPE_RAW, 2048, packet_view(&p).n), PACKET_TCP);
    assert_int_equal(s.length, sizeof mail);
    assert_int_equal(s.payload.n, 2048 - 40);
    /* Too long for its field: the link's length counts. */
    p.bytes[p.at + 2] = p.bytes[p.at + 3] = 0;
    assert_int_equal(parse_cut(TYPE_RAW, 2048, 200040), PACKET_TCP);
    assert_int_equal(s.length, 200000);
    packet_begin(&p, (struct str){mail, 100});
    packet_tcp(&p, 1, 25, 1, TCP_ACK, 0, 0);
    packet_ip6(&p, FROM6, TO6, 6);
    p.bytes[p.at + 4] = p.bytes[p.at + 5] = 0;
    assert_int_equal(parse_cut(TYPE_RAW, 160, 100060), PACKET_TCP);
    assert_int_equal(s.length, 100000);
    assert_int_equal(s.payload.n, 100);
    /* Ethernet pads what is short. */
    packet_begin(&p, STR("\0\0\0\0\0\0"));
    packet_tcp(&p, 1, 25, 1, TCP_SYN, 0, 0);
    packet_ip4(&p, FROM, TO, 0);
    p.bytes[p.at + 3] = 40;
    packet_hex(&p, MACS "0800");
    assert_int_equal(parse(TYPE_ETHER), PACKET_TCP);
    assert_int_equal(s.length, 0);
    assert_int_equal(s.payload.n, 0);
    assert_int_equal(s.flags, TCP_SYN);
}

static void test_mapped_address(void **state)
{
    (void)state;
    struct addr four;
    packet_begin(&p, STR("x"));
    packet_tcp(&p, 1, 25, 1, 0xff, 0, 0);
    packet_ip6(&p, "::ffff:192.0.2.17", TO6, 6);
    assert_int_equal(parse(TYPE_RAW), PACKET_TCP);
    assert_true(addr_parse(STR(FROM), &four) && addr_eq(&s.client, &four));
    assert_int_equal(s.server.bits, 128);
    assert_int_equal(s.flags, TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),         cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_changes),       cmocka_unit_test(test_tags),
        cmocka_unit_test(test_options),       cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_large_packets), cmocka_unit_test(test_mapped_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
