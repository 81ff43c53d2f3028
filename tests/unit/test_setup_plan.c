/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of `mailreeve setup postfix`: main.cf and master.cf in, steps out. And the theorem of
 * setup/plan_ask.c: what refuses before Mailreeve is asked is moved behind it without changing who
 * is let through, tried for every pair of lists and every client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "setup/plan.h"

#define SMTP "smtp inet n - y - - smtpd\n"
#define SUBMISSION                                                                                 \
    "submission inet n - y - - smtpd\n -o smtpd_sasl_auth_enable=yes\n"                            \
    " -o smtpd_tls_security_level=encrypt\n -o syslog_name=postfix/submission\n"
#define BASE                                                                                       \
    "compatibility_level = 3.6\nmydestination =\nqueue_directory = /var/spool/postfix\n"           \
    "mynetworks = 127.0.0.0/8\n"
#define RELAY                                                                                      \
    "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, "                    \
    "defer_unauth_destination\n"

static struct postfix model;
static struct plan plan;
static struct plan_options options;
static struct err error;

static int setup(void **state)
{
    (void)state;
    options = (struct plan_options){.with = WITH_POLICYD, .trust = true, .group = "postfix"};
    return 0;
}

static int try_plan(const char *main_cf, const char *master_cf)
{
    if (postfix_parse(str_of(main_cf), str_of(master_cf), &model, &error) < 0)
        fail_msg("%s", error.text);
    model.asked = true, model.version = model.version ? model.version : 30711;
    return plan_make(&model, NULL, &options, &plan, &error);
}

static void make(const char *main_cf, const char *master_cf)
{
    if (try_plan(main_cf, master_cf) < 0)
        fail_msg("%s", error.text);
}

static void done(void)
{
    plan_free(&plan);
    postfix_free(&model);
}

/* The value that a step sets; NULL: no such step; "-": it takes it out. */
static const char *set(const char *service, const char *name)
{
    for (unsigned i = 0; i < plan.step_count; i++) {
        const struct step *s = &plan.steps[i];
        if (s->name && strcmp(s->name, name) == 0 &&
            strcmp(s->service ? s->service : "", service) == 0)
            return s->value ? s->value : "-";
    }
    return NULL;
}

static bool told(const char *words)
{
    for (unsigned i = 0; i < plan.line_count; i++)
        if (strstr(plan.lines[i].text, words))
            return true;
    return false;
}

/* ---- submission -------------------------------------------------------------------- */

static void test_first_in_the_list_that_is_evaluated_first(void **state)
{
    (void)state;
    make(BASE RELAY, SMTP SUBMISSION);
    assert_string_equal(set("submission/inet", "smtpd_relay_restrictions"),
                        "$mailreeve_submission,permit_mynetworks,permit_sasl_authenticated,"
                        "defer_unauth_destination");
    assert_string_equal(set("", "mailreeve_submission"),
                        "check_policy_service { unix:mailreeve/policyd.sock, "
                        "policy_context=submission, timeout=2s, { default_action = 451 4.3.5 Try "
                        "again later } }");
    assert_int_equal(plan.step_count, 2);
    assert_int_equal(plan.wish.listener_count, 2);
    assert_string_equal(plan.wish.networks[0], "127.0.0.0/8");
    done();
    make(BASE RELAY
         "smtpd_relay_before_recipient_restrictions = no\nsmtpd_recipient_restrictions = "
         "reject_non_fqdn_recipient\n",
         SMTP SUBMISSION);
    assert_string_equal(set("submission/inet", "smtpd_recipient_restrictions"),
                        "$mailreeve_submission,reject_non_fqdn_recipient");
    done();
    /* README's lines: the relay list is empty, and the recipient list is as good */
    make(BASE "mailreeve_submission = check_policy_service { unix:mailreeve/policyd.sock, "
              "policy_context=submission, timeout=2s, { default_action = 451 4.3.5 Try again later "
              "} }\n",
         SMTP SUBMISSION " -o smtpd_relay_restrictions=\n -o "
                         "smtpd_recipient_restrictions=$mailreeve_submission,permit_sasl_"
                         "authenticated,reject\n");
    assert_int_equal(plan.step_count, 0);
    assert_false(plan.idle);
    done();
}

static void test_raw_text_is_kept(void **state)
{
    (void)state;
    make(BASE "ours = permit_sasl_authenticated\nsmtpd_relay_restrictions = $ours reject\n",
         SMTP SUBMISSION);
    assert_string_equal(set("submission/inet", "smtpd_relay_restrictions"),
                        "$mailreeve_submission,$ours,reject");
    done();
    /* blanks within braces do not go through postconf -P */
    make(BASE "smtpd_relay_restrictions = check_policy_service { inet:127.0.0.1:1, timeout=3s }, "
              "permit_sasl_authenticated, reject\n",
         SMTP SUBMISSION);
    assert_string_equal(set("submission/inet", "smtpd_relay_restrictions"),
                        "$mailreeve_submission,$mailreeve_submission_rest");
    assert_string_equal(set("", "mailreeve_submission_rest"),
                        "check_policy_service { inet:127.0.0.1:1, timeout=3s }, "
                        "permit_sasl_authenticated, reject");
    done();
}

static void test_behind_what_cannot_move(void **state)
{
    (void)state;
    make(BASE RELAY, SMTP SUBMISSION " -o smtpd_client_restrictions=permit_mynetworks,"
                                     "reject_unknown_client_hostname\n");
    assert_null(set("submission/inet", "smtpd_client_restrictions"));
    assert_true(told("smtpd_client_restrictions stays as it is"));
    done();
    /* a gate that T would let through otherwise: T permits mynetworks, L does not, T is no gate */
    make(BASE "smtpd_relay_restrictions = reject_unauth_destination\n",
         SMTP SUBMISSION " -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n");
    assert_null(set("submission/inet", "smtpd_client_restrictions"));
    done();
}

static void test_delay_reject(void **state)
{
    (void)state;
    make(BASE RELAY "smtpd_delay_reject = no\n", SMTP SUBMISSION);
    assert_string_equal(set("submission/inet", "smtpd_delay_reject"), "yes");
    done();
}

static void test_syslog_names(void **state)
{
    (void)state;
    make(BASE RELAY, SMTP "submission inet n - y - - smtpd\n -o smtpd_sasl_auth_enable=yes\n");
    assert_string_equal(set("submission/inet", "syslog_name"), "postfix/submission");
    assert_null(set("smtp/inet", "syslog_name"));
    done();
}

static void test_passwords_under_tls(void **state)
{
    (void)state;
    const char *master = SMTP "submission inet n - y - - smtpd\n -o smtpd_sasl_auth_enable=yes\n"
                              " -o smtpd_tls_security_level=may\n -o syslog_name=x\n";
    make(BASE RELAY, master);
    assert_null(set("submission/inet", "smtpd_tls_auth_only"));
    assert_true(told("--enforce will set smtpd_tls_auth_only"));
    done();
    options.enforce = true;
    make(BASE RELAY, master);
    assert_string_equal(set("submission/inet", "smtpd_tls_auth_only"), "yes");
    done();
}

/* ---- the theorem --------------------------------------------------------------------- */

static const char *const permits[] = {"permit_mynetworks", "permit_sasl_authenticated",
                                      "permit_tls_clientcerts"};

/* A list with these permits, and with `reject` or nothing at its end. */
static void list_text(unsigned mask, bool gate, char text[128])
{
    struct buf b = {text, 0, 128, false};
    for (int i = 0; i < 3; i++)
        if (mask & 1U << i)
            buf_printf(&b, "%s%s", b.n ? "," : "", permits[i]);
    if (gate)
        buf_printf(&b, "%sreject", b.n ? "," : "");
    buf_cstr(&b);
}

/* Does a list let a client through for whom these permits are true? Written by hand, as postconf(5)
 * tells it. */
static bool passes(const char *list, unsigned client)
{
    struct str rest = str_of(list), word;
    while ((word = pf_word(&rest)).n) {
        for (int i = 0; i < 3; i++)
            if (str_eq(word, str_of(permits[i])) && client & 1U << i)
                return true;
        if (str_eq(word, STR("reject")))
            return false;
    }
    return true;
}

static void try_pair(unsigned l, unsigned t, bool gate_l, bool gate_t)
{
    char before_l[128], before_t[128], master[1024];
    list_text(l, gate_l, before_l), list_text(t, gate_t, before_t);
    snprintf(master, sizeof master,
             SMTP SUBMISSION " -o smtpd_client_restrictions=%s\n -o smtpd_relay_restrictions=%s\n"
                             " -o smtpd_recipient_restrictions=\n",
             before_l, before_t);
    make(BASE, master);
    const char *after_l = set("submission/inet", "smtpd_client_restrictions");
    const char *after_t = set("submission/inet", "smtpd_relay_restrictions");
    const char *etrn = set("submission/inet", "smtpd_etrn_restrictions");
    after_l = after_l ? after_l : before_l;
    assert_non_null(after_t);
    for (unsigned client = 0; client < 8; client++) {
        bool was = passes(before_l, client) && passes(before_t, client);
        bool is = passes(after_l, client) && passes(after_t, client);
        bool etrn_is = passes(after_l, client) && passes(etrn ? etrn : "", client);
        if (was != is || etrn_is != passes(before_l, client))
            fail_msg("client %u: \"%s\" and \"%s\" became \"%s\" and \"%s\", ETRN \"%s\"", client,
                     before_l, before_t, after_l, after_t, etrn ? etrn : "");
    }
    /* and it moves where that is possible: a subset either way */
    if (gate_l && ((l & ~t) == 0 || (gate_t && (t & ~l) == 0) || !gate_t))
        assert_string_equal(after_l, "");
    done();
}

static void test_moving_changes_nothing(void **state)
{
    (void)state;
    for (unsigned l = 0; l < 8; l++)
        for (unsigned t = 0; t < 8; t++)
            for (int gates = 0; gates < 4; gates++)
                try_pair(l, t, gates & 1, gates & 2);
}

/* ---- port 25 ---------------------------------------------------------------------------- */

static void test_port_25(void **state)
{
    (void)state;
    make(BASE RELAY, SMTP SUBMISSION);
    assert_null(set("smtp/inet", "smtpd_relay_restrictions"));
    assert_true(told("nothing to do: nobody can log in here"));
    done();
    make(BASE RELAY "smtpd_sasl_auth_enable = yes\nsmtpd_restriction_classes = greylist\n",
         SMTP SUBMISSION);
    assert_string_equal(set("smtp/inet", "smtpd_relay_restrictions"),
                        "check_sasl_access,static:mailreeve_smtp,permit_mynetworks,"
                        "permit_sasl_authenticated,defer_unauth_destination");
    assert_string_equal(set("", "smtpd_restriction_classes"), "greylist, mailreeve_smtp");
    assert_null(set("smtp/inet", "smtpd_sasl_auth_enable"));
    done();
}

#define ASKED                                                                                      \
    BASE RELAY "smtpd_sasl_auth_enable = yes\nsmtpd_restriction_classes = greylist, "              \
               "mailreeve_smtp\nmailreeve_smtp = check_policy_service { "                          \
               "unix:mailreeve/policyd.sock, policy_context=smtp, timeout=2s, "                    \
               "default_action=DUNNO }\n"
#define ASKING                                                                                     \
    "smtp inet n - y - - smtpd\n -o smtpd_relay_restrictions=check_sasl_access,static:mailreeve_"  \
    "smtp,permit_mynetworks,permit_sasl_authenticated,defer_unauth_destination\n"

static void test_port_25_enforced(void **state)
{
    (void)state;
    options.enforce = true;
    make(ASKED, ASKING SUBMISSION);
    assert_string_equal(set("smtp/inet", "smtpd_sasl_auth_enable"), "no");
    assert_string_equal(set("smtp/inet", "smtpd_relay_restrictions"), "-");
    assert_string_equal(set("", "smtpd_restriction_classes"), "greylist");
    assert_string_equal(set("", "mailreeve_smtp"), "-");
    done();
    options.keep_auth_on_25 = true;
    make(ASKED, ASKING SUBMISSION);
    assert_null(set("smtp/inet", "smtpd_sasl_auth_enable"));
    assert_null(set("smtp/inet", "smtpd_relay_restrictions"));
    assert_null(set("", "smtpd_restriction_classes"));
    done();
}

/* Others' check_sasl_access stays; a second service on port 25 with AUTH off takes nothing away
 * from the first. */
static void test_port_25_and_others(void **state)
{
    (void)state;
    const char *master =
        "192.0.2.1:25 inet n - y - - smtpd\n -o "
        "smtpd_relay_restrictions=check_sasl_access,hash:/etc/x,permit\n"
        "192.0.2.2:25 inet n - y - - smtpd\n -o smtpd_sasl_auth_enable=no\n" SUBMISSION;
    make(BASE RELAY "smtpd_sasl_auth_enable = yes\n", master);
    assert_string_equal(set("192.0.2.1:25/inet", "smtpd_relay_restrictions"),
                        "check_sasl_access,static:mailreeve_smtp,check_sasl_access,hash:/etc/x,"
                        "permit");
    assert_null(set("192.0.2.2:25/inet", "smtpd_relay_restrictions"));
    assert_string_equal(set("", "smtpd_restriction_classes"), "mailreeve_smtp");
    assert_int_equal(strncmp(set("", "mailreeve_smtp"), "check_policy_service", 20), 0);
    done();
    options.enforce = true;
    make(ASKED, "smtp inet n - y - - smtpd\n -o smtpd_relay_restrictions=check_sasl_access,static:"
                "mailreeve_smtp,check_sasl_access,hash:/etc/x,permit\n" SUBMISSION);
    assert_string_equal(set("smtp/inet", "smtpd_relay_restrictions"),
                        "check_sasl_access,hash:/etc/x,permit");
    assert_string_equal(set("", "mailreeve_smtp"), "-");
    done();
}

/* ---- the milter ---------------------------------------------------------------------------- */

static void test_milter(void **state)
{
    (void)state;
    options.with = WITH_MILTER;
    make(BASE RELAY, SMTP SUBMISSION);
    assert_string_equal(set("submission/inet", "smtpd_milters"), "$mailreeve_milter");
    assert_string_equal(set("submission/inet", "milter_macro_daemon_name"), "submission");
    assert_null(set("submission/inet", "smtpd_relay_restrictions"));
    assert_null(set("smtp/inet", "smtpd_milters"));
    done();
    make(BASE RELAY "dkim = inet:127.0.0.1:8891\nsmtpd_milters = $dkim, unix:x\n"
                    "smtpd_sasl_auth_enable = yes\n",
         SMTP SUBMISSION " -o milter_macro_daemon_name=ORIGINATING\n");
    assert_string_equal(set("submission/inet", "smtpd_milters"), "$mailreeve_milter,$dkim,unix:x");
    assert_string_equal(set("smtp/inet", "smtpd_milters"), "$mailreeve_milter_smtp,$dkim,unix:x");
    assert_null(set("submission/inet", "milter_macro_daemon_name"));
    assert_true(told("\"ORIGINATING\""));
    done();
}

/* ---- ports, trust, versions ------------------------------------------------------------------ */

static void test_open(void **state)
{
    (void)state;
    options.open[0].port = 465, options.open[0].role = ROLE_SUBMISSIONS, options.open_count = 1;
    make(BASE RELAY, SMTP SUBMISSION);
    assert_int_equal(plan.steps[0].kind, STEP_SERVICE);
    assert_string_equal(plan.steps[0].service, "submissions/inet");
    assert_string_equal(set("submissions/inet", "smtpd_recipient_restrictions"),
                        "$mailreeve_submissions,permit_sasl_authenticated,reject");
    assert_int_equal(plan.wish.listener_count, 3);
    done();
    make(BASE RELAY, SMTP SUBMISSION "smtps inet n - y - - smtpd\n -o smtpd_tls_wrappermode=yes\n"
                                     " -o smtpd_sasl_auth_enable=yes\n");
    assert_int_not_equal(plan.steps[0].kind, STEP_SERVICE); /* it is there, by another name */
    done();
    options.open[0].port = 587;
    assert_int_equal(try_plan(BASE RELAY, SMTP SUBMISSION), -1);
    assert_non_null(strstr(error.text, "--open 587"));
    done();
}

static void test_trusted(void **state)
{
    (void)state;
    struct bridge docker = {.interface = "docker0"};
    assert_true(addr_parse(STR("192.168.7.1"), &docker.address));
    options.bridges = &docker, options.bridge_count = 1;
    make(BASE "mynetworks = 127.0.0.0/8, [::1]/128 [::ffff:127.0.0.0]/104 192.0.2.0/24 "
              "172.17.0.0/16 192.168.0.0/16 11.0.0.0/8 !10.1.2.3 10.1.0.0/16\n" RELAY,
         SMTP SUBMISSION);
    assert_int_equal(plan.wish.network_count, 4);
    assert_string_equal(plan.wish.networks[0], "127.0.0.0/8");
    assert_string_equal(plan.wish.networks[1], "::1");
    assert_string_equal(plan.wish.networks[2], "192.0.2.0/24");
    assert_string_equal(plan.wish.networks[3], "10.1.0.0/16");
    assert_true(told("172.17.0.0/16 is in mynetworks and is not made trusted: Docker"));
    assert_true(told("192.168.0.0/16 is in mynetworks and is not made trusted: containers"));
    assert_true(told("11.0.0.0/8 is in mynetworks and is not made trusted: it is a large public"));
    assert_true(told("!10.1.2.3"));
    done();
    make(BASE RELAY, SMTP SUBMISSION " -o smtpd_client_restrictions=permit_sasl_authenticated,"
                                     "reject\n");
    assert_int_equal(plan.wish.network_count, 0); /* who has not logged in does not get through */
    done();
    options.trust = false;
    make(BASE RELAY, SMTP SUBMISSION);
    assert_int_equal(plan.wish.network_count, 0);
    done();
}

static void test_refused(void **state)
{
    (void)state;
    assert_int_equal(postfix_parse(STR(BASE), STR(SMTP), &model, &error), 0);
    assert_int_equal(plan_make(&model, NULL, &options, &plan, &error), -1);
    assert_non_null(strstr(error.text, "postconf did not answer"));
    plan_free(&plan);
    model.asked = true, model.version = 30014;
    assert_int_equal(plan_make(&model, NULL, &options, &plan, &error), -1);
    assert_non_null(strstr(error.text, "main.cf.before-3.1"));
    done();
    make(BASE RELAY, SMTP);
    assert_true(plan.idle);
    assert_true(told("--open 465 --open 587"));
    done();
}

static void test_back(void **state)
{
    (void)state;
    make(BASE RELAY, SMTP SUBMISSION);
    assert_string_equal(plan_reverse(&plan, &plan.steps[0], "/etc/postfix"),
                        "postconf -c /etc/postfix -X 'mailreeve_submission'");
    assert_string_equal(plan_reverse(&plan, &plan.steps[1], "/etc/postfix"),
                        "postconf -c /etc/postfix -PX 'submission/inet/smtpd_relay_restrictions'");
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_in_the_list_that_is_evaluated_first, setup),
        cmocka_unit_test_setup(test_raw_text_is_kept, setup),
        cmocka_unit_test_setup(test_behind_what_cannot_move, setup),
        cmocka_unit_test_setup(test_delay_reject, setup),
        cmocka_unit_test_setup(test_syslog_names, setup),
        cmocka_unit_test_setup(test_passwords_under_tls, setup),
        cmocka_unit_test_setup(test_moving_changes_nothing, setup),
        cmocka_unit_test_setup(test_port_25, setup),
        cmocka_unit_test_setup(test_port_25_enforced, setup),
        cmocka_unit_test_setup(test_port_25_and_others, setup),
        cmocka_unit_test_setup(test_milter, setup),
        cmocka_unit_test_setup(test_open, setup),
        cmocka_unit_test_setup(test_trusted, setup),
        cmocka_unit_test_setup(test_refused, setup),
        cmocka_unit_test_setup(test_back, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
