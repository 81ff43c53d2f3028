/* SPDX-License-Identifier: Apache-2.0 */
/* Faults as people and programs are told them. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mta/fault.h"

static struct faults fs;

static int tear_down(void **state)
{
    (void)state;
    faults_free(&fs);
    return 0;
}

static char *told(void (*tell)(const struct faults *, FILE *))
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    tell(&fs, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void people_are_told_the_worst_first(void **state)
{
    (void)state;
    struct fault *f = fault_add(&fs, FAULT_TLS_UNSEEN);
    f = fault_add(&fs, FAULT_SHARED_SYSLOG_NAME);
    fault_where(f, "master.cf:%d", 17);
    fault_evidence(f, "-o syslog_name=postfix/submission");
    f = fault_add(&fs, FAULT_SOCKET_DENIED);
    fault_detail(f, "the user postfix may not enter the directory /var/spool/postfix/mailreeve, "
                    "which belongs to "
                    "mailreeve-policyd and the group root");
    fault_fix(f, "chgrp postfix /var/spool/postfix/mailreeve");
    fault_fix(f, "chmod 0750 /var/spool/postfix/mailreeve");
    faults_unknown(&fs, "the key of %s could not be read: run as root", "the certificate");
    faults_unknown(&fs, "the key of the certificate could not be read: run as root");
    char *text = told(faults_print);
    assert_string_equal(
        text, "error    socket-denied\n"
              "         the MTA may not connect to a socket\n"
              "         the user postfix may not enter the directory /var/spool/postfix/mailreeve, "
              "which belongs to\n"
              "         mailreeve-policyd and the group root\n"
              "     fix chgrp postfix /var/spool/postfix/mailreeve\n"
              "         chmod 0750 /var/spool/postfix/mailreeve\n"
              "\n"
              "warning  shared-syslog-name  (RFC 6409 5.2)\n"
              "         two listeners share a syslog_name, so the log does not tell the port\n"
              "         master.cf:17: -o syslog_name=postfix/submission\n"
              "\n"
              "note     tls-at-once-unseen\n"
              "         this version does not reliably log a client that speaks TLS at once to a "
              "STARTTLS port\n"
              "\n"
              "not looked at: the key of the certificate could not be read: run as root\n"
              "\n"
              "1 error, 1 warning, 1 note, 1 not looked at\n");
    free(text);
    assert_int_equal(faults_exit_code(&fs), 1);
    assert_int_equal(faults_count(&fs, FAULT_WARNING), 2);
}

static void nothing_found_is_said_and_unknown_is_not_hidden(void **state)
{
    (void)state;
    char *text = told(faults_print);
    assert_string_equal(text, "nothing found\n");
    free(text);
    faults_unknown(&fs, "no sockets were tried");
    text = told(faults_print);
    assert_string_equal(text,
                        "not looked at: no sockets were tried\n\nnothing found, 1 not looked at\n");
    free(text);
    assert_int_equal(faults_exit_code(&fs), 0);
    fault_add(&fs, FAULT_TLS_UNSEEN); /* a note alone needs no action */
    assert_int_equal(faults_exit_code(&fs), 0);
    fault_add(&fs, FAULT_SHARED_SYSLOG_NAME);
    assert_int_equal(faults_exit_code(&fs), 1);
}

static void json(const struct faults *all, FILE *out)
{
    fputc('{', out);
    faults_json(all, out);
    fputc('}', out);
}

static void programs_are_told_in_json(void **state)
{
    (void)state;
    struct fault *f = fault_add(&fs, FAULT_AUTH_ON_25);
    fault_where(f, "main.cf:3");
    fault_evidence(f, "a \"quoted\"\033[31m\tword \xff");
    fault_fix(f, "postconf -e 'x=y'");
    fault_add(&fs, FAULT_TLS_UNSEEN);
    faults_unknown(&fs, "something");
    char *text = told(json);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    json_t *list = json_object_get(root, "faults");
    assert_int_equal(json_array_size(list), 2);
    json_t *first = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), "auth-on-25");
    assert_string_equal(json_string_value(json_object_get(first, "severity")), "error");
    assert_string_equal(json_string_value(json_object_get(first, "rfc")), "RFC 8314 4");
    assert_string_equal(json_string_value(json_object_get(first, "where")), "main.cf:3");
    assert_string_equal(json_string_value(json_object_get(first, "evidence")),
                        "a \"quoted\"?[31m word \xee\xbf\xbf");
    assert_string_equal(json_string_value(json_object_get(first, "detail")), "");
    assert_int_equal(json_array_size(json_object_get(first, "fix")), 1);
    assert_int_equal(json_array_size(json_object_get(json_array_get(list, 1), "fix")), 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(root, "unknown"), 0)),
                        "something");
    json_decref(root);
    free(text);
}

static void what_is_too_much_is_cut_or_counted(void **state)
{
    (void)state;
    char longer[2 * FAULT_TEXT];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (int i = 0; i < FAULTS_MAX + 3; i++) {
        struct fault *f = fault_add(&fs, FAULT_SOCKET_ABSENT);
        assert_non_null(f);
        fault_evidence(f, "%s", longer);
        for (int n = 0; n < FAULT_FIXES + 2; n++)
            fault_fix(f, "%d", n);
        assert_int_equal(f->fix_count, FAULT_FIXES);
    }
    assert_int_equal(fs.count, FAULTS_MAX);
    assert_int_equal(fs.dropped, 3);
    assert_int_equal(strlen(fs.list[0].evidence), FAULT_TEXT - 1);
    assert_string_equal(fs.list[0].evidence + FAULT_TEXT - 4, "...");
    for (int i = 0; i < UNKNOWNS_MAX + 2; i++)
        faults_unknown(&fs, "%d", i);
    assert_int_equal(fs.unknown_count, UNKNOWNS_MAX);
    assert_int_equal(fs.dropped, 5);
    char *text = told(faults_print);
    assert_non_null(strstr(text, "\n256 errors, 5 more that had no room, 64 not looked at\n"));
    free(text);
}

static void every_kind_is_complete(void **state)
{
    (void)state;
    for (int i = 0; i < FAULT_COUNT; i++) {
        const struct fault_kind *k = &fault_kinds[i];
        assert_true(k->name[strspn(k->name, "abcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0' &&
                    *k->name);
        assert_true(*k->what && k->what[strlen(k->what) - 1] != '.');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(k->name, fault_kinds[j].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(people_are_told_the_worst_first, tear_down),
        cmocka_unit_test_teardown(nothing_found_is_said_and_unknown_is_not_hidden, tear_down),
        cmocka_unit_test_teardown(programs_are_told_in_json, tear_down),
        cmocka_unit_test_teardown(what_is_too_much_is_cut_or_counted, tear_down),
        cmocka_unit_test(every_kind_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
