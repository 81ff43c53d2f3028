/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of a connection: what the client sends, on which port, and how it ended; and by hand
 * what must be said of it, and whether for certain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/config.h"
#include "tap/judge.h"

enum { SENTENCE = 400, PIECES = 5, BYTES = 2048 };

static const char policy_text[] =
    "mode: enforce\n"
    "listeners:\n"
    "  - {names: [smtp], port: 25, role: smtp}\n"
    "  - {names: [submission], port: 587, role: submission}\n"
    "  - {names: [submissions], port: 465, role: submissions}\n"
    "  - {names: [old], port: 2525, role: submission, min_tls: TLSv1, mode: audit}\n"
    "  - {names: [offloaded], port: 588, role: submission, tls_by: proxy}\n"
    "  - {names: [offloaded465], port: 466, role: submissions, tls_by: proxy}\n"
    "trusted: {networks: [10.0.0.0/8]}\n"
    "exceptions:\n"
    "  - {client: 203.0.113.7, allow: [closed-before-starttls, tls-required, auth-required,"
    " cleartext-auth], until: 2999-12-31, reason: test, owner: test}\n";

static struct config *config;

static int load(void **state)
{
    (void)state;
    struct problems ps = {0};
    config = config_parse(STR(policy_text), "test", &ps);
    problems_free(&ps);
    return config ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

/* ---- bytes ------------------------------------------------------------------------ */

/*
 * In what a client says, {..} stands for bytes of TLS: {hello}, {old}: a ClientHello with TLS 1.3
 * and 1.2, or with TLS 1.0 at most; {half}: the first half of one; {done}: what answers a server;
 * {hidden}: an encrypted alert; {alert N}; {junk}.
 */
static size_t put_hello(char *at, unsigned version, bool supported)
{
    char body[128];
    struct buf b = BUF(body);
    char random[32] = {0};
    buf_char(&b, (char)(version >> 8));
    buf_char(&b, (char)version);
    buf_put(&b, random, sizeof random);
    buf_put(&b, "\0\0\2\xc0\x2f\1\0", 7);
    if (supported)
        buf_put(&b, "\0\x09\0\x2b\0\x05\x04\x03\x04\x03\x03", 11);
    else
        buf_put(&b, "\0\0", 2);
    struct buf t = {at, 0, BYTES, false};
    buf_put(&t, "\x16\3\1\0", 4);
    buf_char(&t, (char)(b.n + 4));
    buf_put(&t, "\1\0\0", 3);
    buf_char(&t, (char)b.n);
    buf_put(&t, body, b.n);
    return t.n;
}

static size_t put_tls(char *at, const char *name)
{
    static const char done[] = "\x14\3\3\0\1\1\x17\3\3\0\x35....................................."
                               "................",
                      hidden[] = "\x14\3\3\0\1\1\x17\3\3\0\x13...................",
                      junk[] = "\x80\x01\xff\0\1\2\3\4";
    unsigned number;
    size_t n = 0;
    if (strncmp(name, "hello}", 6) == 0)
        return put_hello(at, 0x0303, true);
    if (strncmp(name, "old}", 4) == 0)
        return put_hello(at, 0x0301, false);
    if (strncmp(name, "half}", 5) == 0)
        return put_hello(at, 0x0303, true) / 2;
    if (strncmp(name, "done}", 5) == 0)
        memcpy(at, done, n = sizeof done - 1);
    else if (strncmp(name, "hidden}", 7) == 0)
        memcpy(at, hidden, n = sizeof hidden - 1);
    else if (strncmp(name, "junk}", 5) == 0)
        memcpy(at, junk, n = sizeof junk - 1);
    else if (sscanf(name, "alert %u}", &number) == 1) {
        memcpy(at, "\x15\3\3\0\2\2", n = 6);
        at[n++] = (char)number;
    } else
        abort();
    return n;
}

static struct str bytes_of(const char *text, char *room)
{
    size_t n = 0;
    for (const char *c = text; *c; c++) {
        if (*c != '{') {
            room[n++] = *c;
            continue;
        }
        n += put_tls(room + n, c + 1);
        c = strchr(c, '}');
    }
    return (struct str){room, n};
}

/* ---- one connection ----------------------------------------------------------------- */

struct example {
    uint16_t port;
    const char *says[PIECES]; /* a segment each; the first comes after `silent_s` */
    enum flow_ended ended;
    const char *sentence; /* mode, findings with "?" where they are likely, would: reject or not */
    const char *client;   /* NULL: 192.0.2.17 */
    int silent_s;
    bool proxied;
};

static void describe(const struct judgement *j, char *text)
{
    struct buf b = {text, 0, SENTENCE, false};
    const struct verdict *v = &j->verdict;
    const char *mode = tap_mode_names[j->mode];
    buf_cstring(&b, *mode ? mode : "unknown");
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (v->broken & FINDING_BIT(f))
            buf_printf(&b, " %s%s", findings[f].id, j->likely & FINDING_BIT(f) ? "?" : "");
        if (v->excepted & FINDING_BIT(f))
            buf_printf(&b, " (excepted %s)", findings[f].id);
        if (v->trusted & FINDING_BIT(f))
            buf_printf(&b, " (trusted %s)", findings[f].id);
    }
    if (refuses(v->would))
        buf_printf(&b, " %s", action_names[v->would]);
    buf_cstr(&b);
}

static void check_sense(const struct judgement *j)
{
    const struct verdict *v = &j->verdict;
    assert_false(refuses(v->action));
    assert_int_equal(j->likely & ~v->broken, 0);
    assert_int_equal(v->finding == FINDING_COUNT, v->broken == 0);
    assert_int_equal(refuses(v->would), v->held != HELD_NOT);
    if (v->broken)
        assert_true(v->broken & FINDING_BIT(v->finding));
}

static void run(const struct example *x, char *sentence)
{
    static struct judgement j;
    char room[BYTES];
    struct opening o;
    struct now now = {INT64_C(1795230900) * US_PER_S, 0};
    struct flow_told t = {.opening = &o,
                          .client_port = 40001,
                          .server_port = x->port,
                          .began_us = 1000000,
                          .first_us = -1,
                          .ended_us = 2000000 + x->silent_s * US_PER_S,
                          .ended = x->ended};
    addr_parse(str_of(x->client ? x->client : "192.0.2.17"), &t.client);
    addr_parse(STR("198.51.100.1"), &t.server);
    opening_init(&o, x->proxied);
    for (int i = 0; i < PIECES && x->says[i]; i++) {
        uint32_t before = o.seen;
        t.first_us = t.first_us < 0 ? 1000000 + x->silent_s * US_PER_S : t.first_us;
        opening_feed(&o, bytes_of(x->says[i], room));
        t.dialogue |=
            (before & (1u << VERB_EHLO | 1u << VERB_HELO)) &&
            (o.seen & ~before & (1u << VERB_AUTH | 1u << VERB_MAIL | 1u << VERB_STARTTLS));
    }
    if (x->ended == ENDED_FIN || x->ended == ENDED_RST || x->ended == ENDED_IDLE)
        opening_close(&o);
    if (x->ended == ENDED_GAP)
        opening_gap(&o);
    tap_judge(config->policy, &t, &now, &j);
    describe(&j, sentence);
    check_sense(&j);
    opening_free(&o);
}

static void check(const struct example *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char sentence[SENTENCE];
        run(&list[i], sentence);
        if (strcmp(sentence, list[i].sentence) != 0)
            fail_msg("%zu, port %u, %s ... %s\n is: %s\nnot: %s", i, (unsigned)list[i].port,
                     list[i].says[0] ? list[i].says[0] : "", flow_ended_names[list[i].ended],
                     sentence, list[i].sentence);
    }
}

#define CHECK(list) check(list, sizeof(list) / sizeof *(list))
#define EHLO "EHLO [10.1.2.3]\r\n"

/* ---- what is as it should be --------------------------------------------------------- */

static void test_good(void **state)
{
    (void)state;
    static const struct example list[] = {
        {25, {EHLO, "MAIL FROM:<>\r\n"}, ENDED_SEEN, "cleartext"},
        {25, {EHLO, "QUIT\r\n"}, ENDED_FIN, "cleartext"},
        {25, {EHLO, "STARTTLS\r\n", "{hello}", "{done}"}, ENDED_SEEN, "starttls"},
        {25, {NULL}, ENDED_FIN, "unknown", .silent_s = 60},
        {587, {EHLO, "STARTTLS\r\n", "{hello}", "{done}"}, ENDED_SEEN, "starttls"},
        {587, {NULL}, ENDED_IDLE, "unknown", .silent_s = 60},
        {587, {"QUIT\r\n"}, ENDED_FIN, "cleartext"},
        {465, {"{hello}", "{done}"}, ENDED_SEEN, "implicit"},
        {465, {"{old}", "{done}"}, ENDED_SEEN, "implicit"},
        {465, {NULL}, ENDED_FIN, "unknown", .silent_s = 3},
        {4711, {"{hello}"}, ENDED_FIN, "implicit"},
    };
    CHECK(list);
}

/* ---- the rules: the core's ------------------------------------------------------------- */

static void test_rules(void **state)
{
    (void)state;
    static const struct example list[] = {
        {587,
         {EHLO, "MAIL FROM:<a@example.com>\r\n"},
         ENDED_SEEN,
         "cleartext tls-required auth-required reject"},
        {2525,
         {EHLO, "MAIL FROM:<a@example.com>\r\n"},
         ENDED_SEEN,
         "cleartext tls-required auth-required reject"},
        {587, {EHLO "VRFY bob\r\n"}, ENDED_SEEN, "cleartext tls-required auth-required reject"},
        {587,
         {EHLO, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"},
         ENDED_SEEN,
         "cleartext cleartext-auth reject"},
        {587, {EHLO, "AUTH LOGIN\r\n"}, ENDED_SEEN, "cleartext cleartext-auth? reject"},
        {587, {EHLO, "AUTH LOGIN Ym9i\r\n"}, ENDED_SEEN, "cleartext cleartext-auth? reject"},
        {587, {EHLO, "AUTH PLAIN\r\n"}, ENDED_SEEN, "cleartext cleartext-auth? reject"},
        {587, {EHLO, "AUTH PLAIN =\r\n"}, ENDED_SEEN, "cleartext cleartext-auth? reject"},
        {587, {EHLO, "AUTH XOAUTH2 dXNlcj1=\r\n"}, ENDED_SEEN, "cleartext cleartext-auth reject"},
        {587,
         {EHLO, "AUTH SOMETHING dXNlcj1=\r\n"},
         ENDED_SEEN,
         "cleartext cleartext-auth? reject"},
        {25,
         {EHLO, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"},
         ENDED_SEEN,
         "cleartext auth-tried-on-smtp-port cleartext-auth"},
        {25,
         {EHLO, "AUTH LOGIN\r\n"},
         ENDED_SEEN,
         "cleartext auth-tried-on-smtp-port cleartext-auth?"},
        {25, {EHLO, "AUTH\r\n"}, ENDED_SEEN, "cleartext auth-tried-on-smtp-port cleartext-auth?"},
        /* STARTTLS was refused, and it went on. */
        {587,
         {EHLO, "STARTTLS\r\n", "MAIL FROM:<>\r\n"},
         ENDED_SEEN,
         "cleartext tls-required auth-required reject"},
        /* Trusted, excepted. */
        {587,
         {EHLO, "MAIL FROM:<>\r\n"},
         ENDED_SEEN,
         "cleartext (trusted tls-required) (trusted auth-required)",
         .client = "10.0.0.1"},
        {587,
         {EHLO, "AUTH PLAIN AGJv\r\n"},
         ENDED_SEEN,
         "cleartext (trusted cleartext-auth)",
         .client = "10.0.0.1"},
        {587,
         {EHLO, "QUIT\r\n"},
         ENDED_FIN,
         "cleartext (trusted closed-before-starttls)",
         .client = "10.0.0.1"},
        {587,
         {EHLO, "MAIL FROM:<>\r\n"},
         ENDED_SEEN,
         "cleartext (excepted tls-required) (excepted auth-required)",
         .client = "203.0.113.7"},
        {587,
         {EHLO, "QUIT\r\n"},
         ENDED_FIN,
         "cleartext (excepted closed-before-starttls)",
         .client = "203.0.113.7"},
    };
    CHECK(list);
}

/* ---- the wrong mode ---------------------------------------------------------------------- */

static void test_wrong_mode(void **state)
{
    (void)state;
    static const struct example list[] = {
        {587, {"{hello}"}, ENDED_FIN, "implicit implicit-tls-on-starttls-port"},
        {25, {"{hello}"}, ENDED_RST, "implicit implicit-tls-on-starttls-port"},
        {587, {"{hello}"}, ENDED_IDLE, "implicit implicit-tls-on-starttls-port"},
        {587, {"{half}"}, ENDED_FIN, "implicit implicit-tls-on-starttls-port"},
        /* Behind EHLO it is the same. Not behind STARTTLS, where the server has thrown EHLO away.
         */
        {587, {EHLO, "{hello}"}, ENDED_FIN, "cleartext implicit-tls-on-starttls-port"},
        {25,
         {EHLO, "{hello}", "{alert 70}"},
         ENDED_SEEN,
         "cleartext implicit-tls-on-starttls-port"},
        {587, {EHLO "STARTTLS\r\n" EHLO, "{hello}", "{done}"}, ENDED_SEEN, "starttls"},
        /* What OpenSSL says to a greeting in clear text. */
        {587, {"{hello}", "{alert 70}"}, ENDED_SEEN, "implicit implicit-tls-on-starttls-port"},
        {587, {"{hello}"}, ENDED_GAP, "implicit implicit-tls-on-starttls-port?"},
        {587, {"{hello}"}, ENDED_STOP, "implicit implicit-tls-on-starttls-port?"},
        {587, {"{hello}"}, ENDED_FULL, "implicit implicit-tls-on-starttls-port?"},
        {587, {"{half}"}, ENDED_GAP, "implicit implicit-tls-on-starttls-port?"},
        /* The server did speak TLS: it is the policy that is wrong. */
        {587, {"{hello}", "{done}"}, ENDED_SEEN, "implicit listener-mode-mismatch"},
        {25, {"{hello}", "{hidden}"}, ENDED_SEEN, "implicit listener-mode-mismatch"},
        {587, {"{hello}", "{alert 48}"}, ENDED_SEEN, "implicit listener-mode-mismatch"},

        {465, {EHLO}, ENDED_FIN, "cleartext cleartext-on-implicit-port"},
        {465, {EHLO}, ENDED_GAP, "cleartext cleartext-on-implicit-port"},
        {465, {EHLO, "QUIT\r\n"}, ENDED_FIN, "cleartext cleartext-on-implicit-port"},
        {465,
         {EHLO "MAIL FROM:<>\r\n"},
         ENDED_SEEN,
         "cleartext tls-required auth-required cleartext-on-implicit-port reject"},
        {465, {EHLO, "STARTTLS\r\n"}, ENDED_FIN, "starttls cleartext-on-implicit-port"},
        {465, {EHLO, "STARTTLS\r\n", "{hello}"}, ENDED_FIN, "starttls cleartext-on-implicit-port"},
        {465,
         {EHLO, "STARTTLS\r\n", "{hello}", "{done}"},
         ENDED_SEEN,
         "starttls listener-mode-mismatch"},
        {465,
         {EHLO, "MAIL FROM:<>\r\n"},
         ENDED_SEEN,
         "cleartext tls-required auth-required listener-mode-mismatch reject"},
        {465,
         {EHLO, "AUTH PLAIN AGJv\r\n"},
         ENDED_SEEN,
         "cleartext cleartext-auth listener-mode-mismatch reject"},
        {465, {"foo\r\n" EHLO}, ENDED_FIN, "cleartext cleartext-on-implicit-port"},

        {465, {NULL}, ENDED_FIN, "unknown waits-on-implicit-port?", .silent_s = 4},
        {465, {NULL}, ENDED_IDLE, "unknown waits-on-implicit-port?", .silent_s = 330},
        {465, {NULL}, ENDED_RST, "unknown waits-on-implicit-port?", .silent_s = 60},
        {465, {NULL}, ENDED_STOP, "unknown waits-on-implicit-port?", .silent_s = 60},
        {465, {NULL}, ENDED_GAP, "unknown", .silent_s = 60},
        /* It was late, but it did speak. */
        {465, {EHLO}, ENDED_FIN, "cleartext cleartext-on-implicit-port", .silent_s = 60},

        {587, {EHLO}, ENDED_FIN, "cleartext closed-before-starttls"},
        {587, {"HELO x\r\n", "QUIT\r\n"}, ENDED_RST, "cleartext closed-before-starttls"},
        {587, {EHLO}, ENDED_IDLE, "cleartext"},
        {587, {EHLO}, ENDED_GAP, "cleartext"},
        {587, {EHLO}, ENDED_STOP, "cleartext"},
        {587, {EHLO "STARTTLS\r\n", "QUIT\r\n"}, ENDED_FIN, "cleartext"},
    };
    CHECK(list);
}

/* ---- no SMTP ----------------------------------------------------------------------------- */

static void test_not_smtp(void **state)
{
    (void)state;
    static const struct example list[] = {
        {25, {"GET / HTTP/1.1\r\n"}, ENDED_SEEN, "unknown not-smtp"},
        {465, {"GET / HTTP/1.1\r\n"}, ENDED_SEEN, "unknown not-smtp"},
        {587, {"{junk}"}, ENDED_SEEN, "unknown not-smtp"},
        {465, {"{junk}"}, ENDED_SEEN, "unknown not-smtp"},
        {587, {"hello there\r\n"}, ENDED_FIN, "unknown not-smtp"},
        {587, {"hello there\r\n"}, ENDED_IDLE, "unknown not-smtp"},
        {587, {"hello there\r\n"}, ENDED_GAP, "unknown"},
        {587, {"hello there\r\n"}, ENDED_STOP, "unknown"},
        {25, {"hello there\r\n", EHLO, "QUIT\r\n"}, ENDED_FIN, "cleartext"},
        {587, {"\r\n"}, ENDED_FIN, "unknown"},
    };
    CHECK(list);
}

/* ---- handshakes ------------------------------------------------------------------------------ */

static void test_handshakes(void **state)
{
    (void)state;
    static const struct example list[] = {
        {465, {"{old}"}, ENDED_FIN, "implicit handshake-version?"},
        {587, {EHLO, "STARTTLS\r\n", "{old}"}, ENDED_RST, "starttls handshake-version?"},
        {2525, {EHLO, "STARTTLS\r\n", "{old}"}, ENDED_RST, "starttls handshake-unknown"},
        {465, {"{hello}", "{alert 70}"}, ENDED_SEEN, "implicit handshake-version"},
        {465, {"{old}", "{alert 70}"}, ENDED_SEEN, "implicit handshake-version"},
        {465, {"{old}"}, ENDED_GAP, "implicit"},
        {465, {"{old}", "{alert 48}"}, ENDED_SEEN, "implicit certificate-rejected"},
        {587,
         {EHLO, "STARTTLS\r\n", "{hello}", "{alert 42}"},
         ENDED_SEEN,
         "starttls certificate-rejected"},
        {465, {"{hello}", "{alert 46}"}, ENDED_SEEN, "implicit certificate-rejected"},
        {465, {"{hello}", "{alert 47}"}, ENDED_SEEN, "implicit handshake-unknown"},
        {465, {"{hello}", "{alert 40}"}, ENDED_SEEN, "implicit handshake-unknown"},
        {465, {"{hello}", "{hidden}"}, ENDED_SEEN, "implicit handshake-unknown"},
        {465, {"{hello}"}, ENDED_FIN, "implicit handshake-unknown"},
        {465, {"{hello}"}, ENDED_STOP, "implicit"},
        {465, {"{half}"}, ENDED_FIN, "implicit handshake-unknown"},
        {465, {"{half}"}, ENDED_GAP, "implicit"},
        {587, {EHLO, "STARTTLS\r\n", "{junk}"}, ENDED_SEEN, "starttls handshake-unknown"},
        {587, {EHLO, "STARTTLS\r\n"}, ENDED_FIN, "starttls handshake-unknown?"},
        {587, {EHLO, "STARTTLS\r\n"}, ENDED_STOP, "starttls"},
        {587, {EHLO, "STARTTLS\r\n", "{half}"}, ENDED_FIN, "starttls handshake-unknown"},
        {25, {EHLO, "STARTTLS\r\n", "{hello}"}, ENDED_RST, "starttls handshake-unknown"},
    };
    CHECK(list);
}

/* ---- proxies ------------------------------------------------------------------------------------
 */

#define HEADER "PROXY TCP4 203.0.113.9 198.51.100.7 1234 "

static void test_proxies(void **state)
{
    (void)state;
    static const struct example list[] = {
        /* TLS is the proxy's: nothing is known of it. */
        {588, {EHLO, "MAIL FROM:<>\r\n"}, ENDED_SEEN, "cleartext auth-required reject"},
        {588, {EHLO, "AUTH PLAIN AGJv\r\n"}, ENDED_SEEN, "cleartext"},
        {588, {EHLO, "QUIT\r\n"}, ENDED_FIN, "cleartext"},
        {588, {"{hello}"}, ENDED_FIN, "implicit"},
        {588, {"GET / HTTP/1.0\r\n"}, ENDED_SEEN, "unknown not-smtp"},
        {466, {EHLO, "QUIT\r\n"}, ENDED_FIN, "cleartext"},
        {466, {NULL}, ENDED_FIN, "unknown", .silent_s = 60},
        {587,
         {"EHLO p\r\n", "XCLIENT ADDR=192.0.2.1\r\n", EHLO, "MAIL FROM:<>\r\n"},
         ENDED_SEEN,
         "cleartext"},
        {587, {"EHLO p\r\n", "XFORWARD ADDR=192.0.2.1\r\n", "QUIT\r\n"}, ENDED_FIN, "cleartext"},
        {25,
         {"EHLO p\r\n", "XCLIENT ADDR=192.0.2.1\r\n", EHLO, "AUTH PLAIN AGJv\r\n"},
         ENDED_SEEN,
         "cleartext"},
        /* A header that is believed says which port, and who. */
        {10587,
         {HEADER "465\r\n" EHLO},
         ENDED_FIN,
         "cleartext cleartext-on-implicit-port",
         .proxied = true},
        {10587,
         {HEADER "587\r\n"
                 "{hello}"},
         ENDED_FIN,
         "implicit implicit-tls-on-starttls-port",
         .proxied = true},
        {587,
         {HEADER "10587\r\n"
                 "{hello}"},
         ENDED_FIN,
         "implicit implicit-tls-on-starttls-port",
         .proxied = true},
        {587,
         {"PROXY TCP4 10.0.0.1 198.51.100.7 1234 587\r\n" EHLO},
         ENDED_FIN,
         "cleartext (trusted closed-before-starttls)",
         .proxied = true},
        {10587,
         {HEADER "4711\r\n"
                 "{hello}"},
         ENDED_FIN,
         "implicit",
         .proxied = true},
        /* But not which of two that the policy names: the MTA's own counts, where the proxy does
           TLS. */
        {588, {HEADER "465\r\n" EHLO}, ENDED_FIN, "cleartext", .proxied = true},
        {587,
         {"PROXY UNKNOWN\r\n" EHLO},
         ENDED_FIN,
         "cleartext closed-before-starttls",
         .proxied = true},
        /* It did not come: the MTA refuses whatever it is. */
        {587, {EHLO}, ENDED_FIN, "cleartext", .proxied = true},
        {465, {NULL}, ENDED_FIN, "unknown", .silent_s = 60, .proxied = true},
        /* Anybody can write one where none is due. */
        {587,
         {"PROXY TCP4 10.0.0.1 198.51.100.7 1234 587\r\n" EHLO},
         ENDED_FIN,
         "cleartext closed-before-starttls"},
    };
    CHECK(list);
}

static void test_names(void **state)
{
    (void)state;
    static struct judgement j;
    struct opening o;
    struct now now = {0, 0};
    struct flow_told t = {.opening = &o,
                          .client_port = 40001,
                          .server_port = 587,
                          .began_us = 5000,
                          .first_us = 2005999,
                          .ended_us = 3004999};
    addr_parse(STR("2001:db8::1"), &t.client);
    addr_parse(STR("2001:db8::25"), &t.server);
    opening_init(&o, false);
    opening_feed(&o, STR(EHLO "AUTH cram-md5\r\n"));
    tap_judge(config->policy, &t, &now, &j);
    const struct session *s = &j.session;
    assert_true(str_eq(s->client_text, STR("2001:db8::1")));
    assert_true(str_eq(s->server_text, STR("2001:db8::25")));
    assert_true(str_eq(s->helo, STR("[10.1.2.3]")));
    assert_true(str_eq(s->mechanism, STR("CRAM-MD5")));
    assert_int_equal(s->client_port, 40001);
    assert_int_equal(s->stage, STAGE_HELO);
    assert_int_equal(j.silent_ms, 2000);
    assert_int_equal(j.duration_ms, 2999);
    assert_int_equal(j.proxy.n, 0);
    assert_false(session_knows(s, FACT_BIT(FACT_AUTH)));
    assert_false(session_knows(s, FACT_BIT(FACT_MECHANISM)));
    opening_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_rules),
        cmocka_unit_test(test_wrong_mode), cmocka_unit_test(test_not_smtp),
        cmocka_unit_test(test_handshakes), cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
