/* SPDX-License-Identifier: Apache-2.0 */
/* What lines add to a session: mode, TLS, logins, software. */
#include "session_help.h"

#include "core/catalogue.h"

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
        given_smtpd(&g, "00:00", 11, "connect from " BOB);
        for (int k = 0; k < 2; k++)
            if (cases[i].before[k]) {
                given_smtpd(&g, "00:01", 11, cases[i].before[k]);
            }
        snprintf(line, sizeof line, "disconnect from " BOB "%s", cases[i].counters);
        given_smtpd(&g, "00:02", 11, line);
        assert_int_equal(g.count, 1);
        if (g.list[0].seen.mode != cases[i].mode)
            fail_msg("case %zu: %s", i, tls_mode_names[g.list[0].seen.mode]);
        assert_seen(&g, 0, cases[i].are, cases[i].are_not);
        given_close(&g);
    }
}

/* Errors of OpenSSL after the handshake are no failed handshake; a rejected certificate is. */
static void test_tls_errors_after_the_handshake(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    given_smtpd(&g, "00:00", 11, "connect from " BOB);
    given_smtpd(&g, "00:00", 11, TLS_UP);
    given_smtpd(&g, "00:01", 11,
                "warning: TLS library problem: error:0A000126:SSL routines::unexpected eof while "
                "reading:a.c:1:");
    given_smtpd(&g, "00:01", 11, "disconnect from " BOB " ehlo=2 starttls=1 commands=3");
    given_smtpd(&g, "00:02", 11, "connect from " BOB);
    given_smtpd(&g, "00:02", 11, TLS_UP);
    given_smtpd(&g, "00:02", 11,
                "warning: TLS library problem: error:0A000412:SSL routines::sslv3 alert bad "
                "certificate:a.c:1:SSL alert number 42:");
    given_smtpd(&g, "00:02", 11, "disconnect from " BOB " ehlo=1 starttls=1 commands=2");
    sessions_end(g.sessions);
    assert_seen(&g, 0, SEEN_TLS, SEEN_TLS_FAILED);
    assert_int_equal(g.list[0].seen.tls_version, TLS_1_3);
    assert_int_equal(g.list[0].seen.bits, 256);
    assert_string_equal(given_text(&g, g.list[0].seen.cipher).p, "TLS_AES_256_GCM_SHA384");
    assert_int_equal(g.list[1].seen.handshake, HANDSHAKE_CERTIFICATE);
    assert_seen(&g, 1, SEEN_TLS | SEEN_TLS_FAILED, 0);
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
        assert_seen(&g, 0, cases[i].silent ? SEEN_SILENT : 0, cases[i].silent ? 0 : SEEN_SILENT);
        given_close(&g);
    }
    /* Something was sent if OpenSSL says what was wrong with it. */
    struct given g;
    given_open(&g, 0, 0);
    given_smtpd(&g, "00:00", 11, "connect from " BOB);
    given_smtpd(&g, "00:20", 11, "SSL_accept error from " BOB ": -1");
    given_smtpd(
        &g, "00:20", 11,
        "warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:a.c:1:");
    sessions_end(g.sessions);
    assert_seen(&g, 0, 0, SEEN_SILENT);
    given_close(&g);
}

/* Sendmail's queue id 6AL8UlPO014074 is of 08:30:47. */
static void test_silence_by_queue_id(void **state)
{
    (void)state;
    static const struct {
        const char *stamp, *id, *why;
        bool silent;
    } cases[] = {
        {"Nov 21 08:30:55", "6AL8UlPO014074", "unexpected eof while reading", true},
        {"Nov 21 08:30:53", "6AL8UlPO014074", "unexpected eof while reading", true},
        {"Nov 21 08:30:52", "6AL8UlPO014074", "unexpected eof while reading", false},
        {"Nov 21 08:30:47", "6AL8UlPO014074", "unexpected eof while reading", false},
        {"Nov 21 08:30:46", "6AL8UlPO014074", "unexpected eof while reading", false},
        {"Nov 21 14:00:55", "6AL8UlPO014074", "unexpected eof while reading", true}, /* a zone */
        {"Nov 21 08:30:55", "6AL8UlPO014074", "wrong version number", false},
        {"Nov 21 08:30:55", "6AL8U.PO014074", "unexpected eof while reading", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given g;
        char line[256];
        given_open(&g, 0, 0);
        snprintf(line, sizeof line,
                 "%s mx sendmail[14074]: STARTTLS=server, error: accept failed=-1, reason=%s, "
                 "SSL_error=1, errno=0, retry=-1, relay=[192.0.2.7]",
                 cases[i].stamp, cases[i].why);
        give(&g, line);
        snprintf(line, sizeof line,
                 "%s mx sendmail[14074]: %s: [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during "
                 "connection to TLSMSA",
                 cases[i].stamp, cases[i].id);
        give(&g, line);
        sessions_end(g.sessions);
        assert_int_equal(g.count, 1);
        assert_seen(&g, 0, cases[i].silent ? SEEN_SILENT : 0, cases[i].silent ? 0 : SEEN_SILENT);
        given_close(&g);
    }
}

/* What is sent without waiting in the middle of a session is part of a mail, not something else
 * than SMTP; in its first bytes it is. */
static void test_bytes_too_early(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum first_bytes first;
    } cases[] = {
        {"improper command pipelining after CONNECT from " BOB ": \\003\\000\\000/", BYTES_OTHER},
        {"improper command pipelining after DATA from " BOB ": Subject: hello\\r\\n",
         BYTES_NOT_TOLD},
        {"improper command pipelining after EHLO from " BOB ": \\026\\003\\001", BYTES_TLS},
        {"warning: non-SMTP command from " BOB ": Subject: hello", BYTES_HEADER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given g;
        given_open(&g, 0, 0);
        given_smtpd(&g, "00:00", 11, "connect from " BOB);
        given_smtpd(&g, "00:00", 11, cases[i].text);
        sessions_end(g.sessions);
        assert_int_equal(g.list[0].seen.first, cases[i].first);
        given_close(&g);
    }
}

static void test_software(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    given_smtpd(&g, "00:00", 11, "connect from " BOB);
    given_smtpd(&g, "00:00", 12, "connect from " EVE);
    given_smtpd(&g, "00:01", 11, "4CpFV81QMXz9sKh: client=" BOB);
    given_smtpd(&g, "00:01", 12,
                "NOQUEUE: reject: RCPT from " EVE
                ": 554 5.7.1 <a@b>: Relay access denied; from=<a@b> "
                "to=<a@b> proto=ESMTP helo=<smtpclient.apple>");
    given_say(&g, "00:01", "postfix/cleanup", 5,
              "4CpFV81QMXz9sKh: info: header User-Agent: K-9 Mail for Android from bob[192.0.2.7]; "
              "from=<a@b> to=<a@b> proto=ESMTPSA helo=<x>");
    given_smtpd(&g, "00:02", 11, "disconnect from " BOB);
    given_say(
        &g, "00:02", "postfix/cleanup", 5,
        "4CpFV81QMXz9sKh: info: header X-Mailer: Apple Mail (2.3445.1.7) from bob[192.0.2.7]; "
        "from=<a@b>");
    given_smtpd(&g, "00:03", 12, "disconnect from " EVE);
    assert_int_equal(g.count, 2);
    assert_int_equal(g.list[0].seen.software, 1 + SOFTWARE_K9_MAIL);
    assert_true(g.list[1].seen.software > 0);
    assert_true(g.list[1].seen.software != g.list[0].seen.software);
    assert_seen(&g, 0, SEEN_CONNECT | SEEN_END, SEEN_COUNTS);
    assert_seen(&g, 1, SEEN_HELO | SEEN_MAIL, SEEN_MAIL_TAKEN);
    assert_int_equal(sessions_counts(g.sessions)->homeless, 1);
    given_close(&g);
}

/* ---- Sendmail ---- */

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
    assert_seen(&g, 0, SEEN_END, SEEN_MAIL | SEEN_TLS);
    assert_string_equal(given_text(&g, g.list[0].seen.listener).p, "MSA");
    assert_seen(&g, 1, SEEN_AUTH | SEEN_AUTH_BEFORE_TLS | SEEN_TLS | SEEN_MAIL_TAKEN, 0);
    assert_int_equal(g.list[1].seen.mode, TLS_MODE_STARTTLS);
    assert_string_equal(g.list[1].queue_id, "6AL0IKBF021643");
    assert_seen(&g, 2, SEEN_AUTH | SEEN_TLS, SEEN_AUTH_BEFORE_TLS);
    assert_int_equal(g.list[2].seen.mode, TLS_MODE_UNKNOWN);
    assert_seen(&g, 3, SEEN_MAIL | SEEN_PROTOCOL, SEEN_TLS | SEEN_AUTH);
    assert_int_equal(g.list[3].seen.mode, TLS_MODE_CLEARTEXT);
    assert_seen(&g, 4, SEEN_PROTOCOL | SEEN_TLS, SEEN_TLS_LINE | SEEN_AUTH);
    /* HELO instead of EHLO: then it is "SMTP" under TLS too. */
    assert_seen(&g, 5, SEEN_MAIL, SEEN_PROTOCOL);
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

static void test_failed_user(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    given_smtpd(&g, "00:00", 11,
                "warning: " BOB ": SASL PLAIN authentication failed: (reason unavailable), "
                "sasl_username=Alice@Example.com");
    given_smtpd(&g, "00:00", 11,
                "warning: " BOB
                ": SASL PLAIN authentication failed: (reason unavailable), sasl_username=hunter2");
    given_smtpd(&g, "00:00", 12,
                "warning: " EVE
                ": SASL LOGIN authentication failed: Invalid authentication mechanism");
    sessions_end(g.sessions);
    assert_int_equal(g.count, 2);
    assert_int_equal(g.list[0].seen.failed_user,
                     sessions_user_hash(&given_key, STR("alice@example.com")));
    assert_true(g.list[0].seen.failed_user != 0);
    assert_int_equal(g.list[0].seen.user, 0);
    assert_int_equal(g.list[1].seen.failed_user, 0);
    assert_seen(&g, 1, SEEN_AUTH_FAILED, SEEN_AUTH);
    /* Nothing of it is among the names. */
    assert_int_equal(names_find(g.names, STR("hunter2")), 0);
    assert_int_equal(names_find(g.names, STR("Alice@Example.com")), 0);
    assert_true(sessions_user_hash(&given_key, STR("")) != 0);
    assert_true(sessions_user_hash(&given_key, STR("a")) !=
                sessions_user_hash(&given_key, STR("b")));
    given_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_tls_errors_after_the_handshake),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_software),
        cmocka_unit_test(test_sendmail),
        cmocka_unit_test(test_sendmail_process_again),
        cmocka_unit_test(test_failed_user),
        cmocka_unit_test(test_silence_by_queue_id),
        cmocka_unit_test(test_bytes_too_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
