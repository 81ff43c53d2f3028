/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a milter connection keeps, and what of it is for records and people: both ends, HELO, user
 * names, senders, queue ids, software.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "milter/facts.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define NOTHING ((struct str){NULL, 0})

static struct policy *policy;
static struct ciphers *ciphers;
static struct facts_texts texts;

static int set_up(void **state)
{
    (void)state;
    static const struct sipkey key = {1, 2};
    policy = policy_new(&key);
    ciphers = ciphers_new(NULL);
    struct listener *l = policy_add_listener(policy, ROLE_SUBMISSION, 587);
    l->names[l->name_count++] = STR("submission");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    policy_unref(policy);
    ciphers_free(ciphers);
    return 0;
}

static struct told tell(enum macro_stage stage, enum mta mta)
{
    return (struct told){.stage = stage, .mta = mta, .our_lists = true};
}

static struct connection *new_connection(void)
{
    struct connection *c = connection_new(true);
    assert_non_null(c);
    c->policy = policy_ref(policy);
    return c;
}

static struct session look(const struct connection *c, const struct told *told, struct str sender)
{
    struct session s;
    facts_of_connection(c, told, STAGE_MAIL, ciphers, NOTHING, sender, &texts, &s);
    return s;
}

static void expect(const char *what, struct str got, const char *expected)
{
    if (!str_eq(got, str_of(expected)))
        fail_msg("%s: \"%.*s\" instead of \"%s\"", what, STR_ARG(got), expected);
}

/* "192.0.2.17:40000", "[2001:db8::17]:40000", "unix", "": none. */
static const struct sockaddr *client_of(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    char address[64];
    unsigned port;
    *ret = (struct sockaddr_storage){.ss_family = AF_UNIX};
    if (!*text)
        return NULL;
    if (sscanf(text, "[%63[^]]]:%u", address, &port) == 2) {
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        assert_int_equal(inet_pton(AF_INET6, address, &in6->sin6_addr), 1);
    } else if (sscanf(text, "%63[^:]:%u", address, &port) == 2) {
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
    }
    return (struct sockaddr *)ret;
}

/* ---- both ends -------------------------------------------------------------- */

static void test_client(void **state)
{
    (void)state;
    static const struct {
        const char *from, *text;
        uint16_t port;
    } cases[] = {
        {"192.0.2.17:40000", "192.0.2.17", 40000},
        {"[2001:db8::17]:53364", "2001:db8::17", 53364},
        {"[::1]:46886", "::1", 46886},
        {"[::ffff:192.0.2.17]:40000", "192.0.2.17", 40000},
        {"unix", "", 0},
        {"", "", 0}, /* sendmail -bs */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sockaddr_storage to;
        struct told told = tell(AT_CONNECT, MTA_SENDMAIL);
        struct connection *c = new_connection();
        connection_begins(c, client_of(cases[i].from, &to), &told);
        struct session s = look(c, &told, NOTHING);
        expect(cases[i].from, s.client_text, cases[i].text);
        assert_int_equal(s.client_port, cases[i].port);
        assert_int_equal(s.client.bits != 0, cases[i].text[0] != '\0');
        connection_free(c);
    }
}

static void test_server(void **state)
{
    (void)state;
    static const struct {
        const char *from, *if_addr, *daemon_addr, *daemon_port; /* NULL: absent */
        const char *text;
        uint16_t port;
    } cases[] = {
        /* Postfix; Sendmail on loopback */
        {"192.0.2.17:1", NULL, "127.0.0.1", "587", "127.0.0.1", 587},
        {"192.0.2.17:1", NULL, "::1", "587", "::1", 587},
        {"192.0.2.17:1", NULL, "IPv6:0:0:0:0:0:0:0:1", "587", "::1", 587},
        /* Sendmail listening everywhere */
        {"192.0.2.17:1", NULL, "0.0.0.0", "587", "", 587},
        {"192.0.2.17:1", NULL, "IPv6:::", "587", "", 587},
        {"192.0.2.17:1", "198.51.100.1", "0.0.0.0", "587", "198.51.100.1", 587},
        {"192.0.2.17:1", "IPv6:2001:db8:0:0:0:0:0:1", "IPv6:::", "587", "2001:db8::1", 587},
        {"192.0.2.17:1", "198.51.100.1", "198.51.100.2", "587", "198.51.100.1", 587},
        {"192.0.2.17:1", "", "198.51.100.2", NULL, "198.51.100.2", 0},
        {"192.0.2.17:1", "?", "198.51.100.2", "", "198.51.100.2", 0},
        {"192.0.2.17:1", NULL, "::ffff:198.51.100.1", "65536", "198.51.100.1", 0},
        {"192.0.2.17:1", NULL, NULL, "587", "", 587},
        {"192.0.2.17:1", NULL, NULL, NULL, "", 0},
        /* sendmail with Family=local claims port 25; sendmail -bs names no port */
        {"unix", "[UNIX: /run/smtp.sock]", "[UNIX: /run/smtp.sock]", "25", "", 0},
        {"", NULL, NULL, NULL, "", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sockaddr_storage to;
        struct told told = tell(AT_CONNECT, MTA_SENDMAIL);
        struct connection *c = new_connection();
        told.value[MACRO_IF_ADDR] = str_of(cases[i].if_addr);
        told.value[MACRO_DAEMON_ADDR] = str_of(cases[i].daemon_addr);
        told.value[MACRO_DAEMON_PORT] = str_of(cases[i].daemon_port);
        connection_begins(c, client_of(cases[i].from, &to), &told);
        struct session s = look(c, &told, NOTHING);
        expect(cases[i].daemon_addr ? cases[i].daemon_addr : "none", s.server_text, cases[i].text);
        assert_int_equal(s.server_port, cases[i].port);
        connection_free(c);
    }
}

/* Of what CONNECT tells nothing is left when another CONNECT comes on one connection. */
static void test_second_connect(void **state)
{
    (void)state;
    static const char *const seconds[] = {"", "unix", "[2001:db8::17]:40001"};
    for (size_t i = 0; i < COUNT(seconds); i++) {
        struct sockaddr_storage to;
        struct told told = tell(AT_CONNECT, MTA_POSTFIX);
        struct connection *c = new_connection();
        told.value[MACRO_DAEMON_NAME] = STR("submission");
        told.value[MACRO_DAEMON_ADDR] = STR("198.51.100.1");
        told.value[MACRO_DAEMON_PORT] = STR("587");
        told.value[MACRO_TLS_AT_CONNECT] = STR("TLSv1.3");
        connection_begins(c, client_of("192.0.2.17:40000", &to), &told);
        assert_string_equal(c->listener_told, "submission");
        told = tell(AT_CONNECT, MTA_UNKNOWN);
        connection_begins(c, client_of(seconds[i], &to), &told);
        assert_int_equal(c->mta, MTA_UNKNOWN);
        assert_int_equal(c->tls_at_connect, KNOWN_NOTHING);
        assert_null(c->listener_told);
        struct session s = look(c, &told, NOTHING);
        assert_null(s.listener);
        assert_int_equal(s.client.bits, i == 2 ? 128 : 0);
        assert_int_equal(s.client_port, i == 2 ? 40001 : 0);
        assert_int_equal(s.server_port, 0);
        expect("server", s.server_text, "");
        connection_free(c);
    }
}

/* ---- HELO ------------------------------------------------------------------- */

static void test_helo(void **state)
{
    (void)state;
    static const struct {
        enum mta mta;
        bool our_lists;
        const char *version; /* NULL: absent */
        enum known tls;
    } cases[] = {
        {MTA_POSTFIX, true, NULL, KNOWN_NO},         {MTA_POSTFIX, true, "", KNOWN_NO},
        {MTA_POSTFIX, true, "TLSv1.3", KNOWN_VALUE}, {MTA_SENDMAIL, true, NULL, KNOWN_NO},
        {MTA_SENDMAIL, true, "", KNOWN_NO},          {MTA_SENDMAIL, true, "TLSv1.2", KNOWN_VALUE},
        {MTA_UNKNOWN, true, NULL, KNOWN_NOTHING},    {MTA_POSTFIX, false, NULL, KNOWN_NOTHING},
        {MTA_SENDMAIL, false, "", KNOWN_NOTHING},    {MTA_SENDMAIL, false, "TLSv1", KNOWN_VALUE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct connection *c = new_connection();
        struct told told = tell(AT_HELO, cases[i].mta);
        assert_int_equal(c->tls_at_helo, KNOWN_NOTHING);
        told.our_lists = cases[i].our_lists;
        told.value[MACRO_TLS_AT_HELO] = str_of(cases[i].version);
        assert_true(connection_helo(c, "client.test", &told));
        assert_int_equal(c->tls_at_helo, cases[i].tls);
        expect("helo", look(c, &told, NOTHING).helo, "client.test");
        connection_free(c);
    }
}

/* The last one counts, and one that is too long is unknown, not cut. */
static void test_helo_again(void **state)
{
    (void)state;
    char name[258];
    struct connection *c = new_connection();
    struct told told = tell(AT_HELO, MTA_POSTFIX);
    assert_true(connection_helo(c, "before.test", &told));
    told.value[MACRO_TLS_AT_HELO] = STR("TLSv1.3");
    assert_true(connection_helo(c, "[IPv6:::1]", &told));
    assert_int_equal(c->tls_at_helo, KNOWN_VALUE);
    expect("second", look(c, &told, NOTHING).helo, "[IPv6:::1]");
    memset(name, 'x', sizeof name);
    name[255] = '\0';
    assert_true(connection_helo(c, name, &told));
    assert_int_equal(look(c, &told, NOTHING).helo.n, 255);
    name[255] = 'x';
    name[256] = '\0';
    told.value[MACRO_TLS_AT_HELO] = NOTHING;
    assert_false(connection_helo(c, name, &told));
    expect("too long", look(c, &told, NOTHING).helo, "");
    assert_int_equal(c->tls_at_helo, KNOWN_NO);
    connection_free(c);
}

/* ---- MAIL ------------------------------------------------------------------- */

#define X16 "xxxxxxxxxxxxxxxx"
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X318 X256 X16 X16 X16 "xxxxxxxxxxxxxx"

/* Sendmail writes user names as xtext, Postfix as they are. */
static void test_user(void **state)
{
    (void)state;
    static const struct {
        const char *told, *sendmail; /* NULL: as told */
    } cases[] = {
        {"alice", NULL},
        {"alice@example.com", NULL},
        {"bob+2Btest@example.com", "bob+test@example.com"},
        {"bob+20+3D", "bob ="},
        {"+41", "A"},
        {"+FF+0F", "\xff\x0f"},
        {"+C3+BC", "\xc3\xbc"},
        {"+2B2B", "+2B"}, /* once */
        /* no xtext */
        {"+", NULL},
        {"+2", NULL},
        {"bob+", NULL},
        {"bob+2", NULL},
        {"+GG", NULL},
        {"+2G", NULL},
        {"+G2", NULL},
        {"+2b", NULL}, /* RFC 3461 4: upper case */
        {"++41", "+A"},
        /* the room, to the byte; what does not fit is unknown */
        {X318 "+41B", X318 "AB"},
        {X318 "+41BC", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int mta = 0; mta < MTA_COUNT; mta++) {
            struct connection *c = new_connection();
            struct told told = tell(AT_MAIL, (enum mta)mta);
            told.value[MACRO_AUTH_AUTHEN] = str_of(cases[i].told);
            bool other = mta == MTA_SENDMAIL && cases[i].sendmail;
            struct session s = look(c, &told, NOTHING);
            expect(cases[i].told, s.user, other ? cases[i].sendmail : cases[i].told);
            assert_true(s.auth);
            connection_free(c);
        }
    struct connection *c = new_connection();
    struct told told = tell(AT_MAIL, MTA_SENDMAIL);
    for (size_t n = 4; n < 6; n++) { /* what is behind it is none of it */
        told.value[MACRO_AUTH_AUTHEN] = (struct str){"bob+41", n};
        assert_int_equal(look(c, &told, NOTHING).user.n, n);
    }
    connection_free(c);
}

static void test_sender(void **state)
{
    (void)state;
    static const struct {
        const char *told, *sender;
    } cases[] = {
        {"<alice@example.com>", "alice@example.com"},
        {"alice@example.com", "alice@example.com"},
        {"<>", ""},
        {"", ""},
        {"<", "<"},
        {">", ">"},
        {"<a", "<a"},
        {"a>", "a>"},
        {"<<a>>", "<a>"},
    };
    struct connection *c = new_connection();
    struct told told = tell(AT_MAIL, MTA_SENDMAIL);
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].told, look(c, &told, str_of(cases[i].told)).sender, cases[i].sender);
    connection_free(c);
}

/* Sendmail tells it at MAIL; Postfix only behind the recipients, so at the end of the headers. */
static void test_queue_id(void **state)
{
    (void)state;
    struct connection *c = new_connection();
    struct told told = tell(AT_MAIL, MTA_SENDMAIL);
    told.value[MACRO_QUEUE_ID_AT_MAIL] = STR("6AL0DSua002186");
    expect("MAIL", look(c, &told, NOTHING).queue_id, "6AL0DSua002186");
    told = tell(AT_EOH, MTA_POSTFIX);
    told.value[MACRO_QUEUE_ID] = STR("4Z1x2y");
    expect("EOH", look(c, &told, NOTHING).queue_id, "4Z1x2y");
    told = tell(AT_HELO, MTA_SENDMAIL);
    told.value[MACRO_QUEUE_ID_AT_MAIL] = STR("6AL0DSua002186");
    expect("HELO", look(c, &told, NOTHING).queue_id, "");
    connection_free(c);
}

static void test_software(void **state)
{
    (void)state;
    struct connection *c = new_connection();
    struct told told = tell(AT_EOH, MTA_SENDMAIL);
    struct software software;
    expect("none", look(c, &told, NOTHING).software, "");
    assert_true(catalogue_header(STR("Mutt/2.2.9 (2022-11-12)"), &software));
    connection_software(c, &software);
    c->recorded = 5;
    struct session s = look(c, &told, NOTHING);
    expect("software", s.software, "mutt");
    expect("version", s.software_version, "2.2.9");
    assert_int_equal(s.recorded, 5);
    assert_true(catalogue_helo(STR("smtpclient.apple"), &software)); /* has no version */
    connection_software(c, &software);
    s = look(c, &told, NOTHING);
    expect("software", s.software, "apple");
    expect("version", s.software_version, "");
    connection_free(c);
}

static void test_tls_hello(void **state)
{
    (void)state;
    assert_true(facts_is_tls_hello(STR("\x16\x03\x01\x02")));
    assert_true(facts_is_tls_hello(STR("\x16\x03"))); /* cut at a NUL, as a command is */
    assert_false(facts_is_tls_hello(STR("\x16")));
    assert_false(facts_is_tls_hello(STR("\x16\x02\x01")));
    assert_false(facts_is_tls_hello(STR("\x15\x03\x01")));
    assert_false(facts_is_tls_hello(STR("FOO")));
    assert_false(facts_is_tls_hello(NOTHING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client),         cmocka_unit_test(test_server),
        cmocka_unit_test(test_second_connect), cmocka_unit_test(test_helo),
        cmocka_unit_test(test_helo_again),     cmocka_unit_test(test_user),
        cmocka_unit_test(test_sender),         cmocka_unit_test(test_queue_id),
        cmocka_unit_test(test_software),       cmocka_unit_test(test_tls_hello),
    };
    return cmocka_run_group_tests_name("milter_ends", tests, set_up, tear_down);
}
