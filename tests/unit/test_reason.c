/* SPDX-License-Identifier: Apache-2.0 */
/* Why a handshake failed, by texts of OpenSSL 1.0 to 3.5 and LibreSSL, as they stand in logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "audit/dialect/reason.h"
#include "dialect_help.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct known {
    const char *text;
    enum handshake handshake;
    const char *words; /* NULL: none */
};

static const struct known errors[] = {
    /* not TLS */
    {"error:0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:354:",
     HANDSHAKE_CLEARTEXT, "wrong version number"},
    {"error:0A00010B:SSL routines:tls_validate_record_header:wrong version "
     "number:ssl/record/methods/tlsany_meth.c:77:",
     HANDSHAKE_CLEARTEXT, "wrong version number"},
    {"error:1408F10B:SSL routines:ssl3_get_record:wrong version "
     "number:../ssl/record/ssl3_record.c:332:",
     HANDSHAKE_CLEARTEXT, "wrong version number"},
    {"error:1408F10B:SSL routines:SSL3_GET_RECORD:wrong version number:s3_pkt.c:365:",
     HANDSHAKE_CLEARTEXT, "wrong version number"},
    {"error:140760FC:SSL routines:SSL23_GET_CLIENT_HELLO:unknown protocol:s23_srvr.c:640:",
     HANDSHAKE_CLEARTEXT, "unknown protocol"},
    {"4787:error:140760FC:SSL routines:SSL23_GET_CLIENT_HELLO:unknown protocol:s23_srvr.c:578:",
     HANDSHAKE_CLEARTEXT, "unknown protocol"},
    {"error:0A00009C:SSL routines::http request:../ssl/record/ssl3_record.c:345:", HANDSHAKE_HTTP,
     "http request"},
    {"error:1407609C:SSL routines:SSL23_GET_CLIENT_HELLO:http request:s23_srvr.c:439:",
     HANDSHAKE_HTTP, "http request"},
    {"error:0A00009B:SSL routines::https proxy request:../ssl/record/ssl3_record.c:349:",
     HANDSHAKE_HTTP, "https proxy request"},
    /* a version that is not had */
    {"error:1408A10B:SSL routines:SSL3_GET_CLIENT_HELLO:wrong version number:s3_srvr.c:960:",
     HANDSHAKE_VERSION, "wrong version number"},
    {"error:1408A10B:SSL routines:ssl3_get_client_hello:wrong version number:s3_srvr.c:960:",
     HANDSHAKE_VERSION, "wrong version number"},
    {"error:1402610B:SSL routines:ACCEPT_SR_CLNT_HELLO:wrong version number", HANDSHAKE_VERSION,
     "wrong version number"},
    {"error:14209102:SSL routines:tls_early_post_process_client_hello:unsupported "
     "protocol:ssl/statem/statem_srvr.c:1686:",
     HANDSHAKE_VERSION, "unsupported protocol"},
    {"error:0A000102:SSL routines::unsupported protocol:../ssl/statem/statem_srvr.c:1657:",
     HANDSHAKE_VERSION, "unsupported protocol"},
    {"error:14076102:SSL routines:SSL23_GET_CLIENT_HELLO:unsupported protocol:s23_srvr.c:586:",
     HANDSHAKE_VERSION, "unsupported protocol"},
    {"error:1417D18C:SSL routines:tls_process_client_hello:version too "
     "low:../ssl/statem/statem_srvr.c:974:",
     HANDSHAKE_VERSION, "version too low"},
    {"error:1417D0FC:SSL routines:tls_process_client_hello:unknown "
     "protocol:../ssl/statem/statem_srvr.c:953:",
     HANDSHAKE_VERSION, "unknown protocol"},
    {"error:142090FC:SSL routines:tls_early_post_process_client_hello:unknown "
     "protocol:../ssl/statem/statem_srvr.c:1638:",
     HANDSHAKE_VERSION, "unknown protocol"},
    {"error:0A0000FC:SSL routines::unknown protocol:../ssl/statem/statem_srvr.c:1641:",
     HANDSHAKE_VERSION, "unknown protocol"},
    {"error:1409442E:SSL routines:SSL3_READ_BYTES:tlsv1 alert protocol "
     "version:s3_pkt.c:1275:SSL alert number 70:",
     HANDSHAKE_VERSION, "alert protocol version"},
    {"error:1409442E:SSL routines:SSL3_READ_BYTES:tlsv1 alert protocol version", HANDSHAKE_VERSION,
     "alert protocol version"},
    {"error:14209175:SSL routines:tls_early_post_process_client_hello:inappropriate "
     "fallback:../ssl/statem/statem_srvr.c:1698:",
     HANDSHAKE_VERSION, "inappropriate fallback"},
    /* a cipher */
    {"error:1408A0C1:SSL routines:ssl3_get_client_hello:no shared cipher:s3_srvr.c:1417:",
     HANDSHAKE_CIPHER, "no shared cipher"},
    {"error:0A0000C1:SSL routines::no shared cipher:../ssl/statem/statem_srvr.c:2220:",
     HANDSHAKE_CIPHER, "no shared cipher"},
    {"error:0A00042F:SSL routines::tlsv1 alert insufficient "
     "security:../ssl/record/rec_layer_s3.c:1586:SSL alert number 71:",
     HANDSHAKE_CIPHER, "alert insufficient security"},
    {"error:0A000076:SSL routines::no suitable signature algorithm:../ssl/t1_lib.c:3391:",
     HANDSHAKE_OTHER, "no suitable signature algorithm"},
    {"error:0A000065:SSL routines::no suitable key share:../ssl/statem/extensions_srvr.c:646:",
     HANDSHAKE_OTHER, "no suitable key share"},
    /* alerts: the number is the surest, the words do without it */
    {"error:14094412:SSL routines:SSL3_READ_BYTES:sslv3 alert bad "
     "certificate:s3_pkt.c:1262:SSL alert number 42:",
     HANDSHAKE_CERTIFICATE, "alert bad certificate"},
    {"error:0A000412:SSL routines::ssl/tls alert bad "
     "certificate:ssl/record/rec_layer_s3.c:916:SSL alert number 42:",
     HANDSHAKE_CERTIFICATE, "alert bad certificate"},
    {"error:0A000413:SSL routines::sslv3 alert unsupported "
     "certificate:../ssl/record/rec_layer_s3.c:1586:SSL alert number 43:",
     HANDSHAKE_CERTIFICATE, "alert unsupported certificate"},
    {"error:0A000415:SSL routines::sslv3 alert certificate "
     "expired:../ssl/record/rec_layer_s3.c:1584:SSL alert number 45:",
     HANDSHAKE_CERTIFICATE, "alert certificate expired"},
    {"error:14094416:SSL routines:ssl3_read_bytes:sslv3 alert certificate "
     "unknown:../ssl/record/rec_layer_s3.c:1543:SSL alert number 46:",
     HANDSHAKE_CERTIFICATE, "alert certificate unknown"},
    {"error:0A000418:SSL routines::tlsv1 alert unknown ca:../ssl/record/rec_layer_s3.c:1586:SSL "
     "alert number 48:",
     HANDSHAKE_CERTIFICATE, "alert unknown ca"},
    {"error:14094418:SSL routines:SSL3_READ_BYTES:tlsv1 alert unknown ca", HANDSHAKE_CERTIFICATE,
     "alert unknown ca"},
    {"error:0A000418:SSL routines::words of next year:x.c:1:SSL alert number 48:",
     HANDSHAKE_CERTIFICATE, "alert unknown ca"},
    {"error:0A000414:SSL routines::sslv3 alert certificate revoked:x.c:1:SSL alert number 44:",
     HANDSHAKE_CERTIFICATE, "alert certificate revoked"},
    {"error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake "
     "failure:../ssl/record/rec_layer_s3.c:1543:SSL alert number 40:",
     HANDSHAKE_OTHER, "alert handshake failure"},
    {"error:14094438:SSL routines:SSL3_READ_BYTES:tlsv1 alert internal error:s3_pkt.c:1263:SSL "
     "alert number 80:",
     HANDSHAKE_OTHER, "alert internal error"},
    {"error:0A000410:SSL routines::ssl/tls alert of tomorrow:x.c:1:SSL alert number 199:",
     HANDSHAKE_OTHER, NULL},
    {"error:0A000438:SSL routines::tlsv1 alert inappropriate fallback:x.c:1:SSL alert number 86:",
     HANDSHAKE_VERSION, "alert inappropriate fallback"},
    /* gone */
    {"error:0A000126:SSL routines::unexpected eof while reading:ssl/record/rec_layer_s3.c:320:",
     HANDSHAKE_GONE, "unexpected eof while reading"},
    /* the server */
    {"error:14191044:SSL routines:tls1_enc:internal error:../ssl/record/ssl3_record.c:1065:",
     HANDSHAKE_SERVER, "internal error"},
    {"error:0B080074:x509 certificate routines:X509_check_private_key:key values "
     "mismatch:x509_cmp.c:340:",
     HANDSHAKE_SERVER, "key values mismatch"},
    {"error:140AB18F:SSL routines:SSL_CTX_use_certificate:ee key too small:../ssl/ssl_rsa.c:310:",
     HANDSHAKE_SERVER, "ee key too small"},
    {"error:0906D06C:PEM routines:PEM_read_bio:no start line:pem_lib.c:701:Expecting: CERTIFICATE:",
     HANDSHAKE_SERVER, "no start line"},
    {"error:02001002:system library:fopen:No such file or "
     "directory:bss_file.c:398:fopen('/x','r'):",
     HANDSHAKE_SERVER, "no such file or directory"},
    {"error:0909006C:xx routines:get_name:no start line:x.c:1:", HANDSHAKE_OTHER, NULL},
    /* cut off by syslog or by an editor */
    {"error:140760FC:SSL routines:SSL23_GET_CLIENT_HELLO:unknown pr$", HANDSHAKE_CLEARTEXT,
     "unknown protocol"},
    {"error:1417D18C:SSL routines:tls_process_client_hello:version t", HANDSHAKE_VERSION,
     "version too low"},
    {"error:14094418:SSL routines:SSL3_READ_BYTES:tlsv1 alert unkno", HANDSHAKE_CERTIFICATE,
     "alert unknown ca"},
    {"error:0A00010B:SSL routines::wrong ver", HANDSHAKE_CLEARTEXT, "wrong version number"},
    {"error:0A00010B:SSL routines::wrong ", HANDSHAKE_NOT_TOLD, NULL}, /* version, or signature */
    {"error:0A0000C1:SSL routines::no shared ", HANDSHAKE_NOT_TOLD, NULL},
    {"error:0A0000C1:SSL routines::no s", HANDSHAKE_OTHER, NULL}, /* too short to say */
    {"error:0A0000C1:SSL routines::", HANDSHAKE_NOT_TOLD, NULL},
    {"error:0A0000C1:SSL", HANDSHAKE_NOT_TOLD, NULL},
    /* a beginning that is not a cut */
    {"error:0A00010B:SSL routines::wrong ver:x.c:1:", HANDSHAKE_OTHER, NULL},
    /* no error, no words, no such words */
    {"error:00000000:lib(0)::reason(0)", HANDSHAKE_NOT_TOLD, NULL},
    {"error:0A000999:SSL routines::reason(2457):x.c:1:", HANDSHAKE_OTHER, NULL},
    {"nothing", HANDSHAKE_NOT_TOLD, NULL},
    {"", HANDSHAKE_NOT_TOLD, NULL},
};

static const struct known words[] = {
    {"wrong version number", HANDSHAKE_CLEARTEXT, "wrong version number"},
    {"unsupported protocol", HANDSHAKE_VERSION, "unsupported protocol"},
    {"no shared cipher", HANDSHAKE_CIPHER, "no shared cipher"},
    {"http request", HANDSHAKE_HTTP, "http request"},
    {"unknown protocol", HANDSHAKE_OTHER, "unknown protocol"}, /* which OpenSSL? */
    {"tlsv1 alert unknown ca", HANDSHAKE_CERTIFICATE, "alert unknown ca"},
    {"sslv3 alert handshake failure", HANDSHAKE_OTHER, "alert handshake failure"},
    {"unexpected eof while reading", HANDSHAKE_GONE, "unexpected eof while reading"},
    {"no suitable signature algorithm", HANDSHAKE_OTHER, "no suitable signature algorithm"},
    {"wrong vers", HANDSHAKE_OTHER, NULL}, /* bare words are whole */
    {"unknown", HANDSHAKE_NOT_TOLD, NULL}, /* Sendmail's word for none */
    {"", HANDSHAKE_NOT_TOLD, NULL},
    {"something new", HANDSHAKE_OTHER, NULL},
};

static const struct known accepts[] = {
    {"-1", HANDSHAKE_NOT_TOLD, NULL},
    {"0", HANDSHAKE_NOT_TOLD, NULL},
    {"", HANDSHAKE_NOT_TOLD, NULL},
    {"lost connection", HANDSHAKE_GONE, "lost connection"},
    {"Connection reset by peer", HANDSHAKE_GONE, "Connection reset by peer"},
    {"Broken pipe", HANDSHAKE_GONE, "Broken pipe"},
    {"Connection timed out", HANDSHAKE_TIMEOUT, "Connection timed out"},
    {"Operation timed out", HANDSHAKE_TIMEOUT, "Operation timed out"}, /* the BSDs */
    {"Cannot allocate memory", HANDSHAKE_OTHER, NULL},
};

static void check(const struct known *list, size_t count, struct reason (*of)(struct str))
{
    for (size_t i = 0; i < count; i++) {
        struct reason r = of(str_of(list[i].text));
        if (r.handshake != list[i].handshake || !r.text != !list[i].words ||
            (r.text && strcmp(r.text, list[i].words) != 0))
            fail_msg("%s: %s, %s", list[i].text, handshake_words[r.handshake],
                     r.text ? r.text : "no words");
        uint8_t index = reason_index(r);
        assert_int_equal(index != 0, r.text != NULL);
        struct reason again = reason_at(index);
        assert_ptr_equal(again.text, r.text);
        if (r.text)
            assert_int_equal(again.handshake, r.handshake);
    }
}

static void test_texts(void **state)
{
    (void)state;
    check(errors, COUNT(errors), reason_of_error);
    check(words, COUNT(words), reason_of_words);
    check(accepts, COUNT(accepts), reason_of_accept);
}

/* Each index is another reason, and those that are none are none. */
static void test_index(void **state)
{
    (void)state;
    unsigned used = 0;
    assert_null(reason_at(0).text);
    for (unsigned i = 1; i <= UINT8_MAX; i++) {
        struct reason r = reason_at((uint8_t)i);
        if (!r.text)
            continue;
        used++;
        assert_string_equal(reason_at(reason_index(r)).text, r.text);
        assert_int_equal(reason_at(reason_index(r)).handshake, r.handshake);
    }
    assert_true(used > 100);
    for (int i = 0; i < HANDSHAKES; i++)
        assert_true(handshake_words[i] && *handshake_words[i]);
}

static struct str whole;

static void try_cut(struct str cut)
{
    struct reason r = reason_of_error(cut), all = reason_of_error(whole);
    /* A part never says something else than the whole: that, something, or nothing. */
    if (r.handshake != HANDSHAKE_NOT_TOLD && r.handshake != HANDSHAKE_OTHER &&
        all.handshake != HANDSHAKE_OTHER && all.handshake != HANDSHAKE_NOT_TOLD)
        if (r.handshake != all.handshake)
            fail_msg("%.*s: %s", STR_ARG(cut), handshake_words[r.handshake]);
    reason_of_words(cut);
    reason_of_accept(cut);
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        whole = str_of(errors[i].text);
        each_cut(whole, try_cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
