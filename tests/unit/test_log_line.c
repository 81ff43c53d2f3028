/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines taken apart: a table of real ones, and what times mean. A line lies in memory of exactly
 * its size, so that the address sanitizer sees a byte too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "audit/dialect/line.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* By the C library, not by what is tested. */
static int64_t utc(int year, int month, int day, int hour, int minute, int second, int us)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    return (int64_t)timegm(&tm) * US_PER_S + us;
}

static void zone(const char *tz)
{
    setenv("TZ", tz, 1);
}

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"

static struct stamps stamps_at(int64_t reference_us)
{
    struct stamps t;
    stamps_init(&t, reference_us);
    return t;
}

static struct log_line parse(struct stamps *t, struct str line, char **ret_copy)
{
    struct log_line l;
    char *copy = malloc(line.n ? line.n : 1);
    assert_non_null(copy);
    if (line.n)
        memcpy(copy, line.p, line.n);
    memset(&l, 0xa5, sizeof l);
    line_parse(t, (struct str){copy, line.n}, &l);
    *ret_copy = copy;
    return l;
}

static void assert_str(struct str got, const char *expected, const char *line)
{
    if (!str_eq(got, str_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\" in: %s", STR_ARG(got), expected, line);
}

/* ---- every format ------------------------------------------------------------------ */

#define T(...)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
struct when {
    int year, month, day, hour, minute, second, us; /* year 0: no time */
};

static const struct sample {
    const char *line;
    struct when when;
    const char *host, *tag;
    uint32_t pid;
    const char *text;
    unsigned times; /* 0: 1 */
} samples[] = {
    /* RFC 3164 */
    {"May 23 09:35:16 mail postfix/smtpd[5982]: connect from a.example[81.82.221.208]",
     T(2026, 5, 23, 9, 35, 16), "mail", "postfix/smtpd", 5982,
     "connect from a.example[81.82.221.208]"},
    {"Apr  1 22:19:24 emp87 postfix/smtpd[1162142]: lost connection after STARTTLS from x[1.2.3.4]",
     T(2026, 4, 1, 22, 19, 24), "emp87", "postfix/smtpd", 1162142,
     "lost connection after STARTTLS from x[1.2.3.4]"},
    {"Nov 08 08:08:59 mx postfix-mx/content-filter/smtp[273144]: 4HnkK60lBRz6tl1: to=<a@b.c>",
     T(2026, 11, 8, 8, 8, 59), "mx", "postfix-mx/content-filter/smtp", 273144,
     "4HnkK60lBRz6tl1: to=<a@b.c>"},
    {"Feb 5 23:20:45 contact postfix/smtps/smtpd[18102]: connect from ip-xx[xx.xxx]",
     T(2026, 2, 5, 23, 20, 45), "contact", "postfix/smtps/smtpd", 18102,
     "connect from ip-xx[xx.xxx]"},
    {"Jan 15 01:26:17 postfix/smtps/smtpd[1681]: warning: TLS library problem: error:0A000126:SSL",
     T(2026, 1, 15, 1, 26, 17), "", "postfix/smtps/smtpd", 1681,
     "warning: TLS library problem: error:0A000126:SSL"},
    {"Jun 12 18:24:28 [servername] postfix/smtpd[4839]: SSL_accept error from h[65.54.61.77]: -1",
     T(2026, 6, 12, 18, 24, 28), "[servername]", "postfix/smtpd", 4839,
     "SSL_accept error from h[65.54.61.77]: -1"},
    {"Dec  6 11:56:09 b.mail.example.net sm-mta[10180]: STARTTLS=server, relay=x [173.8.135.25]",
     T(2025, 12, 6, 11, 56, 9), "b.mail.example.net", "sm-mta", 10180,
     "STARTTLS=server, relay=x [173.8.135.25]"},
    {"<22>Nov 21 00:27:33 sendmail[24661]: 6AL0R6s5024661: --- 220 mx ESMTP Sendmail",
     T(2026, 11, 21, 0, 27, 33), "", "sendmail", 24661,
     "6AL0R6s5024661: --- 220 mx ESMTP Sendmail"},
    {"<22>sendmail[24661]: NOQUEUE: connect from localhost", T(0), "", "sendmail", 24661,
     "NOQUEUE: connect from localhost"},
    {"Nov 20 00:32:25.123456 mx postfix/smtpd[1]: x", T(2026, 11, 20, 0, 32, 25, 123456), "mx",
     "postfix/smtpd", 1, "x"},
    {"Nov 20 00:32:25.5 mx postfix/smtpd[1]: x", T(2026, 11, 20, 0, 32, 25, 500000), "mx",
     "postfix/smtpd", 1, "x"},
    {"Nov 20 00:32:25.123456789 mx postfix/smtpd[1]: x", T(2026, 11, 20, 0, 32, 25, 123456), "mx",
     "postfix/smtpd", 1, "x"},
    {"Nov 20 2019 00:32:25 mx postfix/smtpd[1]: x", T(2019, 11, 20, 0, 32, 25), "mx",
     "postfix/smtpd", 1, "x"},
    {"Nov 20 00:32:25 2019 mx postfix/smtpd[1]: x", T(2019, 11, 20, 0, 32, 25), "mx",
     "postfix/smtpd", 1, "x"},
    {"Nov 20 00:32:25 2 postfix/smtpd[1]: a host named 2", T(2026, 11, 20, 0, 32, 25), "2",
     "postfix/smtpd", 1, "a host named 2"},
    {"Nov 20 00:32:25 <mail.info> bsd sendmail[7]: x", T(2026, 11, 20, 0, 32, 25), "bsd",
     "sendmail", 7, "x"},
    {"Nov 20 00:32:25 alpine mail.info postfix/smtpd[7]: x", T(2026, 11, 20, 0, 32, 25), "alpine",
     "postfix/smtpd", 7, "x"},
    {"Nov 20 00:32:25 aix local0:warn postfix/smtpd[7]: x", T(2026, 11, 20, 0, 32, 25), "aix",
     "postfix/smtpd", 7, "x"},
    {"Thu Jan  1 00:00:12 2015 mail.info postfix/smtpd[7]: x", T(2015, 1, 1, 0, 0, 12), "",
     "postfix/smtpd", 7, "x"},
    {"Nov 20 00:32:25 sun sendmail[7]: [ID 801593 mail.info] 6AL0R6s5024661: x",
     T(2026, 11, 20, 0, 32, 25), "sun", "sendmail", 7, "6AL0R6s5024661: x"},
    {"Nov 20 00:32:25 mx postfix/smtpd[7]: message repeated 3 times: [ lost connection]",
     T(2026, 11, 20, 0, 32, 25), "mx", "postfix/smtpd", 7, "lost connection", 3},
    {"Nov 20 00:32:25 mx postfix/smtpd[7]: message repeated 2 times: [ connect from x[1.2.3.4]]",
     T(2026, 11, 20, 0, 32, 25), "mx", "postfix/smtpd", 7, "connect from x[1.2.3.4]", 2},
    {"Nov 20 00:32:25 mx postfix/smtpd[7]: message repeated 2 times: [ cut off",
     T(2026, 11, 20, 0, 32, 25), "mx", "postfix/smtpd", 7, "message repeated 2 times: [ cut off"},
    {"Nov 20 00:32:25 mx postfix/smtpd[7]:", T(2026, 11, 20, 0, 32, 25), "mx", "postfix/smtpd", 7,
     ""},
    {"Nov 20 00:32:25 mx postfix/smtpd[7]:   x \t\r", T(2026, 11, 20, 0, 32, 25), "mx",
     "postfix/smtpd", 7, "x"},
    {"\xef\xbb\xbfNov 20 00:32:25 mx postfix/smtpd[7]: x", T(2026, 11, 20, 0, 32, 25), "mx",
     "postfix/smtpd", 7, "x"},
    {"Nov 20 00:32:60 mx postfix/smtpd[7]: a leap second", T(2026, 11, 20, 0, 33, 0), "mx",
     "postfix/smtpd", 7, "a leap second"},
    /* Other languages */
    {"Απρ 15 12:20:28 mx2 postfix/submission/smtpd[6833]: Anonymous TLS from  xx[5.5.5.5]", T(0),
     "mx2", "postfix/submission/smtpd", 6833, "Anonymous TLS from  xx[5.5.5.5]"},
    {"сентября 15 12:20:28 mx2 postfix/smtpd[1]: x", T(0), "mx2", "postfix/smtpd", 1, "x"},
    {"févr. 15 12:20:28 mx2 postfix/smtpd[1]: x", T(0), "mx2", "postfix/smtpd", 1, "x"},
    /* RFC 3339, ISO 8601 */
    {"2024-10-31T12:38:21.817327+00:00 machine postfix/submission/smtpd[2634372]: warning: x",
     T(2024, 10, 31, 12, 38, 21, 817327), "machine", "postfix/submission/smtpd", 2634372,
     "warning: x"},
    {"2024-08-26T01:33:38.572449+02:00 machine postfix/smtpd[60203]: x",
     T(2024, 8, 25, 23, 33, 38, 572449), "machine", "postfix/smtpd", 60203, "x"},
    {"2024-12-31T23:59:59-0530 machine postfix/smtpd[60203]: x", T(2025, 1, 1, 5, 29, 59),
     "machine", "postfix/smtpd", 60203, "x"},
    {"2025-02-27T07:14:47Z machine postfix/smtpd[1]: x", T(2025, 2, 27, 7, 14, 47), "machine",
     "postfix/smtpd", 1, "x"},
    {"2025-02-27T07:14:47+01 machine postfix/smtpd[1]: x", T(2025, 2, 27, 6, 14, 47), "machine",
     "postfix/smtpd", 1, "x"},
    {"2024-08-26 01:33:38 machine postfix/smtpd[1]: x", T(2024, 8, 26, 1, 33, 38), "machine",
     "postfix/smtpd", 1, "x"},
    {"2024-08-26 01:33:38,250 machine postfix/smtpd[1]: x", T(2024, 8, 26, 1, 33, 38, 250000),
     "machine", "postfix/smtpd", 1, "x"},
    {"2024-08-26 01:33:38 +0200 machine postfix/smtpd[1]: x", T(2024, 8, 25, 23, 33, 38), "machine",
     "postfix/smtpd", 1, "x"},
    {"Thu 2025-02-27 07:14:47 UTC machine postfix/smtpd[1]: x", T(2025, 2, 27, 7, 14, 47),
     "machine", "postfix/smtpd", 1, "x"},
    {"Thu 2025-02-27 07:14:47 XYZ machine postfix/smtpd[1]: x", T(2025, 2, 27, 7, 14, 47),
     "machine", "postfix/smtpd", 1, "x"},
    {"Wed Nov 20 2019 00:32:25 mx postfix/smtpd[1]: x", T(2019, 11, 20, 0, 32, 25), "mx",
     "postfix/smtpd", 1, "x"},
    {"2024-02-29T00:00:00Z h postfix/smtpd[1]: x", T(2024, 2, 29), "h", "postfix/smtpd", 1, "x"},
    {"2000-02-29T00:00:00Z h postfix/smtpd[1]: x", T(2000, 2, 29), "h", "postfix/smtpd", 1, "x"},
    {"2022-06-29 16:04:05 dovecot_login authenticator failed for ([1.2.3.5]) [1.2.3.4]:55379: 535",
     T(2022, 6, 29, 16, 4, 5), "", "", 0,
     "dovecot_login authenticator failed for ([1.2.3.5]) [1.2.3.4]:55379: 535"},
    /* RFC 5424 */
    {"<22>1 2025-02-27T07:14:47.5Z mx postfix/smtpd 123 - - connect from x[1.2.3.4]",
     T(2025, 2, 27, 7, 14, 47, 500000), "mx", "postfix/smtpd", 123, "connect from x[1.2.3.4]"},
    {"<22>1 - - - - - -", T(0), "", "", 0, ""},
    {"<22>1 - mx postfix/smtpd 12 - - x", T(0), "mx", "postfix/smtpd", 12, "x"},
    {"<165>1 2003-10-11T22:14:15.003Z m.example.com evntslog - ID47 "
     "[exampleSDID@32473 iut=\"3\" eventSource=\"App\\\"]lication\" eventID=\"1011\"][ex@32473 "
     "class=\"high\"] \xef\xbb\xbf"
     "An application event",
     T(2003, 10, 11, 22, 14, 15, 3000), "m.example.com", "evntslog", 0, "An application event"},
    {"1 2025-02-27T07:14:47Z mx postfix/smtpd 123 - - x", T(2025, 2, 27, 7, 14, 47), "mx",
     "postfix/smtpd", 123, "x"},
    {"<22>1 2025-02-27T07:14:47Z mx postfix/smtpd 123 - [cut \"", T(2025, 2, 27, 7, 14, 47), "mx",
     "postfix/smtpd", 123, "[cut \""},
    /* Containers */
    {"mail  | Nov 20 00:32:25 mail postfix/smtpd[9]: x", T(2026, 11, 20, 0, 32, 25), "mail",
     "postfix/smtpd", 9, "x"},
    {"postfix-1  | postfix/smtpd[9]: x", T(0), "", "postfix/smtpd", 9, "x"},
    {"2024-01-02T03:04:05.123456789Z Nov 20 00:32:25 mail postfix/smtpd[9]: x",
     T(2024, 1, 2, 3, 4, 5, 123456), "mail", "postfix/smtpd", 9, "x"},
    {"2024-01-02T03:04:05.123456789Z stdout F postfix/smtpd[9]: x", T(2024, 1, 2, 3, 4, 5, 123456),
     "", "postfix/smtpd", 9, "x"},
    /* Names */
    {"postfix/smtpd[14759]: improper command pipelining after DATA from unknown[72.13.58.7]:", T(0),
     "", "postfix/smtpd", 14759,
     "improper command pipelining after DATA from unknown[72.13.58.7]:"},
    {"Nov 20 00:32:25 mx kernel: x", T(2026, 11, 20, 0, 32, 25), "mx", "kernel", 0, "x"},
    {"Nov 20 00:32:25 mx postfix/p587/smtpd: x", T(2026, 11, 20, 0, 32, 25), "mx",
     "postfix/p587/smtpd", 0, "x"},
    {"Nov 20 00:32:25 postfix/smtpd: x", T(2026, 11, 20, 0, 32, 25), "", "postfix/smtpd", 0, "x"},
    {"Nov 20 00:32:25 mx relay:587@(a)/smtpd[12]: x", T(2026, 11, 20, 0, 32, 25), "mx",
     "relay:587@(a)/smtpd", 12, "x"},
    {"Nov 20 00:32:25 mx Zustellung\xc3\xbc/smtpd[4294967295]: x", T(2026, 11, 20, 0, 32, 25), "mx",
     "Zustellung\xc3\xbc/smtpd", 4294967295u, "x"},
    {"Nov 20 00:32:25 fe80::1 postfix/smtpd[1]: x", T(2026, 11, 20, 0, 32, 25), "fe80::1",
     "postfix/smtpd", 1, "x"},
    /* A stamp, and then the text */
    {"Nov 20 00:32:25 connect from x[1.2.3.4]", T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "connect from x[1.2.3.4]"},
    {"Nov 20 00:32:25 warning: unknown[10.0.0.1]: SASL LOGIN authentication failed",
     T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "warning: unknown[10.0.0.1]: SASL LOGIN authentication failed"},
    {"Nov 20 00:32:25 4104E3D: client=a[61.238.241.86]", T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "4104E3D: client=a[61.238.241.86]"},
    {"Nov 20 00:32:25 proxy-accept: END-OF-MESSAGE: 250", T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "proxy-accept: END-OF-MESSAGE: 250"},
    {"Nov 20 00:32:25 a b postfix/smtpd[1]: x", T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "a b postfix/smtpd[1]: x"},
    {"Nov 20 00:32:25 a: postfix/smtpd[1]: x", T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "a: postfix/smtpd[1]: x"},
    {"<22>connect from x", T(0), "", "", 0, "connect from x"},
    {"  connect from x", T(0), "", "", 0, "connect from x"},
    {"Nov 20 00:32:25 mx warning: x", T(2026, 11, 20, 0, 32, 25), "", "", 0, "mx warning: x"},
    {"Nov 20 00:32:25 mx 4104E3D: client=x", T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "mx 4104E3D: client=x"},
    {"Nov 20 00:32:25 mx postfix/smtpd[4294967296]: x", T(2026, 11, 20, 0, 32, 25), "", "", 0,
     "mx postfix/smtpd[4294967296]: x"},
    {"Nov 20 00:32:25", T(2026, 11, 20, 0, 32, 25), "", "", 0, ""},
    /* No such time */
    {"Nov 31 00:32:25 mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"Nov  0 00:32:25 mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"Nov 20 24:00:00 mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"Nov 20 00:60:00 mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"Nov 20 00:00:61 mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"2023-02-29T00:00:00Z mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"1900-01-01T00:00:00Z mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"2100-02-29 00:00:00 mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"2024-13-01T00:00:00Z mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
    {"2024-00-01T00:00:00Z mx postfix/smtpd[1]: x", T(0), "mx", "postfix/smtpd", 1, "x"},
};

/* All text: what people paste, other programs' lines, nothing. */
static const char *const texts[] = {
    "",
    "connect from 061238241086.static.example[61.238.241.86]",
    "4104E3D: client=061238241086.static.example[61.238.241.86]",
    "s1GNXHYB005133: [190.5.230.178]: possible SMTP attack: command=AUTH, count=5",
    "NOQUEUE: reject: RCPT from a.example[61.238.241.86]: 550 5.1.1 <t@example.com>: x",
    "warning: TLS library problem: error:14209102:SSL routines:tls_early:unsupported protocol",
    "warning: unknown[10.0.0.1]: SASL LOGIN authentication failed: bad protocol / cancel",
    "warning: example.com[192.168.0.1] sent message header instead of SMTP command: From: \"S\"",
    "error:1409442E:SSL routines:SSL3_READ_BYTES:tlsv1 alert protocol version",
    "Error: 139783281137472:error:1420918C:SSL routines:version too low:statem_srvr.c:1663",
    "SSL_accept error from unknown[1.2.3.4]: -1",
    "SSL_accept error from eu-smtp.example.com[207.82.80.201]: lost connection",
    "proxy-accept: END-OF-MESSAGE: 250 2.0.0 from MTA(smtp:[127.0.0.1]:10013): 250 2.0.0 Ok",
    "improper command pipelining after CONNECT from unknown[195.3.222.78]:",
    "CONNECT from [61.238.241.86]:53024 to [89.105.204.244]:25",
    "PREGREET 6 after 1.2 from [216.81.72.72]:43421: RSET\\r\\n",
    "DNSBL rank 3 for [111.73.45.149]:1038",
    "HANGUP after 63 from [111.73.45.149]:1038 in tests after SMTP handshake",
    "curl: (35) error:1400410B:SSL routines:CONNECT_CR_SRVR_HELLO:wrong version number",
    "530 5.7.0 Must issue a STARTTLS command first",
    "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)",
    "[smtp.1:6674] [2020-08-20T22:39:42.409] DEBUG -- : [Z2RIJS] => 250 AUTH CRAM-MD5",
    "2022/03/02 06:04:23 [info] 13#13: *89499 client login failed: \"x\" while in http auth",
    "cache btree:/var/lib/postfix-in/postscreen_cache full cleanup: retained=242 dropped=7",
    "unknown[123456789012]: x",
    "[123]: x",
    "postfix/smtpd[]: x",
    "postfix/smtpd[1:] x",
    "postfix/smtpd[1]:x",
    "a b | c",
    "<1000>x",
    "<22",
    "Nov 20",
    "Nov 20 00:32:2",
    "No 20 00:32:25 mx postfix/smtpd[1]: x",
    "Nov 20 00-32-25 mx postfix/smtpd[1]: x",
    "Nov20 00:32:25 mx postfix/smtpd[1]: x",
    "2024-08-26",
    "2024-08-26T01:33:38+25:00 mx postfix/smtpd[1]: x",
    "2024-08-26T01:33:38x mx postfix/smtpd[1]: x",
    "message repeated times: [ x]",
    "message repeated 0 times: [ x]",
    "12345678901234567890",
    "1 - a b c - d",
    "relay:587[12]: x",
    "kernel: x",
    "postfix/smtpd: x",
};

static int64_t us_of(const struct when *w)
{
    return w->year ? utc(w->year, w->month, w->day, w->hour, w->minute, w->second, w->us) : 0;
}

static void check_sample(struct stamps *t, const struct sample *s)
{
    char *copy;
    struct log_line l = parse(t, str_of(s->line), &copy);
    assert_str(l.host, s->host, s->line);
    assert_str(l.tag, s->tag, s->line);
    assert_str(l.text, s->text, s->line);
    if (l.wall_us != us_of(&s->when) || l.pid != s->pid || l.times != (s->times ? s->times : 1))
        fail_msg("time %lld, pid %u, %u times: %s", (long long)l.wall_us, l.pid, l.times, s->line);
    free(copy);
}

static int64_t reference(void)
{
    return utc(2026, 11, 21, 8, 0, 0, 0);
}

static void test_samples(void **state)
{
    (void)state;
    zone("UTC0");
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct stamps t = stamps_at(reference());
        check_sample(&t, &samples[i]);
    }
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct sample s = {.line = texts[i], .host = "", .tag = "", .text = texts[i]};
        struct stamps t = stamps_at(reference());
        check_sample(&t, &s);
    }
}

/* A line means the same whatever line came before it. */
static void test_minute_is_remembered(void **state)
{
    (void)state;
    zone("UTC0");
    for (size_t i = 0; i < COUNT(samples); i++) {
        for (size_t k = 0; k < COUNT(samples); k++) {
            struct stamps t = stamps_at(reference());
            check_sample(&t, &samples[i]);
            check_sample(&t, &samples[k]);
            check_sample(&t, &samples[i]);
        }
    }
}

/* Any cut of a line is taken apart into views of it. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct str line = str_of(samples[i].line);
        struct stamps t = stamps_at(reference());
        for (; line.n; line.n--) {
            char *copy;
            struct log_line l = parse(&t, line, &copy);
            const struct str parts[] = {l.host, l.tag, l.text};
            for (size_t k = 0; k < COUNT(parts); k++)
                assert_true(parts[k].n == 0 ||
                            (parts[k].p >= copy && parts[k].p + parts[k].n <= copy + line.n));
            free(copy);
        }
    }
}

static void test_bytes(void **state)
{
    (void)state;
    struct stamps t = stamps_at(reference());
    char *copy;
    struct str nul = STR("Nov 20 00:32:25 mx postfix/smtpd[1]: a\0b\xff");
    struct log_line l = parse(&t, nul, &copy);
    assert_int_equal(l.text.n, 4);
    assert_memory_equal(l.text.p, "a\0b\xff", 4);
    free(copy);

    l = parse(&t, STR("Nov 20 00:32:25 mx a\0b/smtpd[1]: x"), &copy);
    assert_int_equal(l.tag.n, 0);
    free(copy);

    static char large[1 << 20]; /* no program's name ends here */
    memset(large, 'a', sizeof large);
    l = parse(&t, (struct str){large, sizeof large}, &copy);
    assert_int_equal(l.text.n, sizeof large);
    free(copy);
    memset(large, ' ', sizeof large);
    l = parse(&t, (struct str){large, sizeof large}, &copy);
    assert_int_equal(l.text.n, 0);
    free(copy);
}

/* ---- times --------------------------------------------------------------------------- */

static int64_t time_of(int64_t reference_us, const char *line)
{
    struct stamps t = stamps_at(reference_us);
    struct log_line l;
    line_parse(&t, str_of(line), &l);
    return l.wall_us;
}

static void test_years(void **state)
{
    (void)state;
    zone("UTC0");
    int64_t january = utc(2026, 1, 5, 12, 0, 0, 0);
    assert_int_equal(time_of(january, "Dec 31 23:59:59 h"), utc(2025, 12, 31, 23, 59, 59, 0));
    assert_int_equal(time_of(january, "Jan  5 12:00:00 h"), january);
    /* a clock may be wrong, but not by more than a day */
    assert_int_equal(time_of(january, "Jan  6 12:00:00 h"), utc(2026, 1, 6, 12, 0, 0, 0));
    assert_int_equal(time_of(january, "Jan  6 12:01:00 h"), utc(2025, 1, 6, 12, 1, 0, 0));
    /* also over New Year */
    int64_t eve = utc(2025, 12, 31, 23, 0, 0, 0);
    assert_int_equal(time_of(eve, "Jan  1 00:30:00 h"), utc(2026, 1, 1, 0, 30, 0, 0));
    assert_int_equal(time_of(eve, "Jan  1 23:30:00 h"), utc(2025, 1, 1, 23, 30, 0, 0));
    /* leap days */
    assert_int_equal(time_of(january, "Feb 29 01:00:00 h"), utc(2024, 2, 29, 1, 0, 0, 0));
    assert_int_equal(time_of(utc(2024, 2, 29, 0, 0, 0, 0), "Feb 29 01:00:00 h"),
                     utc(2024, 2, 29, 1, 0, 0, 0));
    assert_int_equal(time_of(utc(2103, 6, 1, 0, 0, 0, 0), "Feb 29 01:00:00 h"),
                     utc(2096, 2, 29, 1, 0, 0, 0));
    assert_int_equal(time_of(january, "Feb 30 01:00:00 h"), 0);
    /* a file that says that it was written in 1970 */
    assert_int_equal(time_of(0, "Nov 20 00:32:25 h"), 0);
}

static void test_zones(void **state)
{
    (void)state;
    int64_t now = utc(2026, 11, 21, 0, 0, 0, 0);
    zone(BERLIN);
    assert_int_equal(time_of(now, "Jan 15 12:00:00 h"), utc(2026, 1, 15, 11, 0, 0, 0));
    assert_int_equal(time_of(now, "Jul 15 12:00:00 h"), utc(2026, 7, 15, 10, 0, 0, 0));
    assert_int_equal(time_of(now, "2024-07-15 12:00:00 h"), utc(2024, 7, 15, 10, 0, 0, 0));
    /* a zone that is told counts */
    assert_int_equal(time_of(now, "2024-07-15T12:00:00Z h"), utc(2024, 7, 15, 12, 0, 0, 0));
    assert_int_equal(time_of(now, "Mon 2024-07-15 12:00:00 UTC h"), utc(2024, 7, 15, 12, 0, 0, 0));
    assert_int_equal(time_of(now, "Mon 2024-07-15 12:00:00 CEST h"), utc(2024, 7, 15, 10, 0, 0, 0));
    /* 2026-03-29 02:00 CET is 03:00 CEST: 02:30 never was */
    assert_int_equal(time_of(now, "Mar 29 01:59:59 h"), utc(2026, 3, 29, 0, 59, 59, 0));
    assert_int_equal(time_of(now, "Mar 29 02:30:00 h"), utc(2026, 3, 29, 1, 30, 0, 0));
    assert_int_equal(time_of(now, "Mar 29 03:00:00 h"), utc(2026, 3, 29, 1, 0, 0, 0));
    /* 2026-10-25 03:00 CEST is 02:00 CET: 02:30 was twice */
    assert_int_equal(time_of(now, "Oct 25 01:59:59 h"), utc(2026, 10, 24, 23, 59, 59, 0));
    assert_int_equal(time_of(now, "Oct 25 02:30:00 h"), utc(2026, 10, 25, 0, 30, 0, 0));
    assert_int_equal(time_of(now, "Oct 25 03:00:00 h"), utc(2026, 10, 25, 2, 0, 0, 0));
    /* the year is the one of the place */
    assert_int_equal(time_of(utc(2025, 12, 31, 23, 30, 0, 0), "Jan  1 00:30:00 h"),
                     utc(2025, 12, 31, 23, 30, 0, 0));

    zone(NEW_YORK);
    assert_int_equal(time_of(now, "Jul 15 12:00:00 h"), utc(2026, 7, 15, 16, 0, 0, 0));
    assert_int_equal(time_of(now, "Mar  8 02:30:00 h"), utc(2026, 3, 8, 7, 30, 0, 0));
    assert_int_equal(time_of(now, "Nov  1 01:30:00 h"), utc(2026, 11, 1, 5, 30, 0, 0));
    assert_int_equal(time_of(now, "Nov  1 02:00:00 h"), utc(2026, 11, 1, 7, 0, 0, 0));
    zone("<+0545>-5:45");
    assert_int_equal(time_of(now, "Jul 15 12:00:00 h"), utc(2026, 7, 15, 6, 15, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_minute_is_remembered),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_years),
        cmocka_unit_test(test_zones),
    };
    return cmocka_run_group_tests_name("log_line", tests, NULL, NULL);
}
