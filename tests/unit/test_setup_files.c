/* SPDX-License-Identifier: Apache-2.0 */
/* What `mailreeve setup` makes of mailreeve.yaml, and the manifest that undo goes by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "setup/manifest.h"
#include "setup/wish.h"

static struct arena arena;
static struct err error;

static const struct wish usual = {
    .listeners = {{"smtp", 25, ROLE_SMTP}, {"submission", 587, ROLE_SUBMISSION}},
    .listener_count = 2,
    .policyd = {.sockets = {"/q/mailreeve/policyd.sock"}, .count = 1, .group = "postfix"},
};

#define POLICYD "policyd:\n  listen: [\"unix:/q/mailreeve/policyd.sock\"]\n  group: postfix\n"

/* The result, NUL-terminated; NULL: refused. */
static const char *edit(const char *old, const struct wish *w)
{
    struct str text, again;
    if (wish_edit(str_of(old), "m.yaml", w, &arena, &text, &error) < 0)
        return NULL;
    assert_int_equal(wish_edit(text, "m.yaml", w, &arena, &again, &error), 0);
    assert_true(str_eq(text, again)); /* a second time changes nothing */
    return arena_strdup(&arena, text);
}

static int clean(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void test_anew(void **state)
{
    (void)state;
    static const char *const nothing[] = {NULL, "", "# all of it\n", "mode: audit\n",
                                          "# as installed\nmode: audit\n#listeners:\n"};
    for (unsigned i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        const char *text = edit(nothing[i], &usual);
        assert_non_null(text);
        assert_non_null(strstr(text, "\nmode: audit\n"));
        assert_non_null(strstr(text, "\nlisteners:\n  - {names: [smtp], port: 25, role: smtp}\n"
                                     "  - {names: [submission], port: 587, role: submission}\n"));
        assert_non_null(strstr(text, "\n" POLICYD));
    }
}

static void test_least_change(void **state)
{
    (void)state;
    struct wish w = usual;
    /* the default listeners have these ports: nothing to add */
    assert_string_equal(edit("min_tls: TLSv1.3\n", &w), "min_tls: TLSv1.3\n" POLICYD);
    assert_string_equal(edit("min_tls: TLSv1.3 # no newline", &w),
                        "min_tls: TLSv1.3 # no newline\n" POLICYD);
    w.enforce = true;
    assert_string_equal(edit("# a\n\nmin_tls: TLSv1.3\n", &w),
                        "# a\n\nmode: enforce\nmin_tls: TLSv1.3\n" POLICYD);
    assert_string_equal(edit("min_tls: TLSv1.3\nmode: \"audit\"  # b\n# c\n" POLICYD, &w),
                        "min_tls: TLSv1.3\nmode: enforce  # b\n# c\n" POLICYD);
    assert_string_equal(edit("mode:\n  audit\nmin_tls: TLSv1.3\n" POLICYD, &w),
                        "mode: enforce\nmin_tls: TLSv1.3\n" POLICYD);
    assert_string_equal(edit("mode: enforce\n" POLICYD "# end", &w),
                        "mode: enforce\n" POLICYD "# end");
}

static void test_listeners(void **state)
{
    (void)state;
    struct wish w = usual;
    w.listeners[1] = (struct wish_listener){"submission1587", 1587, ROLE_SUBMISSION};
    assert_string_equal(
        edit("listeners:\n    # mx\n    - names: [mx]\n      port: 25\n      role: smtp\n"
             "# behind\n" POLICYD,
             &w),
        "listeners:\n    # mx\n    - names: [mx]\n      port: 25\n      role: smtp\n"
        "    - {names: [submission1587], port: 1587, role: submission}\n# behind\n" POLICYD);
    assert_string_equal(
        edit("listeners:\n- {names: [mx], port: 25, role: smtp, mode: audit}\n" POLICYD, &w),
        "listeners:\n- {names: [mx], port: 25, role: smtp, mode: audit}\n"
        "- {names: [submission1587], port: 1587, role: submission}\n" POLICYD);
    assert_string_equal(edit("min_tls: TLSv1.3\n" POLICYD, &w),
                        "min_tls: TLSv1.3\n" POLICYD
                        "listeners:\n  - {names: [smtp], port: 25, role: smtp}\n"
                        "  - {names: [submission1587], port: 1587, role: submission}\n");
    assert_null(edit("listeners: [{names: [mx], port: 25, role: smtp}]\n" POLICYD, &w));
    assert_non_null(strstr(error.text, "add by hand"));
    assert_null(edit("listeners:\n  - {names: [x], port: 25, role: submission}\n", &usual));
    assert_non_null(strstr(error.text, "port 25 has role submission, and Postfix makes it smtp"));
}

static void test_sockets(void **state)
{
    (void)state;
    assert_string_equal(
        edit("min_tls: TLSv1.3\npolicyd:\n  listen:\n    - unix:/other # a\n    - "
             "{path: /named, listener: smtp}\n    - inet:[::1]:1\n# next\n",
             &usual),
        "min_tls: TLSv1.3\npolicyd:\n  listen: [\"unix:/other\", {path: \"/named\", "
        "listener: \"smtp\"}, \"inet:[::1]:1\", "
        "\"unix:/q/mailreeve/policyd.sock\"]\n  group: postfix\n# next\n");
    assert_null(edit("policyd: {listen: [\"unix:/other\"], group: mail}\nmode: audit\n", &usual));
    assert_non_null(strstr(error.text, "policyd.group is \"mail\""));
}

static void test_trusted(void **state)
{
    (void)state;
    struct wish w = usual;
    w.networks[0] = "127.0.0.0/8", w.networks[1] = "192.0.2.0/24", w.network_count = 2;
    assert_string_equal(edit(POLICYD "trusted:\n  networks:\n    - 127.0.0.0/8 # here\n", &w),
                        POLICYD "trusted:\n  networks: [\"127.0.0.0/8\", \"192.0.2.0/24\"]\n"
                                "  client_certificates: []\n");
    const char *enough = POLICYD "trusted: {networks: [127.0.0.0/8, 192.0.0.0/16]}\n";
    assert_string_equal(edit(enough, &w), enough);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{mode: audit, min_tls: TLSv1.3}\n", "is written in braces"},
        {"# c\n{mode: audit, min_tls: TLSv1.3}\n", "is written in braces"},
        {"mode: [\n", "m.yaml:"},
        {"mode: sometimes\n", "m.yaml:1"},
        {"mode: audit\nmode: audit\n", "m.yaml:2"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(edit(cases[i].text, &usual));
        if (!strstr(error.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, error.text);
    }
}

/* ---- the manifest ---------------------------------------------------------------------- */

#define SUM_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SUM_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
static const char text[] = "mailreeve-setup\t1\nstate\tbegun\n"
                           "file\t/etc/postfix/main.cf\t640\t0\t4\t" SUM_A "\nmakes\t" SUM_B "\n"
                           "file\t/etc/mailreeve/mailreeve.yaml\t0\t0\t0\t-\n"
                           "made\t/etc/mailreeve\nunit\tmailreeve-policyd\nend\n";

static void test_manifest(void **state)
{
    (void)state;
    static struct manifest m;
    char again[2048];
    struct buf b = BUF(again);
    assert_int_equal(manifest_parse(str_of(text), &m, &error), 0);
    assert_false(m.done);
    assert_int_equal(m.file_count, 2);
    assert_int_equal(m.files[0].mode, 0640);
    assert_int_equal(m.files[0].gid, 4);
    assert_true(manifest_knows(&m.files[0], SUM_A) && manifest_knows(&m.files[0], SUM_B));
    assert_false(manifest_knows(&m.files[0], "-"));
    assert_true(manifest_knows(&m.files[1], "-"));
    assert_ptr_equal(manifest_file(&m, "/etc/mailreeve/mailreeve.yaml"), &m.files[1]);
    assert_string_equal(m.made[0], "/etc/mailreeve");
    assert_string_equal(m.units[0], "mailreeve-policyd");
    manifest_format(&b, &m);
    assert_string_equal(buf_cstr(&b), text);
}

static void test_manifest_cut_or_changed(void **state)
{
    (void)state;
    static struct manifest m;
    for (size_t n = 0; n < sizeof text - 2; n++) /* without its last newline it is whole */
        assert_int_equal(manifest_parse((struct str){text, n}, &m, &error), -1);
    static const char *const bad[] = {
        "mailreeve-setup\t2\nend\n",
        "mailreeve-setup\t1\nstate\tmaybe\nend\n",
        "mailreeve-setup\t1\nmakes\t" SUM_A "\nend\n",
        "mailreeve-setup\t1\nfile\tmain.cf\t644\t0\t0\t" SUM_A "\nend\n",
        "mailreeve-setup\t1\nfile\t/m\t844\t0\t0\t" SUM_A "\nend\n",
        "mailreeve-setup\t1\nfile\t/m\t644\t0\t0\tAA\nend\n",
        "mailreeve-setup\t1\nfile\t/m\t644\t0\t0\t" SUM_A "\tmore\nend\n",
        "mailreeve-setup\t1\nunit\ta\nunit\tb\nunit\tc\nend\n",
        "mailreeve-setup\t1\nmade\tx\nend\n",
        "mailreeve-setup\t1\nend\nmade\t/x\n",
        "mailreeve-setup\t1\nend\tx\n",
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (manifest_parse(str_of(bad[i]), &m, &error) == 0)
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_anew, clean),
        cmocka_unit_test_teardown(test_least_change, clean),
        cmocka_unit_test_teardown(test_listeners, clean),
        cmocka_unit_test_teardown(test_sockets, clean),
        cmocka_unit_test_teardown(test_trusted, clean),
        cmocka_unit_test_teardown(test_refused, clean),
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_manifest_cut_or_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
