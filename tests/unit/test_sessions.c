/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to sessions: who belongs to whom, when one is over, and what is bounded. */
#include "session_help.h"

#include "core/catalogue.h"

#define BOB "bob.example.net[192.0.2.7]"
#define EVE "eve.example.org[198.51.100.9]"

static uint64_t say(struct given *g, const char *time, const char *tag, unsigned pid,
                    const char *message)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "Nov 20 10:%s mx %s[%u]: %s", time, tag, pid, message);
    assert_true(n > 0 && (size_t)n < sizeof line);
    return give(g, line);
}

static uint64_t smtpd(struct given *g, const char *time, unsigned pid, const char *message)
{
    return say(g, time, "postfix/submission/smtpd", pid, message);
}

static struct str text(const struct given *g, uint32_t id)
{
    return names_text(g->names, id);
}

static void assert_flags(const struct given *g, unsigned i, uint32_t are, uint32_t are_not)
{
    assert_int_equal(g->list[i].seen.flags & are, are);
    assert_int_equal(g->list[i].seen.flags & are_not, 0);
}

/* ---- names --------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    char long_one[400];
    struct names *n = names_new(&given_key, 3);
    assert_int_equal(names_id(n, STR("")), 0);
    uint32_t a = names_id(n, STR("alpha")), b = names_id(n, STR("beta"));
    assert_true(a > NAMES_MORE && b > NAMES_MORE && a != b);
    assert_int_equal(names_id(n, STR("alpha")), a);
    assert_int_equal(names_find(n, STR("beta")), b);
    assert_int_equal(names_find(n, STR("gamma")), 0);
    assert_string_equal(names_text(n, b).p, "beta");
    assert_int_equal(names_text(n, 0).n, 0);
    assert_string_equal(names_text(n, NAMES_MORE).p, "(more)");
    assert_true(names_id(n, STR("gamma")) > NAMES_MORE);
    assert_int_equal(names_overflow(n), 0);
    assert_int_equal(names_id(n, STR("delta")), NAMES_MORE);
    assert_int_equal(names_id(n, STR("delta")), NAMES_MORE);
    assert_int_equal(names_overflow(n), 2);
    assert_int_equal(names_id(n, STR("alpha")), a);
    names_free(n);

    /* What is longer than any name there can be is none. */
    n = names_new(&given_key, 1000 * 1000);
    memset(long_one, 'x', sizeof long_one);
    assert_true(names_id(n, (struct str){long_one, 320}) > NAMES_MORE);
    assert_int_equal(names_id(n, (struct str){long_one, 321}), NAMES_MORE);
    /* Many, with bytes of any kind. */
    for (uint32_t i = 0; i < 50000; i++)
        assert_int_equal(names_id(n, (struct str){(char *)&i, 4}), 3 + i);
    for (uint32_t i = 0; i < 50000; i++) {
        assert_int_equal(names_find(n, (struct str){(char *)&i, 4}), 3 + i);
        assert_memory_equal(names_text(n, 3 + i).p, &i, 4);
    }
    names_free(n);
}

/* ---- Postfix ---------------------------------------------------------------------- */

/* The line that says why has no address: it is found by the process. */
static void test_joined_by_process(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    uint64_t bob = smtpd(&g, "00:00", 11, "connect from " BOB);
    uint64_t eve = smtpd(&g, "00:00", 12, "connect from " EVE);
    assert_true(bob > 0 && eve > bob);
    assert_int_equal(sessions_oldest(g.sessions), 1);
    assert_int_equal(smtpd(&g, "00:01", 12, "SSL_accept error from " EVE ": -1"), eve);
    assert_int_equal(smtpd(&g, "00:01", 11, "SSL_accept error from " BOB ": -1"), bob);
    assert_int_equal(smtpd(&g, "00:01", 11,
                           "warning: TLS library problem: error:0A000418:SSL routines::tlsv1 alert "
                           "unknown ca:../ssl/record/rec_layer_s3.c:1602:SSL alert number 48:"),
                     bob);
    assert_int_equal(smtpd(&g, "00:01", 12,
                           "warning: TLS library problem: error:0A0000C1:SSL routines::no shared "
                           "cipher:../ssl/statem/statem_srvr.c:2220:"),
                     eve);
    assert_int_equal(g.count, 0);
    assert_int_equal(
        smtpd(&g, "00:02", 11, "disconnect from " BOB " ehlo=1 starttls=0/1 commands=1/2"), bob);
    assert_int_equal(g.count, 1);
    assert_int_equal(sessions_oldest(g.sessions), 2);
    smtpd(&g, "00:03", 12, "disconnect from " EVE " commands=0/0");
    sessions_end(g.sessions);
    assert_int_equal(g.count, 2);
    assert_int_equal(sessions_oldest(g.sessions), UINT64_MAX);

    assert_int_equal(g.list[0].number, bob);
    assert_int_equal(g.list[0].first_position, 1);
    assert_int_equal(g.list[0].first_us, INT64_C(1795168800) * US_PER_S);
    assert_int_equal(g.list[0].last_us, INT64_C(1795168802) * US_PER_S);
    assert_int_equal(g.list[0].seen.handshake, HANDSHAKE_CERTIFICATE);
    assert_int_equal(g.list[0].seen.mode, TLS_MODE_STARTTLS);
    assert_non_null(strstr(sessions_reason(g.list[0].seen.reason), "unknown ca"));
    assert_string_equal(text(&g, g.list[0].seen.listener).p, "postfix/submission");
    assert_string_equal(text(&g, g.list[0].seen.client_name).p, "bob.example.net");
    assert_flags(&g, 0, SEEN_CONNECT | SEEN_END | SEEN_COUNTS | SEEN_HELO | SEEN_TLS_FAILED,
                 SEEN_TLS | SEEN_MAIL | SEEN_AUTH | SEEN_STARTTLS_REFUSED | SEEN_SILENT);
    assert_int_equal(g.list[1].seen.handshake, HANDSHAKE_CIPHER);
    assert_int_equal(g.list[1].seen.mode, TLS_MODE_IMPLICIT);
    const struct sessions_counts *c = sessions_counts(g.sessions);
    assert_int_equal(c->opened, 2);
    assert_int_equal(c->closed, 2);
    assert_int_equal(c->incomplete, 0);
    assert_int_equal(c->homeless, 0);
    given_close(&g);
}

/* A log begins and ends in the middle; two hosts have the same process numbers. */
static void test_incomplete(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    uint64_t a =
        smtpd(&g, "00:00", 11, "AAAAA1: client=" BOB ", sasl_method=PLAIN, sasl_username=bob");
    uint64_t b = smtpd(&g, "00:01", 11, "connect from " EVE);
    uint64_t other =
        give(&g, "Nov 20 10:00:01 mx2 postfix/submission/smtpd[11]: connect from " BOB);
    assert_true(a > 0 && b > a && other > b);
    assert_int_equal(smtpd(&g, "00:02", 11, "lost connection after EHLO from " EVE), b);
    /* Two of our lines that belong to nobody. */
    assert_int_equal(say(&g, "00:02", "postfix/cleanup", 5,
                         "AAAAA2: info: header X-Mailer: a from bob[192.0.2.7]; from=<a@b>"),
                     0);
    assert_int_equal(say(&g, "00:02", "postfix/cleanup", 5, "AAAAA1: message-id=<a@b>"), 0);
    sessions_end(g.sessions);
    assert_int_equal(g.count, 3);
    assert_flags(&g, 0, SEEN_AUTH | SEEN_MAIL | SEEN_MAIL_TAKEN, SEEN_CONNECT | SEEN_END);
    assert_string_equal(text(&g, g.list[0].seen.user).p, "bob");
    assert_string_equal(text(&g, g.list[0].seen.mechanism).p, "PLAIN");
    assert_string_equal(g.list[0].queue_id, "AAAAA1");
    assert_flags(&g, 1, SEEN_CONNECT | SEEN_HELO, SEEN_END);
    assert_int_equal(sessions_counts(g.sessions)->incomplete, 3);
    assert_int_equal(sessions_counts(g.sessions)->homeless, 1);
    given_close(&g);
}

/* As people paste them: without a process, without a host, without anything. */
static void test_pasted(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    uint64_t eve = give(&g, "SSL_accept error from " EVE ": -1");
    assert_true(eve > 0);
    assert_int_equal(give(&g, "warning: TLS library problem: error:0A00010B:SSL routines::wrong "
                              "version number:a.c:1:"),
                     eve);
    /* Only of the line before. */
    uint64_t nobody = give(
        &g,
        "warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:a.c:1:");
    assert_true(nobody > eve);
    assert_true(give(&g, "warning: TLS library problem: error:0A00010B:SSL routines::wrong version "
                         "number:a.c:1:") > nobody);
    assert_int_equal(give(&g, "lost connection after CONNECT from " EVE), eve);
    assert_true(give(&g, "lost connection after CONNECT from " BOB) > nobody);
    sessions_end(g.sessions);
    assert_int_equal(g.count, 4);
    assert_int_equal(g.list[0].seen.handshake, HANDSHAKE_CLEARTEXT);
    assert_int_equal(g.list[0].seen.mode, TLS_MODE_IMPLICIT);
    assert_int_equal(g.list[1].seen.client.bits, 0);
    given_close(&g);
}

/* What smtpd writes when it begins is of no session; neither is another program's line. */
static void test_noise(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    smtpd(&g, "00:00", 11,
          "warning: cannot get RSA private key from file /etc/key: disabling TLS support");
    smtpd(&g, "00:00", 11,
          "warning: TLS library problem: error:0200100D:system library:fopen:Permission "
          "denied:bss_file.c:398:fopen('/etc/key','r'):");
    smtpd(&g, "00:01", 11, "connect from " BOB);
    smtpd(&g, "00:01", 11, "disconnect from " BOB " ehlo=1 quit=1 commands=2");
    assert_int_equal(say(&g, "00:01", "postfix/smtp", 11,
                         "connect to mx.example.com[203.0.113.1]:25: Connection refused"),
                     0);
    assert_int_equal(say(&g, "00:01", "dovecot", 11, "imap-login: Login: user=<bob>"), 0);
    sessions_end(g.sessions);
    assert_int_equal(g.count, 1);
    assert_int_equal(g.list[0].seen.handshake, HANDSHAKE_NOT_TOLD);
    assert_int_equal(sessions_counts(g.sessions)->opened, 1);
    given_close(&g);
}

/* nginx and the like tell the client's address after connect; an address that changes in the middle
 * is another session, of which lines are missing. */
static void test_address_changes(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    smtpd(&g, "00:00", 11, "connect from localhost[127.0.0.1]");
    smtpd(&g, "00:01", 11, "AAAAA1: client=" BOB ", sasl_method=PLAIN, sasl_username=bob");
    smtpd(&g, "00:01", 11, "disconnect from " BOB " ehlo=2 xclient=1 mail=1 commands=4");
    smtpd(&g, "00:02", 11, "connect from " BOB);
    smtpd(&g, "00:02", 11, "SSL_accept error from " BOB ": -1");
    smtpd(&g, "00:03", 11, "BBBBB1: client=" EVE);
    smtpd(&g, "00:03", 11, "disconnect from " EVE " ehlo=1 mail=1 commands=2");
    assert_int_equal(g.count, 3);
    assert_flags(&g, 0, SEEN_PROXIED | SEEN_CONNECT | SEEN_END | SEEN_AUTH, 0);
    assert_string_equal(text(&g, g.list[0].seen.client_name).p, "bob.example.net");
    assert_int_equal(g.list[0].seen.mode, TLS_MODE_UNKNOWN);
    assert_flags(&g, 1, SEEN_CONNECT | SEEN_TLS_FAILED, SEEN_END | SEEN_PROXIED);
    assert_flags(&g, 2, SEEN_END | SEEN_MAIL, SEEN_CONNECT | SEEN_TLS_FAILED | SEEN_PROXIED);
    given_close(&g);
}

static void test_postscreen(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    static const char ps[] = "postfix/postscreen";
    say(&g, "00:00", ps, 9, "CONNECT from [192.0.2.7]:1001 to [192.0.2.1]:25");
    say(&g, "00:00", ps, 9, "CONNECT from [192.0.2.7]:1002 to [192.0.2.1]:25");
    say(&g, "00:00", ps, 9, "PASS OLD [192.0.2.7]:1001");
    say(&g, "00:00", ps, 9, "PREGREET 517 after 0.01 from [192.0.2.7]:1002: \\026\\003\\001\\002");
    say(&g, "00:00", ps, 9, "CONNECT from [192.0.2.8]:1003 to [192.0.2.1]:25");
    say(&g, "00:00", ps, 9, "WHITELISTED [192.0.2.8]:1003");
    say(&g, "00:01", ps, 9, "DISCONNECT [192.0.2.7]:1002");
    /* Early, but let pass: a command is no finding, a ClientHello is. */
    say(&g, "00:02", ps, 9, "CONNECT from [192.0.2.9]:1004 to [192.0.2.1]:25");
    say(&g, "00:02", ps, 9, "PREGREET 11 after 0.01 from [192.0.2.9]:1004: EHLO bob\\r\\n");
    say(&g, "00:08", ps, 9, "PASS NEW [192.0.2.9]:1004");
    say(&g, "00:12", ps, 9, "CONNECT from [192.0.2.9]:1005 to [192.0.2.1]:25");
    say(&g, "00:12", ps, 9, "PREGREET 11 after 0.01 from [192.0.2.9]:1005: \\026\\003\\001\\002");
    say(&g, "00:18", ps, 9, "PASS NEW [192.0.2.9]:1005");
    assert_int_equal(g.count, 2);
    assert_flags(&g, 0, SEEN_POSTSCREEN | SEEN_CONNECT | SEEN_END, 0);
    assert_int_equal(g.list[0].seen.first, BYTES_TLS);
    assert_int_equal(g.list[0].seen.server_port, 25);
    assert_int_equal(g.list[1].seen.first, BYTES_TLS);
    assert_int_equal(g.list[1].seen.client.b[3], 9);
    assert_int_equal(sessions_counts(g.sessions)->opened, 2);
    assert_int_equal(sessions_oldest(g.sessions), UINT64_MAX);
    given_close(&g);
}

static void test_software(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    smtpd(&g, "00:00", 11, "connect from " BOB);
    smtpd(&g, "00:00", 12, "connect from " EVE);
    smtpd(&g, "00:01", 11, "4CpFV81QMXz9sKh: client=" BOB);
    smtpd(&g, "00:01", 12,
          "NOQUEUE: reject: RCPT from " EVE ": 554 5.7.1 <a@b>: Relay access denied; from=<a@b> "
                                            "to=<a@b> proto=ESMTP helo=<smtpclient.apple>");
    say(&g, "00:01", "postfix/cleanup", 5,
        "4CpFV81QMXz9sKh: info: header User-Agent: K-9 Mail for Android from bob[192.0.2.7]; "
        "from=<a@b> to=<a@b> proto=ESMTPSA helo=<x>");
    smtpd(&g, "00:02", 11, "disconnect from " BOB);
    say(&g, "00:02", "postfix/cleanup", 5,
        "4CpFV81QMXz9sKh: info: header X-Mailer: Apple Mail (2.3445.1.7) from bob[192.0.2.7]; "
        "from=<a@b>");
    smtpd(&g, "00:03", 12, "disconnect from " EVE);
    assert_int_equal(g.count, 2);
    assert_int_equal(g.list[0].seen.software, 1 + SOFTWARE_K9_MAIL);
    assert_true(g.list[1].seen.software > 0);
    assert_true(g.list[1].seen.software != g.list[0].seen.software);
    assert_flags(&g, 0, SEEN_CONNECT | SEEN_END, SEEN_COUNTS);
    assert_flags(&g, 1, SEEN_HELO | SEEN_MAIL, SEEN_MAIL_TAKEN);
    assert_int_equal(sessions_counts(g.sessions)->homeless, 1);
    given_close(&g);
}

/* What the counters of one disconnect line say, after the lines before it. */
static void test_modes(void **state)
{
    (void)state;
#define TLS_UP                                                                                     \
    "Anonymous TLS connection established from " BOB                                               \
    ": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
#define FAILED "SSL_accept error from " BOB ": lost connection"
    static const struct {
        const char *before[2], *counters;
        enum tls_mode mode;
        uint32_t are, are_not;
    } cases[] = {
        {{TLS_UP},
         " ehlo=2 starttls=1 mail=1 commands=4",
         TLS_MODE_STARTTLS,
         SEEN_TLS | SEEN_TLS_LINE | SEEN_STARTTLS | SEEN_MAIL,
         SEEN_STARTTLS_REFUSED},
        {{TLS_UP}, " ehlo=1 mail=1 commands=2", TLS_MODE_IMPLICIT, SEEN_TLS, SEEN_STARTTLS},
        {{TLS_UP},
         " ehlo=1 starttls=0/1 quit=1 commands=2/3",
         TLS_MODE_IMPLICIT,
         SEEN_STARTTLS_REFUSED,
         SEEN_STARTTLS},
        {{TLS_UP},
         " ehlo=2 starttls=1/2 commands=3/4",
         TLS_MODE_STARTTLS,
         SEEN_STARTTLS_REFUSED,
         SEEN_AUTH},
        {{TLS_UP}, "", TLS_MODE_UNKNOWN, SEEN_TLS | SEEN_END, SEEN_COUNTS},
        {{TLS_UP, "lost connection after EHLO from " BOB}, "", TLS_MODE_UNKNOWN, SEEN_HELO, 0},
        {{TLS_UP, "lost connection after CONNECT from " BOB}, "", TLS_MODE_IMPLICIT, 0, SEEN_HELO},
        {{TLS_UP, "lost connection after STARTTLS from " BOB}, "", TLS_MODE_STARTTLS, 0, 0},
        {{"NOQUEUE: reject: RCPT from " BOB ": 554 5.7.1 no; from=<a> to=<b> proto=ESMTP helo=<c>",
          TLS_UP},
         "",
         TLS_MODE_STARTTLS,
         SEEN_HELO | SEEN_MAIL,
         0},
        {{FAILED},
         " ehlo=1 starttls=0/1 commands=1/2",
         TLS_MODE_STARTTLS,
         SEEN_STARTTLS | SEEN_TLS_FAILED,
         SEEN_STARTTLS_REFUSED | SEEN_TLS},
        {{FAILED},
         " ehlo=1 starttls=0/2 commands=1/3",
         TLS_MODE_STARTTLS,
         SEEN_STARTTLS | SEEN_STARTTLS_REFUSED,
         0},
        {{FAILED}, " commands=0/0", TLS_MODE_IMPLICIT, SEEN_TLS_FAILED, SEEN_STARTTLS},
        {{FAILED}, "", TLS_MODE_UNKNOWN, SEEN_TLS_FAILED, 0},
        {{FAILED, "lost connection after CONNECT from " BOB}, "", TLS_MODE_IMPLICIT, 0, 0},
        {{FAILED, "timeout after STARTTLS from " BOB}, "", TLS_MODE_STARTTLS, 0, 0},
        {{NULL},
         " ehlo=2 starttls=1 auth=1 quit=1 commands=5",
         TLS_MODE_STARTTLS,
         SEEN_TLS | SEEN_AUTH | SEEN_QUIT,
         SEEN_TLS_LINE | SEEN_AUTH_FAILED},
        {{NULL},
         " ehlo=1 starttls=0/1 commands=1/2",
         TLS_MODE_UNKNOWN,
         SEEN_STARTTLS_REFUSED,
         SEEN_TLS},
        {{NULL},
         " ehlo=1 auth=1/2 mail=0/1 commands=2/4",
         TLS_MODE_UNKNOWN,
         SEEN_AUTH | SEEN_AUTH_FAILED | SEEN_MAIL,
         SEEN_MAIL_TAKEN | SEEN_QUIT},
        {{NULL},
         " unknown=0/1 commands=0/1",
         TLS_MODE_UNKNOWN,
         SEEN_UNRECOGNISED | SEEN_COUNTS,
         SEEN_HELO},
        {{"warning: non-SMTP command from " BOB ": \\026\\003\\001\\002"},
         " unknown=0/1 commands=0/1",
         TLS_MODE_CLEARTEXT,
         SEEN_UNRECOGNISED,
         SEEN_TLS},
        {{TLS_UP, "warning: non-SMTP command from " BOB ": \\026\\003\\001\\002"},
         " ehlo=1 unknown=0/1 commands=1/2",
         TLS_MODE_IMPLICIT,
         0,
         0},
        {{"improper command pipelining after CONNECT from " BOB ": EHLO a\\r\\n"},
         " ehlo=1 commands=1",
         TLS_MODE_UNKNOWN,
         SEEN_HELO,
         SEEN_UNRECOGNISED},
        /* It had said STARTTLS, and did not wait for the answer. */
        {{"improper command pipelining after STARTTLS from " BOB ": \\026\\003\\001\\002", TLS_UP},
         " ehlo=2 starttls=1 commands=3",
         TLS_MODE_STARTTLS,
         0,
         SEEN_UNRECOGNISED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given g;
        char line[512];
        given_open(&g, 0, 0);
        smtpd(&g, "00:00", 11, "connect from " BOB);
        for (int k = 0; k < 2; k++)
            if (cases[i].before[k]) {
                smtpd(&g, "00:01", 11, cases[i].before[k]);
            }
        snprintf(line, sizeof line, "disconnect from " BOB "%s", cases[i].counters);
        smtpd(&g, "00:02", 11, line);
        assert_int_equal(g.count, 1);
        if (g.list[0].seen.mode != cases[i].mode)
            fail_msg("case %zu: %s", i, tls_mode_names[g.list[0].seen.mode]);
        assert_flags(&g, 0, cases[i].are, cases[i].are_not);
        given_close(&g);
    }
}

/* Errors of OpenSSL after the handshake are no failed handshake; a rejected certificate is. */
static void test_tls_errors_after_the_handshake(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    smtpd(&g, "00:00", 11, "connect from " BOB);
    smtpd(&g, "00:00", 11, TLS_UP);
    smtpd(&g, "00:01", 11,
          "warning: TLS library problem: error:0A000126:SSL routines::unexpected eof while "
          "reading:a.c:1:");
    smtpd(&g, "00:01", 11, "disconnect from " BOB " ehlo=2 starttls=1 commands=3");
    smtpd(&g, "00:02", 11, "connect from " BOB);
    smtpd(&g, "00:02", 11, TLS_UP);
    smtpd(&g, "00:02", 11,
          "warning: TLS library problem: error:0A000412:SSL routines::sslv3 alert bad "
          "certificate:a.c:1:SSL alert number 42:");
    smtpd(&g, "00:02", 11, "disconnect from " BOB " ehlo=1 starttls=1 commands=2");
    sessions_end(g.sessions);
    assert_flags(&g, 0, SEEN_TLS, SEEN_TLS_FAILED);
    assert_int_equal(g.list[0].seen.tls_version, TLS_1_3);
    assert_int_equal(g.list[0].seen.bits, 256);
    assert_string_equal(text(&g, g.list[0].seen.cipher).p, "TLS_AES_256_GCM_SHA384");
    assert_int_equal(g.list[1].seen.handshake, HANDSHAKE_CERTIFICATE);
    assert_flags(&g, 1, SEEN_TLS | SEEN_TLS_FAILED, 0);
    given_close(&g);
}

/* Silent for five seconds: stamps of whole seconds that differ by 5 may be 4.1 s apart. */
static void test_silence(void **state)
{
    (void)state;
    static const struct {
        const char *connect, *failed, *why;
        bool silent;
    } cases[] = {
        {"Nov 20 10:00:00 mx ", "Nov 20 10:00:05 mx ", "lost connection", false},
        {"Nov 20 10:00:00 mx ", "Nov 20 10:00:06 mx ", "lost connection", true},
        {"Nov 20 10:00:00 mx ", "Nov 20 10:05:00 mx ", "Connection timed out", true},
        {"2026-11-20T10:00:00.100000+00:00 mx ", "2026-11-20T10:00:05.099999+00:00 mx ",
         "lost connection", false},
        {"2026-11-20T10:00:00.100000+00:00 mx ", "2026-11-20T10:00:05.100000+00:00 mx ",
         "lost connection", true},
        {"Nov 20 10:00:09 mx ", "Nov 20 10:00:00 mx ", "lost connection", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given g;
        char line[256];
        given_open(&g, 0, 0);
        snprintf(line, sizeof line, "%spostfix/smtps/smtpd[11]: connect from " BOB,
                 cases[i].connect);
        give(&g, line);
        snprintf(line, sizeof line, "%spostfix/smtps/smtpd[11]: SSL_accept error from " BOB ": %s",
                 cases[i].failed, cases[i].why);
        give(&g, line);
        sessions_end(g.sessions);
        assert_flags(&g, 0, cases[i].silent ? SEEN_SILENT : 0, cases[i].silent ? 0 : SEEN_SILENT);
        given_close(&g);
    }
    /* Something was sent if OpenSSL says what was wrong with it. */
    struct given g;
    given_open(&g, 0, 0);
    smtpd(&g, "00:00", 11, "connect from " BOB);
    smtpd(&g, "00:20", 11, "SSL_accept error from " BOB ": -1");
    smtpd(&g, "00:20", 11,
          "warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:a.c:1:");
    sessions_end(g.sessions);
    assert_flags(&g, 0, 0, SEEN_SILENT);
    given_close(&g);
}

/* ---- Sendmail ---------------------------------------------------------------------- */

#define SM(pid) "Nov 20 10:00:00 mx sendmail[" #pid "]: "
#define SM_TLS                                                                                     \
    "STARTTLS=server, relay=localhost [127.0.0.1], version=TLSv1.3, verify=NO, "                   \
    "cipher=TLS_AES_256_GCM_SHA384, bits=256/256\n"
#define SM_AUTH "AUTH=server, relay=localhost [127.0.0.1], authid=alice, mech=PLAIN, bits=0\n"
#define SM_FROM(proto)                                                                             \
    "6AL0IKBF021643: from=<alice@example.test>, size=15, class=0, nrcpts=1, msgid=<1@x>, "         \
    "proto=" proto ", daemon=MSA, relay=localhost [127.0.0.1]\n"

static void test_sendmail(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    give_log(&g,
             SM(1) SM_AUTH SM(2) SM_TLS SM(1) SM_TLS SM(2) SM_AUTH SM(1) SM_FROM("ESMTPSA")
                 SM(9) "6AL0IKBF021643: to=<bob@example.test>, delay=00:00:00, mailer=local, "
                       "pri=30015, stat=queued\n" SM(2) SM_FROM("ESMTPSA") SM(3) SM_FROM("ESMTP")
                           SM(4) SM_FROM("ESMTPS") SM(5) SM_FROM("SMTP")
                               SM(6) "6AL0IWsn021688: localhost [127.0.0.1] did not issue "
                                     "MAIL/EXPN/VRFY/ETRN during connection to MSA\n" SM(6) SM_TLS);
    assert_int_equal(g.count, 7);
    /* The one that ended by its own words is first; then as they began. */
    assert_flags(&g, 0, SEEN_END, SEEN_MAIL | SEEN_TLS);
    assert_string_equal(text(&g, g.list[0].seen.listener).p, "MSA");
    assert_flags(&g, 1, SEEN_AUTH | SEEN_AUTH_BEFORE_TLS | SEEN_TLS | SEEN_MAIL_TAKEN, 0);
    assert_int_equal(g.list[1].seen.mode, TLS_MODE_STARTTLS);
    assert_string_equal(g.list[1].queue_id, "6AL0IKBF021643");
    assert_flags(&g, 2, SEEN_AUTH | SEEN_TLS, SEEN_AUTH_BEFORE_TLS);
    assert_int_equal(g.list[2].seen.mode, TLS_MODE_UNKNOWN);
    assert_flags(&g, 3, SEEN_MAIL | SEEN_PROTOCOL, SEEN_TLS | SEEN_AUTH);
    assert_int_equal(g.list[3].seen.mode, TLS_MODE_CLEARTEXT);
    assert_flags(&g, 4, SEEN_PROTOCOL | SEEN_TLS, SEEN_TLS_LINE | SEEN_AUTH);
    /* HELO instead of EHLO: then it is "SMTP" under TLS too. */
    assert_flags(&g, 5, SEEN_MAIL, SEEN_PROTOCOL);
    assert_int_equal(g.list[5].seen.mode, TLS_MODE_UNKNOWN);
    assert_int_equal(sessions_counts(g.sessions)->incomplete, 0);
    given_close(&g);
}

/* Processes are numbered anew: what cannot be twice in a session begins another. */
static void test_sendmail_process_again(void **state)
{
    (void)state;
    static const char *const logs[] = {
        SM(1) SM_TLS SM(1) SM_TLS,
        SM(1) SM_AUTH SM(1) SM_AUTH,
        SM(1) SM_TLS SM(1) "STARTTLS=server, relay=[192.0.2.7], version=TLSv1.3, verify=NO, "
                           "cipher=X, bits=256/256\n",
        SM(1) SM_FROM("ESMTP") SM(1) "6AL0IWsn021688: localhost [127.0.0.1] did not issue "
                                     "MAIL/EXPN/VRFY/ETRN during connection to MTA\n",
        SM(1) SM_FROM("ESMTP") "Nov 20 11:00:01 mx sendmail[1]: " SM_FROM("ESMTP"),
    };
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        struct given g;
        given_open(&g, 0, 0);
        give_log(&g, logs[i]);
        if (g.count != 2)
            fail_msg("log %zu: %u sessions", i, g.count);
        given_close(&g);
    }
    struct given g;
    given_open(&g, 0, 0);
    give_log(&g, SM(1) SM_FROM("ESMTP") "Nov 20 11:00:00 mx sendmail[1]: " SM_FROM("ESMTP"));
    assert_int_equal(g.count, 1);
    given_close(&g);
}

/* ---- bounds ------------------------------------------------------------------------- */

static void test_least_used_goes_first(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 2, 0);
    uint64_t a = smtpd(&g, "00:00", 1, "connect from " BOB);
    uint64_t b = smtpd(&g, "00:00", 2, "connect from " BOB);
    smtpd(&g, "00:00", 1, "BBBBB1: client=" BOB);
    uint64_t c = smtpd(&g, "00:00", 3, "connect from " BOB);
    assert_int_equal(g.count, 1);
    assert_int_equal(g.list[0].number, b);
    assert_int_equal(sessions_oldest(g.sessions), 1);
    sessions_end(g.sessions);
    assert_int_equal(g.list[1].number, a);
    assert_int_equal(g.list[2].number, c);
    assert_int_equal(sessions_counts(g.sessions)->evicted, 1);
    assert_int_equal(sessions_counts(g.sessions)->incomplete, 3);
    given_close(&g);
}

/* Idle time goes by the latest time met; a clock that goes back ends nothing. */
static void test_idle(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 60 * US_PER_S);
    give(&g, "postfix/smtps/smtpd[9]: connect from " EVE); /* before any time is known */
    smtpd(&g, "10:00", 1, "connect from " BOB);
    smtpd(&g, "05:00", 2, "connect from " BOB);
    smtpd(&g, "11:00", 3, "connect from " BOB);
    assert_int_equal(g.count, 0);
    smtpd(&g, "11:01", 3, "BBBBB1: client=" BOB);
    assert_int_equal(g.count, 3);
    assert_int_equal(sessions_counts(g.sessions)->evicted, 3);
    given_close(&g);
}

static unsigned counted;

static void count_only(void *context, const struct closed_session *c)
{
    (void)context;
    counted += c->number > 0;
}

static void test_a_million_open(void **state)
{
    (void)state;
    struct names *names = names_new(&given_key, 100);
    struct sessions_settings set = {1000, 0, count_only, NULL};
    struct sessions *s = sessions_new(names, &given_key, &set);
    counted = 0;
    for (uint32_t i = 1; i <= 1000 * 1000; i++) {
        struct log_line l = {.host = STR("mx"), .pid = i, .wall_us = i};
        struct message m = {.mta = MTA_POSTFIX, .kind = i % 2 ? MESSAGE_CONNECT : MESSAGE_CLIENT};
        m.client.bits = 32;
        memcpy(m.client.b, &i, 4);
        char id[16];
        snprintf(id, sizeof id, "%X", i);
        m.queue_id = str_of(id);
        assert_int_equal(sessions_line(s, &l, &m, i), i);
    }
    assert_int_equal(counted, 999 * 1000);
    assert_int_equal(sessions_oldest(s), 999 * 1000 + 1);
    sessions_end(s);
    assert_int_equal(counted, 1000 * 1000);
    assert_int_equal(sessions_counts(s)->evicted, 999 * 1000);
    sessions_free(s);
    names_free(names);
}

/* ---- what is kept --------------------------------------------------------------------- */

static void test_failed_user(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    smtpd(&g, "00:00", 11,
          "warning: " BOB ": SASL PLAIN authentication failed: (reason unavailable), "
          "sasl_username=Alice@Example.com");
    smtpd(&g, "00:00", 11,
          "warning: " BOB
          ": SASL PLAIN authentication failed: (reason unavailable), sasl_username=hunter2");
    smtpd(&g, "00:00", 12,
          "warning: " EVE ": SASL LOGIN authentication failed: Invalid authentication mechanism");
    sessions_end(g.sessions);
    assert_int_equal(g.count, 2);
    assert_int_equal(g.list[0].seen.failed_user,
                     sessions_user_hash(&given_key, STR("alice@example.com")));
    assert_true(g.list[0].seen.failed_user != 0);
    assert_int_equal(g.list[0].seen.user, 0);
    assert_int_equal(g.list[1].seen.failed_user, 0);
    assert_flags(&g, 1, SEEN_AUTH_FAILED, SEEN_AUTH);
    /* Nothing of it is among the names. */
    assert_int_equal(names_find(g.names, STR("hunter2")), 0);
    assert_int_equal(names_find(g.names, STR("Alice@Example.com")), 0);
    assert_true(sessions_user_hash(&given_key, STR("")) != 0);
    assert_true(sessions_user_hash(&given_key, STR("a")) !=
                sessions_user_hash(&given_key, STR("b")));
    given_close(&g);
}

/* A report counts sessions whose bytes are equal. */
static void test_equal_bytes(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    for (unsigned pid = 11; pid < 13; pid++) {
        smtpd(&g, "00:00", pid, "connect from " BOB);
        smtpd(&g, "00:00", pid, "SSL_accept error from " BOB ": -1");
        smtpd(&g, "00:00", pid, "disconnect from " BOB " commands=0/0");
    }
    assert_int_equal(g.count, 2);
    assert_memory_equal(&g.list[0].seen, &g.list[1].seen, sizeof g.list[0].seen);
    given_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_joined_by_process),
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_pasted),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_address_changes),
        cmocka_unit_test(test_postscreen),
        cmocka_unit_test(test_software),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_tls_errors_after_the_handshake),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_sendmail),
        cmocka_unit_test(test_sendmail_process_again),
        cmocka_unit_test(test_least_used_goes_first),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_a_million_open),
        cmocka_unit_test(test_failed_user),
        cmocka_unit_test(test_equal_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
