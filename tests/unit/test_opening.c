/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Openings of sessions, told in one line each: whole, byte by byte and in odd pieces they are the
 * same. And what must not stay in memory does not.
 */
#include "core/wire/opening_internal.h"
#include "wire_help.h"

#ifdef __SANITIZE_ADDRESS__
#include <malloc.h>
#endif

static const char secret[] = "AGFubmEAc2VjcmV0";

/* The shortest beginning of it that could not be there by chance. */
static bool has_secret(const char *p, size_t n)
{
    return memmem(p, n, secret, 8) || memmem(p, n, "c2VjcmV0", 8);
}

static unsigned frees; /* that were looked at */

#ifdef __SANITIZE_ADDRESS__
/* ASan calls it before each free(): nothing that is given back may have it. */
void __sanitizer_free_hook(const volatile void *p);
void __sanitizer_free_hook(const volatile void *p)
{
    frees++;
    if (p && has_secret((const char *)p, malloc_usable_size((void *)p)))
        abort();
}
#endif

/* What is done with is zeroed; of a password nothing stays that could be avoided. */
static void check_memory(const struct opening *o)
{
    static const char nothing[OPENING_BUFFER];
    const struct opening_buffer *b = o->unread;
    if (!b)
        return;
    assert_true(b->n <= b->cap && b->cap <= OPENING_BUFFER);
    assert_memory_equal(b->bytes + b->n, nothing, b->cap - b->n);
    if (o->state == OPENING_OVER)
        assert_int_equal(b->n, 0);
    if (o->mechanism)
        assert_false(has_secret(b->bytes, b->cap));
}

/* Pieces of `size` bytes, each in memory of its own. */
static void feed(struct opening *o, struct str bytes, size_t size)
{
    for (size_t at = 0; at < bytes.n; at += size) {
        size_t n = bytes.n - at < size ? bytes.n - at : size;
        struct str piece = wire_copy((struct str){bytes.p + at, n});
        assert_int_equal(opening_feed(o, piece), 0);
        explicit_bzero((char *)piece.p, n);
        wire_free(piece);
        check_memory(o);
    }
}

static void put_flags(struct buf *b, const struct opening *o)
{
    const struct {
        bool set;
        const char *name;
    } flags[] = {
        {o->starttls, "starttls"},
        {o->garbage, "garbage"},
        {o->gap, "gap"},
        {o->proxy_missing, "no-proxy"},
        {o->proxy.told, "proxied"},
        {o->hello != NULL, "hello"},
        {o->hello_begun && !o->hello && !o->hello_bad, "hello-begun"},
        {o->hello_bad, "hello-bad"},
        {o->unasked, "unasked"},
    };
    for (size_t i = 0; i < COUNT(flags); i++)
        if (flags[i].set)
            buf_printf(b, " %s", flags[i].name);
}

/* "smtp 3/1 EHLO AUTH helo=a auth=PLAIN+ starttls hello answered": 3 commands, 1 is not known. */
static void describe(struct buf *b, const struct opening *o)
{
    buf_cstring(b, opening_first_names[o->first]);
    if (o->commands)
        buf_printf(b, " %u/%u", o->commands, o->unknown);
    for (size_t i = 0; i < o->verb_count; i++)
        buf_printf(b, " %s", smtp_verb_names[o->verbs[i]]);
    if (o->helo_n)
        buf_printf(b, " helo=%.*s", o->helo_n, o->helo);
    if (o->mechanism)
        buf_printf(b, " auth=%s%s", o->mechanism, o->initial_response ? "+" : "");
    put_flags(b, o);
    if (o->fate)
        buf_printf(b, " %s", hello_fate_names[o->fate]);
    if (o->alert)
        buf_printf(b, " %u", o->alert);
}

struct end {
    bool proxied;
    void (*with)(struct opening *); /* opening_close, opening_gap, or nothing */
};

static void expect_ended(struct str bytes, struct end end, const char *expected)
{
    static const size_t sizes[] = {SIZE_MAX / 2, 1, 2, 7, 100, 1460};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct opening o;
        opening_init(&o, end.proxied);
        assert_null(o.unread);
        feed(&o, bytes, sizes[i]);
        if (end.with) {
            end.with(&o);
            assert_int_equal(o.state, OPENING_OVER);
        }
        check_memory(&o);
        char text[600];
        struct buf b = BUF(text);
        describe(&b, &o);
        if (strcmp(buf_cstr(&b), expected))
            fail_msg("%.*s, in pieces of %zu: \"%s\", not \"%s\"",
                     bytes.n < 200 ? (int)bytes.n : 200, bytes.p, sizes[i], text, expected);
        opening_free(&o);
        assert_true(!o.unread && !o.hello && o.state == OPENING_OVER);
    }
}

static void expect(struct str bytes, const char *expected)
{
    expect_ended(bytes, (struct end){.with = opening_close}, expected);
}

struct expected {
    struct str bytes;
    const char *told;
};

/* ---- clear text -------------------------------------------------------------------------- */

static void test_first(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR(""), "nothing"},
        {STR("\r\n"), "nothing"},
        {STR("\r\n\n \t\r\n"), "nothing"},
        {STR("EHLO a\r\n"), "smtp 1/0 EHLO helo=a"},
        {STR("ehlo a\n"), "smtp 1/0 EHLO helo=a"},
        {STR("QUIT\r\n"), "smtp 1/0 QUIT"},
        {STR("  EHLO a\r\n"), "smtp 1/0 EHLO helo=a"},
        {STR("\r\nNOOP\r\n"), "smtp 1/0 NOOP"},
        {STR("\r\n \r\nNOOP\r\n"), "smtp 1/0 NOOP"},
        {STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "http"},
        {STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "http"},
        {STR("CONNECT a:25 HTTP/1.1\r\n\r\n"), "http"},
        {STR("GET\r\n"), "other 1/1"},
        {STR("get / HTTP/1.1\r\n"), "http"},
        {STR("FOO\r\n"), "other 1/1"},
        {STR("FOO\r\nEHLO a\r\nMAIL "), "other 3/1 EHLO MAIL helo=a"},
        {STR("EHLOO a\r\n"), "other 1/1"},
        {STR("SSH-2.0-OpenSSH_9.2\r\n"), "other 1/1"},
        {STR("EHLO a\r\nGET / HTTP/1.1\r\n"), "smtp 2/1 EHLO helo=a"},
        {STR("\0\1\2"), "other garbage"},
        {STR("\x7f"), "other garbage"},
        {STR("\xff\xfb\x1f"), "other garbage"},
        {STR("\x15\x03\x01\0\x02\x02\x28"), "other garbage"},
        {STR("\x16\x03\x05\0"), "other garbage"},
        {STR("EHLO a\r\n\x16\x03\x01\x00\x05"), "smtp 1/0 EHLO helo=a hello-begun unasked"},
        {STR("EHLO a\r\n\x16\x03\x09\x00\x05"), "smtp 1/0 EHLO helo=a garbage"},
        {STR("STARTTLS\r\nEHLO a\r\n\x16\x03\x01"),
         "smtp 2/0 STARTTLS EHLO helo=a starttls hello-begun"},
        {STR("EHLO a\r\n\r\nNOOP\r\n"), "smtp 3/1 EHLO NOOP helo=a"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].bytes, cases[i].told);
}

static void test_commands(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR("HELO a\r\nEHLO [192.0.2.7]\r\n"), "smtp 2/0 HELO EHLO helo=[192.0.2.7]"},
        {STR("EHLO   a b \t\r\n"), "smtp 1/0 EHLO helo=a b"},
        {STR("EHLO\ta\r\n"), "smtp 1/0 EHLO helo=a"},
        {STR("EHLO a\r\nHELO\r\n"), "smtp 2/0 EHLO HELO"},
        {STR("EHLO caf\xc3\xa9\r\n"), "smtp 1/0 EHLO helo=caf\xc3\xa9"},
        {STR("LHLO a\r\nXCLIENT ADDR=192.0.2.1\r\nXFORWARD A=b\r\nEXPN a\r\nHELP\r\nRSET\r\n"),
         "smtp 6/0 LHLO XCLIENT XFORWARD EXPN HELP RSET"},
        {STR("NOOP\n1\n2\nNOOP\n"), "smtp 4/2 NOOP NOOP"},
        {STR("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b>\r\n"), "smtp 2/0 EHLO MAIL helo=a"},
        {STR("EHLO a\r\nRCPT TO:<b>\r\n"), "smtp 2/0 EHLO RCPT helo=a"},
        {STR("DATA\r\nEHLO a\r\n"), "smtp 1/0 DATA"},
        {STR("BDAT 3 LAST\r\nfoo"), "smtp 1/0 BDAT"},
        {STR("VRFY a\r\n"), "smtp 1/0 VRFY"},
        {STR("ETRN a\r\n"), "smtp 1/0 ETRN"},
        {STR("QUIT\r\nEHLO a\r\n"), "smtp 2/0 QUIT EHLO helo=a"},
        {STR("MAILX\r\n"), "other 1/1"},
        {STR("NOOP\nNOOP\nNOOP\nNOOP\nNOOP\nNOOP\nNOOP\nNOOP\nRSET\n"),
         "smtp 9/0 NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].bytes, cases[i].told);
}

/* With these it is over at once, while the line may still come. */
static void test_over(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR("MAIL "), "smtp 1/0 MAIL"},
        {STR("AUTH PLAIN a"), "smtp 1/0 AUTH auth=PLAIN+"},
        {STR("AUTH LOGIN\r"), "smtp 1/0 AUTH auth=LOGIN"},
        {STR("GET "), "http"},
        {STR("\1"), "other garbage"},
        {STR("STARTTLS\r\nfoo "), "smtp 1/0 STARTTLS starttls garbage"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct opening o;
        opening_init(&o, false);
        feed(&o, (struct str){cases[i].bytes.p, cases[i].bytes.n - 1}, 1);
        assert_int_equal(o.state, OPENING_GOES_ON);
        opening_free(&o);
        opening_init(&o, false);
        feed(&o, cases[i].bytes, 1);
        assert_int_equal(o.state, OPENING_OVER);
        opening_free(&o);
        expect_ended(cases[i].bytes, (struct end){0}, cases[i].told);
        expect(cases[i].bytes, cases[i].told); /* and closing changes nothing */
    }
}

static void test_auth(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR("AUTH PLAIN\r\nAGFubmEAc2VjcmV0\r\n"), "smtp 1/0 AUTH auth=PLAIN"},
        {STR("AUTH PLAIN AGFubmEAc2VjcmV0\r\n"), "smtp 1/0 AUTH auth=PLAIN+"},
        {STR("auth login\r\nYW5uYQ==\r\nc2VjcmV0\r\n"), "smtp 1/0 AUTH auth=LOGIN"},
        {STR("AUTH LOGIN YW5uYQ==\r\nc2VjcmV0\r\n"), "smtp 1/0 AUTH auth=LOGIN+"},
        {STR("AUTH EXTERNAL =\r\n"), "smtp 1/0 AUTH auth=EXTERNAL"},
        {STR("AUTH EXTERNAL = \r\n"), "smtp 1/0 AUTH auth=EXTERNAL"},
        {STR("AUTH EXTERNAL =a\r\n"), "smtp 1/0 AUTH auth=EXTERNAL+"},
        {STR("AUTH   XOAUTH2 \t dXNlcj1h\r\n"), "smtp 1/0 AUTH auth=XOAUTH2+"},
        {STR("AUTH SCRAM-SHA-256 biwsbj1h\r\n"), "smtp 1/0 AUTH auth=SCRAM-SHA-256+"},
        {STR("AUTH SCRAM-SHA-256-PLUS \r\n"), "smtp 1/0 AUTH auth=SCRAM-SHA-256-PLUS"},
        {STR("AUTH c2VjcmV0\r\n"), "smtp 1/0 AUTH auth="},
        {STR("AUTH c2VjcmV0 a\r\n"), "smtp 1/0 AUTH auth=+"},
        {STR("AUTH AGFubmEAc2VjcmV0AGFubmEAc2VjcmV0\r\n"), "smtp 1/0 AUTH auth="},
        {STR("AUTH AGFubmEAc2VjcmV0AGFubmEAc2VjcmV0 a\r\n"), "smtp 1/0 AUTH auth=+"},
        {STR("AUTH PLAINc2VjcmV0 =\r\n"), "smtp 1/0 AUTH auth="},
        {STR("AUTH\r\n"), "smtp 1/0 AUTH auth="},
        {STR("AUTH \r\n"), "smtp 1/0 AUTH auth="},
        {STR("EHLO a\r\nAUTH=LOGIN\r\n"), "smtp 2/1 EHLO helo=a"},
        {STR("AUTH PLAIN\rAGFubmEAc2VjcmV0\r\n"), "smtp 1/0 AUTH auth=PLAIN"},
        {STR("  AUTH PLAIN AGFubmEAc2VjcmV0\r\n"), "smtp 1/0 AUTH auth=PLAIN+"},
        /* The client has closed within the line. */
        {STR("AUTH"), "smtp 1/0 AUTH auth="},
        {STR("AUTH "), "smtp 1/0 AUTH auth="},
        {STR("AUTH SCRAM-SHA-1"), "smtp 1/0 AUTH auth="},
        {STR("AUTH PLAIN "), "smtp 1/0 AUTH auth=PLAIN"},
        {STR("AUTH PLAIN ="), "smtp 1/0 AUTH auth=PLAIN"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].bytes, cases[i].told);
}

static void test_close(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR("QUIT"), "smtp 1/0 QUIT"},
        {STR("quit\r"), "smtp 1/0 QUIT"},
        {STR("MAIL"), "smtp 1/0 MAIL"},
        {STR("EHLO"), "smtp 1/0 EHLO"},
        {STR("EHLO laptop.exam"), "smtp 1/0 EHLO"}, /* the name may be cut */
        {STR("EHL"), "other"},
        {STR("GET"), "other"},
        {STR("FOO bar"), "other 1/1"},
        {STR("EHLO a\r\nFOO"), "smtp 1/0 EHLO helo=a"},
        {STR("EHLO a\r\nSTARTTLS"), "smtp 2/0 EHLO STARTTLS helo=a starttls"},
        {STR("STARTTLS\r\nfoo"), "smtp 1/0 STARTTLS starttls"},
        {STR("STARTTLS\r\nQUIT"), "smtp 2/0 STARTTLS QUIT starttls"},
        {STR("\x16\x03"), "other"},
        {STR("\x16\x03\x01"), "tls hello-begun"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].bytes, cases[i].told);
}

static void test_gap(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR(""), "nothing gap"},
        {STR("QUIT"), "nothing gap"},
        {STR("EHLO a"), "smtp gap"},
        {STR("EHLO a\r\nQUIT\r\n"), "smtp 2/0 EHLO QUIT helo=a gap"},
        {STR("\x16\x03\x01"), "tls gap hello-begun"},
        {STR("MAIL "), "smtp 1/0 MAIL"}, /* it was over */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_ended(cases[i].bytes, (struct end){.with = opening_gap}, cases[i].told);
    struct str hello = wire_recording("client_hello", "curl");
    expect_ended(hello, (struct end){.with = opening_gap}, "tls gap hello");
    wire_free(hello);
}

/* ---- TLS --------------------------------------------------------------------------------- */

static void test_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *name, *told;
    } cases[] = {
        {"tls13-answered", "tls hello answered"},
        {"tls12-answered", "tls hello answered"},
        {"tls12-resumed", "tls hello answered"},
        {"retry-answered", "tls hello answered"},
        {"retry-answered-gnutls", "tls hello answered"},
        {"tls13-certificate-rejected", "tls hello alert 48"},
        {"tls12-certificate-rejected", "tls hello alert 48"},
        {"retry-certificate-rejected", "tls hello alert 48"},
        {"certificate-rejected-hidden", "tls hello hidden-alert"},
        {"version-too-low", "tls hello alert 80"},
        {"closed-after-hello", "tls hello left"},
        {"hello-cut", "tls hello-begun"},
        {"hello-bad", "tls hello-bad"},
        {"huge-hello", "tls hello alert 40"},
        {"sslv2", "tls hello answered"},
        {"starttls", "smtp 2/0 EHLO STARTTLS helo=laptop.example.com starttls hello answered"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str bytes = wire_recording("opening", cases[i].name);
        expect(bytes, cases[i].told);
        wire_free(bytes);
    }
}

/* What follows a ClientHello. */
static void test_fates(void **state)
{
    (void)state;
    static const struct {
        const char *hello, *records, *told;
    } cases[] = {
        {"openssl-tls13", "", "tls hello left"},
        {"openssl-tls13", "17 0303 00", "tls hello left"},
        {"openssl-tls13", "17 0303 0013", "tls hello hidden-alert"},
        {"openssl-tls13", "17 0303 0014", "tls hello answered"},
        {"openssl-tls13", "14 0303 0001 01", "tls hello left"},
        {"openssl-tls13", "14 0303 0001 01 17 0303 0013", "tls hello hidden-alert"},
        {"openssl-tls13", "15 0303 0002 02", "tls hello left"},
        {"openssl-tls13", "15 0303 0002 02 2a", "tls hello alert 42"},
        {"openssl-tls13", "15 0303 0013", "tls hello"},
        {"openssl-tls13", "14 0303 0001 01 15 0303 001a", "tls hello hidden-alert"},
        {"openssl-tls13", "16 0303 0006 10 000002 0000", "tls hello answered"},
        {"openssl-tls13", "16 0303 0003 100000", "tls hello answered"},
        {"openssl-tls13", "16 0303 0006 01", "tls hello left"},
        {"openssl-tls13", "16 0303 0006 01 000002 0000 15 0303 0002 0228", "tls hello alert 40"},
        /* a second ClientHello in two records, a third */
        {"openssl-tls13", "16 0303 0005 01 000002 00 16 0303 0001 00 17 0303 0045",
         "tls hello answered"},
        {"openssl-tls13", "16 0303 0004 01 000000 16 0303 0004 01", "tls hello answered"},
        /* like a message, but its length is another: encrypted */
        {"openssl-tls13", "14 0303 0001 01 16 0303 0028 01 000001", "tls hello answered"},
        {"openssl-tls12", "16 0303 0006 01", "tls hello answered"}, /* no retry in TLS 1.2 */
        {"openssl-tls12", "14 0303 0001 01 16 0303 0028", "tls hello answered"},
        {"openssl-tls12", "99 0303 0001", "tls hello"},
        {"openssl-tls12", "16 0204 0001", "tls hello"},
        {"openssl-tls12", "17 0303 4801", "tls hello"},
        {"openssl-tls12", "45484c4f20", "tls hello"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str hello = wire_recording("client_hello", cases[i].hello);
        struct str records = wire_hex(cases[i].records);
        char bytes[2048];
        memcpy(bytes, hello.p, hello.n);
        memcpy(bytes + hello.n, records.p, records.n);
        expect((struct str){bytes, hello.n + records.n}, cases[i].told);
        wire_free(hello);
        wire_free(records);
    }
}

/* Early data comes before any answer. */
static void test_early_data(void **state)
{
    (void)state;
    struct str bytes = wire_hex("16 0301 0033 01 00002f 0303"
                                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                                "00 0002 1301 0100 0004 002a 0000 14 0303 0001 01 17 0303 0045");
    expect(bytes, "tls hello");
    wire_free(bytes);
}

static void test_starttls(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR("EHLO a\r\nSTARTTLS\r\n"), "smtp 2/0 EHLO STARTTLS helo=a starttls"},
        {STR("STARTTLS\r\nAUTH LOGIN\r\n"), "smtp 2/0 STARTTLS AUTH auth=LOGIN starttls"},
        {STR("STARTTLS\r\nQUIT\r\n"), "smtp 2/0 STARTTLS QUIT starttls"},
        {STR("STARTTLS\r\nFOO\r\n"), "smtp 1/0 STARTTLS starttls garbage"},
        {STR("STARTTLS\r\n\r\n"), "smtp 1/0 STARTTLS starttls garbage"},
        {STR("STARTTLS\r\nGET / HTTP/1.0\r\n"), "smtp 1/0 STARTTLS starttls garbage"},
        {STR("STARTTLS\r\n\x16\x03\x09"), "smtp 1/0 STARTTLS starttls garbage"},
        {STR("STARTTLS\r\n\x16\x03\x01"), "smtp 1/0 STARTTLS starttls hello-begun"},
        {STR("STARTTLS now\r\nSTARTTLS\r\n\x16\x03\x01"),
         "smtp 2/0 STARTTLS STARTTLS starttls hello-begun"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].bytes, cases[i].told);
}

/* ---- PROXY headers ----------------------------------------------------------------------- */

static void test_proxied(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {STR("PROXY TCP4 192.0.2.7 198.51.100.25 1 2\r\nEHLO a\r\n"),
         "smtp 1/0 EHLO helo=a proxied"},
        {STR("PROXY UNKNOWN\r\nEHLO a\r\n"), "smtp 1/0 EHLO helo=a"},
        {STR("PROXY UNKNOWN\r\n"), "nothing"},
        {STR("PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n"), "other 1/1"},
        {STR("EHLO a\r\n"), "smtp 1/0 EHLO helo=a no-proxy"},
        {STR("PROXY TCP5\r\nEHLO a\r\n"), "other 2/1 EHLO helo=a no-proxy"},
        {STR("\x16\x03\x01"), "tls no-proxy hello-begun"},
        {STR(""), "nothing no-proxy"},
        {STR("PROX"), "other no-proxy"},
        {STR("\r\n\r\n\0\r\nQUI"), "other garbage no-proxy"},
        {STR("\r\nQUIT\r\n"), "smtp 1/0 QUIT no-proxy"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_ended(cases[i].bytes, (struct end){true, opening_close}, cases[i].told);
    expect(cases[0].bytes, "other 2/1 EHLO helo=a"); /* not expected: it is not believed */

    struct str bytes = wire_recording("opening", "proxied-v2-auth");
    expect_ended(bytes, (struct end){true, opening_close},
                 "smtp 2/0 EHLO AUTH helo=a auth=LOGIN proxied");
    wire_free(bytes);
}

/* A header that is right, but longer than what is kept. */
static void test_proxy_too_long(void **state)
{
    (void)state;
    static char bytes[70000];
    memcpy(bytes, "\r\n\r\n\0\r\nQUIT\n\x20\0\xff\xff", 16);
    expect_ended((struct str){bytes, sizeof bytes}, (struct end){true, NULL},
                 "other garbage no-proxy");
}

/* ---- limits ------------------------------------------------------------------------------ */

static void test_long_lines(void **state)
{
    (void)state;
    static const struct {
        int length; /* of the line, CR LF included */
        const char *told;
    } cases[] = {
        {OPENING_LINE, "smtp 3/0 NOOP EHLO QUIT"},
        {OPENING_LINE + 1, "smtp 3/1 NOOP QUIT"},
        {OPENING_LINE * 20, "smtp 3/1 NOOP QUIT"},
    };
    static char text[OPENING_LINE * 21];
    for (size_t i = 0; i < COUNT(cases); i++) {
        int n =
            snprintf(text, sizeof text, "NOOP\r\nEHLO %0*d\r\nQUIT\r\n", cases[i].length - 7, 0);
        expect((struct str){text, (size_t)n}, cases[i].told);
    }
    /* in front: it is other, whatever it begins with */
    int n = snprintf(text, sizeof text, "%*d\r\nEHLO a\r\n", OPENING_LINE * 2, 0);
    expect((struct str){text, (size_t)n}, "other 2/1 EHLO helo=a");
    n = snprintf(text, sizeof text, "AUTH PLAIN %0*d\r\n", OPENING_LINE * 2, 0);
    expect((struct str){text, (size_t)n}, "smtp 1/0 AUTH auth=PLAIN+");
    n = snprintf(text, sizeof text, "AUTH %*s PLAIN\r\n", OPENING_LINE * 2, "");
    expect((struct str){text, (size_t)n}, "smtp 1/0 AUTH auth=PLAIN");
}

static void test_long_names(void **state)
{
    (void)state;
    char text[400], told[400];
    for (int n = 254; n <= 256; n++) {
        snprintf(text, sizeof text, "HELO b\r\nEHLO %0*d\r\n", n, 0);
        snprintf(told, sizeof told,
                 n <= 255 ? "smtp 2/0 HELO EHLO helo=%0*d" : "smtp 2/0 HELO EHLO", n, 0);
        expect(str_of(text), told);
    }
}

static void test_many_commands(void **state)
{
    (void)state;
    char text[OPENING_COMMANDS * 3 + 10] = "";
    for (int i = 0; i < OPENING_COMMANDS - 1; i++)
        strcat(text, "a\r\n");
    struct opening o;
    opening_init(&o, false);
    feed(&o, str_of(text), 5);
    assert_int_equal(o.state, OPENING_GOES_ON);
    feed(&o, STR("NOOP\r\nEHLO a\r\n"), 5);
    assert_int_equal(o.state, OPENING_OVER);
    assert_true(o.commands == OPENING_COMMANDS && o.unknown == OPENING_COMMANDS - 1);
    assert_true(o.seen == 1u << VERB_NOOP && !o.helo_n);
    opening_free(&o);
}

/* Little memory for little, and not more than is said for much. */
static void test_memory(void **state)
{
    (void)state;
    static char text[200000];
    memset(text, 'x', sizeof text);
    struct opening o;
    opening_init(&o, false);
    feed(&o, STR("EHLO a\r\nNOOP\r\n"), 14);
    assert_true(o.unread->n == 0 && o.unread->cap <= 256);
    feed(&o, (struct str){text, sizeof text}, sizeof text);
    assert_true(o.unread->n == 0 && o.unread->cap <= 2 * OPENING_LINE);
    opening_free(&o);

    struct str hello = wire_recording("client_hello", "huge");
    opening_init(&o, false);
    feed(&o, hello, hello.n);
    assert_true(o.hello && o.unread->n == 0 && o.unread->cap <= OPENING_BUFFER);
    opening_free(&o);
    wire_free(hello);
}

/* In a line that goes on, and so is kept: when memory grows, and when it is freed. */
static void test_freed(void **state)
{
    (void)state;
    char text[1024];
    int n = snprintf(text, sizeof text, "EHLO %s%0600d", secret, 0);
    struct opening o;
    opening_init(&o, false);
    feed(&o, (struct str){text, (size_t)n}, 100);
    assert_true(has_secret(o.unread->bytes, o.unread->n) && o.unread->cap > 512);
    unsigned before = frees;
    opening_free(&o);
#ifdef __SANITIZE_ADDRESS__
    assert_true(frees > before);
#else
    assert_int_equal(frees, before); /* nobody looks */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),         cmocka_unit_test(test_commands),
        cmocka_unit_test(test_over),          cmocka_unit_test(test_auth),
        cmocka_unit_test(test_close),         cmocka_unit_test(test_gap),
        cmocka_unit_test(test_recorded),      cmocka_unit_test(test_fates),
        cmocka_unit_test(test_early_data),    cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_proxied),       cmocka_unit_test(test_proxy_too_long),
        cmocka_unit_test(test_long_lines),    cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_many_commands), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
