/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of callbacks with any macros: it never crashes, refuses at MAIL alone and only what
 * the same facts refuse again, never for absence where absence means nothing, and never mail from
 * another server that did not authenticate.
 *
 * A line of the input is a callback: a letter, its argument, and macros, "|NAME=value" each (the
 * names of macros.def; empty is not absent).
 *
 *   N lists    a connection; "1": the MTA takes our lists       Q  it ends
 *   C client   CONNECT; an address, "unix", or nothing          H  HELO        U  unknown command
 *   M sender   MAIL                                             F  a header, "name: value"
 *   E          the end of the headers                           0  no memory for the connection
 *   R          the other policy comes into force                S  we are stopping, or not any more
 */
#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/verdict.h"
#include "edge/log.h"
#include "journal/journal_internal.h"
#include "milter/facts.h"
#include "milter/filter.h"

#define NOTHING ((struct str){NULL, 0})

static void must(bool what)
{
    if (!what)
        abort();
}

/* ---- the filter -------------------------------------------------------------- */

static struct filter f;
static struct policy *policies[2]; /* everything as strict as can be; audit */
static char top[] = "/tmp/mailreeve-fuzz-XXXXXX";

static struct policy *make_policy(enum mode mode)
{
    static const struct sipkey key = {3, 4};
    static const struct exception e = {
        .allow = ~(finding_set)0, .until_us = INT64_MAX, .user_count = 1};
    static const struct str user[] = {{"excepted", 8}};
    static const struct {
        const char *name;
        enum role role;
        uint16_t port;
        enum tls_by tls_by;
        bool disconnect;
    } on[] = {{"smtp", ROLE_SMTP, 25, TLS_BY_MTA, false},
              {"submission", ROLE_SUBMISSION, 587, TLS_BY_MTA, false},
              {"submissions", ROLE_SUBMISSIONS, 465, TLS_BY_MTA, false},
              {"alternate", ROLE_SUBMISSION, 2525, TLS_BY_MTA, true},
              {"offloaded", ROLE_SUBMISSION, 3587, TLS_BY_PROXY, false}};
    struct policy *p = policy_new(&key);
    struct prefix network;
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        struct listener *l = policy_add_listener(p, on[i].role, on[i].port);
        l->names[l->name_count++] = str_of(on[i].name);
        l->mechanisms[l->mechanism_count++] = STR("PLAIN");
        l->mode = mode;
        l->tls_by = on[i].tls_by;
        l->disconnect_implicit_tls = on[i].disconnect;
        for (int k = 0; k < FINDING_COUNT && on[i].role != ROLE_SMTP; k++)
            l->action[k] = findings[k].strictest;
    }
    must(prefix_parse(STR("198.51.100.0/28"), &network) == PREFIX_OK);
    must(prefix_index_put(&p->trusted, &network, p));
    must(table_put(&p->trusted_certificates, "abcd01", 6, p));
    p->trusts_networks = p->trusts_certificates = true;
    must(exceptions_add(&p->exceptions, &e, user));
    p->help_url = "https://help.example.com/100%/%id";
    return p;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void clean_up(void)
{
    nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void begin(void)
{
    struct config c = {.journal = {.keep_s = 1000, .max_total = UINT64_C(1) << 30}};
    struct err e;
    if (policies[0])
        return;
    log_open_socket("fuzz", "/nowhere/log");
    must(mkdtemp(top));
    atexit(clean_up);
    snprintf(c.journal.path, sizeof c.journal.path, "%s/journal", top);
    c.policy = policies[0] = make_policy(MODE_ENFORCE);
    policies[1] = make_policy(MODE_AUDIT);
    /* its writer is never started: what is written is read here */
    must(recorder_open(&f.life.recorder, &c, "fuzz", (uid_t)-1, (gid_t)-1, &e) == 0);
    must((f.life.ciphers = ciphers_new(NULL)));
    pthread_mutex_init(&f.life.lock, NULL);
    f.wants_headers = true;
}

/* ---- a session ---------------------------------------------------------------- */

struct run {
    struct connection *c; /* NULL: memory was short, or there is none */
    const struct policy *pinned;
    struct told connect; /* of the last CONNECT: what there is without a connection */
    uint64_t digest;     /* of everything that was answered */
};

static void note(struct run *r, const void *p, size_t n)
{
    static const struct sipkey key = {1, 2};
    struct {
        uint64_t before, now;
    } both = {r->digest, siphash(&key, p, n)};
    r->digest = siphash(&key, &both, sizeof both);
}

static void note_number(struct run *r, uint64_t v)
{
    note(r, &v, sizeof v);
}

/* As a C string has it: up to a NUL. */
static struct str as_c(struct str s)
{
    const char *nul = s.n ? memchr(s.p, '\0', s.n) : NULL;
    return nul ? (struct str){s.p, (size_t)(nul - s.p)} : s;
}

static struct told tell(const struct run *r, enum macro_stage stage, struct str rest)
{
    static const char *const names[MACRO_COUNT] = {
#define MACRO(at, name, ...) [MACRO_##name] = #name,
#include "milter/macros.def"
#undef MACRO
    };
    struct told t = {.stage = stage, .mta = r->c->mta, .our_lists = r->c->our_lists};
    while (rest.p) {
        struct str value = str_cut(&rest, "|"), name = str_cut(&value, "=");
        int m = name_index(names, MACRO_COUNT, name);
        if (m >= 0)
            t.value[m] = as_c(value);
    }
    if (stage == AT_CONNECT)
        t.mta = macros_mta(t.value[MACRO_MTA_VERSION]);
    return t;
}

static const struct sockaddr *client_of(struct str text, struct sockaddr_storage *ret)
{
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    struct addr a;
    *ret = (struct sockaddr_storage){.ss_family = AF_UNIX};
    if (addr_parse(text, &a) && a.bits == 32) {
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(40000)};
        memcpy(&in->sin_addr, a.b, 4);
    } else if (a.bits == 128) {
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(40000)};
        memcpy(&in6->sin6_addr, a.b, 16);
    }
    return text.n ? (struct sockaddr *)ret : NULL;
}

/* What the filter knew at a stage, found out once more. */
static struct session look(const struct run *r, const struct told *told, enum stage stage,
                           struct str sender)
{
    static struct facts_texts texts;
    struct session s;
    facts_of_connection(r->c, told, stage, f.life.ciphers, NOTHING, sender, &texts, &s);
    return s;
}

static void on_connect(struct run *r, struct str argument, struct str macros)
{
    struct sockaddr_storage to;
    r->connect = tell(r, AT_CONNECT, macros);
    filter_connect(&f, r->c, client_of(argument, &to), &r->connect);
    must(f.stopping || r->c->policy == f.life.policy);
    r->pinned = r->c->policy;
    note_number(r, r->c->recorded);
}

static void on_helo(struct run *r, struct str argument, struct str macros)
{
    struct told told = tell(r, AT_HELO, macros);
    argument = as_c(argument);
    char *name = strndup(argument.p ? argument.p : "", argument.n);
    must(name);
    filter_helo(&f, r->c, name, &told);
    must(!r->c->helo || (strlen(r->c->helo) <= HELO_MAX && strcmp(r->c->helo, name) == 0));
    free(name);
}

/* Behind every command stands what must never be found again. */
static const char marker[] = "what-was-not-understood";

static void on_unknown(struct run *r, struct str argument, struct str macros)
{
    char command[2100];
    struct told told = tell(r, AT_HELO, macros);
    struct buf b = BUF(command);
    buf_str(&b, as_c(argument));
    buf_cstring(&b, marker);
    struct str all = buf_view(&b);
    bool closes = filter_unknown(&f, r->c, all, &told);
    note_number(r, closes);
    if (!closes)
        return;
    struct session s = look(r, &told, STAGE_HELO, NOTHING);
    must(facts_is_tls_hello(all) && s.listener && s.listener->disconnect_implicit_tls &&
         s.listener->mode == MODE_ENFORCE);
}

/* ---- MAIL ---------------------------------------------------------------------- */

static void check_reply(const struct reply *reply)
{
    must(reply->code >= 400 && reply->code <= 599);
    must(reply->dsn[0] == (char)('0' + reply->code / 100) && reply->dsn[1] == '.');
    must(memchr(reply->dsn, '\0', sizeof reply->dsn) && strlen(reply->dsn) >= 5);
    must(memchr(reply->text, '\0', sizeof reply->text) && *reply->text);
    for (const char *p = reply->text; *p; p++)
        must(*p >= ' ' && *p <= '~');
}

/* Findings that say that something was not there. */
static const finding_set of_absence = FINDING_BIT(FINDING_TLS_REQUIRED) |
                                      FINDING_BIT(FINDING_AUTH_REQUIRED) |
                                      FINDING_BIT(FINDING_CLEARTEXT_AUTH);

static void check_verdict(const struct run *r, const struct told *told, struct str sender,
                          enum answer_kind kind, const struct reply *reply)
{
    struct now now = {1, 1};
    struct verdict v;
    struct reply expected = {0};
    struct session s = look(r, told, STAGE_MAIL, sender);
    decide(r->c->policy, &s, &now, &v, NULL);
    must((kind == ANSWER_REFUSE) == refuses(v.action));
    must((v.broken & ~r->c->recorded) == 0);
    if (kind == ANSWER_HEADERS)
        must(!r->c->software && s.listener && s.listener->role != ROLE_SMTP);
    if (kind != ANSWER_REFUSE)
        return;
    must(reply_for(r->c->policy, v.finding, v.action, EDGE_MAIL, &expected));
    must(expected.code == reply->code && strcmp(expected.dsn, reply->dsn) == 0 &&
         strcmp(expected.text, reply->text) == 0);
    must(s.listener && s.listener->mode == MODE_ENFORCE);
    must(s.listener->role != ROLE_SMTP || (session_knows(&s, FACT_BIT(FACT_AUTH)) && s.auth));
    if (!told->our_lists || told->mta == MTA_UNKNOWN)
        must(!(v.broken & of_absence));
}

static void on_mail(struct run *r, struct str sender, struct str macros)
{
    struct told told = r->c ? tell(r, AT_MAIL, macros) : r->connect;
    struct reply reply = {0};
    sender = as_c(sender);
    enum answer_kind kind = filter_mail(&f, r->c, sender, &told, &reply);
    must(kind == ANSWER_PASS || kind == ANSWER_HEADERS || kind == ANSWER_REFUSE);
    note_number(r, kind);
    if (kind == ANSWER_REFUSE)
        check_reply(&reply);
    note(r, reply.text, strlen(reply.text));
    note_number(r, reply.code);
    if (r->c && r->c->policy && !f.stopping)
        check_verdict(r, &told, sender, kind, &reply);
    else
        must(kind == ANSWER_PASS || (kind == ANSWER_REFUSE && reply.code == 451));
}

/* ---- the input ------------------------------------------------------------------ */

static void end(struct run *r)
{
    struct told told = r->c ? tell(r, AT_HELO, NOTHING) : r->connect;
    if (r->c)
        note_number(r, r->c->recorded);
    filter_close(&f, r->c, &told);
    r->c = NULL;
    r->pinned = NULL;
}

static void step(struct run *r, char what, struct str argument, struct str macros)
{
    struct str header = argument, name;
    switch (what) {
    case 'N':
        end(r);
        must((r->c = filter_open(&f, argument.n && argument.p[0] == '1')));
        return;
    case 'Q':
    case '0': end(r); return;
    case 'S': f.stopping = !f.stopping; return;
    case 'R': f.life.policy = policies[f.life.policy == policies[0]]; return;
    case 'M': on_mail(r, argument, macros); return;
    }
    if (!r->c)
        return;
    struct told told = tell(r, AT_EOH, macros);
    switch (what) {
    case 'C': on_connect(r, argument, macros); break;
    case 'H': on_helo(r, argument, macros); break;
    case 'U': on_unknown(r, argument, macros); break;
    case 'F':
        name = str_cut(&header, ":");
        filter_header(r->c, as_c(name), as_c(str_trim(header)));
        break;
    case 'E': filter_end_of_headers(&f, r->c, &told); break;
    }
    must(r->c->policy == r->pinned);
}

static uint64_t run(struct str in)
{
    struct run r = {.connect = {.stage = AT_CONNECT}};
    f.life.policy = policies[0];
    f.stopping = false;
    while (in.n) {
        struct str macros = str_cut(&in, "\n");
        if (!macros.n)
            continue;
        struct str argument = str_cut(&macros, "|");
        if (argument.n)
            step(&r, argument.p[0], (struct str){argument.p + 1, argument.n - 1}, macros);
    }
    end(&r);
    must(atomic_load(&policies[0]->refs) == 1 && atomic_load(&policies[1]->refs) == 1);

    struct ring *ring = &f.life.recorder.journal->ring;
    const char *p;
    size_t n;
    while ((n = ring_peek(ring, atomic_load(&ring->head), &p))) {
        must(!memmem(p, n, marker, sizeof marker - 1));
        ring_consume(ring, n);
    }
    return r.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str in = {(const char *)p, n};
    begin();
    if (n == 0 || memmem(p, n, marker, sizeof marker - 1))
        return 0;
    must(run(in) == run(in));
    return 0;
}
