/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a session: mode, findings, what enforce would do, and what cannot be said. */
#include "session_help.h"

#define ON(name) "Nov 20 10:00:00 mx postfix/" name "smtpd[7]: "
#define LATE(name) "Nov 20 10:00:09 mx postfix/" name "smtpd[7]: "
#define TLS(version, cipher)                                                                       \
    "Anonymous TLS connection established from " BOB ": " version " with cipher " cipher           \
    " (256/256 bits)\n"
#define TLS_13 TLS("TLSv1.3", "TLS_AES_256_GCM_SHA384")

/* One session on a name that is known. */
#define SESSION(name, middle, counters)                                                            \
    ON(name) "connect from " BOB "\n" middle ON(name) "disconnect from " BOB " " counters "\n"
#define CLIENT(name) ON(name) "AAAAA1: client=" BOB "\n"
#define LOGIN(name)                                                                                \
    ON(name) "AAAAA1: client=" BOB ", sasl_method=PLAIN, sasl_username=bob@example.com\n"
#define FAILED(name) ON(name) "SSL_accept error from " BOB ": -1\n"
#define WHY(name, why) ON(name) "warning: TLS library problem: error:" why ":a.c:1:\n"

#define MSA "submission/"
#define SMTPS "smtps/"
#define MX "25/"

struct example {
    const char *log, *sentence;
    enum action would;
    doubt_set doubts;
};

#define D(name) DOUBT_BIT(DOUBT_##name)

static void check(const struct example *list, size_t count, const char *yaml)
{
    for (size_t i = 0; i < count; i++) {
        struct court c;
        court_open(&c, yaml, list[i].log, NULL, 0);
        struct judged is = judged(&c, c.given.count - 1);
        if (strcmp(sentence(&c, c.given.count - 1), list[i].sentence) != 0)
            fail_msg("%s\nis: %s\nnot: %s", list[i].log, sentence(&c, c.given.count - 1),
                     list[i].sentence);
        if (is.would != list[i].would)
            fail_msg("%s\nwould %s", list[i].log, action_names[is.would]);
        assert_int_equal(is.because == FINDING_COUNT, is.would == ACTION_IGNORE);
        if (is.doubts != list[i].doubts)
            fail_msg("%s\ndoubts %x, not %x", list[i].log, is.doubts, list[i].doubts);
        court_close(&c);
    }
}

#define CHECK(list, yaml) check(list, sizeof(list) / sizeof *(list), yaml)

/* ---- the rules: the core's -------------------------------------------------------- */

static void test_rules(void **state)
{
    (void)state;
    static const struct example list[] = {
        {SESSION(MSA, ON(MSA) TLS_13 LOGIN(MSA), "ehlo=2 starttls=1 auth=1 mail=1 commands=5"),
         "starttls -", ACTION_IGNORE, 0},
        {SESSION(SMTPS, ON(SMTPS) TLS_13 LOGIN(SMTPS), "ehlo=1 auth=1 mail=1 commands=3"),
         "implicit -", ACTION_IGNORE, 0},
        {SESSION(MX, CLIENT(MX), "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"), "cleartext -",
         ACTION_IGNORE, 0},
        {SESSION(MSA, CLIENT(MSA), "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"),
         "cleartext tls-required auth-required", ACTION_REJECT, 0},
        {SESSION(SMTPS, "", "commands=0/0")
             SESSION(MSA, LOGIN(MSA), "ehlo=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=6"),
         "cleartext tls-required cleartext-auth", ACTION_REJECT, 0},
        {SESSION(MSA, ON(MSA) TLS_13 CLIENT(MSA), "ehlo=2 starttls=1 mail=1 commands=4"),
         "starttls auth-required", ACTION_REJECT, 0},
        {SESSION(MSA, ON(MSA) TLS("TLSv1.1", "ECDHE-RSA-AES256-SHA") LOGIN(MSA),
                 "ehlo=2 starttls=1 auth=1 mail=1 commands=5"),
         "starttls tls-version tls-cipher-weak", ACTION_REJECT, 0},
        {SESSION(MSA, ON(MSA) TLS("TLSv1.2", "ADH-AES256-GCM-SHA384") LOGIN(MSA),
                 "ehlo=2 starttls=1 auth=1 mail=1 commands=5"),
         "starttls tls-cipher", ACTION_REJECT, 0},
        {SESSION(MSA, ON(MSA) TLS("TLSv1.2", "AES128-SHA") LOGIN(MSA),
                 "ehlo=2 starttls=1 auth=1 mail=1 commands=5"),
         "starttls tls-cipher-weak", ACTION_LOG, 0},
        {SESSION(MX, ON(MX) TLS_13 LOGIN(MX), "ehlo=2 starttls=1 auth=1 mail=1 commands=5"),
         "starttls auth-on-smtp-port", ACTION_REJECT, 0},
        /* A login alone is found, but no mail was there to be refused. */
        {SESSION(MX, ON(MX) TLS_13, "ehlo=2 starttls=1 auth=1 quit=1 commands=5"),
         "starttls auth-on-smtp-port", ACTION_LOG, D(USER)},
        {SESSION(SMTPS, "", "commands=0/0") SESSION(MSA, "", "ehlo=1 auth=1 quit=1 commands=3"),
         "cleartext cleartext-auth", ACTION_LOG, D(USER)},
        /* MAIL that the MTA refused is MAIL. */
        {SESSION(MSA, "", "ehlo=1 mail=0/1 quit=1 commands=2/3"),
         "cleartext tls-required auth-required", ACTION_REJECT, 0},
        /* TLS that was up, by the counters, without its line. */
        {SESSION(MSA, LOGIN(MSA), "ehlo=2 starttls=1 auth=1 mail=1 commands=5"), "starttls -",
         ACTION_IGNORE, D(TLS_VERSION)},
    };
    CHECK(list, NULL);
}

/* ---- what was seen ------------------------------------------------------------------ */

static void test_detections(void **state)
{
    (void)state;
    static const struct example list[] = {
        {SESSION(MSA, ON(MSA) "warning: non-SMTP command from " BOB ": \\026\\003\\001\\002\n",
                 "unknown=0/1 commands=0/1"),
         "cleartext implicit-tls-on-starttls-port", ACTION_LOG, 0},
        {SESSION(MX,
                 ON(MX) "improper command pipelining after CONNECT from " BOB ": \\026\\003\\001\n",
                 "commands=0/0"),
         "cleartext implicit-tls-on-starttls-port", ACTION_LOG, 0},
        {SESSION(SMTPS, FAILED(SMTPS) WHY(SMTPS, "0A00010B:SSL routines::wrong version number"),
                 "commands=0/0"),
         "implicit cleartext-on-implicit-port", ACTION_LOG, 0},
        {SESSION(SMTPS, FAILED(SMTPS) WHY(SMTPS, "0A00009C:SSL routines::http request"),
                 "commands=0/0"),
         "implicit not-smtp", ACTION_LOG, 0},
        {SESSION(MSA, ON(MSA) "warning: non-SMTP command from " BOB ": GET / HTTP/1.1\n",
                 "unknown=0/1 commands=0/1"),
         "cleartext not-smtp", ACTION_LOG, 0},
        {SESSION(MSA, FAILED(MSA) WHY(MSA, "0A000102:SSL routines::unsupported protocol"),
                 "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls handshake-version", ACTION_LOG, 0},
        {SESSION(SMTPS, FAILED(SMTPS) WHY(SMTPS, "0A0000C1:SSL routines::no shared cipher"),
                 "commands=0/0"),
         "implicit handshake-cipher", ACTION_LOG, 0},
        {SESSION(MSA, FAILED(MSA) WHY(MSA, "0A000418:SSL routines::tlsv1 alert unknown ca"),
                 "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls certificate-rejected", ACTION_LOG, 0},
        {SESSION(MSA, FAILED(MSA), "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls handshake-unknown", ACTION_LOG, D(HANDSHAKE)},
        /* After STARTTLS, what came was no TLS: it has no id of its own. */
        {SESSION(MSA, FAILED(MSA) WHY(MSA, "0A00010B:SSL routines::wrong version number"),
                 "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls handshake-unknown", ACTION_LOG, 0},
        {SESSION(SMTPS, ON(SMTPS) TLS_13, "ehlo=1 starttls=0/1 quit=1 commands=2/3"),
         "implicit starttls-inside-tls", ACTION_LOG, 0},
        {SESSION(MSA, ON(MSA) TLS_13, "ehlo=2 starttls=1/2 quit=1 commands=4/5"),
         "starttls starttls-inside-tls", ACTION_LOG, 0},
        {SESSION(MSA, "", "ehlo=1 quit=1 commands=2"), "cleartext closed-before-starttls",
         ACTION_LOG, 0},
        {SESSION(MSA, "", "ehlo=1 auth=0/1 quit=1 commands=2/3"),
         "cleartext closed-before-starttls", ACTION_LOG, 0},
        /* It did ask for it. */
        {SESSION(MSA, "", "ehlo=1 starttls=0/1 quit=1 commands=2/3"), "cleartext no-tls-seen",
         ACTION_LOG, 0},
        /* Bytes, but no HELO. */
        {SESSION(MSA, ON(MSA) "lost connection after UNKNOWN from " BOB "\n",
                 "unknown=0/1 commands=0/1"),
         "cleartext no-tls-seen", ACTION_LOG, 0},
        {SESSION(MSA, "", "auth=0/1 quit=1 commands=1/2"), "cleartext no-tls-seen", ACTION_LOG, 0},
        {SESSION(MSA, "", "quit=1 commands=1"), "cleartext -", ACTION_IGNORE, 0},
        /* Nothing was said: a port scan. */
        {SESSION(MSA, "", "commands=0/0"), "unknown -", ACTION_IGNORE, 0},
        {SESSION(MX, "", "ehlo=1 quit=1 commands=2"), "cleartext -", ACTION_IGNORE, 0},
        {SESSION(MX, "", "ehlo=1 auth=0/1 quit=1 commands=2/3"),
         "cleartext auth-tried-on-smtp-port", ACTION_LOG, 0},
        /* Where it helped to try again, it is the login that is said. */
        {SESSION(MX, LOGIN(MX), "ehlo=1 auth=1/2 mail=1 commands=3/4"),
         "cleartext auth-on-smtp-port cleartext-auth", ACTION_REJECT, 0},
        {SESSION(SMTPS, LATE(SMTPS) "SSL_accept error from " BOB ": lost connection\n",
                 "commands=0/0"),
         "implicit waits-on-implicit-port", ACTION_LOG, 0},
        {SESSION(SMTPS, ON(SMTPS) "SSL_accept error from " BOB ": lost connection\n",
                 "commands=0/0"),
         "implicit handshake-unknown", ACTION_LOG, D(HANDSHAKE)},
        /* Stalled after STARTTLS: it has had its greeting. */
        {SESSION(MSA, LATE(MSA) "SSL_accept error from " BOB ": lost connection\n",
                 "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls handshake-unknown", ACTION_LOG, D(HANDSHAKE)},
        /* A postscreen's port is in its lines. */
        {"Nov 20 10:00:00 mx postfix/postscreen[9]: CONNECT from [192.0.2.7]:1002 to "
         "[192.0.2.1]:25\n"
         "Nov 20 10:00:00 mx postfix/postscreen[9]: PREGREET 517 after 0 from [192.0.2.7]:1002: "
         "\\026\\003\\001\n"
         "Nov 20 10:00:01 mx postfix/postscreen[9]: DISCONNECT [192.0.2.7]:1002\n",
         "cleartext implicit-tls-on-starttls-port", ACTION_LOG, 0},
        {"Nov 20 10:00:00 mx postfix/postscreen[9]: CONNECT from [192.0.2.7]:1002 to "
         "[192.0.2.1]:25\n"
         "Nov 20 10:00:00 mx postfix/postscreen[9]: PREGREET 47 after 0 from [192.0.2.7]:1002: "
         "\\003\\000\n"
         "Nov 20 10:00:01 mx postfix/postscreen[9]: DISCONNECT [192.0.2.7]:1002\n",
         "cleartext not-smtp", ACTION_LOG, 0},
        {"Nov 20 10:00:00 mx postfix/postscreen[9]: CONNECT from [192.0.2.7]:1002 to "
         "[192.0.2.1]:26\n"
         "Nov 20 10:00:01 mx postfix/postscreen[9]: DISCONNECT [192.0.2.7]:1002\n",
         "unknown -", ACTION_IGNORE, D(POLICY)},
    };
    CHECK(list, NULL);
}

static void test_likely(void **state)
{
    (void)state;
    struct court c;
    court_open(&c, NULL,
               SESSION(SMTPS, LATE(SMTPS) "SSL_accept error from " BOB ": lost connection\n",
                       "commands=0/0")
                   SESSION(SMTPS,
                           FAILED(SMTPS) WHY(SMTPS, "0A0000C1:SSL routines::no shared cipher"),
                           "commands=0/0"),
               NULL, 0);
    assert_int_equal(judged(&c, 0).likely, FINDING_BIT(FINDING_WAITS_ON_IMPLICIT_PORT));
    assert_int_equal(judged(&c, 1).likely, 0);
    court_close(&c);
}

/* ---- a port that is not known --------------------------------------------------------- */

static void test_unknown_listener(void **state)
{
    (void)state;
    static const struct example list[] = {
        /* Nothing can be asked of a mail, but what is certain on any port is said. */
        {SESSION("", CLIENT(""), "ehlo=1 mail=1 commands=2"), "unknown -", ACTION_IGNORE,
         D(LISTENER) | D(TLS)},
        {SESSION("", ON("") "warning: non-SMTP command from " BOB ": \\026\\003\\001\n",
                 "unknown=0/1 commands=0/1"),
         "cleartext implicit-tls-on-starttls-port", ACTION_LOG, D(LISTENER)},
        {SESSION("", FAILED("") WHY("", "0A00010B:SSL routines::wrong version number"),
                 "commands=0/0"),
         "implicit cleartext-on-implicit-port", ACTION_LOG, 0},
        {SESSION("", FAILED("") WHY("", "0A000418:SSL routines::tlsv1 alert unknown ca"),
                 "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls certificate-rejected", ACTION_LOG, D(LISTENER)},
        /* Implicit TLS has a port of its own. */
        {SESSION("", ON("") TLS_13 CLIENT(""), "ehlo=1 mail=1 commands=2"),
         "implicit auth-required", ACTION_REJECT, 0},
        /* TLS is logged under that name, so that its absence says something. */
        {SESSION("", ON("") TLS_13, "ehlo=2 starttls=1 commands=3")
             SESSION("", CLIENT(""), "ehlo=1 mail=1 commands=2"),
         "cleartext -", ACTION_IGNORE, D(LISTENER)},
        /* Both kinds under one name. */
        {SESSION("submission/", ON("submission/") TLS_13, "ehlo=1 commands=1")
             SESSION("submission/", CLIENT("submission/"), "ehlo=1 mail=1 commands=2")
                 SESSION("submission/", ON("submission/") TLS_13 CLIENT("submission/"),
                         "ehlo=2 starttls=1 mail=1 commands=4"),
         "starttls auth-required", ACTION_REJECT, 0},
        {SESSION("submission/", ON("submission/") TLS_13, "ehlo=1 commands=1")
             SESSION("submission/", ON("submission/") TLS_13, "ehlo=2 starttls=1 commands=4")
                 SESSION("submission/", "", "ehlo=1 mail=0/1 commands=1/2"),
         "cleartext -", ACTION_IGNORE, D(SHARED)},
        /* A name of implicit TLS on something that is not. */
        {SESSION(SMTPS, ON(SMTPS) TLS_13 CLIENT(SMTPS), "ehlo=2 starttls=1 mail=1 commands=4"),
         "starttls -", ACTION_IGNORE, D(SHARED)},
        /* A port that is known, and of which the policy says nothing. */
        {SESSION("10025/", CLIENT("10025/"), "ehlo=1 mail=1 commands=2"), "unknown -",
         ACTION_IGNORE, D(POLICY) | D(TLS)},
        {SESSION("10025/", ON("10025/") "warning: non-SMTP command from " BOB ": GET / HTTP/1.0\n",
                 "unknown=0/1 commands=0/1"),
         "unknown -", ACTION_IGNORE, D(POLICY) | D(TLS)},
    };
    CHECK(list, NULL);
}

/* Postfix before 3.0, and logs that are cut. */
static void test_without_counters(void **state)
{
    (void)state;
    static const struct example list[] = {
        {SESSION(MSA, ON(MSA) TLS_13 LOGIN(MSA), ""), "starttls -", ACTION_IGNORE, 0},
        {SESSION(SMTPS, ON(SMTPS) TLS_13 LOGIN(SMTPS), ""), "implicit -", ACTION_IGNORE, 0},
        /* Another session shows that TLS is logged there. */
        {SESSION(MSA, ON(MSA) TLS_13, "") SESSION(MSA, CLIENT(MSA), ""),
         "cleartext tls-required auth-required", ACTION_REJECT, 0},
        {SESSION(MSA, CLIENT(MSA), ""), "unknown auth-required", ACTION_REJECT, D(TLS)},
        {SESSION(MSA, ON(MSA) TLS_13, "")
             SESSION(MSA, ON(MSA) "lost connection after EHLO from " BOB "\n", ""),
         "cleartext no-tls-seen", ACTION_LOG, 0},
        {SESSION(MSA, ON(MSA) "lost connection after EHLO from " BOB "\n", ""), "unknown -",
         ACTION_IGNORE, D(TLS)},
        {SESSION(MSA, ON(MSA) TLS_13, "") SESSION(MSA, "", ""), "unknown -", ACTION_IGNORE, 0},
        /* One line of a session whose beginning is not there. */
        {LOGIN(MSA), "unknown -", ACTION_IGNORE, D(TLS) | D(CUT)},
        {ON(MSA) TLS_13, "starttls -", ACTION_IGNORE, 0},
        {ON(SMTPS) "SSL_accept error from " BOB ": lost connection\n", "implicit handshake-unknown",
         ACTION_LOG, D(HANDSHAKE)},
        {ON(MSA) "disconnect from " BOB " ehlo=1 auth=0/1 quit=1 commands=2/3\n",
         "cleartext closed-before-starttls", ACTION_LOG, 0},
    };
    CHECK(list, NULL);
}

/* smtpd_tls_loglevel=0: implicit TLS leaves no line of its own. */
static void test_tls_not_logged(void **state)
{
    (void)state;
    static const struct example list[] = {
        {SESSION(SMTPS, LOGIN(SMTPS), "ehlo=1 auth=1 mail=1 commands=3"), "implicit -",
         ACTION_IGNORE, D(TLS_VERSION)},
        {SESSION(SMTPS, "", "ehlo=1 starttls=0/1 quit=1 commands=2/3"),
         "implicit starttls-inside-tls", ACTION_LOG, D(TLS_VERSION)},
        {SESSION(SMTPS, "", "commands=0/0"), "unknown -", ACTION_IGNORE, 0},
        /* A login without STARTTLS: in clear text, or 465 under the name of 587. */
        {SESSION(MSA, LOGIN(MSA), "ehlo=1 auth=1 mail=1 commands=3"), "unknown -", ACTION_IGNORE,
         D(TLS)},
        {SESSION(MSA, ON(MSA) TLS_13, "ehlo=2 starttls=1 commands=3")
             SESSION(MSA, LOGIN(MSA), "ehlo=1 auth=1 mail=1 commands=3"),
         "cleartext tls-required cleartext-auth", ACTION_REJECT, 0},
        {SESSION(MX, LOGIN(MX), "ehlo=1 auth=1 mail=1 commands=3"),
         "cleartext auth-on-smtp-port cleartext-auth", ACTION_REJECT, 0},
        {SESSION("", LOGIN(""), "ehlo=1 auth=1 mail=1 commands=3"), "unknown -", ACTION_IGNORE,
         D(LISTENER) | D(TLS)},
    };
    CHECK(list, NULL);
}

/* ---- Sendmail ------------------------------------------------------------------------------ */

#define SM "Nov 20 10:00:00 mx sendmail[7]: "
#define SM2 "Nov 20 10:00:00 mx sendmail[8]: "
#define SM_TLS                                                                                     \
    "STARTTLS=server, relay=[192.0.2.7], version=TLSv1.3, verify=NO, "                             \
    "cipher=TLS_AES_256_GCM_SHA384, bits=256/256\n"
#define SM_AUTH "AUTH=server, relay=[192.0.2.7], authid=alice, mech=PLAIN, bits=0\n"
#define SM_FROM(proto, daemon)                                                                     \
    "6AL0IKBF021643: from=<a@b>, size=15, class=0, nrcpts=1, proto=" proto ", daemon=" daemon      \
    ", relay=[192.0.2.7]\n"
#define SM_LEFT(daemon)                                                                            \
    "6AL0IWsn021688: [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to " daemon   \
    "\n"
#define SM_FAILED(why)                                                                             \
    "STARTTLS=server, error: accept failed=-1, reason=" why                                        \
    ", SSL_error=1, errno=0, retry=-1, relay=[192.0.2.7]\n"

static void test_sendmail(void **state)
{
    (void)state;
    static const struct example list[] = {
        {SM SM_TLS SM SM_AUTH SM SM_FROM("ESMTPSA", "MSA"), "starttls -", ACTION_IGNORE, 0},
        {SM SM_TLS SM SM_AUTH SM SM_FROM("ESMTPSA", "TLSMSA"), "implicit -", ACTION_IGNORE, 0},
        {SM SM_AUTH SM SM_TLS SM SM_FROM("ESMTPSA", "MSA"), "starttls cleartext-auth",
         ACTION_REJECT, 0},
        {SM SM_FROM("ESMTP", "MSA"), "cleartext tls-required auth-required", ACTION_REJECT, 0},
        {SM SM_FROM("ESMTP", "MTA"), "cleartext -", ACTION_IGNORE, 0},
        {SM SM_AUTH SM SM_FROM("ESMTPA", "MTA"), "cleartext auth-on-smtp-port cleartext-auth",
         ACTION_REJECT, 0},
        /* proto=SMTP may be TLS; the log has STARTTLS= lines, or has none. */
        {SM SM_FROM("SMTP", "MSA"), "unknown -", ACTION_IGNORE, D(TLS)},
        {SM SM_TLS SM2 SM_FROM("SMTP", "MSA"), "cleartext tls-required auth-required",
         ACTION_REJECT, 0},
        {"Nov 20 10:00:00 mx2 sendmail[7]: " SM_TLS SM2 SM_FROM("SMTP", "MSA"), "unknown -",
         ACTION_IGNORE, D(TLS)},
        /* LogLevel 8: no STARTTLS= line, but proto= has an S. */
        {SM SM_FROM("ESMTPSA", "MSA"), "starttls -", ACTION_IGNORE, D(TLS_VERSION) | D(USER)},
        {SM SM_LEFT("MSA"), "unknown no-tls-seen", ACTION_LOG, 0},
        {SM SM_LEFT("MTA"), "unknown -", ACTION_IGNORE, 0},
        {SM SM_LEFT("TLSMSA"), "unknown -", ACTION_IGNORE, 0},
        {SM SM_TLS SM SM_LEFT("MSA"), "starttls -", ACTION_IGNORE, 0},
        {SM SM_AUTH SM SM_LEFT("MSA"), "cleartext cleartext-auth", ACTION_LOG, 0},
        {SM SM_FAILED("wrong version number") SM SM_LEFT("TLSMSA"),
         "implicit cleartext-on-implicit-port", ACTION_LOG, 0},
        {SM SM_FAILED("no shared cipher") SM SM_LEFT("MSA"), "starttls handshake-cipher",
         ACTION_LOG, 0},
        {SM SM_TLS, "unknown -", ACTION_IGNORE, D(LISTENER)},
    };
    CHECK(list, NULL);
}

/* ---- a policy that was written ----------------------------------------------------------------
 */

static void test_policy(void **state)
{
    (void)state;
    static const char yaml[] =
        "listeners:\n"
        "  - {names: [smtp], port: 25, role: smtp}\n"
        "  - {names: [submission], port: 587, role: submission}\n"
        "  - {names: [smtps], port: 465, role: submissions}\n"
        "  - {names: [balanced], port: 588, role: submission, tls_by: proxy}\n"
        "actions: {handshake-cipher: ignore, auth-required: log}\n"
        "trusted: {networks: [198.51.100.0/24]}\n"
        "monitors: [203.0.113.2]\n"
        "exceptions:\n"
        "  - {client: [203.0.113.1], allow: [tls-required, closed-before-starttls, "
        "handshake-unknown], until: 2030-01-01, reason: old, owner: me}\n"
        "  - {user: [bob@example.com], allow: cleartext-auth, until: 2020-01-01, "
        "reason: old, owner: me}\n";
#define OLD "old[203.0.113.1]"
#define PROBE "probe[203.0.113.2]"
    static const struct example list[] = {
        /* The name is what the administrator says it is, and the session disagrees. */
        {SESSION(MSA, ON(MSA) TLS_13 LOGIN(MSA), "ehlo=1 auth=1 mail=1 commands=3"),
         "implicit listener-mode-mismatch", ACTION_LOG, 0},
        {SESSION(SMTPS, ON(SMTPS) TLS_13 LOGIN(SMTPS),
                 "ehlo=2 starttls=1 auth=1 mail=1 commands=5"),
         "starttls listener-mode-mismatch", ACTION_LOG, 0},
        {SESSION(MSA, FAILED(MSA) WHY(MSA, "0A0000C1:SSL routines::no shared cipher"),
                 "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls -", ACTION_IGNORE, 0},
        {SESSION("", FAILED("") WHY("", "0A0000C1:SSL routines::no shared cipher"),
                 "ehlo=1 starttls=0/1 commands=1/2"),
         "starttls -", ACTION_IGNORE, D(LISTENER)},
        {SESSION(MSA, ON(MSA) TLS_13 CLIENT(MSA), "ehlo=2 starttls=1 mail=1 commands=4"),
         "starttls auth-required", ACTION_LOG, 0},
        /* Trusted clients need neither TLS nor AUTH. */
        {ON(MSA) "connect from " EVE "\n" ON(MSA) "disconnect from " EVE
                                                  " ehlo=1 mail=1 commands=2\n",
         "cleartext -", ACTION_IGNORE, 0},
        {ON(MSA) "connect from " EVE "\n" ON(MSA) "disconnect from " EVE
                                                  " ehlo=1 quit=1 commands=2\n",
         "cleartext -", ACTION_IGNORE, 0},
        {ON(MSA) "connect from " EVE "\n" ON(MSA) "disconnect from " EVE " auth=0/1 commands=0/1\n",
         "cleartext -", ACTION_IGNORE, 0},
        /* Exceptions, in force and over. */
        {ON(MSA) "connect from " OLD "\n" ON(MSA) "disconnect from " OLD
                                                  " ehlo=1 mail=1 commands=2\n",
         "cleartext auth-required", ACTION_LOG, 0},
        {ON(MSA) "connect from " OLD "\n" ON(MSA) "disconnect from " OLD
                                                  " ehlo=1 quit=1 commands=2\n",
         "cleartext -", ACTION_IGNORE, 0},
        {ON("") "connect from " OLD
                "\n" ON("") "SSL_accept error from " OLD ": lost connection\n" ON(
                    "") "disconnect from " OLD " ehlo=1 starttls=0/1 commands=1/2\n",
         "starttls -", ACTION_IGNORE, D(LISTENER)},
        {SESSION(MSA, LOGIN(MSA), "ehlo=1 auth=1 mail=1 commands=3"),
         "cleartext tls-required cleartext-auth", ACTION_REJECT, 0},
        /* TLS ends at a proxy: of TLS nothing is known, and it is not asked for. */
        {SESSION("balanced/", ON("balanced/") "AAAAA1: client=" BOB "\n",
                 "ehlo=1 mail=1 commands=2"),
         "unknown auth-required", ACTION_LOG, D(PROXY)},
        {SESSION("balanced/", "", "ehlo=1 quit=1 commands=2"), "unknown -", ACTION_IGNORE,
         D(PROXY)},
        {SESSION("balanced/",
                 ON("balanced/") "AAAAA1: client=" BOB ", sasl_method=PLAIN, sasl_username=bob\n",
                 "ehlo=1 auth=1 mail=1 commands=3"),
         "unknown -", ACTION_IGNORE, D(PROXY)},
        /* Monitors knock, which is no news; that their mail would be refused is. */
        {ON(MSA) "connect from " PROBE "\n" ON(MSA) "disconnect from " PROBE
                                                    " ehlo=1 quit=1 commands=2\n",
         "cleartext -", ACTION_IGNORE, 0},
        {ON(MSA) "connect from " PROBE "\n" ON(MSA) "disconnect from " PROBE
                                                    " ehlo=1 mail=1 commands=2\n",
         "cleartext tls-required auth-required", ACTION_REJECT, 0},
    };
    CHECK(list, yaml);

    struct court c;
    court_open(&c, yaml, list[5].log, NULL, 0);
    assert_int_equal(judged(&c, 0).trusted,
                     FINDING_BIT(FINDING_TLS_REQUIRED) | FINDING_BIT(FINDING_AUTH_REQUIRED));
    court_close(&c);
    court_open(&c, yaml, list[6].log, NULL, 0);
    assert_int_equal(judged(&c, 0).trusted, FINDING_BIT(FINDING_CLOSED_BEFORE_STARTTLS));
    court_close(&c);
    court_open(&c, yaml, list[8].log, NULL, 0);
    assert_int_equal(judged(&c, 0).excepted, FINDING_BIT(FINDING_TLS_REQUIRED));
    court_close(&c);
    court_open(&c, yaml, list[9].log, NULL, 0);
    assert_int_equal(judged(&c, 0).excepted, FINDING_BIT(FINDING_CLOSED_BEFORE_STARTTLS));
    court_close(&c);
}

/* A proxy that tells the client's address with XCLIENT hides TLS, not AUTH. */
static void test_xclient(void **state)
{
    (void)state;
    static const struct example list[] = {
        {ON(MSA) "connect from localhost[127.0.0.1]\n" ON(MSA) "AAAAA1: client=" BOB "\n" ON(
             MSA) "disconnect from " BOB " ehlo=2 mail=1 commands=4\n",
         "unknown auth-required", ACTION_REJECT, D(PROXY)},
        {ON(MSA) "connect from localhost[127.0.0.1]\n" ON(
             MSA) "lost connection after EHLO from " BOB
                  "\n" ON(MSA) "disconnect from " BOB " ehlo=2 xclient=1 commands=3\n",
         "unknown -", ACTION_IGNORE, D(PROXY)},
        {SESSION(MSA, ON(MSA) "AAAAA1: client=" BOB ", sasl_method=XCLIENT, sasl_username=bob\n",
                 "ehlo=1 mail=1 commands=2"),
         "unknown -", ACTION_IGNORE, D(PROXY)},
    };
    CHECK(list, NULL);
}

/* A certificate in `trusted` may have been shown, and the log does not say which. */
#define SHOWN                                                                                      \
    "Untrusted TLS connection established from " BOB                                               \
    ": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
#define SENDMAIL "Nov 20 10:00:00 mx sm-mta[7]: "
#define SENDMAIL_MAIL(verify)                                                                      \
    SENDMAIL "STARTTLS=server, relay=[192.0.2.7], version=TLSv1.3, verify=" verify                 \
             ", cipher=TLS_AES_256_GCM_SHA384, bits=256/256\n" SENDMAIL                            \
             "6AL0DSuZ002186: from=<a@example.com>, size=1, class=0, nrcpts=1, proto=ESMTPS, "     \
             "daemon=MSA, relay=[192.0.2.7]\n"

static void test_trusted_certificates(void **state)
{
    (void)state;
    static const char yaml[] = "trusted: {client_certificates: ["
                               "\"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:"
                               "55:66:77:88:99:aa:bb:cc:dd:ee:ff\"]}\n";
    static const struct example list[] = {
        /* Anonymous: none was shown. */
        {SESSION(MSA, ON(MSA) TLS_13 CLIENT(MSA), "ehlo=2 starttls=1 mail=1 commands=4"),
         "starttls auth-required", ACTION_REJECT, 0},
        {SESSION(MSA, ON(MSA) SHOWN CLIENT(MSA), "ehlo=2 starttls=1 mail=1 commands=4"),
         "starttls -", ACTION_IGNORE, D(CERTIFICATE)},
        {SENDMAIL_MAIL("NO"), "starttls auth-required", ACTION_REJECT, 0},
        {SENDMAIL_MAIL("NOT"), "starttls auth-required", ACTION_REJECT, 0},
        {SENDMAIL_MAIL("OK"), "starttls -", ACTION_IGNORE, D(CERTIFICATE)},
        {SESSION(MSA, CLIENT(MSA), "ehlo=1 mail=1 commands=2"),
         "cleartext tls-required auth-required", ACTION_REJECT, 0},
    };
    CHECK(list, yaml);
}

static void test_doubts(void **state)
{
    (void)state;
    for (int i = 0; i < DOUBTS; i++) {
        assert_true(doubts[i].id[0] && doubts[i].what[0]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(doubts[i].id, doubts[k].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_detections),
        cmocka_unit_test(test_likely),
        cmocka_unit_test(test_unknown_listener),
        cmocka_unit_test(test_without_counters),
        cmocka_unit_test(test_tls_not_logged),
        cmocka_unit_test(test_sendmail),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_xclient),
        cmocka_unit_test(test_trusted_certificates),
        cmocka_unit_test(test_doubts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
