/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of TLS versions in all of Postfix's spellings; expected by hand from postconf(5). */
#include "doctor/tls_versions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    S2 = TLS_VERSION_SSL_2,
    S3 = TLS_VERSION_SSL_3,
    T10 = TLS_VERSION_1_0,
    T11 = TLS_VERSION_1_1,
    T12 = TLS_VERSION_1_2,
    T13 = TLS_VERSION_1_3,
};

static void every_spelling_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        unsigned allowed;
    } cases[] = {
        {"", S2 | S3 | T10 | T11 | T12 | T13},
        {" ,: ", S2 | S3 | T10 | T11 | T12 | T13},
        {">=TLSv1", T10 | T11 | T12 | T13},
        {">=TLSv1.2", T12 | T13},
        {">=tlsv1.2", T12 | T13},
        {">=TLSv1.2, <=TLSv1.2", T12},
        {"<=TLSv1.1", S2 | S3 | T10 | T11},
        {">=0303", T12 | T13},
        {">=303 <=0x0304", T12 | T13},
        {">=0x0305", 0},
        {"!SSLv2, !SSLv3", T10 | T11 | T12 | T13},
        {"!SSLv2:!SSLv3:!TLSv1:!TLSv1.1", T12 | T13},
        {"!SSLv2 !SSLv3 !TLSv1 !TLSv1.1", T12 | T13},
        {"TLSv1.2, TLSv1.3", T12 | T13},
        {"TLSv1", T10},
        {"TLSv1.2 TLSv1.3 !TLSv1.3", T12},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned allowed = 99;
        if (!tls_versions(str_of(cases[i].list), &allowed) || allowed != cases[i].allowed)
            fail_msg("%s: %u, expected %u", cases[i].list, allowed, cases[i].allowed);
    }
}

static void what_is_no_version_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "TLS1.2", ">=",         ">=TLSv1.4", "!",    "!0303",
        "0303",   ">= TLSv1.2", ">TLSv1",    ">=0x", ">=123456789",
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned allowed;
        if (tls_versions(str_of(cases[i]), &allowed))
            fail_msg("%s is taken", cases[i]);
    }
    unsigned allowed;
    assert_false(tls_versions((struct str){"TLSv1\0", 6}, &allowed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_is_understood),
        cmocka_unit_test(what_is_no_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
