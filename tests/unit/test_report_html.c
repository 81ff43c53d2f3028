/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page, from a report made by hand. With MAILREEVE_PAGES=DIRECTORY the pages are also left
 * there, for tests/audit/test_html.py and tests/audit/look.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "audit/report/charts.h"
#include "audit/report/html.h"
#include "audit/report/report.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LIST(...)                                                                                  \
    {                                                                                              \
        (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__}))            \
    }
#define BIT(name) FINDING_BIT(FINDING_##name)

/* ---- what is written -------------------------------------------------------- */

static struct written {
    char *text;
    size_t n;
    FILE *to;
} w;

static FILE *begin(void)
{
    free(w.text);
    w.text = NULL;
    w.to = open_memstream(&w.text, &w.n);
    assert_non_null(w.to);
    return w.to;
}

static void expect(const char *text)
{
    assert_int_equal(fclose(w.to), 0);
    assert_string_equal(w.text, text);
}

static void has(const char *fragment)
{
    if (!strstr(w.text, fragment))
        fail_msg("the page lacks: %s", fragment);
}

static void has_not(const char *fragment)
{
    const char *at = strstr(w.text, fragment);
    if (at)
        fail_msg("the page has: %.200s", at);
}

static unsigned how_often(const char *fragment)
{
    unsigned n = 0;
    for (const char *at = w.text; (at = strstr(at, fragment)); at++)
        n++;
    return n;
}

static void write_page(const struct report *r, const char *name)
{
    const char *directory = getenv("MAILREEVE_PAGES");
    assert_int_equal(report_html(begin(), r), 0);
    assert_int_equal(fclose(w.to), 0);
    assert_int_equal(strlen(w.text), w.n); /* no NUL */
    if (!directory)
        return;
    char path[1000];
    assert_true(snprintf(path, sizeof path, "%s/%s.html", directory, name) < (int)sizeof path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(w.text, 1, w.n, f), w.n);
    assert_int_equal(fclose(f), 0);
}

/* ---- a report --------------------------------------------------------------- */

static const struct listener on_25 = {.port = 25, .role = ROLE_SMTP};
static const struct listener on_587 = {.port = 587, .role = ROLE_SUBMISSION};

static const int64_t first_us = INT64_C(1793491200) * 1000000; /* 2026-11-01T00:00:00Z */
static const int64_t last_us = INT64_C(1795132740) * 1000000;  /* 2026-11-19T23:59:00Z */

static const char *const sources[] = {"/var/log/mail.log.2.gz", "/var/log/mail.log.1",
                                      "/var/log/mail.log"};
static const char *const problems[] = {"/var/log/mail.log.2.gz: ends early at line 81,212"};

static struct shapes shapes = {
    .list = {{"warning: SASL a12 of a5 with x5 refused", 41, 8123}, {"TLS a7 n2/n2", 2, 99}},
    .count = 2,
    .lines = 50,
    .overflow = 7};
static const struct sessions_counts session_counts = {
    .opened = 98000, .closed = 98000, .incomplete = 12, .evicted = 1, .homeless = 310};

static const struct report_input input = {
    .lines = 1234567,
    .ours = 1000001,
    .first_us = INT64_C(1793491200) * 1000000,
    .last_us = INT64_C(1795132740) * 1000000,
    .shapes = &shapes,
    .sessions = &session_counts,
    .sources = sources,
    .source_count = 3,
    .problems = problems,
    .problem_count = 1,
};

static struct report_listener listeners[] = {
    {"postfix/smtpd",
     "",
     "smtp, port 25",
     "assumed",
     61000,
     {11000, 21000, 29000, 0},
     40,
     900,
     &on_25},
    {"postfix/submission/smtpd",
     "",
     "submission, port 587",
     "by custom",
     30000,
     {1200, 800, 28000, 0},
     27000,
     27900,
     &on_587},
    {"postfix/submissions/smtpd",
     "",
     "submissions, port 465",
     "by custom",
     6900,
     {0, 0, 0, 6900},
     6700,
     6800},
    {"mail", "mx2", "shared by several ports", "", 100, {100, 0, 0, 0}, 0, 0, .shared = true},
};

static struct report_count versions[] = {
    {"TLSv1.3", "TLSv1.3", 41000, 30000, 0, true},
    {"TLSv1.2", "TLSv1.2", 20000, 4600, 0, true},
    {"TLSv1", "TLSv1", 700, 90, 700, true},
    {"not logged", "", 3, 3, 0, false},
};
static struct report_count ciphers[] = {
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", 41000, 30000, 0, true},
    {"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", 20000, 4600, 0, true},
    {"AES128-SHA", "AES128-SHA", 700, 90, 700, true},
    {"not logged", "", 3, 3, 0, false},
};
static struct report_count software[] = {
    {"not recognised", "", 20000, 20000, 0, false},
    {"Thunderbird", "thunderbird", 9000, 9000, 0, true},
    {"Mutt", "mutt", 60, 60, 0, true},
};

static struct report_finding found[] = {
    {FINDING_AUTH_ON_SMTP_PORT, 40, 0, 40, 3, 5},
    {FINDING_TLS_REQUIRED, 812, 0, 12, 2, 14},
    {FINDING_TLS_VERSION, 700, 0, 90, 4, 9},
    {FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT, 310, 28, 30, 2, 190},
    {FINDING_NOT_SMTP, 28000, 0, 0, 0, 4100},
};

static struct report_part alice_parts[] = {
    {.findings = BIT(AUTH_ON_SMTP_PORT),
     .sessions = 31,
     .listener = "postfix/smtpd",
     .on = &on_25,
     .version = "",
     .would = ACTION_REJECT,
     .setting = "in the client's outgoing server settings, change port 25 to 465 (SSL/TLS) or 587 "
                "(STARTTLS); in Thunderbird, for port 465: Connection security: SSL/TLS (not "
                "checked)"},
    {.findings = BIT(TLS_VERSION),
     .sessions = 1,
     .listener = "postfix/submission/smtpd",
     .on = &on_587,
     .version = "",
     .would = ACTION_REJECT,
     .setting = "update the client or its operating system, or enable TLS 1.2 in it"},
    {.findings = BIT(TLS_VERSION),
     .sessions = 3,
     .listener = "postfix/submissions/smtpd",
     .version = "",
     .would = ACTION_LOG,
     .setting = "update the client or its operating system, or enable TLS 1.2 in it"},
};
static struct report_part bob_parts[] = {
    {.findings = BIT(IMPLICIT_TLS_ON_STARTTLS_PORT),
     .likely = BIT(IMPLICIT_TLS_ON_STARTTLS_PORT),
     .sessions = 30,
     .listener = "postfix/submission/smtpd",
     .on = &on_587,
     .version = "",
     .would = ACTION_LOG,
     .setting = "set the client's connection security to STARTTLS on this port, or its port to "
                "465"},
};

static struct report_entry entries[] = {
    {.customer = true,
     .who = WHO_LOGGED_IN,
     .user = "alice@example.com",
     .client = "192.0.2.7 and 3 more",
     .name = "dsl-7.example.net",
     .software = "Thunderbird 115.3.1",
     .listener = "postfix/smtpd and 2 more",
     .finding = FINDING_COUNT,
     .findings = BIT(AUTH_ON_SMTP_PORT) | BIT(TLS_VERSION),
     .sessions = 35,
     .breaks = 32,
     .first_us = INT64_C(1793491200) * 1000000,
     .last_us = INT64_C(1795132740) * 1000000,
     .would = ACTION_REJECT,
     .setting = "two things",
     .parts = alice_parts,
     .part_count = 3},
    {.customer = true,
     .who = WHO_ADDRESS,
     .user = "bob",
     .client = "2001:db8::4f",
     .name = "",
     .software = "",
     .listener = "postfix/submission/smtpd",
     .finding = FINDING_COUNT,
     .findings = BIT(IMPLICIT_TLS_ON_STARTTLS_PORT),
     .sessions = 30,
     .likely = 1,
     .would = ACTION_LOG,
     .setting = "set the client's connection security to STARTTLS on this port, or its port to "
                "465",
     .parts = bob_parts,
     .part_count = 1},
    {.customer = false,
     .who = WHO_NOBODY,
     .user = "",
     .client = "198.51.100.9",
     .name = "copier.example.com",
     .software = "",
     .listener = "postfix/submission/smtpd",
     .finding = FINDING_COUNT,
     .findings = BIT(TLS_REQUIRED),
     .sessions = 800,
     .breaks = 800,
     .last_us = INT64_C(1795132740) * 1000000,
     .would = ACTION_REJECT,
     .setting = "set the client's connection security to STARTTLS on this port, or to SSL/TLS on "
                "port 465",
     .part_count = 0},
    {.customer = false,
     .who = WHO_TRIED,
     .user = "carol",
     .client = "203.0.113.77",
     .name = "",
     .software = "",
     .listener = "",
     .finding = FINDING_COUNT,
     .findings = BIT(NOT_SMTP),
     .sessions = 7001,
     .likely = 7001,
     .would = ACTION_LOG,
     .setting = "find out what connects to this port; it is no mail client",
     .part_count = 0},
};

static struct report_entry refused[2]; /* the first and the third; see set_up() */

static struct report_doubt doubtful[] = {{DOUBT_SHARED, 100}, {DOUBT_USER, 2}};

static struct report full(void)
{
    return (struct report){
        .input = &input,
        .policy = "built in",
        .sessions = 98000,
        .customers = 35600,
        .unknown = 980,
        .overflow = 5,
        .users = 412,
        .share = {{34000, 371}, {1200, 37}, {400, 4}},
        .by_mode = {12300, 21800, 57000, 6900},
        .listeners = listeners,
        .listener_count = COUNT(listeners),
        .versions = versions,
        .version_count = COUNT(versions),
        .ciphers = ciphers,
        .cipher_count = COUNT(ciphers),
        .software = software,
        .software_count = COUNT(software),
        .findings = found,
        .finding_count = COUNT(found),
        .entries = entries,
        .entry_count = COUNT(entries),
        .refused = refused,
        .refused_count = COUNT(refused),
        .refused_sessions = 842,
        .refused_customers = 12,
        .refused_devices = 800,
        .refused_device_clients = 1,
        .trusted = 1,
        .doubts = doubtful,
        .doubt_count = COUNT(doubtful),
    };
}

/* ---- the writer ------------------------------------------------------------- */

static void test_text(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *text;
    } cases[] = {
        {STR(""), ""},
        {STR("alice@example.com"), "alice@example.com"},
        {STR("<script>alert('x')</script>"), "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"},
        {STR("\"onload=\"x&amp;"), "&quot;onload=&quot;x&amp;amp;"},
        {STR("a\0b"), "a\xef\xbf\xbd"
                      "b"},
        {STR("\t\n\r\x1b[2J\x7f"),
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd[2J\xef\xbf\xbd"},
        {STR("\xc2\x9b"), "\xef\xbf\xbd"},
        {STR("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x93\xa7"),
         "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x93\xa7"},
        {STR("caf\xe9"), "caf\xef\xbf\xbd"},
        {STR("\xc0\xbc"), "\xef\xbf\xbd\xef\xbf\xbd"},                 /* an overlong "<" */
        {STR("\xed\xa0\xbc"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {STR("\xe2\x82<b>"), "\xef\xbf\xbd\xef\xbf\xbd&lt;b&gt;"},     /* cut */
        {STR("moc\xe2\x80\xaetxt"), "moc\xef\xbf\xbdtxt"},             /* turns the direction */
        {STR("a\xe2\x80\x8b"
             "b\xef\xbb\xbf"
             "c\xef\xbf\xbf"),
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c\xef\xbf\xbd"},
        {STR("\xf0\x9f\xbf\xbe"), "\xef\xbf\xbd"}, /* U+1FFFE, no character */
        {STR("\xf3\xa0\x81\xa1"), "\xef\xbf\xbd"}, /* U+E0061, a tag */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        html_text(begin(), cases[i].bytes);
        expect(cases[i].text);
    }
    html_cstring(begin(), NULL);
    expect("");
}

/* Of exactly its size, so that the sanitizer sees a byte too far. */
static void test_text_of_any_length(void **state)
{
    (void)state;
    static const char euro[] = "\xe2\x82\xac";
    char *long_text = malloc(HTML_TEXT_MAX + 2);
    assert_non_null(long_text);
    memset(long_text, 'a', HTML_TEXT_MAX + 2);
    html_text(begin(), (struct str){long_text, HTML_TEXT_MAX});
    assert_int_equal(fclose(w.to), 0);
    assert_int_equal(w.n, HTML_TEXT_MAX);
    memcpy(long_text + HTML_TEXT_MAX - 1, euro, 3);
    html_text(begin(), (struct str){long_text, HTML_TEXT_MAX + 2});
    assert_int_equal(fclose(w.to), 0);
    assert_int_equal(w.n, HTML_TEXT_MAX + 2); /* characters are not cut */
    html_text(begin(), (struct str){long_text, HTML_TEXT_MAX + 1});
    assert_int_equal(fclose(w.to), 0);
    assert_string_equal(w.text + HTML_TEXT_MAX - 1, "\xef\xbf\xbd...");
    free(long_text);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *text;
    } cases[] = {{0, "0"},
                 {999, "999"},
                 {1000, "1,000"},
                 {1234567, "1,234,567"},
                 {UINT64_MAX, "18,446,744,073,709,551,615"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        html_number(begin(), cases[i].n);
        expect(cases[i].text);
    }
    html_count(begin(), 1, "mouse", "mice");
    expect("1 mouse");
    html_count(begin(), 0, "mouse", "mice");
    expect("0 mice");
    static const struct {
        uint64_t part, whole;
        const char *text;
    } shares[] = {{0, 0, "0 %"},
                  {0, 7, "0 %"},
                  {7, 7, "100 %"},
                  {1, 101, "less than 1 %"},
                  {999, 1000, "more than 99 %"},
                  {1, 3, "33 %"},
                  {2, 3, "67 %"},
                  {UINT64_MAX, UINT64_MAX, "100 %"}};
    for (size_t i = 0; i < COUNT(shares); i++) {
        html_percent(begin(), shares[i].part, shares[i].whole);
        expect(shares[i].text);
    }
}

static void test_times(void **state)
{
    (void)state;
    html_time(begin(), 0);
    expect("\xe2\x80\x93");
    html_time(begin(), last_us);
    expect("<time datetime=\"2026-11-19T23:59:00Z\">2026-11-19 23:59 UTC</time>");
    html_time(begin(), INT64_MAX);
    assert_int_equal(fclose(w.to), 0);
    html_time(begin(), INT64_MIN);
    assert_int_equal(fclose(w.to), 0);
    html_time(begin(), first_us);
    expect("<time datetime=\"2026-11-01T00:00:00Z\">2026-11-01 00:00 UTC</time>");
}

static void test_table(void **state)
{
    (void)state;
    static const struct html_column columns[] = {{"Who"}, {"How \"many\"", true}};
    struct html_table t = html_table_begin(begin(), "A & B", columns, 2);
    html_row(&t);
    html_cell(&t);
    html_put(w.to, "x");
    html_cell_number(&t, 1000);
    html_row(&t);
    html_cell(&t);
    html_cell(&t);
    html_table_end(&t);
    expect("<table>\n<caption>A &amp; B</caption>\n<thead><tr><th scope=\"col\">Who</th>"
           "<th scope=\"col\" class=\"n\">How &quot;many&quot;</th></tr></thead>\n<tbody>\n"
           "<tr><th scope=\"row\">x</th>"
           "<td class=\"n\" data-label=\"How &quot;many&quot;\">1,000</td></tr>\n"
           "<tr><th scope=\"row\"></th>"
           "<td class=\"n\" data-label=\"How &quot;many&quot;\"></td></tr>\n"
           "</tbody>\n</table>\n");
}

static void test_bar(void **state)
{
    (void)state;
    const struct chart_part parts[] = {
        {"good", SHADE_GOOD, 60}, {"<bad>", SHADE_BAD, 0}, {"none", SHADE_NONE, 20}};
    chart_bar(begin(), "A & B", parts, 3, 160);
    expect("<svg class=\"bar\" role=\"img\" width=\"100%\" height=\"16\"><title>A &amp; B</title>"
           "<desc>good: 60 (38 %), none: 20 (13 %)</desc>"
           "<rect class=\"fill-good\" x=\"0.00%\" width=\"37.50%\" height=\"16\"/>"
           "<rect class=\"fill-none\" x=\"37.50%\" width=\"12.50%\" height=\"16\"/></svg>");
    chart_bar(begin(), "", parts + 1, 1, 0);
    expect("<svg class=\"bar\" role=\"img\" width=\"100%\" height=\"16\"><title></title>"
           "<desc>nothing</desc></svg>");

    /* What is there is seen, and all of it fits. */
    const struct chart_part tiny[] = {
        {"a", SHADE_GOOD, 1}, {"b", SHADE_BAD, 1000000}, {"c", SHADE_NONE, 1}};
    chart_bar(begin(), "", tiny, 3, 0);
    assert_int_equal(fclose(w.to), 0);
    has("x=\"0.00%\" width=\"1.00%\"");
    has("x=\"1.00%\" width=\"98.00%\"");
    has("x=\"99.00%\" width=\"1.00%\"");
}

/* ---- the page --------------------------------------------------------------- */

static void test_page(void **state)
{
    (void)state;
    struct report r = full();
    write_page(&r, "full");
    assert_memory_equal(w.text, "<!DOCTYPE html>\n<html lang=\"en\">\n", 33);
    has("<p>98,000 sessions in 1,234,567 lines of 3 logs, "
        "<time datetime=\"2026-11-01T00:00:00Z\">2026-11-01 00:00 UTC</time> to "
        "<time datetime=\"2026-11-19T23:59:00Z\">2026-11-19 23:59 UTC</time>. "
        "1,000,001 lines are of Postfix or Sendmail. "
        "<a href=\"#problems\">Not everything could be read.</a></p>");
    has("<p class=\"lead\">412 users logged in; 37 have <a href=\"#customers\">something to "
        "change</a>, and 12 would be <a href=\"#refused\">refused</a>");
    has("<desc>fine: 371 (90 %), with something to change: 37 (9 %), unknown: 4 (less than 1 %)"
        "</desc>");
    has("<li><strong>371</strong> fine<span class=\"note\">nothing to change was found; 34,000 "
        "sessions</span></li>");
    /* Listeners */
    has("<tr><th scope=\"row\"><code>postfix/submission/smtpd</code><span class=\"note\">"
        "submission, port 587 (by custom)</span></th>");
    has("<desc>STARTTLS: 28,000 (93 %), clear text: 800 (3 %), not known: 1,200 (4 %)</desc>");
    has("<td class=\"n\" data-label=\"Implicit TLS\">0</td><td class=\"n\" "
        "data-label=\"STARTTLS\">28,000</td><td class=\"n\" data-label=\"Clear text\">800</td><td "
        "class=\"n\" data-label=\"Not known\">1,200</td><td class=\"n\" "
        "data-label=\"Sessions\">30,000</td><td class=\"n\" data-label=\"Logins\">27,000</td><td "
        "class=\"n\" data-label=\"Of customers\">27,900</td></tr>");
    has("<code>mail</code><span class=\"note\">on mx2: shared by several ports</span></th>");
    has("<tr><th scope=\"row\">All</th>");
    /* Versions */
    has("<th scope=\"row\">TLSv1</th><td data-label=\"Share\"><svg");
    has("<desc>too old for the policy: 700 (1 %)</desc>");
    has("<desc>not logged: 3 (less than 1 %)</desc>");
    /* Findings */
    has("<desc>customers: 30 (10 %), strangers: 280 (90 %)</desc>");
    has("<td class=\"n\" data-label=\"Of customers\">30</td><td class=\"n\" data-label=\"Of "
        "strangers\">280</td><td class=\"n\" data-label=\"Not certain\">28</td><td class=\"n\" "
        "data-label=\"Users\">2</td><td class=\"n\" data-label=\"Addresses\">190</td></tr>");
    has("<a href=\"#f-tls-version\"><code>tls-version</code></a>");
    has("<dt id=\"f-tls-version\"><code>tls-version</code></dt>\n<dd>What was seen: the "
        "client&#39;s "
        "TLS version is older than the policy allows.<br>What to do: update the client or its "
        "operating system, or enable TLS 1.2 in it.</dd>");
    has_not("id=\"f-tls-cipher\"");
    /* Customers: equal advice is told once, with the sessions of both */
    has("<strong>alice@example.com</strong><span class=\"note\">from 192.0.2.7 and 3 more</span>"
        "<span class=\"note\">host name: dsl-7.example.net</span>"
        "<span class=\"note\">with Thunderbird 115.3.1</span>"
        "<span class=\"note\">on postfix/smtpd and 2 more</span></th>");
    has("Connection security: SSL/TLS (not checked)<span class=\"note\">31 sessions</span></li>"
        "<li>update the client or its operating system, or enable TLS 1.2 in it"
        "<span class=\"note\">4 sessions</span></li></ul></td>");
    has("<td data-label=\"In enforce\"><strong class=\"bad\">refused</strong></td>");
    has("<strong>bob</strong><span class=\"note\">logged in from the same address, not in these "
        "sessions</span><span class=\"note\">from 2001:db8::4f</span>");
    has_not("in 0 sessions");
    has("in 1 session the likeliest reading, not the only one");
    has("<td data-label=\"In enforce\">passes</td>");
    /* Refused: customers, and a copier */
    has("would refuse 842 sessions. Among them are 12 users, and 800 sessions whose mail is taken "
        "today without a login, from 1 address.");
    has("<strong>198.51.100.9</strong><span class=\"note\">host name: copier.example.com</span>");
    /* Strangers */
    has("<summary>1 stranger</summary>");
    has("<span class=\"note\">this name was tried; it may be a guess</span>");
    has("<span class=\"note\">the likeliest reading, not the only one</span>");
    /* What cannot be said */
    has("is unknown of 980 sessions (1 %).");
    has("listeners of two kinds share the name in the log</th><td class=\"n\" "
        "data-label=\"Sessions\">100</td><td data-label=\"What to switch on\">give each smtpd");
    has("nothing that Mailreeve knows of");
    has("<li>5 sessions are in no table");
    has("<li>310 lines belong to no session");
    has("<li>1 session has something that is allowed because the client is trusted</li>");
    has("<code>warning: SASL a12 of a5 with x5 refused</code></th><td class=\"n\" "
        "data-label=\"Lines\">41</td>");
    has("<summary>2 shapes of 50 lines</summary>");
    has("7 lines are of still other shapes.");
    has("<li><code>/var/log/mail.log.2.gz: ends early at line 81,212</code></li>");
    has("<footer><p>Written by <code>mailreeve audit</code> " MAILREEVE_VERSION
        " under the policy: built in.</p></footer>");
    has_not("style=\"");
}

/* The entry's lead follows what it is grouped by. */
static void test_grouped(void **state)
{
    (void)state;
    static const struct {
        enum report_by by;
        const char *name, *lead, *second;
    } cases[] = {
        {BY_CLIENT, "client",
         "<strong>192.0.2.7 and 3 more</strong><span class=\"note\">user: alice@example.com</span>",
         "<strong>2001:db8::4f</strong>"},
        {BY_SOFTWARE, "software", "<strong>Thunderbird 115.3.1</strong>",
         "<strong>software not recognised</strong>"},
        {BY_LISTENER, "listener", "<strong>postfix/smtpd and 2 more</strong>",
         "<strong>no listener is named</strong>"},
        {BY_FINDING, "finding", "<strong><a href=\"#f-tls-cipher\"><code>tls-cipher</code>",
         "<dt id=\"f-tls-cipher\">"},
    };
    struct report_entry list[COUNT(entries)];
    memcpy(list, entries, sizeof list);
    for (size_t i = 0; i < COUNT(list); i++)
        list[i].finding = FINDING_TLS_CIPHER;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct report r = full();
        r.by = cases[i].by;
        r.entries = list;
        write_page(&r, cases[i].name);
        has(cases[i].lead);
        has(cases[i].second);
    }
}

static void test_nothing_read(void **state)
{
    (void)state;
    struct report_input none = {0};
    struct report r = {.input = &none, .policy = "built in"};
    write_page(&r, "empty");
    has("<p>0 sessions in 0 lines of 0 logs, no line has a time. ");
    has("There is nothing in it.");
    has_not("<table>");
    has_not("<h2>Ciphers</h2>");
    none.lines = 7;
    write_page(&r, "empty");
    has("Is this the mail log?");
    none.ours = 7;
    none.since_us = first_us;
    write_page(&r, "empty");
    has("No session ended after the date");
    none.since_us = 0;
    write_page(&r, "empty");
    has("No session of a client is in it.");
}

/* Sessions, and nothing else. */
static void test_nothing_found(void **state)
{
    (void)state;
    struct report_input in = {.lines = 5, .ours = 5};
    struct report r = {.input = &in, .policy = "built in", .sessions = 3};
    write_page(&r, "nothing-found");
    has("Nobody logged in during this time");
    has("<p>Nothing was found.</p>");
    has("No customer has anything to change");
    has_not("Strangers</h2>");
    r.customers = 1;
    write_page(&r, "nothing-found");
    has("1 session is of customers, but the logs do not tell who logged in.");
    r.users = 1;
    r.share[STATE_CHANGE].users = 1;
    r.share[STATE_CHANGE].sessions = 1;
    write_page(&r, "nothing-found");
    has("1 user logged in; 1 has <a");
    has("; 1 session</span>");
}

/* ---- hostile ---------------------------------------------------------------- */

#define HOSTILE                                                                                    \
    "</code><script>alert(1)</script><a href=\"javascript:x\" onclick='y'>&lt;\xff\xe2\x80\xae\n"

static void test_hostile(void **state)
{
    (void)state;
    static char name[301];
    memset(name, 'W', 300);
    const char *const texts[] = {HOSTILE, name};
    struct report_input in = input;
    struct report_entry list[] = {entries[0], entries[3]};
    struct report_part parts[2] = {{.setting = HOSTILE, .sessions = 1}, {.setting = name}};
    struct report_listener l = {.name = HOSTILE, .what = HOSTILE, .how = HOSTILE};
    struct report_count c[] = {{HOSTILE, HOSTILE, 1, 1, 1, true}, {name, "", 1, 0, 0, false}};
    struct report r = full();
    in.sources = in.problems = texts;
    in.source_count = in.problem_count = 2;
    for (size_t i = 0; i < COUNT(list); i++) {
        list[i].user = list[i].software = i ? name : HOSTILE;
        list[i].client = list[i].name = list[i].listener = list[i].setting = HOSTILE;
        list[i].parts = parts;
        list[i].part_count = 2;
    }
    r.input = &in;
    r.entries = r.refused = list;
    r.entry_count = r.refused_count = COUNT(list);
    r.listeners = &l;
    r.listener_count = 1;
    r.versions = r.ciphers = r.software = c;
    r.version_count = r.cipher_count = r.software_count = COUNT(c);
    r.policy = HOSTILE;
    write_page(&r, "hostile");
    has_not("<script");
    has_not("\" onclick");
    has_not("href=\"j");
    has_not("\xff");
    has_not("\xe2\x80\xae");
    has("&lt;/code&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;a href=&quot;javascript:x&quot; "
        "onclick=&#39;y&#39;&gt;&amp;lt;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    /* source 1, listener 4, versions, ciphers and software 2 each, the customer 6, as refused 5,
     * the stranger 3, problem 1, policy 2 */
    assert_int_equal(how_often("&lt;script&gt;"), 28);
    has(name);
}

/* More parts than one, all different: five are told. */
static void test_many_settings(void **state)
{
    (void)state;
    enum { PARTS = 40 };
    static char settings[PARTS][32];
    static struct report_part parts[PARTS];
    struct report_entry e = entries[0];
    struct report r = full();
    for (int i = 0; i < PARTS; i++) {
        snprintf(settings[i], sizeof settings[i], "setting-%d.", i);
        parts[i] = (struct report_part){.setting = settings[i], .sessions = 2};
    }
    e.parts = parts;
    e.part_count = PARTS;
    r.entries = &e;
    r.entry_count = 1;
    write_page(&r, "settings");
    has("setting-4.");
    has_not("setting-5.");
    has("and more, in 70 sessions");
}

/* ---- large ------------------------------------------------------------------ */

enum { ENTRIES = 100 * 1000 };

/* Weak ciphers are never among those that are not shown. */
static void test_many_ciphers(void **state)
{
    (void)state;
    enum { CIPHERS = 500 };
    static struct report_count list[CIPHERS];
    struct report r = full();
    for (int i = 0; i < CIPHERS; i++)
        list[i] = (struct report_count){"MANY", "MANY", 2, 1, 0, true};
    list[400] = (struct report_count){"WEAK", "WEAK", 1, 1, 1, true};
    r.ciphers = list;
    r.cipher_count = CIPHERS;
    write_page(&r, "ciphers");
    assert_int_equal(how_often("<th scope=\"row\">MANY</th>"), 20);
    assert_int_equal(how_often("<th scope=\"row\">WEAK</th>"), 1);
    has("<p class=\"soft\">And 479 more: see --json.</p>");
    for (int i = 0; i < CIPHERS; i++)
        list[i].flagged = 1;
    write_page(&r, "ciphers");
    assert_int_equal(how_often("<th scope=\"row\">MANY</th>"), 100);
}

static void test_large(void **state)
{
    (void)state;
    struct report_entry *list = calloc(ENTRIES, sizeof *list);
    assert_non_null(list);
    struct report r = full();
    for (int i = 0; i < ENTRIES; i++) {
        list[i] = entries[i < ENTRIES / 2 ? 0 : 3];
        list[i].user = i == 24    ? "the-25th"
                       : i == 25  ? "the-26th"
                       : i == 499 ? "the-500th"
                       : i == 500 ? "the-501st"
                                  : "u";
    }
    r.entries = r.refused = list;
    r.entry_count = r.refused_count = ENTRIES;
    write_page(&r, "large");
    assert_in_range(w.n, 100 * 1000, 4 * 1000 * 1000);
    has("<summary>The next 475</summary>");
    has("the-500th");
    has_not("the-501st");
    has("<p class=\"soft\">And 49,500 more: see mailreeve audit --csv, or --json.</p>");
    has("<summary>50,000 strangers</summary>");
    has("<p class=\"soft\">And 49,950 more: see");
    /* the first 25 stand open */
    const char *next = strstr(w.text, "The next 475");
    assert_true(strstr(w.text, "the-25th") < next && strstr(w.text, "the-26th") > next);
    free(list);
}

/* ---- failures --------------------------------------------------------------- */

static void test_no_space(void **state)
{
    (void)state;
    struct report r = full();
    FILE *to = fopen("/dev/full", "w");
    assert_non_null(to);
    assert_int_equal(report_html(to, &r), -1);
    fclose(to);
}

static int set_up(void **state)
{
    (void)state;
    refused[0] = entries[0];
    refused[1] = entries[2];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(w.text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),         cmocka_unit_test(test_text_of_any_length),
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_times),
        cmocka_unit_test(test_table),        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_page),         cmocka_unit_test(test_grouped),
        cmocka_unit_test(test_nothing_read), cmocka_unit_test(test_nothing_found),
        cmocka_unit_test(test_hostile),      cmocka_unit_test(test_many_settings),
        cmocka_unit_test(test_many_ciphers), cmocka_unit_test(test_large),
        cmocka_unit_test(test_no_space),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
