/* SPDX-License-Identifier: Apache-2.0 */
/* What log lines say: tests/audit/messages.txt, and every row of the table by at least one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "audit/dialect/fields.h"
#include "audit/dialect/template.h"
#include "dialect_help.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define LINES "tests/audit/messages.txt"
#define WILD "tests/audit/wild-loglines.txt"

/* ---- a message in words ----------------------------------------------------------- */

static void put(struct buf *b, const char *name, struct str value)
{
    if (value.n)
        buf_printf(b, " %s=%.*s", name, STR_ARG(value));
}

static void put_number(struct buf *b, const char *name, unsigned value)
{
    if (value)
        buf_printf(b, " %s=%u", name, value);
}

static void put_counts(struct buf *b, const struct message *m)
{
    static const char *const names[COUNTS] = {"helo", "ehlo",    "starttls", "auth",
                                              "mail", "rcpt",    "data",     "bdat",
                                              "quit", "unknown", "commands"};
    if (m->counted)
        buf_cstring(b, " counts");
    for (unsigned i = 0; m->counted && i < COUNTS; i++)
        if (m->counts[i].all || i == COUNT_COMMANDS)
            buf_printf(b, " %s=%u/%u", names[i], m->counts[i].ok, m->counts[i].all);
}

static void describe(struct buf *b, const struct message *m, bool tagged)
{
    static const char *const firsts[] = {"", "TLS", "SMTP", "HTTP", "HEADER", "OTHER"};
    static const char *const whys[HANDSHAKES] = {"",       "CLEARTEXT",   "HTTP", "VERSION",
                                                 "CIPHER", "CERTIFICATE", "GONE", "TIMEOUT",
                                                 "SERVER", "OTHER"};
    buf_cstring(b, message_words[m->kind]);
    if (m->client.bits) {
        buf_char(b, ' ');
        addr_format(b, &m->client);
    }
    put(b, "name", m->client_name);
    put_number(b, "port", m->client_port);
    put_number(b, "server", m->server_port);
    if (m->mta == MTA_SENDMAIL)
        put(b, "listener", m->listener);
    if (!tagged && m->postscreen)
        buf_cstring(b, " screen");
    put(b, "queue", m->queue_id);
    put(b, "user", m->user);
    put(b, "mech", m->mechanism);
    put(b, "helo", m->helo);
    put(b, "proto", m->proto);
    put(b, "tls", m->tls_version);
    put(b, "cipher", m->cipher);
    put_number(b, "bits", m->bits);
    put(b, "after", m->after);
    put(b, "first", str_of(firsts[m->first]));
    put(b, "why", str_of(whys[m->reason.handshake]));
    if (m->reason.text)
        buf_printf(b, " \"%s\"", m->reason.text);
    put(b, "header", m->header);
    put_counts(b, m);
    put_number(b, "reply", m->reply);
}

/* ---- the file of lines --------------------------------------------------------------- */

struct lines {
    char tag[64], text[1024];
    unsigned number, right;
};

static void check_line(void *context, struct str line)
{
    struct lines *f = context;
    f->number++;
    if (line.n == 0 || line.p[0] == '#')
        return;
    if (line.p[0] == '@') {
        snprintf(f->tag, sizeof f->tag, "%.*s", (int)(line.n > 2 ? line.n - 2 : 0), line.p + 2);
        return;
    }
    if (line.p[0] != '=' && line.p[0] != '!') {
        snprintf(f->text, sizeof f->text, "%.*s", STR_ARG(line));
        return;
    }
    struct log_line l = {.tag = str_of(f->tag), .text = str_of(f->text), .times = 1};
    struct message m;
    char room[1024];
    struct buf b = BUF(room);
    bool ours = message_parse(&l, &m);
    buf_cstring(&b, ours ? "=" : "!");
    if (ours) {
        buf_cstring(&b, m.kind ? " " : "");
        describe(&b, &m, l.tag.n > 0);
    } else {
        assert_int_equal(m.kind, MESSAGE_NONE);
    }
    char expected[1024];
    snprintf(expected, sizeof expected, "%.*s", STR_ARG(line));
    if (strcmp(buf_cstr(&b), expected) != 0)
        fail_msg("%s:%u: %s\n  is    %s\n  not   %s", LINES, f->number, f->text, room, expected);
    f->right++;
}

static void test_lines(void **state)
{
    (void)state;
    struct lines f = {0};
    each_line(LINES, check_line, &f);
    assert_true(f.right > 280);
}

/* ---- every row ------------------------------------------------------------------------- */

enum program { SMTPD, POSTSCREEN, CLEANUP, SENDMAIL, PROGRAMS };

static const struct {
    enum program program;
    const char *template;
} rows[] = {
#define MESSAGE(program, kind, template) {program, template},
#include "audit/dialect/messages.def"
#undef MESSAGE
};

static const struct step *compiled[COUNT(rows)];
static unsigned met[COUNT(rows)];

/* The row that a text belongs to: the first that matches, those that begin with a field last. */
static bool find_row(enum program program, struct str text)
{
    for (int field = 0; field < 2; field++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            struct message m = {0};
            if (rows[i].program == program && (compiled[i]->what == STEP_FIELD) == field &&
                template_match(compiled[i], text, &m)) {
                met[i]++;
                return true;
            }
        }
    return false;
}

static void meet(void *context, struct str line)
{
    static const char *const tags[PROGRAMS] = {"postfix/smtpd", "postfix/postscreen",
                                               "postfix/cleanup", "sm-mta"};
    int *program = context;
    if (line.n && line.p[0] == '@') {
        *program = PROGRAMS;
        for (int i = 0; i < PROGRAMS; i++)
            if (line.n > 2 && str_eq((struct str){line.p + 2, line.n - 2}, str_of(tags[i])))
                *program = i;
    }
    if (*program == PROGRAMS || line.n == 0 || strchr("@#=!", line.p[0]))
        return;
    /* As it is; then without "QUEUEID: " or "warning: ", or both. */
    for (int skipped = 0; skipped < 3; skipped++) {
        if (find_row((enum program) * program, line))
            return;
        const char *p = text_first(line, STR(": "));
        if (!p)
            return;
        line = (struct str){p + 2, line.n - (size_t)(p + 2 - line.p)};
    }
}

static void test_every_row(void **state)
{
    (void)state;
    static struct step steps[2048];
    unsigned used = 0;
    int program = PROGRAMS;
    for (size_t i = 0; i < COUNT(rows); i++) {
        compiled[i] = template_compile(rows[i].template, steps, COUNT(steps), &used);
        assert_non_null(compiled[i]);
    }
    each_line(LINES, meet, &program);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (!met[i])
            fail_msg("no line in %s for: %s", LINES, rows[i].template);
}

/* ---- templates --------------------------------------------------------------------------- */

static void test_templates(void **state)
{
    (void)state;
    struct step steps[16];
    unsigned used = 0;
    assert_null(template_compile("a %nobody", steps, COUNT(steps), &used));
    used = 0;
    assert_null(template_compile("a %skip b", steps, 2, &used)); /* no room */
    static const struct {
        const char *template, *text;
        bool matches;
    } cases[] = {
        {"ab", "ab", true},
        {"ab", "abc", false},
        {"ab", "a", false},
        {"", "", true},
        {"a%*", "a", true},
        {"a[b]c", "ac", true},
        {"a[b]c", "abc", true},
        {"a[b]c", "abbc", false},
        {"a[b]b", "ab", false}, /* what may be there is there, if it can */
        {"a[ b%skip!] bz", "a bz", true},
        {"a[ %skip b]", "a", true},
        {"a[ %skip b]", "a x b", true},
        {"a[ %skip b]", "a x c", false},
        {"a %skip b", "a b", false},
        {"a %skip b", "a  b", true}, /* a field may be empty */
        {"a %after[ (%skip)] z", "a q (1) z", true},
        {"a %after[ (%skip)] z", "a q z", true},
        {"a %after[ (%skip)] z", "a q (1", false},
        {"a %user, b", "a x, b, b", true},
        {"a %skip, b", "a x, b, b", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message m = {0};
        used = 0;
        const struct step *s = template_compile(cases[i].template, steps, COUNT(steps), &used);
        assert_non_null(s);
        if (template_match(s, str_of(cases[i].text), &m) != cases[i].matches)
            fail_msg("%s: %s", cases[i].template, cases[i].text);
    }
}

/* ---- whose line --------------------------------------------------------------------------- */

static void test_tags(void **state)
{
    (void)state;
    static const struct {
        const char *tag, *listener;
        bool ours, bare, postscreen;
        enum mta mta;
    } cases[] = {
        {"postfix/smtpd", "postfix", true, true, false, MTA_POSTFIX},
        {"postfix/submission/smtpd", "postfix/submission", true, false, false, MTA_POSTFIX},
        {"postfix-mx/content-filter/smtpd", "postfix-mx/content-filter", true, false, false,
         MTA_POSTFIX},
        {"submission/smtpd", "submission", true, false, false, MTA_POSTFIX},
        {"postfix/postscreen", "postfix", true, true, true, MTA_POSTFIX},
        {"postfix/cleanup", "", false, false, false, MTA_UNKNOWN}, /* ours is a header's line */
        {"/smtpd", "", true, false, false, MTA_POSTFIX},
        {"sendmail", "", true, false, false, MTA_SENDMAIL},
        {"sm-mta", "", true, false, false, MTA_SENDMAIL},
        {"sm-msp-queue", "", true, false, false, MTA_SENDMAIL},
        {"sm-acceptingconnections", "", true, false, false, MTA_SENDMAIL},
        {"mta", "", true, false, false, MTA_SENDMAIL},
        {"smtpd", "", false, false, false, MTA_UNKNOWN},
        {"postscreen", "", false, false, false, MTA_UNKNOWN},
        {"postfix/smtpd/", "", false, false, false, MTA_UNKNOWN},
        {"postfix/smtpd2", "", false, false, false, MTA_UNKNOWN},
        {"postfix/smtp", "", false, false, false, MTA_UNKNOWN},
        {"postfix/tlsproxy", "", false, false, false, MTA_UNKNOWN},
        {"sendmail2", "", false, false, false, MTA_UNKNOWN},
        {"exim", "", false, false, false, MTA_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct log_line l = {.tag = str_of(cases[i].tag), .text = STR("nothing of ours")};
        struct message m;
        assert_int_equal(message_parse(&l, &m), cases[i].ours);
        assert_int_equal(m.kind, MESSAGE_NONE);
        if (!cases[i].ours)
            continue;
        assert_int_equal(m.mta, cases[i].mta);
        assert_true(str_eq(m.listener, str_of(cases[i].listener)));
        assert_int_equal(m.listener_bare, cases[i].bare);
        assert_int_equal(m.postscreen, cases[i].postscreen);
    }
    struct log_line l = {.tag = STR("sm-mta"),
                         .text =
                             STR("4104E3D: from=<a>, proto=SMTP, daemon=MSA, relay=h [192.0.2.7]")};
    struct message m;
    assert_true(message_parse(&l, &m) && str_eq(m.listener, STR("MSA")) && !m.listener_bare);
}

/* ---- first bytes ---------------------------------------------------------------------------- */

static void test_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        enum first_bytes first;
    } cases[] = {
        {"", BYTES_NOT_TOLD},
        {"\\026\\003\\001\\002\\000\\001\\000", BYTES_TLS},
        {"\\026\\003\\000", BYTES_TLS},
        {"\\026\\003\\004", BYTES_TLS},
        {"\\026\\003\\005", BYTES_OTHER},
        {"\\026\\003", BYTES_TLS}, /* cut */
        {"\\026\\003\\0", BYTES_TLS},
        {"\\026\\0", BYTES_OTHER},
        {"\\026", BYTES_OTHER},
        {"\\026\\002\\001", BYTES_OTHER},
        {"\x16\x03\x01", BYTES_TLS},               /* not escaped */
        {"\\200.\\001\\003\\001\\000", BYTES_TLS}, /* SSLv2 hello that asks for TLSv1 */
        {"\\200\\200\\001\\003\\003", BYTES_TLS},
        {"\\200.\\001\\000\\002", BYTES_TLS}, /* and for SSLv2 */
        {"\\200.\\001\\000\\003", BYTES_OTHER},
        {"\\200.\\002\\003\\001", BYTES_OTHER},
        {"A.\\001\\003\\001\\000", BYTES_OTHER},
        {"\\26\\003\\001", BYTES_OTHER},
        {"\\003\\000\\000/*\\340", BYTES_OTHER}, /* RDP */
        {"\\001\\000\\000S", BYTES_OTHER},
        {"???", BYTES_OTHER}, /* as Postfix before 3.7 has it */
        {"GET / HTTP/1.1", BYTES_HTTP},
        {"get /", BYTES_HTTP},
        {"GET\\r\\n", BYTES_OTHER},
        {"CONNECT example.com:25 HTTP/1.0\\r\\n", BYTES_HTTP},
        {"GETX /", BYTES_OTHER},
        {"EHLO x\\r\\n", BYTES_SMTP},
        {"rset\\r\\n", BYTES_SMTP},
        {"\\r\\n", BYTES_NOT_TOLD}, /* an empty line */
        {"\\n", BYTES_NOT_TOLD},
        {"\\b\\v\\b\\004\\b\\005\\b\\006", BYTES_TLS}, /* the middle of a hello, behind 0x0a */
        {"\\b\\v\\b\\005\\b", BYTES_OTHER},
        {"QUIT", BYTES_SMTP},
        {"STARTTLS\\n", BYTES_SMTP},
        {"MAILX", BYTES_OTHER},
        {"Subject: x", BYTES_HEADER},
        {"X-Mailer:y", BYTES_HEADER},
        {"mail:x", BYTES_HEADER},
        {"http://example.com/", BYTES_OTHER},
        {": x", BYTES_OTHER},
        {"a b: c", BYTES_OTHER},
        {"\\\\026\\003\\001", BYTES_OTHER}, /* a backslash that was sent */
        {"\\q", BYTES_OTHER},
        {"\\", BYTES_OTHER},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (first_bytes_of(str_of(cases[i].sent)) != cases[i].first)
            fail_msg("%s", cases[i].sent);
}

/* ---- cut lines --------------------------------------------------------------------------------
 */

static const char *tag = "";

static void parse_cut(struct str cut)
{
    struct log_line l = {.tag = str_of(tag), .text = cut};
    struct message m;
    message_parse(&l, &m);
    struct stamps t;
    stamps_init(&t, INT64_C(1700000000000000));
    line_parse(&t, cut, &l);
    message_parse(&l, &m);
}

static void cut_line(void *context, struct str line)
{
    static const char *const tags[] = {"", "postfix/smtpd", "postfix/postscreen", "postfix/cleanup",
                                       "sendmail"};
    (void)context;
    for (size_t i = 0; i < COUNT(tags); i++) {
        tag = tags[i];
        each_cut(line, parse_cut);
    }
}

static void test_cut(void **state)
{
    (void)state;
    each_line(LINES, cut_line, NULL);
    each_line(WILD, cut_line, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),       cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_templates),   cmocka_unit_test(test_tags),
        cmocka_unit_test(test_first_bytes), cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
