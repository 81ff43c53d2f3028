/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From macros to facts. Values are what real MTAs send (Postfix 3.7.11, Sendmail 8.17.1.9); what is
 * known from them is written by hand: a fact that is not in the expected text is unknown.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "config/config.h"
#include "milter/facts.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define NOTHING ((struct str){NULL, 0})

static struct config *config;
static struct ciphers *ciphers;

/* ---- help ------------------------------------------------------------------ */

static const char policy_text[] =
    "mode: enforce\n"
    "listeners:\n"
    "  - {names: [smtp, MTA], port: 25, role: smtp}\n"
    "  - {names: [submission, MSA], port: 587, role: submission}\n"
    "  - {names: [submissions, TLSMSA], port: 465, role: submissions}\n"
    "  - {names: [offloaded], port: 3587, role: submission, tls_by: proxy}\n"
    "  - {names: [xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx], port: 2525,"
    " role: submission}\n"
    "trusted:\n"
    "  networks: [198.51.100.0/28]\n"
    "  client_certificates: [\"aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd\"]\n";

static int set_up(void **state)
{
    (void)state;
    struct problems ps = {0};
    config = config_parse(str_of(policy_text), "test", &ps);
    ciphers = ciphers_new(NULL);
    problems_free(&ps);
    return !config || !ciphers;
}

static int tear_down(void **state)
{
    (void)state;
    ciphers_free(ciphers);
    config_free(config);
    return 0;
}

static const char *const names[MACRO_COUNT] = {
#define MACRO(stage, name, ...) [MACRO_##name] = #name,
#include "milter/macros.def"
#undef MACRO
};

/* "DAEMON_PORT=587|DAEMON_FLAGS=": a value, an empty one; the others are absent. */
static struct told tell(enum macro_stage stage, enum mta mta, bool our_lists, const char *text)
{
    struct told t = {.stage = stage, .mta = mta, .our_lists = our_lists};
    struct str rest = str_of(text);
    while (rest.n) {
        struct str value = str_cut(&rest, "|"), name = str_cut(&value, "=");
        int m = name_index(names, MACRO_COUNT, name);
        assert_true(m >= 0 && value.p);
        t.value[m] = value;
    }
    return t;
}

static struct connection *begin(const char *address, const struct told *told)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(40000)};
    struct connection *c = connection_new(told->our_lists);
    assert_non_null(c);
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    c->policy = policy_ref(config->policy);
    connection_begins(c, (struct sockaddr *)&in, told);
    return c;
}

static void put(struct buf *b, const char *name, struct str value)
{
    if (value.n)
        buf_printf(b, "%s%s=%.*s", b->n ? " " : "", name, STR_ARG(value));
}

static void put_bool(struct buf *b, const struct session *s, enum fact f, const char *name, bool v)
{
    if (session_knows(s, FACT_BIT(f)))
        put(b, name, str_of(v ? "yes" : "no"));
}

/* Where the session is. */
static const char *place(const struct session *s)
{
    static char text[300];
    struct buf b = BUF(text);
    put(&b, "on", s->listener ? s->listener->names[0] : NOTHING);
    assert_int_equal(session_knows(s, FACT_BIT(FACT_LISTENER)), s->listener != NULL);
    put_bool(&b, s, FACT_AGREEMENT, "agrees", s->agrees);
    put(&b, "told", s->listener_told);
    return buf_cstr(&b);
}

/* TLS and AUTH. */
static const char *security(const struct session *s)
{
    static char text[500];
    struct buf b = BUF(text);
    put_bool(&b, s, FACT_TLS, "tls", s->tls);
    if (session_knows(s, FACT_BIT(FACT_TLS_VERSION)))
        put(&b, "version", str_of(tls_version_name(s->tls_version)));
    if (session_knows(s, FACT_BIT(FACT_CIPHER_BITS)))
        buf_printf(&b, " bits=%u", (unsigned)s->cipher.bits);
    put_bool(&b, s, FACT_CIPHER, "fs", s->cipher.forward_secrecy);
    put_bool(&b, s, FACT_AUTH, "auth", s->auth);
    put(&b, "user", s->user);
    if (session_knows(s, FACT_BIT(FACT_MECHANISM)))
        put(&b, "mech", s->mechanism);
    put_bool(&b, s, FACT_CLEARTEXT_AUTH, "clear", s->cleartext_auth);
    return buf_cstr(&b);
}

static struct session look(const struct connection *c, const struct told *told, enum stage stage)
{
    static struct facts_texts texts;
    struct session s;
    facts_of_connection(c, told, stage, ciphers, NOTHING, NOTHING, &texts, &s);
    return s;
}

static void expect(const char *what, const char *which, const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0)
        fail_msg("%s, %s: \"%s\" instead of \"%s\"", what, which, got, expected);
}

/* In the tables below: an MTA that took our lists; `neither`: the MTA is unknown, or did not. */
static const struct {
    const char *which;
    enum mta mta;
    bool our_lists;
    int column;
} situations[] = {
    {"Postfix", MTA_POSTFIX, true, 0},           {"Sendmail", MTA_SENDMAIL, true, 1},
    {"unknown MTA", MTA_UNKNOWN, true, 2},       {"Postfix, lists", MTA_POSTFIX, false, 2},
    {"Sendmail, lists", MTA_SENDMAIL, false, 2}, {"unknown, lists", MTA_UNKNOWN, false, 2},
};

/* ---- CONNECT --------------------------------------------------------------- */

#define LONGEST "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" /* 63 */

/* A column that is not there is as the one before it. */
static const char *column(const char *const known[3], int i)
{
    while (i && !known[i])
        i--;
    return known[i];
}

static void test_connect(void **state)
{
    (void)state;
    static const struct {
        const char *macros;
        const char *known[3]; /* Postfix, Sendmail, neither */
    } cases[] = {
        {"", {""}},
        {"DAEMON_PORT=587", {"on=submission agrees=yes", NULL, "on=submission"}},
        {"DAEMON_PORT=", {""}},
        {"DAEMON_PORT=26", {""}},
        {"DAEMON_PORT=587 ", {""}},
        {"DAEMON_PORT=66123", {""}}, /* 587 and 2^16 */
        {"DAEMON_PORT=587|DAEMON_FLAGS=", {"on=submission agrees=yes", NULL, "on=submission"}},
        {"DAEMON_PORT=587|DAEMON_FLAGS=EE a", {"on=submission agrees=yes"}},
        {"DAEMON_PORT=587|DAEMON_FLAGS=EE a s", {"on=submission agrees=no"}},
        {"DAEMON_PORT=465|DAEMON_FLAGS=EE a s", {"on=submissions agrees=yes"}},
        {"DAEMON_PORT=465|DAEMON_FLAGS=s", {"on=submissions agrees=yes"}},
        {"DAEMON_PORT=465|DAEMON_FLAGS=SS", {"on=submissions agrees=no"}},
        {"DAEMON_PORT=465|DAEMON_FLAGS=S S", {"on=submissions agrees=no"}},
        {"DAEMON_PORT=465|DAEMON_FLAGS=ss ", {"on=submissions agrees=no"}},
        {"DAEMON_PORT=465|DAEMON_FLAGS=", {"on=submissions agrees=no", NULL, "on=submissions"}},
        {"DAEMON_PORT=465", {"on=submissions agrees=no", NULL, "on=submissions"}},
        {"DAEMON_PORT=465|TLS_AT_CONNECT=TLSv1.3", /* Sendmail's flags say no */
         {"on=submissions agrees=yes", "on=submissions agrees=no", "on=submissions agrees=yes"}},
        {"DAEMON_PORT=465|TLS_AT_CONNECT=", {"on=submissions agrees=no", NULL, "on=submissions"}},
        {"DAEMON_PORT=465|DAEMON_FLAGS=s|TLS_AT_CONNECT=", {"on=submissions agrees=yes"}},
        {"DAEMON_PORT=25|TLS_AT_CONNECT=TLSv1.3",
         {"on=smtp agrees=no", "on=smtp agrees=yes", "on=smtp agrees=no"}},
        {"DAEMON_PORT=25", {"on=smtp agrees=yes", NULL, "on=smtp"}},
        {"DAEMON_PORT=3587|TLS_AT_CONNECT=TLSv1.3", {"on=offloaded"}},
        {"DAEMON_NAME=MSA|HOST_NAME=mail.example.test",
         {"on=submission agrees=yes told=MSA", NULL, "on=submission told=MSA"}},
        {"DAEMON_NAME=MSA|DAEMON_PORT=587", {"on=submission agrees=yes told=MSA"}},
        {"DAEMON_NAME=MSA|DAEMON_PORT=465", {"on=submission agrees=no told=MSA"}},
        {"DAEMON_NAME=none|DAEMON_PORT=465|DAEMON_FLAGS=s",
         {"on=submissions agrees=yes told=none"}},
        /* what Postfix says if nobody told it a name */
        {"DAEMON_NAME=submission|HOST_NAME=submission|DAEMON_PORT=25",
         {"on=smtp agrees=yes", NULL, "on=smtp"}},
        {"DAEMON_NAME=|DAEMON_PORT=25", {"on=smtp agrees=yes", NULL, "on=smtp"}},
        {"DAEMON_NAME=" LONGEST,
         {"on=" LONGEST " agrees=yes told=" LONGEST, NULL, "on=" LONGEST " told=" LONGEST}},
        {"DAEMON_NAME=" LONGEST "x", {""}}, /* unknown, never cut */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < COUNT(situations); k++) {
            struct told told =
                tell(AT_CONNECT, situations[k].mta, situations[k].our_lists, cases[i].macros);
            struct connection *c = begin("192.0.2.17", &told);
            struct session s = look(c, &told, STAGE_CONNECT);
            expect(cases[i].macros, situations[k].which, place(&s),
                   column(cases[i].known, situations[k].column));
            expect(cases[i].macros, "before MAIL", security(&s), "");
            connection_free(c);
        }
}

/* The socket's listener goes before what the MTA tells, and is compared with it. */
static void test_socket_name(void **state)
{
    (void)state;
    struct facts_texts texts;
    struct session s;
    struct told told =
        tell(AT_CONNECT, MTA_POSTFIX, true, "DAEMON_NAME=submission|DAEMON_PORT=587");
    struct connection *c = begin("192.0.2.17", &told);
    facts_of_connection(c, &told, STAGE_CONNECT, ciphers, STR("smtp"), NOTHING, &texts, &s);
    expect("socket", "smtp", place(&s), "on=smtp agrees=no told=smtp");
    facts_of_connection(c, &told, STAGE_CONNECT, ciphers, STR("MSA"), NOTHING, &texts, &s);
    expect("socket", "MSA", place(&s), "on=submission agrees=yes told=MSA");
    connection_free(c);
}

/* ---- MAIL ------------------------------------------------------------------- */

#define TLS13 "TLS_VERSION=TLSv1.3|CIPHER=TLS_AES_256_GCM_SHA384|CIPHER_BITS=256"
#define KNOWN13 "tls=yes version=TLSv1.3 bits=256 fs=yes"
#define ALICE "AUTH_TYPE=PLAIN|AUTH_AUTHEN=alice"

static void test_mail(void **state)
{
    (void)state;
    static const struct {
        const char *macros;
        const char *known[3]; /* Postfix, Sendmail, neither */
    } cases[] = {
        {"", {"tls=no auth=no clear=no", NULL, ""}},
        {"TLS_VERSION=|AUTH_TYPE=|AUTH_AUTHEN=", {"tls=no auth=no clear=no", NULL, ""}},
        {TLS13 "|" ALICE, {KNOWN13 " auth=yes user=alice mech=PLAIN clear=no"}},
        {TLS13, {KNOWN13 " auth=no clear=no", NULL, KNOWN13}},
        {ALICE,
         {"tls=no auth=yes user=alice mech=PLAIN clear=yes", NULL,
          "auth=yes user=alice mech=PLAIN"}},
        {"TLS_VERSION=TLSv1.2|CIPHER=AES128-SHA|CIPHER_BITS=128|" ALICE,
         {"tls=yes version=TLSv1.2 bits=128 fs=no auth=yes user=alice mech=PLAIN clear=no"}},
        /* a cipher that OpenSSL does not have: what the MTA says of its strength is known */
        {"TLS_VERSION=TLSv1.3|CIPHER=TLS_NEW|CIPHER_BITS=256",
         {"tls=yes version=TLSv1.3 bits=256 auth=no clear=no", NULL,
          "tls=yes version=TLSv1.3 bits=256"}},
        {"TLS_VERSION=TLSv1.3|CIPHER=TLS_NEW|CIPHER_BITS=",
         {"tls=yes version=TLSv1.3 auth=no clear=no", NULL, "tls=yes version=TLSv1.3"}},
        {"TLS_VERSION=TLSv1.3|CIPHER_BITS=many",
         {"tls=yes version=TLSv1.3 auth=no clear=no", NULL, "tls=yes version=TLSv1.3"}},
        {"TLS_VERSION=TLSv1.3|CIPHER_BITS=65792", /* 256 and 2^16 */
         {"tls=yes version=TLSv1.3 auth=no clear=no", NULL, "tls=yes version=TLSv1.3"}},
        {"TLS_VERSION=TLSv1.3|CIPHER=AES128-SHA|CIPHER_BITS=256", /* OpenSSL knows better */
         {"tls=yes version=TLSv1.3 bits=128 fs=no auth=no clear=no", NULL,
          "tls=yes version=TLSv1.3 bits=128 fs=no"}},
        {"TLS_VERSION=TLSv9|CIPHER=|CIPHER_BITS=", {"tls=yes auth=no clear=no", NULL, "tls=yes"}},
        /* without TLS its cipher is nothing */
        {"CIPHER=TLS_AES_256_GCM_SHA384|CIPHER_BITS=256", {"tls=no auth=no clear=no", NULL, ""}},
        /* half of AUTH is AUTH */
        {"AUTH_TYPE=LOGIN", {"tls=no auth=yes mech=LOGIN clear=yes", NULL, "auth=yes mech=LOGIN"}},
        {"AUTH_AUTHEN=alice|AUTH_TYPE=",
         {"tls=no auth=yes user=alice clear=yes", NULL, "auth=yes user=alice"}},
        {"AUTH_TYPE=LOGIN|AUTH_AUTHEN=",
         {"tls=no auth=yes mech=LOGIN clear=yes", NULL, "auth=yes mech=LOGIN"}},
        /* a proxy's word: TLS is between it and the client, the mechanism none */
        {"AUTH_TYPE=XCLIENT|AUTH_AUTHEN=bob", {"auth=yes user=bob"}},
        {"AUTH_TYPE=XCLIENT|AUTH_AUTHEN=bob|TLS_VERSION=TLSv1.3",
         {"tls=yes version=TLSv1.3 auth=yes user=bob clear=no"}},
        {"AUTH_TYPE=XCLIENT", {"auth=no", NULL, ""}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < COUNT(situations); k++) {
            enum mta mta = situations[k].mta;
            bool our_lists = situations[k].our_lists;
            struct told connect = tell(AT_CONNECT, mta, our_lists, "DAEMON_PORT=587");
            struct told mail = tell(AT_MAIL, mta, our_lists, cases[i].macros);
            struct connection *c = begin("192.0.2.17", &connect);
            struct session s = look(c, &mail, STAGE_MAIL);
            expect(cases[i].macros, situations[k].which, security(&s),
                   column(cases[i].known, situations[k].column));
            mail.stage = AT_EOH; /* there MAIL's are still told */
            s = look(c, &mail, STAGE_MAIL);
            expect(cases[i].macros, "end of headers", security(&s),
                   column(cases[i].known, situations[k].column));
            mail.stage = AT_HELO; /* not asked for there, so nothing */
            s = look(c, &mail, STAGE_MAIL);
            expect(cases[i].macros, "another stage", security(&s), "");
            connection_free(c);
        }
}

/* Behind a proxy that does TLS its absence says nothing; before MAIL nothing's absence does. */
static void test_absence_that_says_nothing(void **state)
{
    (void)state;
    static const enum mta mtas[] = {MTA_POSTFIX, MTA_SENDMAIL};
    for (size_t i = 0; i < COUNT(mtas); i++) {
        struct told connect = tell(AT_CONNECT, mtas[i], true, "DAEMON_PORT=3587");
        struct told mail = tell(AT_MAIL, mtas[i], true, "");
        struct connection *c = begin("192.0.2.17", &connect);
        struct session s = look(c, &mail, STAGE_MAIL);
        expect("proxy", "MAIL", security(&s), "auth=no");
        s = look(c, &mail, STAGE_HELO);
        expect("proxy", "HELO", security(&s), "");
        mail = tell(AT_MAIL, mtas[i], true, ALICE);
        s = look(c, &mail, STAGE_MAIL);
        expect("proxy", "AUTH", security(&s), "auth=yes user=alice mech=PLAIN");
        mail = tell(AT_MAIL, mtas[i], true, TLS13);
        s = look(c, &mail, STAGE_MAIL);
        expect("proxy", "TLS", security(&s), KNOWN13 " auth=no clear=no");
        connection_free(c);
    }
}

/* ---- trust ------------------------------------------------------------------ */

#define CERT_FP "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD"

static void test_trust(void **state)
{
    (void)state;
    static const struct {
        const char *macros;
        const char *known[3]; /* a client of no trusted network */
    } cases[] = {
        /* no TLS, so no certificate; or nothing is known */
        {"", {"no", NULL, "?"}},
        /* Postfix tells a milter nothing of certificates */
        {TLS13, {"?"}},
        {TLS13 "|VERIFY=NO", {"no"}},
        {TLS13 "|VERIFY=NOT", {"no"}},
        {TLS13 "|VERIFY=NONE", {"no"}},
        {TLS13 "|VERIFY=", {"?"}},
        {TLS13 "|VERIFY=no", {"?"}},
        {TLS13 "|VERIFY=OK", {"?"}},
        {TLS13 "|VERIFY=FAIL", {"?"}},
        {TLS13 "|VERIFY=TEMP", {"?"}},
        {TLS13 "|VERIFY=OK|CERT_FP=" CERT_FP, {"yes"}},
        {TLS13 "|VERIFY=FAIL|CERT_FP=" CERT_FP, {"yes"}}, /* pinned: who signed it is no matter */
        {TLS13 "|VERIFY=OK|CERT_FP=AA:BB", {"no"}},
        {TLS13 "|VERIFY=OK|CERT_FP=", {"?"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < COUNT(situations); k++) {
            enum mta mta = situations[k].mta;
            bool our_lists = situations[k].our_lists;
            struct told connect = tell(AT_CONNECT, mta, our_lists, "DAEMON_PORT=587");
            struct told mail = tell(AT_MAIL, mta, our_lists, cases[i].macros);
            struct connection *c = begin("192.0.2.17", &connect);
            struct session s = look(c, &mail, STAGE_MAIL);
            bool known = session_knows(&s, FACT_BIT(FACT_TRUSTED));
            expect(cases[i].macros, situations[k].which,
                   !known      ? "?"
                   : s.trusted ? "yes"
                               : "no",
                   column(cases[i].known, situations[k].column));
            connection_free(c);
            c = begin("198.51.100.3", &connect);
            s = look(c, &mail, STAGE_MAIL);
            assert_true(session_knows(&s, FACT_BIT(FACT_TRUSTED)) && s.trusted);
            connection_free(c);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect), cmocka_unit_test(test_socket_name),
        cmocka_unit_test(test_mail),    cmocka_unit_test(test_absence_that_says_nothing),
        cmocka_unit_test(test_trust),
    };
    return cmocka_run_group_tests_name("milter_facts", tests, set_up, tear_down);
}
