/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens around the filter's sessions: a reload, the end, memory that is short, other
 * threads.
 */
#include "tests/unit/milter_help.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "edge/log.h"

/* ---- help ------------------------------------------------------------------- */

static const char policy_text[] =
    "mode: enforce\n"
    "listeners:\n"
    "  - {names: [smtp, MTA], port: 25, role: smtp}\n"
    "  - {names: [submission, MSA], port: 587, role: submission}\n"
    "  - {names: [submissions, TLSMSA], port: 465, role: submissions}\n";

static int open_filter(void **state)
{
    return filter_set_up(state, policy_text);
}

static _Thread_local struct reply reply;

static enum answer_kind mail(struct connection *c, const char *macros)
{
    struct told told = tell(c, AT_MAIL, macros);
    reply = (struct reply){0};
    return filter_mail(&f, c, STR("<alice@example.com>"), &told, &reply);
}

static void end_of_headers(struct connection *c)
{
    struct told told = tell(c, AT_EOH, "QUEUE_ID=4Z1x2y");
    filter_end_of_headers(&f, c, &told);
}

/* ---- a policy for a session ------------------------------------------------- */

static unsigned refs(struct policy *p)
{
    return atomic_load(&p->refs);
}

static void test_policy_is_pinned(void **state)
{
    (void)state;
    struct config *lenient = parse("mode: audit\n"
                                   "exceptions:\n"
                                   "  - {client: 192.0.2.17, allow: [tls-required, auth-required],"
                                   " until: 2999-12-31, reason: test, owner: test}\n");
    struct connection *before = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=587");
    assert_int_equal(refs(config->policy), 2);
    f.life.policy = lenient->policy; /* a reload */
    struct connection *after = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=587");
    assert_int_equal(mail(before, ""), ANSWER_REFUSE);
    assert_field(next_line(), "policy", config->policy->digest);
    assert_int_equal(mail(after, ""), ANSWER_HEADERS);
    assert_field(next_line(), "policy", lenient->policy->digest);
    assert_int_equal(refs(config->policy), 2);
    assert_int_equal(refs(lenient->policy), 2);
    /* a second session on one connection begins anew */
    struct told told = tell(before, AT_CONNECT, POSTFIX "DAEMON_PORT=587");
    filter_connect(&f, before, NULL, &told);
    assert_int_equal(refs(config->policy), 1);
    assert_int_equal(mail(before, ""), ANSWER_HEADERS);
    leave(before);
    leave(after);
    assert_int_equal(refs(lenient->policy), 1);
    assert_int_equal(f.counters.accepted, 2);
    assert_int_equal(f.counters.open, 0);
    config_free(lenient);
}

/* ---- our own failures ------------------------------------------------------- */

static const struct {
    const char *port;
    enum answer_kind kind; /* the port is all there is without a connection */
} failed[] = {
    {"DAEMON_PORT=587", ANSWER_REFUSE}, {"DAEMON_PORT=465|TLS_AT_CONNECT=TLSv1.3", ANSWER_REFUSE},
    {"DAEMON_PORT=25", ANSWER_PASS},    {"DAEMON_PORT=26", ANSWER_PASS},
    {"DAEMON_PORT=66123", ANSWER_PASS}, {"DAEMON_NAME=MTA", ANSWER_PASS},
};

static void expect_put_off(enum answer_kind got, enum answer_kind expected)
{
    assert_int_equal(got, expected);
    assert_int_equal(reply.code, expected == ANSWER_REFUSE ? 451 : 0);
    assert_string_equal(reply.dsn, expected == ANSWER_REFUSE ? "4.3.0" : "");
}

static void test_no_memory(void **state)
{
    (void)state;
    struct connection any = {.mta = MTA_POSTFIX, .our_lists = true};
    for (size_t i = 0; i < COUNT(failed); i++) {
        struct told told = tell(&any, AT_CONNECT, failed[i].port);
        reply = (struct reply){0};
        expect_put_off(filter_mail(&f, NULL, STR("<>"), &told, &reply), failed[i].kind);
        filter_close(&f, NULL, &told);
    }
    assert_int_equal(f.life.failures.count[FAILURE_MEMORY], COUNT(failed));
    assert_int_equal(f.counters.mails, 0);
    expect_silence();
}

/* libmilter ends connections that never negotiated, too: somebody who looks whether we are there.
 */
static void test_close_alone(void **state)
{
    (void)state;
    struct connection any = {.mta = MTA_UNKNOWN};
    struct told told = tell(&any, AT_HELO, "");
    filter_close(&f, NULL, &told);
    assert_int_equal(f.counters.open, 0);
    struct connection *c = come(SOMEBODY, true, POSTFIX "DAEMON_PORT=25");
    assert_int_equal(f.counters.open, 1);
    leave(c);
    filter_close(&f, NULL, &told);
    assert_int_equal(f.counters.open, 0);
    assert_int_equal(f.counters.accepted, 1);
}

static void test_stopping(void **state)
{
    (void)state;
    struct config *other = parse("listeners: [{names: [other], port: 1, role: smtp}]\n");
    for (size_t i = 0; i < COUNT(failed); i++) {
        char connect[300];
        snprintf(connect, sizeof connect, POSTFIX "%s", failed[i].port);
        struct connection *c = come(SOMEBODY, true, connect);
        helo(c, "client.test", "");
        f.stopping = true;
        f.life.policy = other->policy;
        expect_put_off(mail(c, ""), failed[i].kind);
        struct told told = tell(c, AT_HELO, "");
        assert_false(filter_unknown(&f, c, STR("\x16\x03\x01"), &told));
        filter_header(c, STR("User-Agent"), STR("Mutt/2.2.9"));
        end_of_headers(c);
        leave(c);
        f.life.policy = config->policy;
        struct connection *late = come(SOMEBODY, true, connect);
        helo(late, "client.test", "");
        expect_put_off(mail(late, ""), failed[i].kind);
        leave(late);
        late = come(SOMEBODY, true, connect);
        helo(late, "client.test", "");
        leave(late);
        f.stopping = false;
    }
    f.stopping = true;
    struct connection *named = come(SOMEBODY, true, SENDMAIL "DAEMON_NAME=MSA");
    expect_put_off(mail(named, "AUTH_TYPE=PLAIN"), ANSWER_REFUSE);
    leave(named);
    assert_int_equal(refs(config->policy), 1);
    assert_int_equal(f.life.failures.count[FAILURE_STOPPING], 2 * COUNT(failed) + 1);
    assert_int_equal(f.counters.open, 0);
    expect_silence();
    config_free(other);
}

/* ---- what is said once ------------------------------------------------------ */

static int received(int fd, const char *words)
{
    char line[3000];
    int count = 0;
    ssize_t n;
    while ((n = recv(fd, line, sizeof line - 1, MSG_DONTWAIT)) > 0) {
        line[n] = '\0';
        count += strstr(line, words) != NULL;
    }
    return count;
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *connect;
        bool our_lists, is_tcp, certificates;
        const char *words;
    } cases[] = {
        {POSTFIX, true, true, false, NULL},
        {SENDMAIL, true, false, true, NULL},
        {OTHER, true, true, true, NULL},
        {POSTFIX, false, false, false, "does not let a milter choose its macros"},
        {SENDMAIL, true, true, false, "waits 40 ms"},
        {POSTFIX, true, false, true, "which certificate a client showed"},
    };
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    snprintf(un.sun_path, sizeof un.sun_path, "%s/log", top);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    log_open_socket("test", un.sun_path);
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.is_tcp = cases[i].is_tcp;
        config->policy->trusts_certificates = cases[i].certificates;
        for (int k = 0; k < 3; k++)
            leave(come(SOMEBODY, cases[i].our_lists, cases[i].connect));
        assert_int_equal(received(fd, cases[i].words ? cases[i].words : "warning"),
                         cases[i].words != NULL);
    }
    config->policy->trusts_certificates = false;
    close(fd);
}

/* ---- threads ----------------------------------------------------------------- */

enum { THREADS = 8, SESSIONS = 200 };

static atomic_bool done;
static atomic_uint refused, passed;

/* Sessions as libmilter drives them: one after the other here, others at the same time. */
static void *drive(void *arg)
{
    (void)arg;
    for (int i = 0; i < SESSIONS; i++) {
        struct connection *c =
            come(SOMEBODY, i % 16 != 0,
                 i % 2 ? POSTFIX "DAEMON_PORT=587" : SENDMAIL "DAEMON_PORT=587|DAEMON_FLAGS=s");
        helo(c, i % 3 ? "client.test" : "smtpclient.apple", "");
        struct told told = tell(c, AT_HELO, "");
        filter_unknown(&f, c, STR("\x16\x03\x01"), &told);
        const struct policy *policy = c->policy;
        for (int k = 0; i % 5 && k < 3; k++) {
            bool must = policy->listeners[1]->mode == MODE_ENFORCE && c->our_lists;
            bool does = mail(c, "") == ANSWER_REFUSE;
            atomic_fetch_add(does ? &refused : &passed, 1);
            if (does != must || c->policy != policy)
                abort();
            filter_header(c, STR("User-Agent"), STR("Mutt/2.2.9"));
            end_of_headers(c);
        }
        leave(c);
    }
    return NULL;
}

/* As life.c does it: a new policy in force, and the reference to the old one given back. */
static void *reload(void *arg)
{
    (void)arg;
    for (int i = 0; !atomic_load(&done); i++) {
        struct config *new = parse(i % 2 ? policy_text : "mode: audit\n");
        pthread_mutex_lock(&f.life.lock);
        struct policy *old = f.life.policy;
        f.life.policy = policy_ref(new->policy);
        pthread_mutex_unlock(&f.life.lock);
        policy_unref(old);
        config_free(new);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t thread[THREADS + 1];
    policy_ref(f.life.policy);
    done = false;
    assert_int_equal(pthread_create(&thread[THREADS], NULL, reload, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, drive, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    atomic_store(&done, true);
    pthread_join(thread[THREADS], NULL);
    /* nobody has kept a reference, and none was given back twice */
    assert_int_equal(refs(config->policy), f.life.policy == config->policy ? 2 : 1);
    if (f.life.policy != config->policy)
        assert_int_equal(refs(f.life.policy), 1);
    policy_unref(f.life.policy);
    assert_int_equal(f.counters.accepted, THREADS * SESSIONS);
    assert_int_equal(f.counters.open, 0);
    assert_int_equal(f.counters.mails, refused + passed);
    assert_int_equal(f.counters.lists_refused, THREADS * ((SESSIONS + 15) / 16));
    assert_true(refused > 0 && passed > 0);
    uint64_t events = 0;
    while (next_line().n)
        events++;
    assert_true(events > f.counters.mails);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_filter, filter_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_policy_is_pinned), TEST(test_no_memory), TEST(test_close_alone),
        TEST(test_stopping),         TEST(test_warnings),  TEST(test_threads),
    };
    return cmocka_run_group_tests_name("milter_life", tests, NULL, NULL);
}
