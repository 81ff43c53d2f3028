/* SPDX-License-Identifier: Apache-2.0 */
/* sendmail.cf, access and sendmail.mc, as Sendmail and m4 read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "mta/sendmail/access.h"
#include "mta/sendmail/daemon.h"
#include "mta/sendmail/mc.h"

static struct cf cf;
static struct access map;
static struct mc mc;

static void parse(const char *text)
{
    struct err e = {""};
    cf_clear(&cf);
    if (cf_parse(str_of(text), &cf, &e))
        fail_msg("%s", e.text);
}

static void parse_access(const char *text)
{
    struct err e = {""};
    access_clear(&map);
    if (access_parse(str_of(text), &map, &e))
        fail_msg("%s", e.text);
}

static void parse_mc(const char *text)
{
    struct err e = {""};
    mc_clear(&mc);
    if (mc_parse(str_of(text), &mc, &e))
        fail_msg("%s", e.text);
}

static int tear_down(void **state)
{
    (void)state;
    cf_clear(&cf);
    access_clear(&map);
    mc_clear(&mc);
    return 0;
}

/* ---- sendmail.cf ---------------------------------------------------------------- */

static void options(void **state)
{
    (void)state;
    parse("# O LogLevel=1\n"
          "O LogLevel=9\n"
          "O AuthOptions = A p \n"
          "O loglevel=13\n"
          "#O CipherList\n"
          "O HelpFile\n");
    assert_int_equal(cf.option_count, 4);
    assert_string_equal(cf_value(&cf, "AuthOptions"), "A p");
    assert_int_equal(cf_option(&cf, "authoptions")->line, 3);
    assert_int_equal(cf_log_level(&cf), 13); /* the last one counts */
    assert_int_equal(cf_option(&cf, "LogLevel")->line, 4);
    assert_null(cf_option(&cf, "CipherList"));
    assert_string_equal(cf_value(&cf, "CipherList"), "");
    assert_string_equal(cf_option(&cf, "HelpFile")->value, "");
}

static void defaults(void **state)
{
    (void)state;
    parse("");
    assert_int_equal(cf_log_level(&cf), 9);
    assert_int_equal(cf.daemon_count, 1); /* it listens on port 25 */
    assert_int_equal(cf.daemons[0].line, 0);
    assert_int_equal(cf_port(&cf.daemons[0]), 25);
    assert_int_equal(cf_role(&cf.daemons[0]), ROLE_SMTP);
    assert_false(cf_is_local(&cf.daemons[0]));
    parse("O LogLevel=verbose\n");
    assert_int_equal(cf_log_level(&cf), 0);
}

static void letters(void **state)
{
    (void)state;
    parse("OL14\nOOPort=587,Name=MSA\nOdbackground\nO\n");
    assert_int_equal(cf_log_level(&cf), 14);
    assert_int_equal(cf.daemon_count, 1);
    assert_string_equal(cf.daemons[0].name, "MSA");
    assert_int_equal(cf.daemons[0].line, 2);
    assert_int_equal(cf.option_count, 1);
}

static void daemons(void **state)
{
    (void)state;
    parse("O DaemonPortOptions=Family=inet,  Name=MTA-v4, Port=smtp, Addr=127.0.0.1\n"
          "O DaemonPortOptions=Port=587, Name=MSA, Modifiers=Ea,\n"
          "\tInputMailFilters=mailreeve;opendkim\n"
          "# a comment\n"
          "\tO LogLevel=15\n"
          "O DaemonPortOptions=P=465,N=x,M=Eas,I=\n");
    assert_int_equal(cf.daemon_count, 3);
    assert_string_equal(cf.daemons[0].address, "127.0.0.1");
    assert_string_equal(cf.daemons[0].family, "inet");
    assert_null(cf.daemons[0].filters);
    assert_string_equal(cf.daemons[1].modifiers, "Ea"); /* the first letter of a key counts */
    assert_string_equal(cf.daemons[1].filters, "mailreeve;opendkim");
    assert_int_equal(cf.daemons[1].line, 2);
    assert_string_equal(cf.daemons[2].filters,
                        ""); /* it names none, which is not the same as saying nothing */
    assert_int_equal(cf.daemons[2].line, 6);
    assert_int_equal(cf.option_count, 0); /* what continues a comment is one */
}

static void filters(void **state)
{
    (void)state;
    const struct cf_filter *asked[CF_LIST];
    parse("Xmailreeve, S=local:/run/m.sock, F=T, T=C:10s;S:10s;R:10s;E:1m\n"
          "Xplain, S=inet:10041@127.0.0.1\n"
          "O InputMailFilters=plain, none, mailreeve\n"
          "O DaemonPortOptions=Name=a\n"
          "O DaemonPortOptions=Name=b, InputMailFilters= mailreeve ; plain\n"
          "O DaemonPortOptions=Name=c, InputMailFilters=\n");
    assert_int_equal(cf.filter_count, 2);
    assert_string_equal(cf.filters[0].name, "mailreeve");
    assert_string_equal(cf.filters[0].socket, "local:/run/m.sock");
    assert_string_equal(cf.filters[0].flags, "T");
    assert_string_equal(cf.filters[1].flags, "");
    assert_string_equal(cf_socket_path(&cf.filters[0]), "/run/m.sock");
    assert_null(cf_socket_path(&cf.filters[1]));
    assert_int_equal(cf_daemon_filters(&cf, &cf.daemons[0], asked), 2);
    assert_string_equal(asked[0]->name, "plain");
    assert_string_equal(asked[1]->name, "mailreeve");
    assert_int_equal(cf_daemon_filters(&cf, &cf.daemons[1], asked), 2);
    assert_string_equal(asked[0]->name, "mailreeve");
    assert_int_equal(cf_daemon_filters(&cf, &cf.daemons[2], asked), 0);
}

static void names_and_classes(void **state)
{
    (void)state;
    parse("Djmail.example.com\nC{TrustAuthMech}PLAIN LOGIN\nCwlocalhost\n");
    assert_string_equal(cf.host, "mail.example.com");
    assert_int_equal(cf.trusts, 2);
    parse("Dj$w.Foo.COM\n");
    assert_string_equal(cf.host, ""); /* known to the running Sendmail only */
    assert_int_equal(cf.trusts, 0);
    assert_string_equal(cf.access, "");
    assert_string_equal(cf.version, "");
    parse("Kmailertable hash /etc/mail/mailertable\nKaccess hash -T<TMPF> /etc/mail/access\n"
          "DZ8.17.1.9/Debian-2+deb12u2\n");
    assert_string_equal(cf.access, "/etc/mail/access");
    assert_string_equal(cf.version, "8.17.1.9/Debian-2+deb12u2");
    parse("Kaccess ldap -k (x) -v y\nKaccess\n");
    assert_string_equal(cf.access, "");
}

static void maxima(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned fit;
    } cases[] = {{"O DaemonPortOptions=Port=25\n", CF_DAEMONS},
                 {"O LogLevel=9\n", CF_OPTIONS},
                 {"Xa, S=local:/a\n", CF_FILTERS}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].line) * (cases[i].fit + 1);
        char *text = malloc(n);
        struct err e = {""};
        assert_non_null(text);
        for (unsigned k = 0; k <= cases[i].fit; k++)
            memcpy(text + k * strlen(cases[i].line), cases[i].line, strlen(cases[i].line));
        cf_clear(&cf);
        assert_int_equal(cf_parse((struct str){text, n - strlen(cases[i].line)}, &cf, &e), 0);
        cf_clear(&cf);
        assert_int_equal(cf_parse((struct str){text, n}, &cf, &e), -1);
        assert_non_null(strstr(e.text, "more than"));
        free(text);
    }
}

static void files(void **state)
{
    (void)state;
    struct err e = {""};
    cf_clear(&cf);
    assert_int_equal(cf_read("/nonexistent/sendmail.cf", &cf, &e), -1);
    assert_non_null(strstr(e.text, "No such file"));
    assert_int_equal(cf_read("/", &cf, &e), -1);
    char path[] = "/tmp/mailreeve-cf-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "O LogLevel=3", 12), 12);
    close(fd);
    assert_int_equal(cf_read(path, &cf, &e), 0); /* without a newline at the end */
    assert_int_equal(cf_log_level(&cf), 3);
    unlink(path);
}

/* ---- daemons --------------------------------------------------------------------- */

static void ports_and_roles(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        unsigned port;
        enum role role;
        bool local;
    } cases[] = {
        {"Name=MTA", 25, ROLE_SMTP, false},
        {"Port=smtp, M=A", 25, ROLE_SMTP, false},
        {"Port=25, M=Ea", 25, ROLE_SUBMISSION, false},
        {"Port=submission, M=Ea", 587, ROLE_SUBMISSION, false},
        {"Port=SMTPS", 465, ROLE_SUBMISSIONS, false},
        {"Port=submissions, M=s", 465, ROLE_SUBMISSIONS, false},
        {"Port=2525", 2525, ROLE_SUBMISSION, false},
        {"Port=2465, M=Es", 2465, ROLE_SUBMISSIONS, false},
        {"Port=99999", 0, ROLE_SUBMISSION, false},
        {"Port=unheard-of", 0, ROLE_SUBMISSION, false},
        {"Port=25, Addr=127.0.0.1", 25, ROLE_SMTP, true},
        {"Port=25, Addr=IPv6:::1, Family=inet6", 25, ROLE_SMTP, true},
        {"Port=25, Addr=::", 25, ROLE_SMTP, false},
        {"Port=25, Family=local, Addr=/run/x", 25, ROLE_SMTP, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "O DaemonPortOptions=%s\n", cases[i].options);
        parse(text);
        if (cf_port(&cf.daemons[0]) != cases[i].port || cf_role(&cf.daemons[0]) != cases[i].role ||
            cf_is_local(&cf.daemons[0]) != cases[i].local)
            fail_msg("%s: %u, %s", cases[i].options, cf_port(&cf.daemons[0]),
                     role_names[cf_role(&cf.daemons[0])]);
    }
}

static void changed(void **state)
{
    (void)state;
    char text[400];
    struct buf b = BUF(text);
    parse("O DaemonPortOptions=Family=inet,  Name=MSA,\n\tPort=587, Modify=E a\n");
    cf_put_with(&b, &cf.daemons[0], "InputMailFilters", "mailreeve");
    assert_string_equal(buf_cstr(&b),
                        "Family=inet, Name=MSA, Port=587, Modify=E a, InputMailFilters=mailreeve");
    b.n = 0;
    cf_put_with(&b, &cf.daemons[0], "M", "Eas");
    assert_string_equal(buf_cstr(&b), "Family=inet, Name=MSA, Port=587, M=Eas");
    b.n = 0;
    cf_put_modifiers(&b, &cf.daemons[0], "sE", "a");
    assert_string_equal(buf_cstr(&b), "Es");
    parse("");
    b.n = 0;
    cf_put_with(&b, &cf.daemons[0], "M", "A");
    assert_string_equal(buf_cstr(&b), "Name=MTA, Port=25, M=A");
}

/* ---- access and Local_srv_features -------------------------------------------------- */

static void access_lines(void **state)
{
    (void)state;
    parse_access("Connect:192.0.2.1\tREJECT\n"
                 "Srv_Features:192.0.2.1\tA\n"
                 "srv_features:  A l\n"
                 "#TLS_Clt: ENCR:112\n"
                 "TLS_Clt:\tVERIFY\n"
                 "TLS_Clt:\n");
    assert_int_equal(map.count, 4);
    assert_string_equal(access_for_all(&map, ACCESS_SRV_FEATURES)->value, "A l");
    assert_int_equal(access_for_all(&map, ACCESS_SRV_FEATURES)->line, 3);
    assert_string_equal(access_for_all(&map, ACCESS_TLS_CLT)->value, "");
    parse_access("Srv_Features:192.0.2.1\tA\n");
    assert_null(access_for_all(&map, ACCESS_SRV_FEATURES));
}

static const char *features_of(const char *rules, const char *name)
{
    static char ret[64];
    char text[1000];
    snprintf(text, sizeof text,
             "O DaemonPortOptions=Name=%s\nSLocal_srv_features\n%sScheck_mail\nR$*\t$# X\n", name,
             rules);
    parse(text);
    struct srv_features f = srv_features(&cf, &map, &cf.daemons[0]);
    snprintf(ret, sizeof ret, "%s%s%s", f.file ? f.file : "nothing", f.unknown ? "?" : ":",
             f.letters);
    return ret;
}

static void features(void **state)
{
    (void)state;
    static const char by_name[] =
        "R$*\t\t$: $&{daemon_name}\nRMTA\t$# A\nRMSA\t\t$# l c\tcomment\n";
    parse_access("");
    assert_string_equal(features_of(by_name, "MTA"), "sendmail.cf: A");
    assert_string_equal(features_of(by_name, "msa"), "sendmail.cf: l c");
    assert_string_equal(features_of(by_name, "other"), "nothing:");
    assert_string_equal(features_of("", "MTA"), "nothing:");
    assert_string_equal(features_of("R$*\t$# A\n", "MTA"), "sendmail.cf: A");
    assert_string_equal(features_of("R$*\t$@ OK\nR$*\t$# A\n", "MTA"), "nothing:");
    assert_string_equal(features_of("RMTA\t$# A\n", "MTA"),
                        "sendmail.cf?"); /* that is a client's name */
    assert_string_equal(features_of("R$* $| $*\t$# A\n", "MTA"), "sendmail.cf?");
    assert_string_equal(features_of("R$*\t$: $(access x $)\n", "MTA"), "sendmail.cf?");
    assert_string_equal(features_of("R$*\t$# $1\n", "MTA"), "sendmail.cf?");
    parse_access("Srv_Features:\tS\n");
    assert_string_equal(features_of(by_name, "other"), "access:S");
    assert_string_equal(features_of(by_name, "MTA"), "sendmail.cf: A");
}

/* ---- sendmail.mc ----------------------------------------------------------------------- */

static void calls(void **state)
{
    (void)state;
    unsigned i = 0;
    parse_mc("divert(-1)\nDAEMON_OPTIONS(`Port=1')\ndivert(0)dnl\n"
             "dnl DAEMON_OPTIONS(`Port=2')\n"
             "# DAEMON_OPTIONS(`Port=3')\n"
             "DAEMON_OPTIONS(`Family=inet,  Name=MTA-v4, Port=smtp')dnl\n"
             "FEATURE(`access_db', , `skip')dnl DAEMON_OPTIONS(`Port=4')\n"
             "define(`x', `DAEMON_OPTIONS(`Port=5')')\n"
             "MY_DAEMON_OPTIONS(`Port=6') DAEMON_OPTIONS (`Port=7')\n"
             "DAEMON_OPTIONS(`Port=587,\n  M=Ea')dnl\n"
             "MAIL_FILTER(`m', `S=local:/x, F=T')\n");
    const struct mc_call *c = mc_next(&mc, &i, "DAEMON_OPTIONS");
    assert_string_equal(c->arguments[0], "Family=inet,  Name=MTA-v4, Port=smtp");
    assert_int_equal(c->line, 6);
    c = mc_next(&mc, &i, "DAEMON_OPTIONS");
    assert_string_equal(c->arguments[0], "Port=587,\n  M=Ea");
    assert_int_equal(c->line, 10);
    assert_int_equal(c->last_line, 11);
    assert_null(mc_next(&mc, &i, "DAEMON_OPTIONS"));
    i = 0;
    c = mc_next(&mc, &i, "FEATURE");
    assert_string_equal(c->arguments[0], "access_db");
    assert_string_equal(c->arguments[1], "");
    assert_string_equal(c->arguments[2], "skip");
    i = 0;
    c = mc_next(&mc, &i, "MAIL_FILTER");
    assert_string_equal(c->arguments[1], "S=local:/x, F=T");
    assert_int_equal(c->line, 12);
}

static void broken_calls(void **state)
{
    (void)state;
    parse_mc("DAEMON_OPTIONS(`never ends\n");
    assert_int_equal(mc.count, 0);
    parse_mc("DAEMON_OPTIONS(");
    assert_int_equal(mc.count, 0);
    parse_mc("define(a, b, c, d, e, f)");
    assert_int_equal(mc.count, 1);
    assert_string_equal(mc.calls[0].arguments[3], "d");
    parse_mc("FEATURE(greet_pause)FEATURE(`x(')");
    assert_int_equal(mc.count, 2);
    assert_string_equal(mc.calls[1].arguments[0], "x(");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options),         cmocka_unit_test(defaults),
        cmocka_unit_test(letters),         cmocka_unit_test(daemons),
        cmocka_unit_test(filters),         cmocka_unit_test(names_and_classes),
        cmocka_unit_test(maxima),          cmocka_unit_test(files),
        cmocka_unit_test(ports_and_roles), cmocka_unit_test(changed),
        cmocka_unit_test(access_lines),    cmocka_unit_test(features),
        cmocka_unit_test(calls),           cmocka_unit_test(broken_calls),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
