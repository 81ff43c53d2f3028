/* SPDX-License-Identifier: Apache-2.0 */
/* main.cf and master.cf: lines, values, expansion, listeners, restrictions. Expected by hand, from
 * postconf(5) and master(5). */
#include "mta/postfix/postfix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct postfix p;

static void parse(const char *main_cf, const char *master_cf)
{
    struct err e = {""};
    if (postfix_parse(str_of(main_cf), str_of(master_cf), &p, &e) < 0)
        fail_msg("%s", e.text);
}

static int tear_down(void **state)
{
    (void)state;
    postfix_free(&p);
    return 0;
}

static void refused(const char *main_cf, const char *master_cf, const char *why)
{
    struct err e = {""};
    assert_int_equal(postfix_parse(str_of(main_cf), str_of(master_cf), &p, &e), -1);
    assert_string_equal(e.text, why);
}

static void main_cf_has_comments_and_continuation_lines(void **state)
{
    (void)state;
    parse("# a comment\n"
          "\n"
          "myhostname = mx.example.com\n"
          "smtpd_client_restrictions =\n"
          "   permit_mynetworks,\n"
          "# in between\n"
          "\n"
          "\treject\n"
          "  # one that begins with blanks\n"
          "a=1\n"
          "a = 2\r\n"
          "last = yes",
          "");
    struct pf_value v = postfix_value(&p, NULL, "smtpd_client_restrictions");
    assert_string_equal(v.raw, "permit_mynetworks,\treject");
    assert_int_equal(v.line, 4);
    assert_int_equal(v.source, PF_MAIN);
    v = postfix_value(&p, NULL, "a");
    assert_string_equal(v.text, "2");
    assert_int_equal(v.line, 11);
    assert_string_equal(postfix_where(&p, NULL, v), "main.cf:11");
    assert_string_equal(postfix_text(&p, NULL, "last"), "yes");
    assert_int_equal(p.main_count, 5);
}

static void what_postfix_would_not_take_is_an_error(void **state)
{
    (void)state;
    refused("  a = 1\n", "", "main.cf:1: the first line begins with white space, as if it went on");
    refused("a = 1\nmyhostname\n", "", "main.cf:2: \"name = value\" is expected");
    refused("= x\n", "", "main.cf:1: \"name = value\" is expected");
    refused("", "\nsmtp inet n - y\n", "master.cf:2: 8 fields are expected, and there are 5");
    refused("", "smtp inet n - y - - smtpd\n  -o smtpd_tls_auth_only\n",
            "master.cf:1: smtp/inet: behind -o, name=value is expected");
}

static void master_cf_has_services_and_their_options(void **state)
{
    (void)state;
    parse("", "smtp      inet  n       -       y       -       -       smtpd\n"
              "#submission inet n       -       y       -       -       smtpd\n"
              "#  -o syslog_name=postfix/submission\n"
              "127.0.0.1:10025 inet n - n - - smtpd -o smtpd_milters= -v\n"
              "submission inet n - - - - smtpd\n"
              "  -o syslog_name=postfix/submission\n"
              "# -o smtpd_tls_auth_only=no\n"
              "  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }\n"
              "  -osmtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=no\n"
              "  -o smtpd_tls_auth_only=yes\n"
              "maildrop  unix  -       n       n       -       -       pipe\n"
              "  flags=DRXhu user=vmail argv=/usr/bin/maildrop -o what -d ${recipient}\n");
    assert_int_equal(p.service_count, 4);
    const struct pf_service *s = postfix_service(&p, "submission", "inet");
    assert_non_null(s);
    assert_int_equal(s->line, 5);
    assert_false(s->verbose);
    assert_true(p.services[1].verbose);
    assert_string_equal(s->command, "smtpd");
    assert_int_equal(s->option_count, 5);
    struct pf_value v = postfix_value(&p, s, "smtpd_relay_restrictions");
    assert_string_equal(v.text, "permit_sasl_authenticated, reject");
    assert_int_equal(v.line, 8);
    assert_string_equal(postfix_where(&p, s, v), "master.cf:8, submission/inet");
    assert_int_equal(postfix_value(&p, s, "smtpd_sasl_auth_enable").line, 9);
    v = postfix_value(&p, s, "smtpd_tls_auth_only");
    assert_string_equal(v.text, "yes");
    assert_int_equal(v.line, 10);
    assert_string_equal(postfix_value(&p, &p.services[1], "smtpd_milters").text, "");
    assert_null(postfix_service(&p, "submissions", "inet"));
}

static void chroot_has_a_default_that_depends_on_the_level(void **state)
{
    (void)state;
    static const char services[] = "1 inet n - y - - smtpd\n2 inet n - n - - smtpd\n"
                                   "3 inet n - - - - smtpd\n";
    parse("", services); /* level 0, as before Postfix 3.0 */
    assert_true(p.services[0].chroot);
    assert_false(p.services[1].chroot);
    assert_true(p.services[2].chroot);
    postfix_free(&p);
    parse("compatibility_level = 3.6\n", services);
    assert_true(p.services[0].chroot);
    assert_false(p.services[1].chroot);
    assert_false(p.services[2].chroot);
}

static void loopback_is_by_address_or_by_interface(void **state)
{
    (void)state;
    struct pf_listener l[PF_LISTENERS];
    static const char services[] =
        "587 inet n - y - - smtpd\n127.0.0.1:587 inet n - n - - smtpd\n"
        "10025 inet n - n - - smtpd\n192.0.2.1:10025 inet n - n - - smtpd\n";
    parse("", services);
    assert_int_equal(postfix_listeners(&p, l), 4);
    assert_false(l[0].loopback);
    assert_true(l[1].loopback);
    assert_false(l[1].internal);
    assert_false(l[2].internal);
    postfix_free(&p);
    parse("inet_interfaces = loopback-only, [::1]\n", services);
    postfix_listeners(&p, l);
    assert_true(l[0].loopback);
    assert_true(l[2].internal);
    assert_false(l[3].loopback);
    postfix_free(&p);
    parse("inet_interfaces = 127.0.0.1 192.0.2.1\n", services);
    postfix_listeners(&p, l);
    assert_false(l[0].loopback);
}

static void names_are_expanded_in_the_context_of_the_service(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *expanded;
    } cases[] = {
        {"plain", "plain"},
        {"$a-$b", "1-"},
        {"${a}x$(a)x${ a }", "1x1x1"},
        {"$$a", "$a"},
        {"a$", "a$"},
        {"$nowhere", ""},
        {"${a?set}${nowhere?set}", "set"},
        {"${a:unset}${nowhere:unset}", "unset"},
        {"${a?{x y}:{z}} ${nowhere?{x}:{z $a}}", "x y z 1"},
        {"${{$a} == {1} ? {one} : {other}}", "one"},
        {"${{$a} == {2} ? {two} : {other}}", "other"},
        {"${{$compatibility_level} <level {3.6} ? {no} : {yes}}", "yes"},
        {"${{3.5} <level {3.6} ? {no} : {yes}}", "no"},
        {"${{3.10} <level {3.6} ? {no} : {yes}}", "yes"},
        {"${{3} >=level {3.0} ? {yes} : {no}}", "yes"},
        {"${{$a} != {} ? {full}}", "full"},
        {"$myhostname in $service_name", "mx.example.com in submission"},
        {"$loop", NULL},
        {"${a", NULL},
        {"${a b}", NULL},
        {"${{1} ~ {2} ? {x}}", NULL},
    };
    parse("a = 0\nmyhostname = mx.example.com\ncompatibility_level = 3.6\nloop = x$loop\n",
          "submission inet n - y - - smtpd -o a=1 -o b=\n");
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char main_cf[512];
        postfix_free(&p);
        snprintf(main_cf, sizeof main_cf,
                 "a = 0\nmyhostname = mx.example.com\ncompatibility_level = 3.6\nloop = "
                 "x$loop\nwanted = %s\n",
                 cases[i].raw);
        parse(main_cf, "submission inet n - y - - smtpd -o a=1 -o b=\n");
        const char *text = postfix_value(&p, &p.services[0], "wanted").text;
        if (!text != !cases[i].expanded || (text && strcmp(text, cases[i].expanded) != 0))
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].raw, text ? text : "NULL",
                     cases[i].expanded ? cases[i].expanded : "NULL");
    }
}

static void without_postconf_the_defaults_are_those_of_3_7(void **state)
{
    (void)state;
    parse("compatibility_level = 3.6\n", "smtp inet n - y - - smtpd\n");
    assert_false(p.asked);
    assert_int_equal(p.version, 0);
    assert_string_equal(postfix_text(&p, NULL, "smtpd_tls_auth_only"), "no");
    assert_string_equal(postfix_text(&p, NULL, "syslog_name"), "postfix");
    assert_true(postfix_yes(&p, NULL, "smtpd_relay_before_recipient_restrictions", false));
    struct pf_value v = postfix_value(&p, NULL, "myhostname");
    assert_null(v.text);
    assert_string_equal(postfix_where(&p, NULL, v), "default");
    assert_true(postfix_yes(&p, NULL, "myhostname", true));
    assert_false(postfix_yes(&p, NULL, "myhostname", false));
}

/* ---- listeners ---------------------------------------------------------------------- */

static void listeners_have_a_port_and_a_role(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        unsigned port;
        bool known;
        enum role role;
        bool internal, implicit, auth;
    } expected[] = {
        {"", 25, true, ROLE_SMTP, false, false, false},
        {"", 587, true, ROLE_SUBMISSION, false, false, true},
        {"", 465, true, ROLE_SUBMISSIONS, false, true, true},
        {"", 465, true, ROLE_SUBMISSIONS, false, false,
         false}, /* half of the block is still a comment */
        {"127.0.0.1", 10025, false, ROLE_SMTP, true, false, true},
        {"", 1587, true, ROLE_SUBMISSION, false, false, true},
        {"[::1]", 587, true, ROLE_SUBMISSION, false, false, false},
        {"192.0.2.1", 10465, true, ROLE_SUBMISSIONS, false, true, true},
        {"", 10026, false, ROLE_SMTP, false, false, false},
        {"", 2525, true, ROLE_SUBMISSION, false, false, false}, /* AUTH is taken out of EHLO */
    };
    parse("",
          "smtp inet n - y - - smtpd\n"
          "submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n"
          "smtps inet n - y - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes\n"
          "465 inet n - y - - smtpd\n"
          "127.0.0.1:10025 inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n"
          "1587 inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n"
          "[::1]:submission inet n - y - - smtpd\n"
          "192.0.2.1:10465 inet n - y - - smtpd -o smtpd_tls_wrappermode=yes -o "
          "smtpd_sasl_auth_enable=yes\n"
          "*:10026 inet n - y - - smtpd\n"
          "2525 inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes -o "
          "smtpd_discard_ehlo_keywords=silent-discard,AUTH\n"
          "628 inet n - y - - qmqpd\n"
          "pickup unix n - y 60 1 pickup\n");
    struct pf_listener l[PF_LISTENERS];
    unsigned n = postfix_listeners(&p, l), wanted = sizeof expected / sizeof *expected;
    assert_int_equal(n, wanted);
    for (unsigned i = 0; i < n; i++) {
        assert_string_equal(l[i].host, expected[i].host);
        assert_int_equal(l[i].port, expected[i].port);
        assert_int_equal(l[i].role_known, expected[i].known);
        if (expected[i].known)
            assert_int_equal(l[i].role, expected[i].role);
        assert_int_equal(l[i].internal, expected[i].internal);
        assert_int_equal(l[i].implicit, expected[i].implicit);
        assert_int_equal(l[i].auth, expected[i].auth);
    }
}

static void behind_postscreen_smtpd_pass_speaks(void **state)
{
    (void)state;
    parse("postscreen_upstream_proxy_protocol = haproxy\n",
          "smtp inet n - y - 1 postscreen\n"
          "smtpd pass - - y - - smtpd -o smtpd_sasl_auth_enable=yes\n");
    struct pf_listener l[PF_LISTENERS];
    assert_int_equal(postfix_listeners(&p, l), 1);
    assert_ptr_equal(l[0].front, &p.services[0]);
    assert_ptr_equal(l[0].service, &p.services[1]);
    assert_int_equal(l[0].role, ROLE_SMTP);
    assert_true(l[0].auth);
    assert_true(l[0].proxied);
}

static void where_the_gate_answers_nobody_logs_in(void **state)
{
    (void)state;
    parse("", "smtp inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes -o "
              "smtpd_sasl_path=mailreeve-gate/gate.sock\n");
    struct pf_listener l[PF_LISTENERS];
    assert_int_equal(postfix_listeners(&p, l), 1);
    assert_false(l[0].auth);
}

/* ---- restrictions -------------------------------------------------------------------- */

static void restrictions_are_in_the_order_of_asking(void **state)
{
    (void)state;
    static const struct {
        const char *list, *name, *argument;
        enum pf_effect effect;
        bool always;
    } expected[] = {
        {"smtpd_client_restrictions", "permit_mynetworks", NULL, PF_PERMIT, false},
        {"smtpd_client_restrictions", "reject_rbl_client", "zen.example.org=127.0.0.2", PF_REJECT,
         false},
        {"smtpd_sender_restrictions", "check_sender_access", "hash:/etc/postfix/access", PF_ACCESS,
         false},
        {"smtpd_relay_restrictions", "check_policy_service",
         "{ unix:mailreeve/policyd.sock, policy_context=submission, timeout=2s, { default_action = "
         "451 4.3.5 Try again later } }",
         PF_POLICY, false},
        {"smtpd_relay_restrictions", "permit_sasl_authenticated", NULL, PF_PERMIT, false},
        {"smtpd_relay_restrictions", "reject", NULL, PF_REJECT, true},
        {"smtpd_recipient_restrictions", "check_policy_service", "inet:127.0.0.1:7777", PF_POLICY,
         false},
        {"smtpd_recipient_restrictions", "warn_if_reject", NULL, PF_OTHER, false},
        {"smtpd_recipient_restrictions", "defer_unauth_destination", NULL, PF_REJECT, false},
    };
    parse(
        "compatibility_level = 3.6\n"
        "mailreeve_submission = check_policy_service { unix:mailreeve/policyd.sock, "
        "policy_context=submission, timeout=2s, { default_action = 451 4.3.5 Try again later } }\n"
        "mua_client = permit_mynetworks reject_rbl_client zen.example.org=127.0.0.2\n"
        "smtpd_client_restrictions = reject_unknown_client_hostname\n"
        "smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/access\n"
        "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:7777, warn_if_reject "
        "defer_unauth_destination\n",
        "submission inet n - y - - smtpd\n"
        "  -o smtpd_client_restrictions=$mua_client\n"
        "  -o smtpd_relay_restrictions=$mailreeve_submission,permit_sasl_authenticated,reject\n");
    static struct pf_restriction r[PF_RESTRICTIONS];
    unsigned n = postfix_restrictions(&p, &p.services[0], r);
    assert_int_equal(n, sizeof expected / sizeof *expected);
    for (unsigned i = 0; i < n; i++) {
        assert_string_equal(r[i].list, expected[i].list);
        assert_string_equal(r[i].name, expected[i].name);
        assert_int_equal(!r[i].argument, !expected[i].argument);
        if (r[i].argument)
            assert_string_equal(r[i].argument, expected[i].argument);
        assert_int_equal(r[i].effect, expected[i].effect);
        assert_int_equal(r[i].always, expected[i].always);
        assert_null(r[i].condition);
    }
    assert_string_equal(r[3].client.endpoint, "unix:mailreeve/policyd.sock");
    assert_string_equal(r[3].client.context, "submission");
    assert_string_equal(r[3].client.timeout, "2s");
    assert_string_equal(r[3].client.default_action, "451 4.3.5 Try again later");
    assert_string_equal(r[6].client.endpoint, "inet:127.0.0.1:7777");
    assert_null(r[6].client.default_action);
}

static void before_3_6_recipients_are_asked_first(void **state)
{
    (void)state;
    const char *lists[5];
    parse("compatibility_level = 2\n", "smtp inet n - y - - smtpd\n");
    postfix_restriction_lists(&p, &p.services[0], lists);
    assert_string_equal(lists[3], "smtpd_recipient_restrictions");
    assert_string_equal(lists[4], "smtpd_relay_restrictions");
}

static void classes_are_written_out_behind_their_table(void **state)
{
    (void)state;
    parse("smtpd_restriction_classes = mailreeve_smtp, again\n"
          "mailreeve_smtp = check_policy_service { unix:mailreeve/policyd.sock, "
          "policy_context=smtp, default_action=DUNNO }\n"
          "again = again, reject\n"
          "smtpd_relay_restrictions =\n"
          "smtpd_recipient_restrictions = check_sasl_access static:mailreeve_smtp, again, permit\n",
          "smtp inet n - y - - smtpd\n");
    static struct pf_restriction r[PF_RESTRICTIONS];
    unsigned n = postfix_restrictions(&p, &p.services[0], r);
    assert_int_equal(n, 2 + 8 +
                            1); /* a class that names itself is followed eight times, and no more */
    assert_string_equal(r[0].name, "check_sasl_access");
    assert_string_equal(r[1].name, "check_policy_service");
    assert_string_equal(r[1].condition, "check_sasl_access");
    assert_string_equal(r[1].client.default_action, "DUNNO");
    assert_true(r[2].always);
    assert_null(r[2].condition);
    assert_string_equal(r[10].name, "permit");
    assert_int_equal(r[10].effect, PF_PERMIT);
}

static void milters_have_options_or_none(void **state)
{
    (void)state;
    parse(
        "mailreeve_milter = { unix:mailreeve-milter/milter.sock, default_action=tempfail, "
        "connect_timeout=5s }\n"
        "smtpd_milters = inet:127.0.0.1:8891, unix:opendkim/opendkim.sock\n",
        "submission inet n - y - - smtpd -o smtpd_milters=$mailreeve_milter,inet:127.0.0.1:8891\n");
    struct pf_client m[PF_MILTERS];
    assert_int_equal(postfix_milters(&p, NULL, m), 2);
    assert_string_equal(m[1].endpoint, "unix:opendkim/opendkim.sock");
    assert_int_equal(postfix_milters(&p, &p.services[0], m), 2);
    assert_string_equal(m[0].endpoint, "unix:mailreeve-milter/milter.sock");
    assert_string_equal(m[0].default_action, "tempfail");
    assert_string_equal(m[1].endpoint, "inet:127.0.0.1:8891");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(main_cf_has_comments_and_continuation_lines, tear_down),
        cmocka_unit_test(what_postfix_would_not_take_is_an_error),
        cmocka_unit_test_teardown(master_cf_has_services_and_their_options, tear_down),
        cmocka_unit_test_teardown(chroot_has_a_default_that_depends_on_the_level, tear_down),
        cmocka_unit_test_teardown(loopback_is_by_address_or_by_interface, tear_down),
        cmocka_unit_test_teardown(names_are_expanded_in_the_context_of_the_service, tear_down),
        cmocka_unit_test_teardown(without_postconf_the_defaults_are_those_of_3_7, tear_down),
        cmocka_unit_test_teardown(listeners_have_a_port_and_a_role, tear_down),
        cmocka_unit_test_teardown(behind_postscreen_smtpd_pass_speaks, tear_down),
        cmocka_unit_test_teardown(where_the_gate_answers_nobody_logs_in, tear_down),
        cmocka_unit_test_teardown(restrictions_are_in_the_order_of_asking, tear_down),
        cmocka_unit_test_teardown(before_3_6_recipients_are_asked_first, tear_down),
        cmocka_unit_test_teardown(classes_are_written_out_behind_their_table, tear_down),
        cmocka_unit_test_teardown(milters_have_options_or_none, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
