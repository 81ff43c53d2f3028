/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration directory, with the real postconf of the private tree, without one, and broken
 * ones; running a program. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mta/child.h"
#include "mta/postfix/postfix.h"

static char directory[] = "/tmp/mailreeve-test-XXXXXX";
static struct postfix p;

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void load(void)
{
    struct err e = {""};
    if (postfix_load(directory, &p, &e) < 0)
        fail_msg("%s", e.text);
}

/* PATH and LD_LIBRARY_PATH for the private postconf. */
static int with_postconf(void **state)
{
    (void)state;
    char path[1024], libraries[1024];
    const char *root = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
    snprintf(path, sizeof path, "%s/build/mta/postfix/usr/sbin:/usr/bin:/bin", root);
    snprintf(libraries, sizeof libraries, "%s/build/mta/postfix/usr/lib/postfix", root);
    return setenv("PATH", path, 1) || setenv("LD_LIBRARY_PATH", libraries, 1) ||
           !child_exists("postconf");
}

static int tear_down(void **state)
{
    (void)state;
    postfix_free(&p);
    return 0;
}

/* Without white space: postconf joins lines in its own way. */
static void squeeze(const char *from, char *to, size_t size)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++)
        if (!strchr(" \t\r\n", *from))
            to[n++] = *from;
    to[n] = '\0';
}

static const char main_cf[] =
    "compatibility_level = 3.6\n"
    "myhostname = mx.example.com\n"
    "mydestination = $myhostname, localhost.${myhostname}, $(mydomain)\n"
    "smtpd_tls_security_level = ${nothing?encrypt}${nothing:may}\n"
    "smtpd_client_restrictions =\n"
    "    permit_mynetworks\n"
    "# between\n"
    "    check_client_access inline:{ { 192.0.2.1 = REJECT } },\n"
    "    reject_unauth_pipelining\n"
    "smtpd_tls_loglevel=0\n"
    "smtpd_tls_loglevel=1\n"
    "smtpd_banner = ${{$compatibility_level} >=level {3.6} ? {$myhostname ESMTP}:{old}}\n"
    "mynetworks = 127.0.0.0/8\n"
    "smtpd_sender_restrictions = ${smtpd_banner?{reject_unlisted_sender, permit}:{reject}}\n";

static const char master_cf[] =
    "smtp      inet  n       -       y       -       -       smtpd\n"
    "submission inet n       -       y       -       -       smtpd\n"
    "  -o syslog_name=postfix/submission -o smtpd_tls_auth_only=yes\n"
    "  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }\n"
    "  -o smtpd_banner=$myhostname\n";

static void the_real_postconf_reads_the_same(void **state)
{
    (void)state;
    struct arena a = {0};
    write_file("main.cf", main_cf);
    write_file("master.cf", master_cf);
    load();
    assert_true(p.asked);
    assert_in_range(p.version, 30700, 39999);
    assert_true(p.default_count > 500);
    const char *first =
        strstr(p.warnings, "line 11: overriding earlier entry: smtpd_tls_loglevel=0\n");
    assert_non_null(first); /* which postconf itself says at every look */
    assert_null(strstr(first + 1, "line 11: overriding"));
    for (unsigned i = 0; i < p.main_count; i++) {
        const char *const argv[] = {"postconf", "-c", directory, "-xh", p.main[i].name, NULL};
        char theirs[4096], ours[4096];
        struct child_result r;
        assert_int_equal(child_run(argv, NULL, 20, &a, &r, NULL), 0);
        squeeze(r.out.p, theirs, sizeof theirs);
        squeeze(postfix_text(&p, NULL, p.main[i].name), ours, sizeof ours);
        assert_string_equal(ours, theirs);
        assert_true(*theirs);
    }
    arena_free(&a);
}

static void the_real_postconf_has_the_same_services(void **state)
{
    (void)state;
    const struct pf_service *s = &p.services[1];
    const char *const argv[] = {"postconf", "-c", directory, "-P", "submission/inet/*", NULL};
    struct arena a = {0};
    struct child_result r;
    load();
    s = &p.services[1];
    assert_int_equal(child_run(argv, NULL, 20, &a, &r, NULL), 0);
    unsigned lines = 0;
    for (struct str rest = r.out; rest.n; lines++) {
        struct str line = str_cut(&rest, "\n");
        char text[512], name[128], theirs[512], ours[512];
        snprintf(text, sizeof text, "%.*s", STR_ARG(line));
        assert_int_equal(sscanf(text, "submission/inet/%127s = %511[^\n]", name, theirs), 2);
        struct pf_value v = postfix_value(&p, s, name);
        assert_int_equal(v.source, PF_MASTER);
        snprintf(ours, sizeof ours, "%s", v.raw);
        assert_string_equal(ours, theirs);
    }
    assert_int_equal(lines, s->option_count);
    arena_free(&a);
}

static void its_warnings_are_kept(void **state)
{
    (void)state;
    write_file("main.cf", "smtpd_tls_auth_onyl = yes\n");
    load();
    assert_non_null(strstr(p.warnings, "smtpd_tls_auth_onyl"));
}

static void its_defaults_are_those_that_we_have_without_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } ours[] = {
#define DEFAULT(name, value) {name, value},
#include "mta/postfix/defaults.def"
#undef DEFAULT
    };
    write_file("main.cf", "");
    load();
    if (p.version / 100 != 307) /* the table is that of 3.7 */
        skip();
    for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++) {
        struct pf_value v = postfix_value(&p, NULL, ours[i].name);
        assert_int_equal(v.source, PF_DEFAULT);
        if (!v.raw || strcmp(v.raw, ours[i].value) != 0)
            fail_msg("%s is %s, not %s", ours[i].name, v.raw ? v.raw : "unknown", ours[i].value);
    }
}

static void without_postconf_it_is_read_all_the_same(void **state)
{
    (void)state;
    setenv("PATH", "/nonexistent", 1);
    bool there = child_exists("postconf"); /* /usr/sbin is looked into, too */
    write_file("main.cf", main_cf);
    load();
    assert_int_equal(p.asked, there);
    assert_string_equal(postfix_text(&p, NULL, "smtpd_tls_security_level"), "may");
    assert_string_equal(postfix_text(&p, NULL, "smtpd_tls_auth_only"), "no");
}

static void what_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    struct err e = {""};
    char path[256], wanted[512];
    assert_int_equal(postfix_load("/nonexistent", &p, &e), -1);
    assert_string_equal(e.text, "/nonexistent/main.cf: No such file or directory");
    snprintf(path, sizeof path, "%s/main.cf", directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(postfix_load(directory, &p, &e), -1);
    snprintf(wanted, sizeof wanted, "%s: %s", path, strerror(EISDIR));
    assert_string_equal(e.text, wanted);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600),
                     0); /* nobody writes into it, and we do not wait for that */
    assert_int_equal(postfix_load(directory, &p, &e), 0);
    postfix_free(&p);
    assert_int_equal(unlink(path), 0);
    write_file("main.cf", "");
    assert_int_equal(truncate(path, POSTFIX_FILE_MAX + 1), 0);
    assert_int_equal(postfix_load(directory, &p, &e), -1);
    assert_non_null(strstr(e.text, "is larger than 4194304 bytes"));
    write_file("main.cf", "");
}

/* ---- child ----------------------------------------------------------------------------- */

static void a_program_says_something_and_ends(void **state)
{
    (void)state;
    const char *const argv[] = {"/bin/sh", "-c", "pwd; echo 'x  y'; echo no >&2; read z; exit 3",
                                NULL};
    struct arena a = {0};
    struct child_result r;
    assert_int_equal(child_run(argv, "/", 20, &a, &r, NULL), 0);
    assert_int_equal(r.code, 3);
    assert_string_equal(r.out.p, "/\nx  y\n");
    assert_string_equal(r.err.p, "no\n");
    arena_free(&a);
}

static void a_program_that_fails_us_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *argv[4], *why;
        unsigned seconds;
    } cases[] = {
        {{"/nonexistent/x", NULL}, "/nonexistent/x: there is no such program", 5},
        {{"mailreeve-no-such-thing", NULL}, "mailreeve-no-such-thing: there is no such program", 5},
        {{"/bin/sh", "-c", "kill -9 $$", NULL}, "/bin/sh: was ended by signal 9", 5},
        {{"/bin/sh", "-c", "while :; do :; done", NULL}, "/bin/sh: did not end within 1 s", 1},
        {{"/bin/sh", "-c", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", NULL},
         "/bin/sh: says more than 4194304 bytes",
         60},
    };
    struct arena a = {0};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct child_result r;
        struct err e = {""};
        assert_int_equal(child_run(cases[i].argv, NULL, cases[i].seconds, &a, &r, &e), -1);
        assert_string_equal(e.text, cases[i].why);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_real_postconf_reads_the_same, with_postconf, tear_down),
        cmocka_unit_test_setup_teardown(the_real_postconf_has_the_same_services, with_postconf,
                                        tear_down),
        cmocka_unit_test_setup_teardown(its_warnings_are_kept, with_postconf, tear_down),
        cmocka_unit_test_setup_teardown(its_defaults_are_those_that_we_have_without_it,
                                        with_postconf, tear_down),
        cmocka_unit_test_teardown(without_postconf_it_is_read_all_the_same, tear_down),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
        cmocka_unit_test(a_program_says_something_and_ends),
        cmocka_unit_test(a_program_that_fails_us_is_an_error),
    };
    if (!mkdtemp(directory))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char path[256];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, i ? "master.cf" : "main.cf");
        unlink(path);
    }
    rmdir(directory);
    return failed;
}
