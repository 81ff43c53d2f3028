/* SPDX-License-Identifier: Apache-2.0 */
/* fail2ban's jails, as fail2ban reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mta/fail2ban/jails.h"

static struct jails jails;

static void parse(const char *text)
{
    struct err e = {""};
    jails_clear(&jails);
    if (jails_parse(str_of(text), "jail.conf", &jails, &e))
        fail_msg("%s", e.text);
}

static int tear_down(void **state)
{
    (void)state;
    jails_clear(&jails);
    return 0;
}

static const char *value(const char *jail, const char *key)
{
    static char text[JAIL_VALUE_MAX];
    return jail_value(&jails, jail, key, text) ? text : "(none)";
}

static void inherited(void **state)
{
    (void)state;
    parse("[INCLUDES]\nbefore = paths-debian.conf\n"
          "[DEFAULT]\nenabled = false\nmode = normal\n"
          "filter = %(__name__)s[mode=%(mode)s]\n"
          "# [commented]\n; enabled = true\n"
          "[postfix]\nMODE: more ; a comment\nenabled = True\n"
          "[sshd]\nport = ssh;2222\n");
    assert_int_equal(jails.name_count, 2);
    assert_true(jail_is_enabled(&jails, "postfix"));
    assert_false(jail_is_enabled(&jails, "sshd"));
    assert_string_equal(value("postfix", "filter"), "postfix[mode=more]");
    assert_string_equal(value("sshd", "filter"), "sshd[mode=normal]");
    assert_string_equal(value("sshd", "port"), "ssh;2222"); /* no comment without a blank before */
    assert_string_equal(value("sshd", "logpath"), "(none)");
    assert_int_equal(jail_setting(&jails, "postfix", "mode")->line, 10);
    assert_string_equal(jail_setting(&jails, "sshd", "mode")->section, "DEFAULT");
}

static void later_ones_win(void **state)
{
    (void)state;
    struct err e;
    parse("[a]\nenabled = true\nmode = x\n");
    assert_int_equal(jails_parse(STR("[a]\nmode = y\n"), "jail.local", &jails, &e), 0);
    assert_string_equal(value("a", "mode"), "y");
    assert_string_equal(jail_setting(&jails, "a", "mode")->file, "jail.local");
    assert_true(jail_is_enabled(&jails, "a"));
    assert_int_equal(jails.name_count, 1);
}

static void filters(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *mode;
    } cases[] = {
        {"postfix", "postfix", ""},
        {"postfix[mode=ddos]", "postfix", "ddos"},
        {"postfix[ logtype=file , mode = \"aggressive\" ]", "postfix", "aggressive"},
        {"postfix[mode='auth']", "postfix", "auth"},
        {"postfix[mode=auth", "postfix", "auth"},
        {"x[journalmatch=\"mode=1\"]", "x", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200], name[64], mode[32];
        snprintf(text, sizeof text, "[j]\nfilter = %s\n", cases[i].text);
        parse(text);
        assert_true(jail_filter(&jails, "j", name, mode));
        assert_string_equal(name, cases[i].name);
        assert_string_equal(mode, cases[i].mode);
    }
    char name[64], mode[32];
    parse("[j]\nenabled = true\n"); /* no jail.conf before it */
    assert_true(jail_filter(&jails, "j", name, mode));
    assert_string_equal(name, "j");
    parse("[j]\nfilter =\n");
    assert_false(jail_filter(&jails, "j", name, mode));
}

static void endless(void **state)
{
    (void)state;
    parse("[a]\nb = %(b)s\nc = %(d)s%(d)s%(d)s%(d)s\nd = %(e)s%(e)s%(e)s%(e)s\ne = "
          "%(f)s%(f)s%(f)s%(f)s\n"
          "f = %(g)s%(g)s%(g)s%(g)s\ng = %(h)s%(h)s%(h)s%(h)s\nh =\nx = %(nothing)s!%(open\n");
    assert_string_equal(value("a", "b"), "(none)");
    assert_string_equal(value("a", "c"), "(none)"); /* a thousand steps are enough */
    assert_string_equal(value("a", "x"), "!%(open");
}

static void put(const char *directory, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void directory(void **state)
{
    (void)state;
    char path[] = "/tmp/mailreeve-jails-XXXXXX", command[300];
    struct err e;
    assert_non_null(mkdtemp(path));
    jails_clear(&jails);
    assert_int_equal(jails_read(path, &jails, &e), -1);
    assert_non_null(strstr(e.text, "has no jail.conf"));
    snprintf(command, sizeof command, "%s/jail.d", path);
    assert_int_equal(mkdir(command, 0755), 0);
    static const char *const order[] = {"jail.conf",     "jail.d/a.conf",  "jail.d/b.conf",
                                        "jail.local",    "jail.d/a.local", "jail.d/b.local",
                                        "jail.d/c.conf~"};
    for (size_t i = sizeof order / sizeof *order; i-- > 0;) {
        char text[100];
        snprintf(text, sizeof text, "[a]\nlast = %zu\nkey%zu = 1\n", i, i);
        put(path, order[i], text);
    }
    assert_int_equal(jails_read(path, &jails, &e), 0);
    assert_string_equal(value("a", "last"), "5");
    assert_null(jail_setting(&jails, "a", "key6"));
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(jails.settings[2 * i].file, order[i]);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        snprintf(command, sizeof command, "%s/%s", path, order[i]);
        unlink(command);
    }
    snprintf(command, sizeof command, "%s/jail.d", path);
    rmdir(command);
    rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inherited), cmocka_unit_test(later_ones_win), cmocka_unit_test(filters),
        cmocka_unit_test(endless),   cmocka_unit_test(directory),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
