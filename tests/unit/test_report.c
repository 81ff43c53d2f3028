/* SPDX-License-Identifier: Apache-2.0 */
/* The report: the model, the text, JSON and CSV, of sessions written by hand. */
#include "tests/unit/report_help.h"

#include <jansson.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/session.h"
#include "edge/privacy.h"

static struct world w;

static int set_up(void **state)
{
    (void)state;
    world_open(&w, "", 1000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

#define TLS13 TLS_1_3, "TLS_AES_256_GCM_SHA384"

/* ---- help --------------------------------------------------------------- */

static struct seen with_software(struct seen s, enum software_id id, const char *version)
{
    s.software = (uint8_t)(1 + id);
    s.software_version = names_id(w.names, str_of(version));
    return s;
}

static struct seen named(struct seen s, const char *name)
{
    s.client_name = names_id(w.names, str_of(name));
    return s;
}

static struct seen mail_without_login(const char *listener, const char *client)
{
    struct seen s = session_on(&w, listener, client);
    s.flags |= SEEN_MAIL | SEEN_MAIL_TAKEN;
    return s;
}

/* Clear text on the port of implicit TLS. */
static struct seen clear_on_465(const char *client)
{
    struct seen s = session_on(&w, "postfix/smtps", client);
    s.flags = SEEN_CONNECT | SEEN_END | SEEN_COUNTS | SEEN_TLS_FAILED;
    s.handshake = HANDSHAKE_CLEARTEXT;
    s.mode = TLS_MODE_IMPLICIT;
    return s;
}

/* Users need both listeners, so that the bare name is taken for port 25. */
static void good_users(void)
{
    see(&w, mail_of(&w, tls_on(&w, "postfix/smtps", "192.0.2.1", TLS13), "fine@example.com"), 40, 0,
        9);
    see(&w, mail_of(&w, tls_on(&w, "postfix/submission", "192.0.2.2", TLS13), "good@example.com"),
        1000, 0, 9);
}

/* A small provider, one day, some of everything. */
static void provider(void)
{
    good_users();
    /* a password in clear text, from four addresses, by a program that is known */
    struct seen s =
        mail_of(&w, session_on(&w, "postfix/submission", "192.0.2.10"), "alice@example.com");
    s = with_software(s, SOFTWARE_K9_MAIL, "6.8");
    see(&w, named(s, "dsl-10.example.net"), 9, 10, 110);
    for (uint8_t i = 11; i < 14; i++) {
        s.client.b[3] = i;
        see(&w, s, 1, i, 100 + i);
    }
    /* port 25, under TLS; and the same machine once more, without a login */
    s = mail_of(&w, tls_on(&w, "postfix", "192.0.2.20", TLS13), "bob@example.com");
    see(&w, with_software(s, SOFTWARE_THUNDERBIRD, "115.3.1"), 12, 0, 5000);
    see(&w, tls_on(&w, "postfix", "192.0.2.20", TLS13), 3, 0, 50);
    /* an old machine, which tries clear text on 465, too */
    s = tls_on(&w, "postfix/submission", "192.0.2.30", TLS_1_0, "AES128-SHA");
    see(&w, mail_of(&w, s, "carol@example.com"), 3, 0, 60);
    see(&w, clear_on_465("192.0.2.30"), 2, 0, 60);
    /* a copier in the own network */
    see(&w, named(mail_without_login("postfix/submission", "10.0.0.5"), "copier.example.com"), 200,
        0, 3000);
    /* other servers, and bots; one of them guesses a name that exists */
    see(&w, tls_on(&w, "postfix", "198.51.100.1", TLS13), 4000, 0, 1);
    see(&w, session_on(&w, "postfix", "198.51.100.2"), 100, 0, 1);
    see(&w, failed_as(&w, session_on(&w, "postfix", "203.0.113.9"), "root"), 412, 0, 1);
    see(&w, failed_as(&w, session_on(&w, "postfix", "203.0.113.10"), "alice@example.com"), 7, 0, 1);
    see(&w, session_on(&w, "postfix/submission", "203.0.113.11"), 44, 0, 1);
}

static const struct report_entry *entry_of(const char *user, enum report_who who)
{
    for (unsigned i = 0; i < w.report->entry_count; i++) {
        const struct report_entry *e = &w.report->entries[i];
        if (e->who == who && strcmp(e->user, user) == 0)
            return e;
    }
    return NULL;
}

static const struct report_entry *entry_from(const char *client)
{
    for (unsigned i = 0; i < w.report->entry_count; i++)
        if (strcmp(w.report->entries[i].client, client) == 0)
            return &w.report->entries[i];
    return NULL;
}

static void expect_text(const char *part)
{
    char *text = text_of(w.report, 100, 20, false);
    if (!strstr(text, part)) {
        fprintf(stderr, "%s", text);
        fail_msg("not in the text: %s", part);
    }
    free(text);
}

static void expect_no_text(const char *part)
{
    char *text = text_of(w.report, 100, 20, false);
    if (strstr(text, part))
        fail_msg("in the text: %s", part);
    free(text);
}

/* ---- a whole report ------------------------------------------------------- */

static void test_text(void **state)
{
    (void)state;
    provider();
    char *text = text_of(make_report(&w, BY_USER), 100, 20, false);
    expect_file("provider.txt", text);
    free(text);
}

static void test_json(void **state)
{
    (void)state;
    provider();
    char *text = written(report_json, make_report(&w, BY_USER));
    expect_file("provider.json", text);
    free(text);
}

static void test_csv(void **state)
{
    (void)state;
    provider();
    char *text = written(report_csv, make_report(&w, BY_USER));
    expect_file("provider.csv", text);
    free(text);
}

/* Doubts, drift, problems, a policy of one's own, exceptions. */
static void test_everything_else(void **state)
{
    (void)state;
    static struct shapes shapes = {.count = 2, .lines = 1236, .overflow = 1};
    static const struct sessions_counts counts = {.incomplete = 17, .homeless = 3};
    static const char *const problems[] = {"mail.log.3.gz: ends early; what came before was read",
                                           "mail.log.4: cannot be opened: Permission denied"};
    tear_down(NULL);
    world_open(&w,
               "listeners:\n"
               "  - {names: [postfix], port: 25, role: smtp}\n"
               "  - {names: [submission], port: 587, role: submission}\n"
               "trusted: {networks: [10.0.0.0/8]}\n"
               "exceptions:\n"
               "  - {client: 192.0.2.40, allow: [tls-required], until: 2999-12-31,"
               " reason: test, owner: test}\n",
               1000);
    shapes.list[0] = (struct shape){"warning: SASL a12 of a5 with x5 refused", 2, 99};
    shapes.list[1] = (struct shape){"TLS a9 of n3", 1234, 7};
    w.input.shapes = &shapes;
    w.input.sessions = &counts;
    w.input.problems = problems;
    w.input.problem_count = 2;
    w.input.since_us = NOON - 7200 * US_PER_S;
    see(&w, mail_without_login("postfix/submission", "10.0.0.5"), 2, 0, 0);
    see(&w, mail_without_login("postfix/submission", "192.0.2.40"), 1, 0, 0);
    /* TLS, but the log does not tell which; a login without a mail, so without a name */
    struct seen s = tls_on(&w, "postfix/submission", "192.0.2.1", 0, "");
    s.flags |= SEEN_AUTH;
    see(&w, s, 5, 0, 0);
    /* a listener that the policy does not have */
    see(&w, tls_on(&w, "postfix/smtps", "192.0.2.1", TLS13), 1, 0, 0);
    s = tls_on(&w, "postfix/submission", "192.0.2.2", TLS13);
    see(&w, mail_of(&w, s, "dave@example.com"), 1, 0, 0);
    s = session_on(&w, "postfix/submission", "192.0.2.2");
    s.flags |= SEEN_TLS_FAILED;
    see(&w, s, 1, 0, 0);
    make_report(&w, BY_USER);
    char *text = text_of(w.report, 100, 20, false);
    expect_file("rest.txt", text);
    free(text);
    text = written(report_json, w.report);
    expect_file("rest.json", text);
    free(text);
}

/* Two machines that mean different things by one name. */
static void test_several_hosts(void **state)
{
    (void)state;
    good_users();
    struct seen s = mail_of(&w, session_on(&w, "postfix", "192.0.2.1"), "a");
    see(&w, s, 7, 0, 0);
    s.host = names_id(w.names, STR("other"));
    see(&w, s, 8, 0, 0);
    make_report(&w, BY_USER);
    char *text = text_of(w.report, 120, 0, false);
    assert_non_null(
        strstr(text, "\nLISTENERS             host   is                        sessions  "));
    assert_non_null(
        strstr(text, "\n  postfix             other  unknown                          8  "));
    assert_non_null(
        strstr(text, "\n  postfix             mx     smtp 25 (assumption)             7  "));
    free(text);
}

/* ---- groups ------------------------------------------------------------------ */

static void test_by_client(void **state)
{
    (void)state;
    provider();
    make_report(&w, BY_CLIENT);
    const struct report_entry *e = entry_from("192.0.2.10");
    assert_non_null(e);
    assert_string_equal(e->user, "alice@example.com");
    assert_string_equal(e->name, "dsl-10.example.net");
    assert_int_equal(e->sessions, 9);
    /* carol's two kinds of sessions are of one address */
    e = entry_from("192.0.2.30");
    assert_int_equal(e->sessions, 5);
    assert_int_equal(e->part_count, 2);
    assert_int_equal(e->who, WHO_LOGGED_IN);
    assert_int_equal(e->parts[0].would, ACTION_REJECT);
    assert_int_equal(e->parts[0].sessions, 3);
    assert_int_equal(e->findings, FINDING_BIT(FINDING_TLS_VERSION) |
                                      FINDING_BIT(FINDING_TLS_CIPHER_WEAK) |
                                      FINDING_BIT(FINDING_CLEARTEXT_ON_IMPLICIT_PORT));
    expect_text("  192.0.2.30, carol@example.com; last 2026-11-20 12:01:00\n");
}

static void test_by_software(void **state)
{
    (void)state;
    provider();
    make_report(&w, BY_SOFTWARE);
    const struct report_entry *e = &w.report->entries[0];
    assert_true(e->customer);
    assert_string_equal(e->software, "K-9 Mail 6.8");
    assert_string_equal(e->client, "192.0.2.10 and 3 more");
    assert_int_equal(e->clients.count, 4);
    expect_text("  Thunderbird 115.3.1: bob@example.com; last 2026-11-20 13:23:20\n");
    expect_text("  software not recognised: carol@example.com; last 2026-11-20 12:01:00\n");
}

static void test_by_listener(void **state)
{
    (void)state;
    provider();
    make_report(&w, BY_LISTENER);
    const struct report_entry *e = &w.report->entries[0];
    assert_string_equal(e->listener, "postfix"); /* bob, and somebody as alice */
    assert_int_equal(e->sessions, 12 + 7);
    assert_string_equal(e->user, "bob@example.com");
    e++;
    assert_string_equal(e->listener, "postfix/submission");
    assert_int_equal(e->sessions, 12 + 3);
    assert_string_equal(e->user, "alice@example.com and 1 more");
    assert_int_equal(e->users.count, 2);
    assert_string_equal(e->users.list[1], "carol@example.com");
    expect_text("  postfix: bob@example.com; last 2026-11-20 13:23:20\n");
}

static void test_by_finding(void **state)
{
    (void)state;
    provider();
    const struct report *r = make_report(&w, BY_FINDING);
    unsigned count = 0;
    for (unsigned i = 0; i < r->entry_count; i++) {
        const struct report_entry *e = &r->entries[i];
        assert_int_equal(e->findings, FINDING_BIT(e->finding));
        for (unsigned k = 0; k < e->part_count; k++)
            assert_int_equal(e->parts[k].findings, e->findings);
        if (e->finding == FINDING_TLS_CIPHER_WEAK) {
            /* the session would be refused, but not because of this */
            assert_int_equal(e->would, ACTION_LOG);
            assert_int_equal(e->sessions, 3);
            assert_int_equal(e->breaks, 0);
            count++;
        }
        if (e->finding == FINDING_TLS_REQUIRED) {
            assert_int_equal(e->would, ACTION_REJECT);
            assert_int_equal(e->sessions, e->customer ? 12 : 200);
            assert_int_equal(e->breaks, e->customer ? 12 : 200);
            count++;
        }
    }
    assert_int_equal(count, 3);
    expect_text("  cleartext-auth: alice@example.com; last 2026-11-20 12:01:53\n");
}

/* ---- who it was ---------------------------------------------------------------- */

/* Behind one address are several: then nobody is named. */
static void test_several_users_at_an_address(void **state)
{
    (void)state;
    good_users();
    struct seen s = tls_on(&w, "postfix/submission", "192.0.2.50", TLS13);
    see(&w, mail_of(&w, s, "one@example.com"), 5, 0, 0);
    see(&w, clear_on_465("192.0.2.50"), 2, 0, 0);
    make_report(&w, BY_USER);
    const struct report_entry *e = entry_of("one@example.com", WHO_ADDRESS);
    assert_non_null(e);
    assert_true(e->user_by_address && e->customer);
    assert_null(entry_of("one@example.com", WHO_LOGGED_IN));

    see(&w, mail_of(&w, s, "two@example.com"), 1, 0, 0);
    make_report(&w, BY_USER);
    assert_null(entry_of("one@example.com", WHO_ADDRESS));
    e = entry_from("192.0.2.50");
    assert_non_null(e);
    assert_string_equal(e->user, "");
    assert_int_equal(e->who, WHO_NOBODY);
    assert_true(e->customer);
    assert_false(e->user_by_address);
    expect_text("  192.0.2.50; last 2026-11-20 12:00:00\n");
}

/* Who tries three names and none is right guesses the fourth, too. */
static void test_guesses_are_strangers(void **state)
{
    (void)state;
    good_users();
    struct seen s = session_on(&w, "postfix", "203.0.113.1");
    see(&w, failed_as(&w, s, "fine@example.com"), 1, 0, 0);
    make_report(&w, BY_USER);
    assert_true(entry_of("fine@example.com", WHO_TRIED)->customer);
    expect_text("  somebody who tried the name of fine@example.com (perhaps a guess), from "
                "203.0.113.1; last\n    2026-11-20 12:00:00\n");
    see(&w, failed_as(&w, s, "root"), 1, 0, 0);
    see(&w, failed_as(&w, s, "admin"), 1, 0, 0);
    make_report(&w, BY_USER);
    assert_int_equal(w.report->entry_count, 1);
    assert_false(w.report->entries[0].customer);
    assert_string_equal(w.report->entries[0].user, "");
    expect_no_text("fine@example.com");
}

/* From the own address, it is a slip of the pen. */
static void test_own_failure(void **state)
{
    (void)state;
    good_users();
    see(&w, failed_as(&w, session_on(&w, "postfix", "192.0.2.1"), "fine@example.com"), 1, 0, 0);
    see(&w, failed_as(&w, session_on(&w, "postfix", "192.0.2.1"), "fime@example.com"), 1, 0, 0);
    make_report(&w, BY_USER);
    assert_null(entry_of("fine@example.com", WHO_TRIED));
    assert_int_equal(entry_of("fine@example.com", WHO_ADDRESS)->sessions, 2);
}

/* One session that cannot be judged is enough not to call a user fine. */
static void test_how_users_are(void **state)
{
    (void)state;
    good_users();
    struct seen s = tls_on(&w, "postfix", "192.0.2.60", TLS13);
    /* without submission ports in the log nobody knows what "postfix" is: here they are, so it
     * is port 25; a name of its own that stands for nothing is not known */
    s = tls_on(&w, "postfix/foo", "192.0.2.60", TLS13);
    see(&w, mail_of(&w, s, "fine@example.com"), 1, 0, 0);
    make_report(&w, BY_USER);
    assert_int_equal(w.report->users, 2);
    assert_int_equal(w.report->share[STATE_FINE].users, 1);
    assert_int_equal(w.report->share[STATE_UNKNOWN].users, 1);
    assert_int_equal(w.report->share[STATE_UNKNOWN].sessions, 1);
    expect_text("  - 2 users logged in: 1 fine, 1 that cannot be judged.\n");
    expect_text("         1  which port it was: the listener has no name");
}

/* A change outweighs what is not known. */
static void test_change_outweighs(void **state)
{
    (void)state;
    good_users();
    see(&w, mail_of(&w, tls_on(&w, "postfix/foo", "192.0.2.1", TLS13), "a"), 5, 0, 0);
    see(&w, mail_of(&w, session_on(&w, "postfix/submission", "192.0.2.1"), "a"), 1, 0, 0);
    make_report(&w, BY_USER);
    assert_int_equal(w.report->share[STATE_CHANGE].users, 1);
    assert_int_equal(w.report->share[STATE_UNKNOWN].users, 0);
    assert_int_equal(w.report->share[STATE_UNKNOWN].sessions, 5);
}

/* Whose mail is not taken today loses nothing. */
static void test_refused_already(void **state)
{
    (void)state;
    struct seen s = session_on(&w, "postfix/submission", "203.0.113.1");
    s.flags |= SEEN_MAIL;
    see(&w, s, 50, 0, 0);
    see(&w, mail_without_login("postfix/submission", "10.0.0.5"), 1, 0, 0);
    make_report(&w, BY_USER);
    assert_int_equal(w.report->refused_sessions, 51);
    assert_int_equal(w.report->refused_devices, 1);
    assert_int_equal(w.report->refused_device_clients, 1);
    assert_string_equal(w.report->entries[0].client, "10.0.0.5");
    assert_int_equal(w.report->entries[0].breaks, 1);
    assert_int_equal(w.report->entries[1].breaks, 0);
    assert_int_equal(w.report->entries[1].would, ACTION_REJECT);
    expect_text(
        "STRANGERS      sessions  found\n  203.0.113.1        50  tls-required, auth-required\n");
}

/* ---- what to change ----------------------------------------------------------------- */

/* What asks for the same stands together, and what asks for it most often comes first. */
static void test_one_setting_in_one_place(void **state)
{
    (void)state;
    good_users();
    static const struct {
        uint64_t sessions;
        const char *listener;
    } wanted[] = {{6, "postfix/submission"}, {3, "postfix/2525"}, {2, "postfix/submission"}};
    struct seen s = mail_of(&w, session_on(&w, "postfix/submission", "192.0.2.1"), "a");
    see(&w, s, 2, 0, 0);
    s.listener = names_id(w.names, STR("postfix/2525"));
    see(&w, s, 3, 0, 0);
    s = tls_on(&w, "postfix/submission", "192.0.2.1", TLS_1_1, "ECDHE-RSA-AES256-SHA");
    see(&w, mail_of(&w, s, "a"), 6, 0, 0);
    const struct report_entry *e = make_report(&w, BY_USER)->entries;
    assert_int_equal(e->part_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(e->parts[i].sessions, wanted[i].sessions);
        assert_string_equal(e->parts[i].listener, wanted[i].listener);
    }
    assert_ptr_equal(e->parts[1].setting, e->parts[2].setting);
    assert_string_equal(e->setting,
                        "update the client or its operating system, or enable TLS 1.2 in it; also: "
                        "set the client's connection security to SSL/TLS (port 465) or STARTTLS "
                        "(port 587), then change the password");
}

/* Who has something to change need not be told that it was no SMTP, too. */
static void test_the_rest_goes_without_saying(void **state)
{
    (void)state;
    good_users();
    struct seen s = failed_as(&w, session_on(&w, "postfix", "203.0.113.1"), "root");
    s.first = BYTES_HTTP;
    see(&w, s, 1, 0, 0);
    const struct report_entry *e = make_report(&w, BY_USER)->entries;
    assert_int_equal(e->findings,
                     FINDING_BIT(FINDING_NOT_SMTP) | FINDING_BIT(FINDING_AUTH_TRIED_ON_SMTP_PORT));
    assert_string_equal(e->setting, findings[FINDING_AUTH_TRIED_ON_SMTP_PORT].fix);
}

/* The host name is the first address's, or nobody's. */
static void test_name_of_the_first_address(void **state)
{
    (void)state;
    good_users();
    struct seen s = mail_of(&w, session_on(&w, "postfix/submission", "192.0.2.1"), "a");
    see(&w, s, 5, 0, 0);
    s.client.b[3] = 2;
    see(&w, named(s, "two.example.net"), 2, 0, 0);
    const struct report_entry *e = make_report(&w, BY_USER)->entries;
    assert_string_equal(e->client, "192.0.2.1 and 1 more");
    assert_string_equal(e->name, "");
    see(&w, named(s, "two.example.net"), 4, 0, 0);
    e = make_report(&w, BY_USER)->entries;
    assert_string_equal(e->client, "192.0.2.2 and 1 more");
    assert_string_equal(e->name, "two.example.net");
}

/* ---- nothing, or not much ---------------------------------------------------------- */

static void test_empty(void **state)
{
    (void)state;
    static const struct sessions_counts none;
    w.input = (struct report_input){.sessions = &none};
    make_report(&w, BY_USER);
    expect_text("\n  There is nothing in it.\n");
    expect_no_text("IN SHORT");
    w.input.lines = 5000;
    expect_text("No line of Postfix's smtpd or of Sendmail was found in 5,000 lines. Is this the");
    w.input.ours = 17;
    expect_text("No session of a client is in it. Is this the log of the server that takes mail");
    w.input.since_us = NOON;
    expect_text("No session ended after the date of --since.");
    char *text = written(report_csv, w.report);
    assert_string_equal(strchr(text, '\r'), "\r\n");
    free(text);
    text = written(report_json, w.report);
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "sessions"), "count")),
                     0);
    assert_int_equal(json_array_size(json_object_get(j, "entries")), 0);
    json_decref(j);
    free(text);
}

static void test_only_strangers(void **state)
{
    (void)state;
    see(&w, session_on(&w, "postfix/submission", "203.0.113.11"), 1044, 0, 1);
    make_report(&w, BY_USER);
    assert_int_equal(w.report->customers, 0);
    expect_text(
        "  - If this policy were enforced, no user would be refused.\n"
        "  - Nobody logged in, so all 1,044 sessions count as strangers': who is a customer "
        "cannot be said.\n    Logs of more days may tell.\n");
    expect_no_text("CUSTOMERS, ");
}

static void test_one_of_each(void **state)
{
    (void)state;
    tear_down(NULL);
    world_open(&w, "listeners:\n  - {names: [submission], port: 587, role: submission}\n", 9);
    w.input.lines = w.input.ours = 1;
    see(&w, mail_of(&w, session_on(&w, "postfix/submission", "192.0.2.1"), "a"), 1, 0, 0);
    make_report(&w, BY_USER);
    expect_text("  1 line, 1 of Postfix or Sendmail; 1 session; read in 0.4 s\n");
    expect_text("  - If this policy were enforced, 1 user would be refused.\n"
                "  - 1 user sends the password without TLS.\n"
                "  - 1 user logged in: 1 with something to change.\n"
                "  - 1 session is a customer's: 1 with something to change.\n");
}

/* ---- what strangers send -------------------------------------------------------------- */

static const char *const hostile[] = {
    "=HYPERLINK(\"http://x/\")",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r\nx",
    "\033[2J\033]0;x\007",
    "caf\xe9",
    "\"quoted\", and, commas",
    "<script>",
    "\xc2\x85",
    "\xe2\x80\xae"
    "gnp",
    "\xef\xbc\x9d"
    "1",
    "%s%n",
    "\\",
    "a b\nc",
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

/* Each as user, host name, listener and cipher. */
static void hostile_world(void)
{
    good_users();
    for (int i = 0; i < HOSTILE; i++) {
        struct seen s = named(session_on(&w, "postfix/submission", "192.0.2.1"), hostile[i]);
        s.client.b[3] = (uint8_t)i;
        see(&w, mail_of(&w, s, hostile[i]), 1, 0, 0);
        s = tls_on(&w, "x", "192.0.2.1", TLS_1_3, hostile[i]);
        s.listener = names_id(w.names, str_of(hostile[i]));
        see(&w, mail_of(&w, s, "somebody"), 1, 0, 0);
    }
}

static void test_hostile_text(void **state)
{
    (void)state;
    hostile_world();
    make_report(&w, BY_USER);
    char *text = text_of(w.report, 100, 0, false);
    for (const char *p = text; *p; p++)
        if (*p != '\n' && ((unsigned char)*p < ' ' || (unsigned char)*p > '~'))
            fail_msg("byte 0x%02x in the text", (unsigned char)*p);
    assert_non_null(strstr(text, "\n  caf\\xe9, from 192.0.2.7 (caf\\xe9); last"));
    assert_non_null(strstr(text, "\n  %s%n, from 192.0.2.13 (%s%n); last"));
    free(text);
}

static void test_hostile_json(void **state)
{
    (void)state;
    hostile_world();
    char *text = written(report_json, make_report(&w, BY_USER));
    json_error_t e;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &e), *entry;
    if (!j)
        fail_msg("%s: %s", e.text, text);
    free(text);
    size_t i;
    unsigned found = 0;
    json_array_foreach(json_object_get(j, "entries"), i, entry)
    {
        json_t *users = json_object_get(entry, "sasl_usernames");
        const char *user = json_string_value(json_array_get(users, 0));
        for (int k = 0; k < HOSTILE; k++)
            found += strcmp(user, hostile[k]) == 0;
        found += strcmp(user, "caf\xee\xbf\xa9") == 0; /* \uefe9, as docs/journal.md has it */
    }
    assert_int_equal(found, HOSTILE);
    assert_int_equal(json_array_size(json_object_get(j, "ciphers")), HOSTILE + 1);
    json_decref(j);
}

/* A cell of text, at the line's `column`: what is between its quotes. */
static void test_hostile_csv(void **state)
{
    (void)state;
    static const char *const cells[] = {
        "\"'=HYPERLINK(\"\"http://x/\"\")\"",
        "\"'+1\"",
        "\"'-1\"",
        "\"'@SUM(A1)\"",
        "\"\\x09=1\"",
        "\"\\x0d\\x0ax\"",
        "\"\\x1b[2J\\x1b]0;x\\x07\"",
        "\"caf\\xe9\"",
        "\"\"\"quoted\"\", and, commas\"",
        "\"<script>\"",
        "\"\\xc2\\x85\"",
        "\"%s%n\"",
        "\"a b\\x0ac\"",
    };
    hostile_world();
    char *text = written(report_csv, make_report(&w, BY_USER)), line[300];
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        snprintf(line, sizeof line, "\r\nyes,%s,1,login,\"192.0.2.", cells[i]);
        if (!strstr(text, line))
            fail_msg("no line with %s", cells[i]);
    }
    for (const char *p = text; *p; p++) {
        assert_true((unsigned char)*p >= ' ' || *p == '\r' || *p == '\n');
        assert_true(*p != '\r' || p[1] == '\n');
    }
    free(text);
}

/* ---- privacy ------------------------------------------------------------------------------ */

static void make_private_report(enum user_privacy user, enum address_privacy address)
{
    struct privacy_settings settings = {user, address};
    struct err e;
    w.settings.privacy = privacy_open(&settings, "", (uid_t)-1, (gid_t)-1, &e);
    assert_non_null(w.settings.privacy);
    make_report(&w, BY_USER);
    privacy_free(w.settings.privacy);
    w.settings.privacy = NULL;
}

static void test_privacy(void **state)
{
    (void)state;
    static int (*const writers[])(FILE *, const struct report *) = {report_json, report_csv};
    static const char *const secrets[] = {"alice",      "bob@",   "carol",  "192.0.2.10",
                                          "192.0.2.30", "copier", "dsl-10", "203.0.113.9\""};
    provider();
    for (int domain = 0; domain < 2; domain++) {
        make_private_report(domain ? USER_DOMAIN : USER_HASH,
                            domain ? ADDRESS_NETWORK : ADDRESS_HASH);
        assert_int_equal(w.report->users, 5);
        assert_int_equal(w.report->share[STATE_CHANGE].users, 3);
        for (int k = 0; k < 3; k++) {
            char *text = k < 2 ? written(writers[k], w.report) : text_of(w.report, 100, 0, false);
            for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
                if (strstr(text, secrets[i]))
                    fail_msg("%s in the report", secrets[i]);
            free(text);
        }
        if (domain)
            expect_text("\n  @example.com, from 192.0.2.0/24; last 2026-11-20 13:23:20\n");
        else
            expect_text("\n  h:");
    }
}

/* ---- how it looks ------------------------------------------------------------------------------
 */

static void test_width(void **state)
{
    (void)state;
    provider();
    make_report(&w, BY_USER);
    for (unsigned width = 80; width <= 120; width += 20) {
        char *text = text_of(w.report, width, 20, false);
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
            assert_true((size_t)(end - line) <= width);
            assert_true(end == line || end[-1] != ' ');
        }
        free(text);
    }
}

/* A word that is longer than a line stands alone in its own; no line is empty because of it. */
static void test_long_words(void **state)
{
    (void)state;
    good_users();
    char user[200];
    memset(user, 'x', sizeof user - 1);
    user[sizeof user - 1] = '\0';
    see(&w, mail_of(&w, session_on(&w, "postfix/submission", "192.0.2.1"), user), 1, 0, 0);
    make_report(&w, BY_USER);
    char *text = text_of(w.report, 80, 20, false);
    assert_non_null(strstr(text, "(in front: sessions)\n  xxx"));
    assert_non_null(strstr(text, "xxx,\n    from 192.0.2.1; last 2026-11-20 12:00:00\n"));
    free(text);
}

static void test_colour(void **state)
{
    (void)state;
    provider();
    make_report(&w, BY_USER);
    expect_no_text("\033");
    char *text = text_of(w.report, 100, 20, true);
    assert_non_null(strstr(text, "\n\033[1mIN SHORT\033[0m\n"));
    assert_non_null(strstr(text, "12  \033[31mwould be refused\033[0m: tls-required"));
    free(text);
}

static void test_rows(void **state)
{
    (void)state;
    provider();
    make_report(&w, BY_USER);
    char *text = text_of(w.report, 100, 2, false);
    assert_non_null(strstr(text, "bob@example.com"));
    assert_null(strstr(text, "carol@example.com"));
    assert_non_null(strstr(text, "\n  and 3 more: --all\n"));
    free(text);
}

/* A disk that is full. */
static void test_full_disk(void **state)
{
    (void)state;
    provider();
    make_report(&w, BY_USER);
    FILE *f = fopen("/dev/full", "w");
    assert_non_null(f);
    assert_int_equal(report_text(f, w.report, &(struct report_style){100, false, 0}), -1);
    assert_int_equal(report_json(f, w.report), -1);
    assert_int_equal(report_csv(f, w.report), -1);
    fclose(f);
}

/* ---- much, and too little memory
 * ------------------------------------------------------------------ */

/* Sessions of as many strangers, each with a finding. */
static void many(uint32_t count)
{
    tear_down(NULL);
    world_open(&w, "", count);
    struct seen s = session_on(&w, "postfix/submission", "203.0.113.1");
    for (uint32_t i = 0; i < count; i++) {
        memcpy(s.client.b, &i, sizeof i);
        see(&w, s, 1, 0, 0);
    }
}

static void test_a_million_rows(void **state)
{
    (void)state;
    enum { MANY = 1000 * 1000 };
    many(MANY);
    const struct report *r = make_report(&w, BY_USER);
    assert_int_equal(r->entry_count, MANY);
    assert_int_equal(r->sessions, MANY);
    assert_int_equal(r->findings[0].clients, MANY);
    make_report(&w, BY_LISTENER);
    assert_int_equal(w.report->entry_count, 1);
    assert_int_equal(w.report->entries[0].clients.count, MANY);
}

/* Each time a little more memory, until there is enough. */
static int little_memory(void)
{
    unsigned failures = 0;
    for (rlim_t more = 0; more < 256; more++) {
        long pages = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        if (!f || fscanf(f, "%ld", &pages) != 1)
            return 2;
        fclose(f);
        struct rlimit limit = {(rlim_t)pages * 4096 + more * 256 * 1024, RLIM_INFINITY};
        setrlimit(RLIMIT_AS, &limit);
        struct report *r = report_new(w.tally, &w.input, &w.settings);
        limit.rlim_cur = RLIM_INFINITY;
        setrlimit(RLIMIT_AS, &limit);
        if (r) {
            report_free(r);
            return failures > 10 ? 0 : 3;
        }
        failures++;
    }
    return 4;
}

static void test_memory_ends(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return; /* they need an address space without a limit */
#endif
    int status;
    many(30000);
    log_listeners_resolve(&w.listeners, w.names, w.config->policy, false, NULL, 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(little_memory());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_text),
        TEST(test_json),
        TEST(test_csv),
        TEST(test_everything_else),
        TEST(test_several_hosts),
        TEST(test_by_client),
        TEST(test_by_software),
        TEST(test_by_listener),
        TEST(test_by_finding),
        TEST(test_several_users_at_an_address),
        TEST(test_guesses_are_strangers),
        TEST(test_own_failure),
        TEST(test_how_users_are),
        TEST(test_change_outweighs),
        TEST(test_refused_already),
        TEST(test_one_setting_in_one_place),
        TEST(test_the_rest_goes_without_saying),
        TEST(test_name_of_the_first_address),
        TEST(test_empty),
        TEST(test_only_strangers),
        TEST(test_one_of_each),
        TEST(test_hostile_text),
        TEST(test_hostile_json),
        TEST(test_hostile_csv),
        TEST(test_privacy),
        TEST(test_width),
        TEST(test_long_words),
        TEST(test_colour),
        TEST(test_rows),
        TEST(test_full_disk),
        TEST(test_a_million_rows),
        TEST(test_memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
