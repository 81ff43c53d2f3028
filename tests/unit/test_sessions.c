/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to sessions: who belongs to whom, when one is over, and what is bounded. */
#include "session_help.h"

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
    uint64_t bob = given_smtpd(&g, "00:00", 11, "connect from " BOB);
    uint64_t eve = given_smtpd(&g, "00:00", 12, "connect from " EVE);
    assert_true(bob > 0 && eve > bob);
    assert_int_equal(sessions_oldest(g.sessions), 1);
    assert_int_equal(given_smtpd(&g, "00:01", 12, "SSL_accept error from " EVE ": -1"), eve);
    assert_int_equal(given_smtpd(&g, "00:01", 11, "SSL_accept error from " BOB ": -1"), bob);
    assert_int_equal(
        given_smtpd(&g, "00:01", 11,
                    "warning: TLS library problem: error:0A000418:SSL routines::tlsv1 alert "
                    "unknown ca:../ssl/record/rec_layer_s3.c:1602:SSL alert number 48:"),
        bob);
    assert_int_equal(
        given_smtpd(&g, "00:01", 12,
                    "warning: TLS library problem: error:0A0000C1:SSL routines::no shared "
                    "cipher:../ssl/statem/statem_srvr.c:2220:"),
        eve);
    assert_int_equal(g.count, 0);
    assert_int_equal(
        given_smtpd(&g, "00:02", 11, "disconnect from " BOB " ehlo=1 starttls=0/1 commands=1/2"),
        bob);
    assert_int_equal(g.count, 1);
    assert_int_equal(sessions_oldest(g.sessions), 2);
    given_smtpd(&g, "00:03", 12, "disconnect from " EVE " commands=0/0");
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
    assert_string_equal(given_text(&g, g.list[0].seen.listener).p, "postfix/submission");
    assert_string_equal(given_text(&g, g.list[0].seen.client_name).p, "bob.example.net");
    assert_seen(&g, 0, SEEN_CONNECT | SEEN_END | SEEN_COUNTS | SEEN_HELO | SEEN_TLS_FAILED,
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
    uint64_t a = given_smtpd(&g, "00:00", 11,
                             "AAAAA1: client=" BOB ", sasl_method=PLAIN, sasl_username=bob");
    uint64_t b = given_smtpd(&g, "00:01", 11, "connect from " EVE);
    uint64_t other =
        give(&g, "Nov 20 10:00:01 mx2 postfix/submission/smtpd[11]: connect from " BOB);
    assert_true(a > 0 && b > a && other > b);
    assert_int_equal(given_smtpd(&g, "00:02", 11, "lost connection after EHLO from " EVE), b);
    /* Two of our lines that belong to nobody. */
    assert_int_equal(given_say(&g, "00:02", "postfix/cleanup", 5,
                               "AAAAA2: info: header X-Mailer: a from bob[192.0.2.7]; from=<a@b>"),
                     0);
    assert_int_equal(given_say(&g, "00:02", "postfix/cleanup", 5, "AAAAA1: message-id=<a@b>"), 0);
    sessions_end(g.sessions);
    assert_int_equal(g.count, 3);
    assert_seen(&g, 0, SEEN_AUTH | SEEN_MAIL | SEEN_MAIL_TAKEN, SEEN_CONNECT | SEEN_END);
    assert_string_equal(given_text(&g, g.list[0].seen.user).p, "bob");
    assert_string_equal(given_text(&g, g.list[0].seen.mechanism).p, "PLAIN");
    assert_string_equal(g.list[0].queue_id, "AAAAA1");
    assert_seen(&g, 1, SEEN_CONNECT | SEEN_HELO, SEEN_END);
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
    given_smtpd(&g, "00:00", 11,
                "warning: cannot get RSA private key from file /etc/key: disabling TLS support");
    given_smtpd(&g, "00:00", 11,
                "warning: TLS library problem: error:0200100D:system library:fopen:Permission "
                "denied:bss_file.c:398:fopen('/etc/key','r'):");
    given_smtpd(&g, "00:01", 11, "connect from " BOB);
    given_smtpd(&g, "00:01", 11, "disconnect from " BOB " ehlo=1 quit=1 commands=2");
    assert_int_equal(given_say(&g, "00:01", "postfix/smtp", 11,
                               "connect to mx.example.com[203.0.113.1]:25: Connection refused"),
                     0);
    assert_int_equal(given_say(&g, "00:01", "dovecot", 11, "imap-login: Login: user=<bob>"), 0);
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
    given_smtpd(&g, "00:00", 11, "connect from localhost[127.0.0.1]");
    given_smtpd(&g, "00:01", 11, "AAAAA1: client=" BOB ", sasl_method=PLAIN, sasl_username=bob");
    given_smtpd(&g, "00:01", 11, "disconnect from " BOB " ehlo=2 xclient=1 mail=1 commands=4");
    given_smtpd(&g, "00:02", 11, "connect from " BOB);
    given_smtpd(&g, "00:02", 11, "SSL_accept error from " BOB ": -1");
    given_smtpd(&g, "00:03", 11, "BBBBB1: client=" EVE);
    given_smtpd(&g, "00:03", 11, "disconnect from " EVE " ehlo=1 mail=1 commands=2");
    assert_int_equal(g.count, 3);
    assert_seen(&g, 0, SEEN_PROXIED | SEEN_CONNECT | SEEN_END | SEEN_AUTH, 0);
    assert_string_equal(given_text(&g, g.list[0].seen.client_name).p, "bob.example.net");
    assert_int_equal(g.list[0].seen.mode, TLS_MODE_UNKNOWN);
    assert_seen(&g, 1, SEEN_CONNECT | SEEN_TLS_FAILED, SEEN_END | SEEN_PROXIED);
    assert_seen(&g, 2, SEEN_END | SEEN_MAIL, SEEN_CONNECT | SEEN_TLS_FAILED | SEEN_PROXIED);
    given_close(&g);
}

static void test_postscreen(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    static const char ps[] = "postfix/postscreen";
    given_say(&g, "00:00", ps, 9, "CONNECT from [192.0.2.7]:1001 to [192.0.2.1]:25");
    given_say(&g, "00:00", ps, 9, "CONNECT from [192.0.2.7]:1002 to [192.0.2.1]:25");
    given_say(&g, "00:00", ps, 9, "DNSBL rank 3 for [192.0.2.7]:1002");
    given_say(&g, "00:00", ps, 9, "PASS OLD [192.0.2.7]:1001");
    given_say(&g, "00:00", ps, 9,
              "PREGREET 517 after 0.01 from [192.0.2.7]:1002: \\026\\003\\001\\002");
    given_say(&g, "00:00", ps, 9, "CONNECT from [192.0.2.8]:1003 to [192.0.2.1]:25");
    given_say(&g, "00:00", ps, 9, "WHITELISTED [192.0.2.8]:1003");
    given_say(&g, "00:01", ps, 9, "DISCONNECT [192.0.2.7]:1002");
    /* Early, but let pass: a command is no finding, a ClientHello is. */
    given_say(&g, "00:02", ps, 9, "CONNECT from [192.0.2.9]:1004 to [192.0.2.1]:25");
    given_say(&g, "00:02", ps, 9, "PREGREET 11 after 0.01 from [192.0.2.9]:1004: EHLO bob\\r\\n");
    given_say(&g, "00:08", ps, 9, "PASS NEW [192.0.2.9]:1004");
    given_say(&g, "00:12", ps, 9, "CONNECT from [192.0.2.9]:1005 to [192.0.2.1]:25");
    given_say(&g, "00:12", ps, 9,
              "PREGREET 11 after 0.01 from [192.0.2.9]:1005: \\026\\003\\001\\002");
    given_say(&g, "00:18", ps, 9, "PASS NEW [192.0.2.9]:1005");
    assert_int_equal(g.count, 2);
    assert_int_equal(g.list[0].first_position, 2);
    assert_seen(&g, 0, SEEN_POSTSCREEN | SEEN_CONNECT | SEEN_END, 0);
    assert_int_equal(g.list[0].seen.first, BYTES_TLS);
    assert_int_equal(g.list[0].seen.server_port, 25);
    assert_int_equal(g.list[1].seen.first, BYTES_TLS);
    assert_int_equal(g.list[1].seen.client.b[3], 9);
    assert_int_equal(sessions_counts(g.sessions)->opened, 2);
    assert_int_equal(sessions_oldest(g.sessions), UINT64_MAX);
    given_close(&g);
}

/* ---- bounds ------------------------------------------------------------------------- */

static void test_least_used_goes_first(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 2, 0);
    uint64_t a = given_smtpd(&g, "00:00", 1, "connect from " BOB);
    uint64_t b = given_smtpd(&g, "00:00", 2, "connect from " BOB);
    given_smtpd(&g, "00:00", 1, "BBBBB1: client=" BOB);
    uint64_t c = given_smtpd(&g, "00:00", 3, "connect from " BOB);
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
    given_smtpd(&g, "10:00", 1, "connect from " BOB);
    given_smtpd(&g, "05:00", 2, "connect from " BOB);
    given_smtpd(&g, "11:00", 3, "connect from " BOB);
    assert_int_equal(g.count, 0);
    given_smtpd(&g, "11:01", 3, "BBBBB1: client=" BOB);
    assert_int_equal(g.count, 3);
    assert_int_equal(sessions_counts(g.sessions)->evicted, 3);
    /* A clock beside the log's goes on when no line comes. */
    sessions_quiet(g.sessions, 60 * US_PER_S);
    assert_int_equal(g.count, 3);
    sessions_quiet(g.sessions, 60 * US_PER_S + 1);
    assert_int_equal(g.count, 4);
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

/* A report counts sessions whose bytes are equal. */
static void test_equal_bytes(void **state)
{
    (void)state;
    struct given g;
    given_open(&g, 0, 0);
    for (unsigned pid = 11; pid < 13; pid++) {
        given_smtpd(&g, "00:00", pid, "connect from " BOB);
        given_smtpd(&g, "00:00", pid, "SSL_accept error from " BOB ": -1");
        given_smtpd(&g, "00:00", pid, "disconnect from " BOB " commands=0/0");
    }
    assert_int_equal(g.count, 2);
    assert_memory_equal(&g.list[0].seen, &g.list[1].seen, sizeof g.list[0].seen);
    given_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_joined_by_process),
        cmocka_unit_test(test_incomplete),  cmocka_unit_test(test_pasted),
        cmocka_unit_test(test_noise),       cmocka_unit_test(test_address_changes),
        cmocka_unit_test(test_postscreen),  cmocka_unit_test(test_least_used_goes_first),
        cmocka_unit_test(test_idle),        cmocka_unit_test(test_a_million_open),
        cmocka_unit_test(test_equal_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
