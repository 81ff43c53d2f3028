/* SPDX-License-Identifier: Apache-2.0 */
/* From what was seen to faults: a host that is right, and one thing changed at a time. */
#include "probe/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/session.h"

enum { NOW = 1800000000, DAY = 86400 };
enum { PORT_25, PORT_587, PORT_465 };

struct scene {
    struct host_seen h;
    struct port_seen ports[6]; /* 25, 587, 465; the last three: the same at another address */
};

static void offer(struct capabilities *c, bool starttls, const char *first, const char *second)
{
    *c = (struct capabilities){.known = true, .starttls = starttls, .auth = first != NULL};
    if (first)
        snprintf(c->mechanisms[c->mechanism_count++], MECHANISM_N, "%s", first);
    if (second)
        snprintf(c->mechanisms[c->mechanism_count++], MECHANISM_N, "%s", second);
}

static struct transaction answer(enum refusal refusal, const char *text)
{
    struct transaction t = {.refusal = refusal};
    snprintf(t.said, sizeof t.said, "%s", text);
    return t;
}

#define STARTTLS_FIRST                                                                             \
    answer(REFUSAL_WANTS_TLS, "MAIL FROM:<>: 530 5.7.0 Must issue a STARTTLS command first")
#define LOG_IN_FIRST answer(REFUSAL_WANTS_AUTH, "MAIL FROM:<>: 530 5.7.0 Authentication required")
#define TAKEN answer(REFUSAL_NONE, "RCPT TO:<postmaster@mail.example.com>: 250 2.1.5 Ok")

static struct port_seen good(uint16_t port, enum role role)
{
    struct port_seen p = {
        .address = "192.0.2.1", .port = port, .role = role, .min_tls = TLS_1_2, .public = true};
    p.begins = role == ROLE_SUBMISSIONS ? BEGINS_TLS : BEGINS_CLEAR;
    snprintf(p.greeting, sizeof p.greeting, "220 mail.example.com ESMTP Postfix");
    p.software = "Postfix";
    p.tls_works.is = YES;
    for (int i = 0; i < TLS_VERSIONS; i++)
        p.version[i].is = i < 2 ? NO : YES;
    p.null_cipher.is = p.anonymous_cipher.is = NO;
    p.injected.is = role == ROLE_SUBMISSIONS ? UNKNOWN : NO;
    if (role != ROLE_SUBMISSIONS)
        offer(&p.clear, true, NULL, NULL);
    offer(&p.tls, false, role == ROLE_SMTP ? NULL : "PLAIN", role == ROLE_SMTP ? NULL : "LOGIN");
    p.mail_clear = role == ROLE_SMTP         ? TAKEN
                   : role == ROLE_SUBMISSION ? STARTTLS_FIRST
                                             : (struct transaction){0};
    p.mail_tls = role == ROLE_SMTP ? TAKEN : LOG_IN_FIRST;
    return p;
}

static void right(struct scene *s)
{
    *s = (struct scene){
        .ports = {good(25, ROLE_SMTP), good(587, ROLE_SUBMISSION), good(465, ROLE_SUBMISSIONS)}};
    s->h = (struct host_seen){.host = "mail.example.com",
                              .ports = s->ports,
                              .port_count = 3,
                              .mail_tried = true,
                              .names = {"mail.example.com"},
                              .name_count = 1,
                              .domain = "example.com"};
    for (int i = 0; i < SRV_SERVICES; i++) {
        s->h.srv[i].found.is = YES;
        s->h.srv[i].count = 1;
        s->h.srv[i].records[0] = (struct srv_record){.priority = (uint16_t)(i * 10),
                                                     .weight = 1,
                                                     .port = i ? 587 : 465,
                                                     .target = "mail.example.com",
                                                     .leads = SRV_HERE};
    }
}

/* "id@where " of each fault, those that are less than their kind with a "-"; then "?" if something
 * is unknown. */
static const char *told(const struct host_seen *h)
{
    static char text[1024];
    struct buf b = BUF(text);
    struct faults fs = {0};
    judge_host(h, NOW, &fs);
    for (unsigned i = 0; i < fs.count; i++) {
        const struct fault *f = &fs.list[i];
        buf_printf(&b, "%s%s@%s ", f->severity < fault_kinds[f->id].severity ? "-" : "",
                   fault_kinds[f->id].name, f->where);
        assert_true(f->fix_count > 0 || f->severity == FAULT_NOTE);
        assert_true(*f->evidence || *f->detail);
    }
    if (fs.unknown_count)
        buf_cstring(&b, "?");
    faults_free(&fs);
    return buf_cstr(&b);
}

static void test_right(void **state)
{
    (void)state;
    static struct scene s;
    right(&s);
    assert_string_equal(told(&s.h), "");
}

/* ---- one thing at one port -------------------------------------------------------- */

#define CHANGE(name) static void name(struct port_seen *p)
CHANGE(auth_in_clear)
{
    offer(&p->clear, true, "PLAIN", NULL);
}
CHANGE(cram_in_clear)
{
    offer(&p->clear, true, "CRAM-MD5", NULL);
}
CHANGE(auth_under_tls)
{
    offer(&p->tls, false, "PLAIN", NULL);
}
CHANGE(no_auth)
{
    offer(&p->tls, false, NULL, NULL);
}
CHANGE(only_login)
{
    offer(&p->tls, false, "LOGIN", NULL);
}
CHANGE(tls_in_tls)
{
    offer(&p->tls, true, "PLAIN", NULL);
}
CHANGE(demands_tls)
{
    p->mail_clear = STARTTLS_FIRST;
}
CHANGE(demands_tls_privately)
{
    p->mail_clear = STARTTLS_FIRST, p->public = false;
}
CHANGE(open_in_clear)
{
    p->mail_clear = TAKEN;
}
CHANGE(open_under_tls)
{
    p->mail_tls = TAKEN;
}
CHANGE(no_such_user)
{
    p->mail_tls = answer(REFUSAL_OTHER, "RCPT TO:<postmaster>: 550 5.1.1 User unknown");
}
CHANGE(login_in_clear_first)
{
    p->mail_clear = LOG_IN_FIRST;
} /* and there is no AUTH in clear: so TLS comes first */
CHANGE(injects)
{
    p->injected.is = YES;
}
CHANGE(old_tls)
{
    p->version[0].is = p->version[1].is = YES;
}
CHANGE(old_by_policy)
{
    p->version[1].is = YES, p->min_tls = TLS_1_1;
}
CHANGE(policy_wants_13)
{
    p->min_tls = TLS_1_3;
}
CHANGE(only_old_tls)
{
    p->version[1].is = YES, p->version[2].is = p->version[3].is = NO;
}
CHANGE(only_13)
{
    p->version[2].is = NO;
}
CHANGE(unknown_version)
{
    p->version[0].is = UNKNOWN;
}
CHANGE(null)
{
    p->null_cipher.is = YES;
}
CHANGE(anonymous)
{
    p->anonymous_cipher.is = YES;
}
CHANGE(closed)
{
    *p = (struct port_seen){.address = "192.0.2.1",
                            .port = p->port,
                            .role = p->role,
                            .begins = BEGINS_CLOSED,
                            .begins_why = "Connection refused"};
}
CHANGE(closed_named)
{
    closed(p), p->named = true;
}
CHANGE(filtered)
{
    closed(p), snprintf(p->begins_why, SAID, "no answer in 15 s");
}
CHANGE(unreachable)
{
    closed(p), p->begins = BEGINS_UNKNOWN;
}
CHANGE(silent)
{
    closed(p), p->begins = BEGINS_SILENT;
}
CHANGE(other)
{
    closed(p), p->begins = BEGINS_OTHER;
}
CHANGE(clear)
{
    enum role role = p->role;
    *p = good(p->port, ROLE_SUBMISSION), p->role = role;
}
CHANGE(at_once)
{
    enum role role = p->role;
    *p = good(p->port, ROLE_SUBMISSIONS), p->role = role;
    p->tls.auth = role != ROLE_SMTP;
}
CHANGE(starttls_fails)
{
    p->tls_works = (struct answer){NO, "454 4.7.0 TLS not available"};
    memset(&p->tls, 0, sizeof p->tls);
    p->mail_tls = (struct transaction){0};
    memset(p->version, 0, sizeof p->version);
}
CHANGE(breaks)
{
    starttls_fails(p), p->tls_works.is = UNKNOWN, memset(&p->clear, 0, sizeof p->clear);
    p->mail_clear = (struct transaction){0};
    snprintf(p->broken, SAID, "EHLO: the server hangs up");
}
CHANGE(turned_away)
{
    breaks(p), p->broken[0] = '\0';
    snprintf(p->refused, SAID, "554 no");
}
CHANGE(no_tls)
{
    starttls_fails(p), p->tls_works.is = UNKNOWN;
    offer(&p->clear, false, "PLAIN", NULL);
    p->mail_clear = LOG_IN_FIRST;
}

#define AT(id, port) id "@192.0.2.1 port " port " "

static void test_ports(void **state)
{
    (void)state;
    static const struct {
        int port;
        void (*change)(struct port_seen *p);
        const char *told;
    } cases[] = {
        {PORT_25, auth_in_clear, AT("auth-on-25", "25")},
        {PORT_25, auth_under_tls, AT("auth-on-25", "25")},
        {PORT_25, demands_tls, AT("tls-required-on-25", "25")},
        {PORT_25, demands_tls_privately, ""},
        {PORT_25, injects, AT("starttls-injection", "25")},
        {PORT_25, old_tls, AT("-tls-old-versions", "25")},
        {PORT_25, closed, ""},
        {PORT_25, closed_named, AT("port-closed", "25")},
        {PORT_25, filtered, "?"},
        {PORT_25, at_once, AT("tls-at-once-on-starttls-port", "25")},
        {PORT_25, starttls_fails, AT("starttls-fails", "25")},
        {PORT_587, auth_in_clear, AT("auth-without-tls", "587")},
        {PORT_587, cram_in_clear, AT("-auth-without-tls", "587")},
        {PORT_587, no_auth, AT("submission-without-auth", "587")},
        {PORT_587, only_login, AT("auth-without-plain", "587")},
        {PORT_587, tls_in_tls, AT("starttls-under-tls", "587")},
        {PORT_587, open_in_clear, AT("submission-open", "587") AT("tls-not-required", "587")},
        {PORT_587, open_under_tls, AT("submission-open", "587")},
        {PORT_587, no_such_user, "?"},
        {PORT_587, login_in_clear_first, ""},
        {PORT_587, injects, AT("starttls-injection", "587")},
        {PORT_587, old_tls, AT("tls-old-versions", "587")},
        {PORT_587, old_by_policy, ""},
        {PORT_587, policy_wants_13, AT("-tls-old-versions", "587")},
        {PORT_587, only_old_tls, AT("tls-old-versions", "587") AT("tls-1.2-missing", "587")},
        {PORT_587, only_13, ""},
        {PORT_587, unknown_version, "?"},
        {PORT_587, null, AT("tls-weak-ciphers", "587")},
        {PORT_587, anonymous, AT("-tls-weak-ciphers", "587")},
        {PORT_587, silent, AT("no-greeting", "587") "srv-wrong@_submission._tcp.example.com "},
        {PORT_587, other, AT("not-smtp-server", "587") "srv-wrong@_submission._tcp.example.com "},
        {PORT_587, unreachable, "?"},
        {PORT_587, closed,
         AT("no-submission-port", "587") "srv-wrong@_submission._tcp.example.com "},
        {PORT_587, closed_named,
         AT("port-closed", "587") "srv-wrong@_submission._tcp.example.com "},
        {PORT_587, at_once,
         AT("tls-at-once-on-starttls-port", "587") "srv-wrong@_submission._tcp.example.com "},
        {PORT_587, breaks, AT("dialogue-breaks-off", "587")},
        {PORT_587, turned_away, "?"},
        {PORT_587, no_tls,
         AT("submission-without-tls", "587")
             AT("auth-without-tls", "587") "srv-wrong@_submission._tcp.example.com "},
        {PORT_465, clear,
         AT("cleartext-on-submissions-port", "465") "srv-wrong@_submissions._tcp.example.com "},
        {PORT_465, closed,
         AT("no-submissions-port", "465") "srv-wrong@_submissions._tcp.example.com "},
        {PORT_465, starttls_fails,
         AT("tls-handshake-fails", "465") "srv-wrong@_submissions._tcp.example.com "},
        {PORT_465, open_under_tls, AT("submission-open", "465")},
        {PORT_465, tls_in_tls, AT("starttls-under-tls", "465")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct scene s;
        right(&s);
        cases[i].change(&s.ports[cases[i].port]);
        const char *text = told(&s.h);
        if (strcmp(text, cases[i].told) != 0)
            fail_msg("case %zu: told \"%s\", wanted \"%s\"", i, text, cases[i].told);
    }
}

/* ---- several ------------------------------------------------------------------------- */

static void test_same_at_two_addresses(void **state)
{
    (void)state;
    static struct scene s;
    right(&s);
    auth_in_clear(&s.ports[PORT_25]);
    auth_in_clear(&s.ports[PORT_587]);
    for (int i = 0; i < 3; i++) {
        s.ports[3 + i] = s.ports[i];
        snprintf(s.ports[3 + i].address, sizeof s.ports[0].address, "2001:db8::1");
    }
    s.h.port_count = 6;
    assert_string_equal(told(&s.h), "auth-on-25@192.0.2.1 port 25, 2001:db8::1 port 25 "
                                    "auth-without-tls@192.0.2.1 port 587, 2001:db8::1 port 587 ");
    closed(&s.ports[5]); /* 465 answers at one address only */
    snprintf(s.ports[5].address, sizeof s.ports[0].address, "2001:db8::1");
    assert_non_null(strstr(told(&s.h), "addresses-differ@port 465 "));
    assert_null(strstr(told(&s.h), "no-submissions-port"));
    unreachable(&s.ports[5]); /* we have no way there: that is no difference */
    assert_null(strstr(told(&s.h), "addresses-differ"));
}

static void test_srv(void **state)
{
    (void)state;
    static struct scene s;
    struct srv_seen *tls = &s.h.srv[SRV_SUBMISSIONS], *starttls = &s.h.srv[SRV_SUBMISSION];
    right(&s);
    tls->records[0].priority = 20;
    assert_string_equal(told(&s.h), "srv-order@_submissions._tcp.example.com ");
    tls->records[0].priority = 10; /* no order */
    assert_string_equal(told(&s.h), "");
    right(&s);
    tls->records[0].leads = SRV_NOWHERE;
    assert_string_equal(told(&s.h), "srv-wrong@_submissions._tcp.example.com ");
    tls->records[0].leads = SRV_ELSEWHERE;
    assert_string_equal(told(&s.h), "?");
    tls->records[0].leads = SRV_UNKNOWN;
    assert_string_equal(told(&s.h), "?");
    tls->records[0].leads = SRV_NOT_OFFERED;
    assert_string_equal(told(&s.h), "srv-missing@_submissions._tcp.example.com ");
    closed(&s.ports[PORT_465]); /* which is the truth */
    assert_string_equal(told(&s.h), AT("no-submissions-port", "465"));
    right(&s);
    *starttls = (struct srv_seen){.found = {NO, ""}};
    assert_string_equal(told(&s.h), "srv-missing@_submission._tcp.example.com ");
    *starttls = (struct srv_seen){.found = {UNKNOWN, "DNS does not answer"}};
    assert_string_equal(told(&s.h), "?");
    right(&s);
    tls->records[0].port = 587; /* begins in clear text there */
    assert_string_equal(told(&s.h), "srv-wrong@_submissions._tcp.example.com ");
    right(&s);
    s.h.domain[0] = '\0';
    assert_string_equal(told(&s.h), "?");
}

static void test_chosen_ports(void **state)
{
    (void)state;
    static struct scene s;
    right(&s);
    s.h.mail_tried = false;
    s.ports[PORT_587].mail_clear = s.ports[PORT_587].mail_tls = s.ports[PORT_465].mail_tls =
        (struct transaction){0};
    assert_string_equal(told(&s.h), "?"); /* once, not for each port */
    right(&s);
    s.h.name_count = 0;
    assert_string_equal(told(&s.h), "?");
}

/* How to mend it, for the MTA that has named itself, or for both. */
static void test_remedies(void **state)
{
    (void)state;
    static const struct {
        const char *software, *first, *second;
    } cases[] = {
        {"Postfix",
         "Postfix: postconf -P 'submission/inet/smtpd_tls_auth_only=yes' && postfix reload", NULL},
        {"Sendmail", "Sendmail: define(`confAUTH_OPTIONS', `A p')", NULL},
        {"Exim", "Offer AUTH under TLS only", NULL},
        {NULL, "Postfix: postconf -P 'submission/inet/smtpd_tls_auth_only=yes' && postfix reload",
         "Sendmail: define(`confAUTH_OPTIONS', `A p')"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct port_seen p = good(587, ROLE_SUBMISSION);
        struct faults fs = {0};
        p.software = cases[i].software;
        const struct fault *f = judge_add(&fs, FAULT_AUTH_WITHOUT_TLS, &p);
        assert_int_equal(f->fix_count, cases[i].second ? 2 : 1);
        assert_string_equal(f->fix[0], cases[i].first);
        if (cases[i].second)
            assert_string_equal(f->fix[1], cases[i].second);
        faults_free(&fs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_same_at_two_addresses),
        cmocka_unit_test(test_srv),
        cmocka_unit_test(test_chosen_ports),
        cmocka_unit_test(test_remedies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
