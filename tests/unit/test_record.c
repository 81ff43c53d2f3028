/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written down of a decision, a finding and a client's software: the journal's line, field
 * by field, the line in the log, and the numbers.
 */
#include "tests/unit/journal_help.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "edge/log.h"
#include "edge/record.h"

#define NOTHING ((struct str){NULL, 0})

static struct config *config;
static struct recorder r;
static int log_fd;

static int open_recorder(void **state)
{
    static const char text[] =
        "mode: enforce\n"
        "listeners:\n"
        "  - {names: [smtp], port: 25, role: smtp}\n"
        "  - {names: [submission, MSA], port: 587, role: submission}\n"
        "  - {names: [alternate], port: 2525, role: submission, mode: audit}\n"
        "trusted: {networks: [198.51.100.0/28]}\n"
        "monitors: [203.0.113.0/28]\n"
        "exceptions:\n"
        "  - {client: 203.0.113.17, allow: [tls-required, cleartext-auth, no-tls-seen,"
        " auth-on-smtp-port],"
        " until: 2999-12-31, reason: test, owner: test}\n";
    struct problems ps = {0};
    struct err e;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (set_up(state) != 0)
        return -1;
    config = config_parse(STR(text), "test", &ps);
    problems_free(&ps);
    config->journal = settings();
    snprintf(un.sun_path, sizeof un.sun_path, "%s/log", top);
    log_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (bind(log_fd, (struct sockaddr *)&un, sizeof un) != 0)
        return -1;
    log_open_socket("test", un.sun_path);
    return recorder_open(&r, config, "test", (uid_t)-1, (gid_t)-1, &e);
}

static int close_recorder(void **state)
{
    recorder_free(&r);
    config_free(config);
    close(log_fd);
    return tear_down(state);
}

/* The next line in the log, behind the program's name; "": there is none. */
static const char *logged(void)
{
    static char line[3000];
    ssize_t n = recv(log_fd, line, sizeof line - 1, MSG_DONTWAIT);
    line[n > 0 ? n : 0] = '\0';
    char *text = strstr(line, "]: ");
    return text ? text + 3 : line;
}

static struct str journaled(void)
{
    return ring_text(r.journal);
}

static struct session session(const char *client, uint16_t port, enum stage stage)
{
    struct session s = {.stage = stage,
                        .client_port = 40000,
                        .client_text = str_of(client),
                        .server_port = port,
                        .server_text = STR("198.51.100.1"),
                        .helo = STR("client.test"),
                        .sender = STR("alice@example.com"),
                        .queue_id = STR("4Z1x2y"),
                        .software = STR("mutt"),
                        .software_version = STR("2.2.9")};
    addr_parse(s.client_text, &s.client);
    session_find_listener(&s, config->policy, NOTHING, NOTHING);
    session_find_trust(&s, config->policy);
    return s;
}

static struct verdict judge(const struct session *s)
{
    struct now now = time_now();
    struct verdict v;
    decide(config->policy, s, &now, &v, NULL);
    record_decision(&r, config->policy, s, &v, &now);
    return v;
}

static struct verdict detect(const struct session *s, enum finding f)
{
    struct now now = time_now();
    struct verdict v;
    decide_detected(config->policy, s, f, &now, &v);
    record_detected(&r, config->policy, s, &v, &now);
    return v;
}

#define SOMEBODY "192.0.2.17"
#define MONITOR "203.0.113.3"
#define EXCEPTED "203.0.113.17"

/* What every line about the session of session() says. */
static void expect_session(struct str line, const char *event, const char *stage)
{
    static const char *const fields[][2] = {
        {"listener", "submission"},   {"listener_told", NULL},
        {"role", "submission"},       {"mode", "enforce"},
        {"client_address", SOMEBODY}, {"client_port", "40000"},
        {"server_port", "587"},       {"server_address", "198.51.100.1"},
        {"helo_name", "client.test"}, {"sender", "alice@example.com"},
        {"client_software", "mutt"},  {"client_version", "2.2.9"},
        {"queue_id", "4Z1x2y"},       {"sasl_username", "alice"},
        {"sasl_method", "PLAIN"},     {"auth", "true"},
        {"instance", NULL},           {"mta_pid", NULL},
    };
    assert_field(line, "event", event);
    assert_field(line, "src", "test");
    assert_field(line, "protocol_state", stage);
    assert_field(line, "policy", config->policy->digest);
    assert_int_equal(field_of(line, "key").n, 16);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_field(line, fields[i][0], fields[i][1]);
}

/* ---- decision --------------------------------------------------------------- */

static void test_decision(void **state)
{
    (void)state;
    struct session s = session(SOMEBODY, 587, STAGE_MAIL);
    const struct cipher c = {256, true, true, true, false};
    s.cipher_text = STR("TLS_AES_256_GCM_SHA384");
    session_tls(&s, STR("TLSv1.3"), &c, 256);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    judge(&s);
    struct str line = journaled();
    expect_session(line, "decision", "MAIL");
    assert_field(line, "tls", "true");
    assert_field(line, "encryption_protocol", "TLSv1.3");
    assert_field(line, "encryption_cipher", "TLS_AES_256_GCM_SHA384");
    assert_field(line, "encryption_keysize", "256");
    assert_field(line, "action", "pass");
    assert_field(line, "would", "pass");
    assert_field(line, "finding", NULL);
    assert_field(line, "findings", NULL);
    assert_string_equal(logged(), "");
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_PASS], 1);

    s = session(SOMEBODY, 587, STAGE_MAIL);
    session_no_tls(&s);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    judge(&s);
    line = journaled();
    expect_session(line, "decision", "MAIL");
    assert_field(line, "tls", "false");
    assert_field(line, "encryption_protocol", NULL);
    assert_field(line, "encryption_keysize", NULL);
    assert_field(line, "action", "reject");
    assert_field(line, "would", "reject");
    assert_field(line, "held", NULL);
    assert_field(line, "finding", "tls-required");
    assert_field(line, "findings", "\"tls-required\",\"cleartext-auth\"");
    assert_string_equal(logged(),
                        "tls-required refused: client=192.0.2.17 user=alice "
                        "listener=submission:587 tls=none: the client sent mail without TLS; set "
                        "the client's connection security to STARTTLS on this port, or to SSL/TLS "
                        "on port 465; in Mutt: smtp_url = smtp://..., ssl_force_tls (not checked)");
    assert_non_null(strstr(logged(), "cleartext-auth refused: "));
    assert_string_equal(logged(), "");
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_REJECT], 1);
}

static void test_held(void **state)
{
    (void)state;
    struct session s = session(SOMEBODY, 2525, STAGE_MAIL);
    session_no_tls(&s);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    judge(&s);
    struct str line = journaled();
    assert_field(line, "action", "pass");
    assert_field(line, "would", "reject");
    assert_field(line, "held", "audit");
    assert_non_null(strstr(logged(), "tls-required would refuse: "));
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_WOULD_REJECT], 1);
}

/* In the log each finding has the word for what it has brought about itself. */
static void test_word_in_the_log(void **state)
{
    (void)state;
    const struct cipher weak = {128, true, false, false, false};
    struct session s = session(SOMEBODY, 587, STAGE_MAIL);
    session_tls(&s, STR("TLSv1.2"), &weak, 128);
    session_no_auth(&s);
    judge(&s);
    assert_non_null(strstr(logged(), "auth-required refused: "));
    assert_non_null(strstr(logged(), "tls-cipher-weak logged: "));
    config->policy->listeners[1]->disconnect_implicit_tls = true;
    s = session(SOMEBODY, 587, STAGE_HELO);
    detect(&s, FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT);
    assert_non_null(strstr(logged(), "implicit-tls-on-starttls-port refused: "));
    assert_string_equal(logged(), "");
}

/* A line about TLS names the setting of a program that is known, and says where we only believe so.
 */
static void test_setting_in_the_log(void **state)
{
    (void)state;
    static const struct {
        const char *software, *end[2];
    } cases[] = {
#define TLS "or to SSL/TLS on port 465"
#define PASSWORD "then change the password"
        {"k9-mail",
         {TLS "; in K-9 Mail: Security: StartTLS", PASSWORD "; in K-9 Mail: Security: StartTLS"}},
        {"thunderbird",
         {TLS "; in Thunderbird: Connection security: STARTTLS (not checked)",
          PASSWORD "; in Thunderbird: Connection security: STARTTLS (not checked)"}},
        {"evolution", {TLS, PASSWORD}},
        {"", {TLS, PASSWORD}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char user[2] = {(char)('a' + i), 0}; /* another one, so that the line is not left out */
        struct session s = session(SOMEBODY, 587, STAGE_MAIL);
        s.software = str_of(cases[i].software);
        session_no_tls(&s);
        session_auth(&s, str_of(user), STR("PLAIN"));
        judge(&s);
        for (int line = 0; line < 2; line++) { /* tls-required, cleartext-auth */
            const char *text = logged();
            size_t n = strlen(text), end = strlen(cases[i].end[line]);
            assert_true(n >= end);
            assert_string_equal(text + n - end, cases[i].end[line]);
        }
    }
}

static void test_not_journaled(void **state)
{
    (void)state;
    struct session s = session(SOMEBODY, 25, STAGE_MAIL); /* mail from a server */
    session_no_tls(&s);
    session_no_auth(&s);
    judge(&s);
    s = session(SOMEBODY, 26, STAGE_MAIL); /* nobody's port */
    session_no_tls(&s);
    judge(&s);
    s = session(SOMEBODY, 587, STAGE_HELO);
    judge(&s);
    s = session(MONITOR, 587, STAGE_MAIL);
    session_no_tls(&s);
    judge(&s);
    assert_int_equal(journaled().n, 0);
    assert_string_equal(logged(), "");
    assert_int_equal(r.counters.ended[ROLE_SMTP][ENDING_PASS], 1);
    assert_int_equal(r.counters.no_listener, 1);
    assert_int_equal(r.counters.before_mail, 1);
    assert_int_equal(r.counters.monitors, 1);
    assert_int_equal(r.counters.found[FINDING_TLS_REQUIRED], 1);
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_REJECT], 1);
}

static void test_excepted(void **state)
{
    (void)state;
    struct session s = session(EXCEPTED, 587, STAGE_MAIL);
    session_no_tls(&s);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    judge(&s);
    struct str line = journaled();
    assert_field(line, "action", "pass");
    assert_field(line, "findings", NULL);
    assert_field(line, "excepted", "\"tls-required\",\"cleartext-auth\"");
    assert_string_equal(logged(), "");
    assert_int_equal(r.counters.excepted, 1);
    assert_int_equal(r.counters.found[FINDING_TLS_REQUIRED], 0);
}

/* Also on the port for mail from servers: an exception is worth a line. */
static void test_excepted_on_smtp(void **state)
{
    (void)state;
    struct session s = session(EXCEPTED, 25, STAGE_MAIL);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    judge(&s);
    struct str line = journaled();
    assert_field(line, "excepted", "\"auth-on-smtp-port\"");
    assert_field(line, "tls", NULL);
}

static void test_trusted(void **state)
{
    (void)state;
    struct session s = session("198.51.100.3", 587, STAGE_MAIL);
    session_no_tls(&s);
    judge(&s);
    struct str line = journaled();
    assert_field(line, "trusted", "\"tls-required\"");
    assert_field(line, "auth", NULL); /* not known is not no */
    assert_int_equal(r.counters.trusted, 1);
}

static void test_before_mail(void **state)
{
    (void)state;
    struct session s = session(SOMEBODY, 587, STAGE_HELO);
    session_tls(&s, STR("TLSv1"), NULL, 0);
    judge(&s);
    struct str line = journaled();
    assert_field(line, "event", "decision");
    assert_field(line, "finding", "tls-version");
    assert_field(line, "held", "before-mail");
    assert_int_equal(r.counters.before_mail, 0);
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_WOULD_REJECT], 1);
}

/* The name that was told is written where it is not the one that records use. */
static void test_listener_told(void **state)
{
    (void)state;
    static const char *const told[][2] = {{"submission", NULL}, {"MSA", "MSA"}, {"x", "x"}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct session s = session(SOMEBODY, 587, STAGE_MAIL);
        session_find_listener(&s, config->policy, NOTHING, str_of(told[i][0]));
        judge(&s);
        struct str line = journaled();
        assert_field(line, "listener", "submission");
        assert_field(line, "listener_told", told[i][1]);
    }
}

/* ---- finding ---------------------------------------------------------------- */

static void test_finding(void **state)
{
    (void)state;
    struct session s = session(SOMEBODY, 587, STAGE_HELO);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    detect(&s, FINDING_NO_TLS_SEEN);
    struct str line = journaled();
    expect_session(line, "finding", "EHLO");
    assert_field(line, "tls", NULL); /* not known is not no */
    assert_field(line, "action", "pass");
    assert_field(line, "would", "pass");
    assert_field(line, "held", NULL);
    assert_field(line, "finding", "no-tls-seen");
    assert_field(line, "findings", "\"no-tls-seen\"");
    assert_non_null(strstr(logged(), "no-tls-seen logged: client=192.0.2.17 user=alice "
                                     "listener=submission:587 tls=unknown: "));
    assert_int_equal(r.counters.found[FINDING_NO_TLS_SEEN], 1);
    for (int role = 0; role < ROLE_COUNT; role++) /* no transaction has ended */
        for (int e = 0; e < ENDING_COUNT; e++)
            assert_int_equal(r.counters.ended[role][e], 0);
    assert_int_equal(r.counters.before_mail, 0);
}

static void test_finding_of_whom(void **state)
{
    (void)state;
    struct session s = session(EXCEPTED, 587, STAGE_HELO);
    detect(&s, FINDING_NO_TLS_SEEN);
    struct str line = journaled();
    assert_field(line, "event", "finding");
    assert_field(line, "excepted", "\"no-tls-seen\"");
    assert_field(line, "findings", NULL);
    assert_field(line, "finding", NULL);
    assert_int_equal(r.counters.excepted, 1);
    s = session(MONITOR, 587, STAGE_HELO);
    detect(&s, FINDING_NO_TLS_SEEN);
    s = session(SOMEBODY, 26, STAGE_HELO);
    detect(&s, FINDING_NO_TLS_SEEN);
    config->policy->listeners[1]->action[FINDING_NO_TLS_SEEN] = ACTION_IGNORE;
    s = session(SOMEBODY, 587, STAGE_HELO);
    detect(&s, FINDING_NO_TLS_SEEN);
    assert_int_equal(journaled().n, 0);
    assert_string_equal(logged(), "");
    assert_int_equal(r.counters.monitors, 1);
    assert_int_equal(r.counters.found[FINDING_NO_TLS_SEEN], 1); /* the monitor's */
    assert_int_equal(r.counters.no_listener, 0);
}

/* What a session's records have told already is told again, and counted once. */
static void test_counted_once(void **state)
{
    (void)state;
    struct session s = session(SOMEBODY, 587, STAGE_MAIL);
    session_no_tls(&s);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    for (int i = 0; i < 3; i++) {
        s.recorded |= judge(&s).broken;
        assert_field(journaled(), "findings", "\"tls-required\",\"cleartext-auth\"");
    }
    s.recorded |= detect(&s, FINDING_NO_TLS_SEEN).broken;
    assert_int_equal(r.counters.found[FINDING_TLS_REQUIRED], 1);
    assert_int_equal(r.counters.found[FINDING_CLEARTEXT_AUTH], 1);
    assert_int_equal(r.counters.found[FINDING_NO_TLS_SEEN], 1);
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_REJECT], 3); /* each mail */
    detect(&s, FINDING_NO_TLS_SEEN);
    assert_int_equal(r.counters.found[FINDING_NO_TLS_SEEN], 1);
    s.recorded = FINDING_BIT(FINDING_TLS_REQUIRED); /* of two, the one that is new */
    judge(&s);
    assert_int_equal(r.counters.found[FINDING_TLS_REQUIRED], 1);
    assert_int_equal(r.counters.found[FINDING_CLEARTEXT_AUTH], 2);
}

/* ---- software --------------------------------------------------------------- */

static void test_software(void **state)
{
    (void)state;
    struct now now = time_now();
    struct session s = session(SOMEBODY, 587, STAGE_MAIL);
    session_no_tls(&s);
    session_auth(&s, STR("alice"), STR("PLAIN"));
    record_software(&r, config->policy, &s, &now);
    struct str line = journaled();
    expect_session(line, "software", "MAIL");
    assert_field(line, "action", NULL);
    assert_field(line, "would", NULL);
    assert_field(line, "findings", NULL);
    s = session(MONITOR, 587, STAGE_MAIL);
    record_software(&r, config->policy, &s, &now);
    s = session(SOMEBODY, 26, STAGE_MAIL);
    record_software(&r, config->policy, &s, &now);
    assert_int_equal(journaled().n, 0);
    assert_string_equal(logged(), "");
}

/* ---- the whole way ---------------------------------------------------------- */

/* Through the writer, to the disk, and back. */
static void test_to_disk_and_back(void **state)
{
    (void)state;
    struct now now = time_now();
    struct session s = session(SOMEBODY, 587, STAGE_MAIL);
    session_no_tls(&s);
    start(r.journal);
    judge(&s);
    detect(&s, FINDING_NO_TLS_SEEN);
    record_software(&r, config->policy, &s, &now);
    assert_int_equal(journal_stop(r.journal, 20000), 0);
    assert_int_equal(tally("decision", "client_port").sum, 40000);
    assert_int_equal(tally("finding", "server_port").sum, 587);
    assert_int_equal(tally("software", "server_port").count, 1);
    assert_int_equal(tally("decision", "client_port").lines, 3);
}

/* Without a journal the numbers and the log are the same. */
static void test_no_journal(void **state)
{
    (void)state;
    struct recorder off;
    struct err e;
    struct config c = {.policy = config->policy};
    struct session s = session(SOMEBODY, 587, STAGE_MAIL);
    struct now now = time_now();
    session_no_tls(&s);
    assert_int_equal(recorder_open(&off, &c, "test", (uid_t)-1, (gid_t)-1, &e), 0);
    struct verdict v;
    decide(c.policy, &s, &now, &v, NULL);
    record_decision(&off, c.policy, &s, &v, &now);
    assert_non_null(strstr(logged(), "tls-required refused: "));
    decide_detected(c.policy, &s, FINDING_NO_TLS_SEEN, &now, &v);
    record_detected(&off, c.policy, &s, &v, &now);
    record_software(&off, c.policy, &s, &now);
    assert_non_null(strstr(logged(), "no-tls-seen logged: "));
    assert_int_equal(off.counters.found[FINDING_TLS_REQUIRED], 1);
    assert_int_equal(off.counters.found[FINDING_NO_TLS_SEEN], 1);
    recorder_free(&off);
}

/* ---- session ------------------------------------------------------------------ */

static void put_more(struct jline *l, const void *what)
{
    jline_str(l, "tls_mode", str_of(what));
}

static bool watched(struct recorder *to, const char *client, uint16_t port, finding_set found,
                    enum held held)
{
    struct session s = session(client, port, STAGE_HELO);
    struct now now = time_now();
    struct verdict v = {.action = ACTION_LOG,
                        .would = held    ? ACTION_REJECT
                                 : found ? ACTION_LOG
                                         : ACTION_IGNORE,
                        .held = held,
                        .finding = found ? FINDING_CLEARTEXT_AUTH : FINDING_COUNT,
                        .broken = found};
    return record_session(to, config->policy, &s, &v, put_more, "cleartext", &now);
}

/* What was only looked at: every session of a submission port has a line, with its own fields. */
static void test_session(void **state)
{
    (void)state;
    const finding_set found = FINDING_BIT(FINDING_CLEARTEXT_AUTH);
    assert_false(watched(&r, SOMEBODY, 587, 0, HELD_NOT));
    struct str line = journaled();
    assert_field(line, "event", "session");
    assert_field(line, "tls_mode", "cleartext");
    assert_field(line, "finding", NULL);
    assert_string_equal(logged(), "");
    assert_true(watched(&r, SOMEBODY, 587, found, HELD_PASSIVE));
    line = journaled();
    assert_field(line, "finding", "cleartext-auth");
    assert_field(line, "action", "pass");
    assert_field(line, "would", "reject");
    assert_field(line, "held", "passive");
    assert_non_null(strstr(logged(), "cleartext-auth would refuse: "));
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_PASS], 1);
    assert_int_equal(r.counters.ended[ROLE_SUBMISSION][ENDING_WOULD_REJECT], 1);
    /* Numbers only: role smtp without a finding, monitors, ports that are not ours. */
    assert_false(watched(&r, SOMEBODY, 25, 0, HELD_NOT));
    assert_false(watched(&r, MONITOR, 587, found, HELD_NOT));
    assert_false(watched(&r, SOMEBODY, 4711, 0, HELD_NOT));
    assert_int_equal(journaled().n, 0);
    assert_string_equal(logged(), "");
    assert_int_equal(r.counters.monitors, 1);
    assert_int_equal(r.counters.no_listener, 1);
    assert_true(watched(&r, SOMEBODY, 25, found, HELD_NOT));
    assert_field(journaled(), "role", "smtp");
}

/* The same bytes to a file; nothing to the log, and nothing on disk. */
static void test_to_file(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct recorder file;
    struct err e;
    const finding_set found = FINDING_BIT(FINDING_CLEARTEXT_AUTH);
    assert_int_equal(recorder_open_file(&file, config, "test", out, &e), 0);
    for (int i = 0; i < 3000; i++) /* more than the ring holds */
        assert_true(watched(&file, SOMEBODY, 587, found, HELD_PASSIVE));
    assert_string_equal(logged(), "");
    assert_int_equal(file.counters.found[FINDING_CLEARTEXT_AUTH], 3000);
    recorder_free(&file);
    fclose(out);
    unsigned lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, 3000);
    struct str first = {text, (size_t)((char *)memchr(text, '\n', size) - text) + 1};
    assert_field(first, "event", "session");
    assert_field(first, "seq", "1");
    assert_field(first, "held", "passive");
    /* With the secret of the journal that is there, the key is the daemon's. */
    char key[64];
    struct str of_file = field_of(first, "key");
    snprintf(key, sizeof key, "%.*s", STR_ARG(of_file));
    watched(&r, SOMEBODY, 587, found, HELD_PASSIVE);
    assert_field(journaled(), "key", key);
    free(text);
    /* Nowhere at all. */
    assert_int_equal(recorder_open_file(&file, config, "test", NULL, &e), 0);
    assert_true(watched(&file, SOMEBODY, 587, found, HELD_PASSIVE));
    recorder_free(&file);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_recorder, close_recorder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_decision),           TEST(test_held),          TEST(test_word_in_the_log),
        TEST(test_setting_in_the_log), TEST(test_not_journaled), TEST(test_excepted),
        TEST(test_excepted_on_smtp),   TEST(test_trusted),       TEST(test_before_mail),
        TEST(test_listener_told),      TEST(test_finding),       TEST(test_finding_of_whom),
        TEST(test_counted_once),       TEST(test_software),      TEST(test_to_disk_and_back),
        TEST(test_no_journal),         TEST(test_session),       TEST(test_to_file),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
