/* SPDX-License-Identifier: Apache-2.0 */
/* Segments to connections: order, loss, repetition, ends, limits; each told once, with why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tap/flows.h"
#include "tap/pending.h"

enum { TOLD_MAX = 64, SENTENCE = 160 };

static struct flows *flows;
static struct ports ports;
static char told[TOLD_MAX][SENTENCE];
static struct flow_told last;
static unsigned told_count;

/* "fin smtp EHLO QUIT": how it ended, what came first, the commands. */
static void say(char *text, size_t size, enum flow_ended ended, const struct opening *o)
{
    struct buf b = {text, 0, size, false};
    buf_printf(&b, "%s %s", flow_ended_names[ended], opening_first_names[o->first]);
    for (unsigned i = 0; i < o->verb_count; i++)
        buf_printf(&b, " %s", smtp_verb_names[o->verbs[i]]);
    if (o->hello)
        buf_printf(&b, " hello %s", hello_fate_names[o->fate]);
    buf_cstr(&b);
}

static void take(void *context, const struct flow_told *t)
{
    (void)context;
    say(told[told_count % TOLD_MAX], SENTENCE, t->ended, t->opening);
    told_count++;
    last = *t;
    assert_true(t->ended_us >= t->began_us);
    assert_true(t->first_us == -1 || t->first_us >= t->began_us);
}

static void begin(unsigned max, unsigned speaking)
{
    static const struct sipkey key = {1, 2};
    struct flows_settings s = {.max = max, .speaking_max = speaking, .ports = &ports, .tell = take};
    memset(&ports, 0, sizeof ports);
    ports.is[587] = PORT_WATCHED;
    ports.is[10587] = PORT_WATCHED | PORT_PROXIED;
    told_count = 0;
    flows = flows_new(&key, &s);
    assert_non_null(flows);
}

static const struct flows_counters *counters(void)
{
    return flows_counters(flows);
}

static struct segment segment(uint16_t from, uint8_t flags, uint32_t seq, const char *data)
{
    struct segment s = {
        .client_port = from,
        .server_port = 587,
        .seq = seq,
        .flags = flags,
        .payload = str_of(data),
        .length = (uint32_t)strlen(data),
    };
    addr_parse(STR("192.0.2.17"), &s.client);
    addr_parse(STR("198.51.100.1"), &s.server);
    return s;
}

static void send_at(int64_t ms, uint16_t from, uint8_t flags, uint32_t seq, const char *data)
{
    struct segment s = segment(from, flags, seq, data);
    flows_segment(flows, &s, ms * 1000);
}

static void open_at(int64_t ms, uint16_t from, uint32_t isn)
{
    send_at(ms, from, TCP_SYN, isn, "");
    send_at(ms, from, TCP_ACK, isn + 1, "");
}

static void expect_told(const char *sentence)
{
    assert_int_equal(told_count, 1);
    assert_string_equal(told[0], sentence);
    told_count = 0;
}

static void finish(void)
{
    assert_int_equal(counters()->open, 0);
    assert_int_equal(counters()->speaking, 0);
    flows_free(flows);
}

/* ---- scripts ------------------------------------------------------------------------ */

#define A TCP_ACK
#define F (TCP_FIN | TCP_ACK)

/* Behind SYN with 99 and ACK: packets with data of these sequence numbers, and what is told. */
static const struct script {
    const char *what;
    struct {
        uint32_t seq;
        uint8_t flags;
        const char *data;
    } step[8];
    const char *sentence;
} scripts[] = {
    {"in order",
     {{100, A, "EHLO x\r\n"}, {108, A, "QUIT\r\n"}, {114, F, ""}},
     "fin smtp EHLO QUIT"},
    {"FIN with the last bytes",
     {{100, A, "EHLO x\r\n"}, {108, F, "QUIT\r\n"}},
     "fin smtp EHLO QUIT"},
    {"over at MAIL", {{100, A, "EHLO x\r\n"}, {108, A, "MAIL FROM:<>\r\n"}}, "seen smtp EHLO MAIL"},
    {"the second first",
     {{108, A, "QUIT\r\n"}, {100, A, "EHLO x\r\n"}, {114, F, ""}},
     "fin smtp EHLO QUIT"},
    {"FIN first",
     {{114, F, ""}, {108, A, "QUIT\r\n"}, {100, A, "EHLO x\r\n"}},
     "fin smtp EHLO QUIT"},
    {"everything twice",
     {{100, A, "EHLO x\r\n"},
      {100, A, "EHLO x\r\n"},
      {108, A, "QUIT\r\n"},
      {108, A, "QUIT\r\n"},
      {114, F, ""}},
     "fin smtp EHLO QUIT"},
    {"the first copy counts",
     {{100, A, "EHLO "}, {100, A, "HELO x\r\n"}, {108, F, ""}},
     "fin smtp EHLO"},
    {"also of what waits",
     {{105, A, "x\r\nQUIT\r\n"},
      {103, A, "O NOOP\r\nNOOP\r\n"},
      {100, A, "EHLXXXXXXX"},
      {114, F, ""}},
     "fin smtp EHLO QUIT"},
    {"between two that wait",
     {{108, A, "NOOP\r\n"},
      {120, A, "QUIT\r\n"},
      {104, A, " x\r\n......HELP\r\n...."},
      {100, A, "EHLO"},
      {126, F, ""}},
     "fin smtp EHLO NOOP HELP QUIT"},
    {"a keep-alive",
     {{100, A, "EHLO x\r\n"}, {107, A, ""}, {107, A, "\n"}, {108, F, ""}},
     "fin smtp EHLO"},
    {"RST", {{100, A, "EHLO x\r\n"}, {108, TCP_RST, ""}}, "rst smtp EHLO"},
    {"RST behind what is missing", {{100, A, "EHLO x\r\n"}, {120, TCP_RST, ""}}, "gap smtp EHLO"},
    {"RST while some waits", {{105, A, "x\r\n"}, {108, TCP_RST, ""}}, "gap nothing"},
    {"nothing at all", {{100, F, ""}}, "fin nothing"},
    {"SYN again, the same",
     {{99, TCP_SYN, ""}, {100, A, "EHLO x\r\n"}, {108, F, ""}},
     "fin smtp EHLO"},
    {"SYN with data, which come again",
     {{99, TCP_SYN, "EHLO x\r\n"}, {100, A, "EHLO x\r\n"}, {108, F, ""}},
     "fin smtp EHLO"},
    {"a server's packet from that port",
     {{99, TCP_SYN | TCP_ACK, ""}, {100, F, "EHLO x\r\n"}},
     "fin smtp EHLO"},
    {"cut at a verb", {{100, A, "EHLO x\r\n"}, {108, F, "QUIT"}}, "fin smtp EHLO QUIT"},
};

static void test_scripts(void **state)
{
    (void)state;
    /* Wherever the numbers wrap. */
    for (uint32_t shift = 0; shift < 140; shift++) {
        for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
            begin(4, 4);
            uint32_t add = shift ? 0u - 80u - shift : 0;
            open_at(0, 1, 99 + add);
            for (int k = 0; k < 8 && scripts[i].step[k].data; k++)
                send_at(k, 1, scripts[i].step[k].flags, scripts[i].step[k].seq + add,
                        scripts[i].step[k].data);
            if (told_count != 1 || strcmp(told[0], scripts[i].sentence) != 0)
                fail_msg("%s (%u): %u, \"%s\"", scripts[i].what, shift, told_count, told[0]);
            finish();
        }
    }
}

/* ---- order, by chance ------------------------------------------------------------------ */

static uint32_t random_state = 1;

static uint32_t chance(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

static const char dialogue[] = "EHLO client.example.com\r\nNOOP\r\nHELP\r\nRSET\r\nfoo bar\r\n"
                               "EXPN staff\r\nNOOP\r\nSTARTTLS\r\n";

/* Pieces of any size, overlapping, some twice, in any order, are what the whole is. */
static void test_any_order(void **state)
{
    (void)state;
    enum { N = sizeof dialogue - 1, PIECES = 24 };
    char right[SENTENCE];
    struct opening o;
    opening_init(&o, false);
    opening_feed(&o, STR(dialogue));
    opening_close(&o);
    say(right, sizeof right, ENDED_FIN, &o);
    opening_free(&o);
    for (int round = 0; round < 2000; round++) {
        begin(4, 4);
        uint32_t isn = chance(2) ? chance(1 << 24) << 8 : 0u - chance(N);
        open_at(0, 1, isn);
        for (int i = 0; i < PIECES; i++) {
            uint32_t at = chance(N), n = 1 + chance(12);
            struct segment s = segment(1, A, isn + 1 + at, "");
            s.length = n < N - at ? n : N - at;
            s.payload = (struct str){dialogue + at, s.length};
            flows_segment(flows, &s, i);
        }
        send_at(1, 1, F, isn + 1 + N, "");
        for (uint32_t at = 0; at < N; at += 7) { /* and now what may be missing */
            struct segment s = segment(1, A, isn + 1 + at, "");
            s.length = N - at < 7 ? N - at : 7;
            s.payload = (struct str){dialogue + at, s.length};
            flows_segment(flows, &s, 2);
        }
        expect_told(right);
        finish();
    }
}

/* ---- missing bytes ------------------------------------------------------------------------ */

static void send_cut(uint32_t seq, const char *data, uint32_t length)
{
    struct segment s = segment(1, A, seq, data);
    s.length = length;
    flows_segment(flows, &s, 1000);
}

static void test_cut_payload(void **state)
{
    (void)state;
    begin(4, 4);
    open_at(0, 1, 99);
    send_cut(100, "EHLO x\r\n", 60000); /* the rest may matter */
    expect_told("gap smtp EHLO");
    assert_true(last.opening != NULL);
    open_at(0, 1, 99);
    send_cut(100, "EHLO x\r\nMAIL FROM:<>\r\nRCPT", 60000); /* and here it does not */
    expect_told("seen smtp EHLO MAIL");
    open_at(0, 1, 99);
    send_cut(105, "x\r\n", 60000); /* the same for what waited */
    send_cut(100, "EHLO ", 5);
    expect_told("gap smtp EHLO");
    open_at(0, 1, 99);
    send_cut(100, "", 60000);
    expect_told("gap nothing");
    finish();
}

static void test_pending_limits(void **state)
{
    (void)state;
    static char large[30000];
    begin(4, 4);
    open_at(0, 1, 99);
    for (uint32_t i = 0; i < PENDING_SEGMENTS; i++)
        send_at(1, 1, A, 200 + 10 * i, "NOOP\r\n");
    assert_int_equal(told_count, 0);
    assert_int_equal(counters()->out_of_order, PENDING_SEGMENTS);
    send_at(1, 1, A, 200 + 10 * PENDING_SEGMENTS, "NOOP\r\n");
    expect_told("gap nothing");
    open_at(0, 1, 99);
    for (uint32_t i = 0; i < 3; i++) {
        struct segment s = segment(1, A, 200 + 40000 * i, "");
        s.payload = (struct str){large, sizeof large};
        s.length = sizeof large;
        assert_int_equal(told_count, 0);
        flows_segment(flows, &s, 1000);
    }
    expect_told("gap nothing");
    /* All together. */
    flows_free(flows);
    begin(1000, 1000);
    for (uint16_t port = 1; port <= 1000; port++) {
        open_at(0, port, 99);
        for (uint32_t i = 0; i < 2; i++) {
            struct segment s = segment(port, A, 200 + 40000 * i, "");
            s.payload = (struct str){large, sizeof large};
            s.length = sizeof large;
            flows_segment(flows, &s, 1000);
        }
    }
    unsigned kept = PENDING_ALL / (sizeof large + 64);
    assert_in_range(told_count, 1000 - kept / 2 - 2, 1000 - kept / 2 + 2);
    flows_stop(flows, 2000);
    assert_int_equal(told_count, 1000);
    finish();
}

/* ---- time ----------------------------------------------------------------------------------- */

static void test_times(void **state)
{
    (void)state;
    begin(4, 4);
    open_at(1000, 1, 99);
    send_at(8000, 1, A, 100, "EHLO x\r\n");
    send_at(9000, 1, F, 108, "");
    expect_told("fin smtp EHLO");
    assert_int_equal(last.began_us, 1000000);
    assert_int_equal(last.first_us, 8000000);
    assert_int_equal(last.ended_us, 9000000);
    open_at(10000, 1, 99);
    flows_tick(flows, 10000000 + FLOWS_IDLE_US - 1);
    assert_int_equal(told_count, 0);
    flows_tick(flows, 10000000 + 2 * FLOWS_IDLE_US); /* told late, and dated right */
    expect_told("idle nothing");
    assert_int_equal(last.first_us, -1);
    assert_int_equal(last.ended_us, 10000000 + FLOWS_IDLE_US);
    /* A clock that goes back stands still. */
    send_at(0, 1, TCP_SYN, 99, "");
    send_at(0, 1, A, 100, "");
    send_at(0, 1, F, 100, "");
    expect_told("fin nothing");
    assert_int_equal(last.began_us, 10000000 + 2 * FLOWS_IDLE_US);
    finish();
}

static void test_half_open(void **state)
{
    (void)state;
    begin(4, 4);
    send_at(0, 1, TCP_SYN, 99, "");
    send_at(16000, 1, TCP_SYN, 99, ""); /* tried again: the same one */
    flows_tick(flows, 16000000 + FLOWS_HALF_OPEN_US - 1);
    assert_int_equal(counters()->open, 1);
    flows_tick(flows, 16000000 + FLOWS_HALF_OPEN_US);
    assert_int_equal(counters()->open, 0);
    send_at(100000, 1, TCP_SYN, 99, "");
    send_at(100000, 1, TCP_RST, 100, "");
    assert_int_equal(told_count, 0);
    assert_int_equal(counters()->half_open_ended, 2);
    assert_int_equal(counters()->begun, 2);
    assert_int_equal(counters()->completed, 0);
    finish();
}

static void test_begins_anew(void **state)
{
    (void)state;
    begin(4, 4);
    open_at(0, 1, 99);
    send_at(1, 1, A, 100, "EHLO x\r\n");
    send_at(2, 1, TCP_SYN, 5000, "");
    expect_told("gap smtp EHLO");
    send_at(3, 1, A, 5001, "");
    send_at(4, 1, F, 5001, "");
    expect_told("fin nothing");
    assert_int_equal(last.began_us, 2000);
    send_at(5, 1, A, 5002, "");
    send_at(5, 9, A, 1, "EHLO x\r\n");
    send_at(5, 9, TCP_RST, 1, "");
    send_at(5, 9, TCP_SYN | TCP_FIN, 1, "");
    assert_int_equal(counters()->midstream, 3);
    assert_int_equal(told_count, 0);
    finish();
}

/* ---- a full table -----------------------------------------------------------------------------
 */

static void test_full(void **state)
{
    (void)state;
    begin(3, 3);
    open_at(0, 1, 99);
    send_at(1, 1, A, 100, "EHLO one\r\n");
    open_at(2, 2, 99);
    send_at(3, 3, TCP_SYN, 99, "");
    open_at(4, 4, 99); /* the half-open one gives way, and is not told */
    assert_int_equal(told_count, 0);
    assert_int_equal(counters()->half_open_ended, 1);
    send_at(5, 1, A, 110, "NOOP\r\n"); /* so the second is the quietest */
    open_at(6, 5, 99);
    expect_told("full nothing");
    assert_int_equal(last.client_port, 2);
    send_at(7, 4, A, 100, "");
    send_at(8, 5, A, 100, "");
    open_at(9, 6, 99);
    expect_told("full smtp EHLO NOOP");
    assert_int_equal(counters()->open_most, 3);
    flows_stop(flows, 10000);
    assert_int_equal(told_count, 3);
    assert_int_equal(counters()->ended[ENDED_STOP], 3);
    finish();
}

static void test_few_may_speak(void **state)
{
    (void)state;
    begin(10, 2);
    for (uint16_t port = 1; port <= 3; port++) {
        open_at(port, port, 99);
        send_at(port, port, A, 100, "EHLO x\r\n");
        assert_int_equal(told_count, port == 3);
    }
    expect_told("full smtp EHLO");
    assert_int_equal(last.client_port, 1);
    assert_int_equal(counters()->speaking, 2);
    assert_int_equal(counters()->open, 2);
    flows_free(flows); /* with all that is open */
}

static void test_flood(void **state)
{
    (void)state;
    enum { FLOOD = 300000 };
    begin(0, 0);
    assert_in_range(flows_entry_size(), 1, 160);
    open_at(0, 7, 99);
    for (uint32_t i = 0; i < FLOOD; i++) {
        struct segment s = segment((uint16_t)(i % 50000), TCP_SYN, i, "");
        memcpy(s.client.b, &i, sizeof i);
        flows_segment(flows, &s, 1);
    }
    assert_int_equal(counters()->open, FLOWS_MAX);
    assert_int_equal(counters()->begun, FLOOD + 1);
    assert_int_equal(counters()->half_open_ended, FLOOD + 1 - FLOWS_MAX);
    send_at(5, 7, A, 100, "EHLO x\r\n"); /* who was there is still there */
    send_at(6, 7, F, 108, "");
    expect_told("fin smtp EHLO");
    flows_tick(flows, FLOWS_HALF_OPEN_US + 10000);
    finish();
}

/* ---- what the judge wants to know
 * ---------------------------------------------------------------- */

static void test_dialogue(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool is;
    } list[] = {
        {"EHLO x\r\n", "MAIL FROM:<>\r\n", true},  {"HELO x\r\n", "AUTH PLAIN AGEAYg==\r\n", true},
        {"EHLO x\r\n", "STARTTLS\r\n", true},      {"EHLO x\r\n", "QUIT\r\n", false},
        {"EHLO x\r\nMAIL FROM:<>\r\n", "", false}, {"EHLO x\r\nSTARTTLS\r\n", "QUIT\r\n", false},
        {"NOOP\r\n", "MAIL FROM:<>\r\n", false},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        begin(4, 4);
        open_at(0, 1, 99);
        send_at(1, 1, A, 100, list[i].first);
        uint32_t next = 100 + (uint32_t)strlen(list[i].first);
        send_at(2, 1, A, next, list[i].second);
        send_at(3, 1, F, next + (uint32_t)strlen(list[i].second), "");
        assert_int_equal(told_count, 1);
        assert_int_equal(last.dialogue, list[i].is);
        finish();
    }
}

static void test_proxied(void **state)
{
    (void)state;
    begin(4, 4);
    static const char header[] = "PROXY TCP4 192.0.2.99 198.51.100.7 1234 465\r\n";
    struct segment s = segment(1, TCP_SYN, 99, "");
    s.server_port = 10587;
    flows_segment(flows, &s, 0);
    s.flags = A;
    s.seq = 100;
    s.payload = STR(header);
    s.length = sizeof header - 1;
    flows_segment(flows, &s, 1000);
    s.seq += s.length;
    s.payload = STR("EHLO x\r\n");
    s.length = 8;
    flows_segment(flows, &s, 9000000);
    flows_stop(flows, 9500000);
    expect_told("stop smtp EHLO");
    assert_int_equal(last.first_us, 9000000); /* the header is not the client's */
    s = segment(2, TCP_SYN, 99, "");
    s.server_port = 10587;
    flows_segment(flows, &s, 0);
    s.flags = A;
    s.seq = 100;
    flows_segment(flows, &s, 0);
    flows_stop(flows, 9600000);
    expect_told("stop nothing");
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),       cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_cut_payload),   cmocka_unit_test(test_pending_limits),
        cmocka_unit_test(test_times),         cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_begins_anew),   cmocka_unit_test(test_full),
        cmocka_unit_test(test_few_may_speak), cmocka_unit_test(test_flood),
        cmocka_unit_test(test_dialogue),      cmocka_unit_test(test_proxied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
