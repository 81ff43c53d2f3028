/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailreeve explain --session: one session, from logs and journals: each fact with who saw it, what
 * was found, and everything in its order. The sources are read twice: first to find the session,
 * then to tell it, so that they may be of any size.
 */
#include "cli/explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "audit/report/story.h"
#include "cli/audit.h"
#include "cli/cli.h"
#include "core/now.h"
#include "edge/log.h"

enum { FOUND_MAX = 20, WANTED_ACCOUNTS = 64 };

/* How a session is named on the command line. */
struct wanted {
    struct str text; /* a queue id, if it is nothing else */
    uint64_t key;
    struct addr client;
    uint16_t port; /* 0: any */
};

struct found {
    struct seen seen;
    uint64_t number; /* of the log; 0: it is not there */
    int64_t first_us, last_us;
    uint16_t client_port;
    uint32_t accounts[JOIN_OF_ONE];
    unsigned account_count;
};

struct search {
    struct wanted wanted;
    struct inquiry inquiry;
    struct audit_sources sources;
    struct found list[FOUND_MAX];
    unsigned count, more;
    uint32_t named[WANTED_ACCOUNTS]; /* accounts of events that have the name */
    unsigned named_count;
    uint32_t *account_of; /* each event's, in the order in which they are read */
    size_t event_count, event_room;
    bool failed; /* memory has ended */
};

/* ---- its name ------------------------------------------------------------------------ */

static bool parse_client(struct str s, struct wanted *ret)
{
    uint64_t port = 0;
    struct str host = s;
    if (addr_parse(s, &ret->client))
        return true;
    while (host.n && host.p[host.n - 1] != ':')
        host.n--;
    struct str digits = {s.p + host.n, s.n - host.n};
    if (host.n == 0 || !str_to_u64(digits, UINT16_MAX, &port))
        return false;
    host.n--;
    ret->port = (uint16_t)port;
    return addr_parse(host, &ret->client);
}

static void parse_wanted(const char *text, struct wanted *ret)
{
    *ret = (struct wanted){.text = str_of(text)};
    ret->key = event_key(ret->text);
    if (!ret->key && !parse_client(ret->text, ret))
        ret->client = (struct addr){0};
}

/* ---- to find it ------------------------------------------------------------------------ */

static void take_event(void *context, const struct event *e, const struct journal_line *l,
                       uint32_t account)
{
    struct search *s = context;
    (void)l;
    if (s->event_count == s->event_room) {
        size_t room = s->event_room ? 2 * s->event_room : 4096;
        uint32_t *more = realloc(s->account_of, room * sizeof *more);
        s->failed |= !more;
        if (!more)
            return;
        s->account_of = more;
        s->event_room = room;
    }
    s->account_of[s->event_count++] = account;
    const struct wanted *w = &s->wanted;
    bool is = w->key ? e->key == w->key : !w->client.bits && str_eq(e->queue_id, w->text);
    if (is && account && s->named_count < WANTED_ACCOUNTS)
        s->named[s->named_count++] = account;
}

static bool is_wanted(const struct search *s, const struct joined *j)
{
    const struct wanted *w = &s->wanted;
    if (w->client.bits)
        return addr_eq(&w->client, &j->session.seen->client) &&
               (!w->port || w->port == j->session.client_port);
    for (unsigned i = 0; i < j->account_count; i++)
        for (unsigned k = 0; k < s->named_count; k++)
            if (j->accounts[i] == s->named[k])
                return true;
    return !w->key && str_eq(w->text, j->session.queue_id);
}

static void closed(void *context, const struct joined *j)
{
    struct search *s = context;
    if (!is_wanted(s, j))
        return;
    if (s->count == FOUND_MAX) {
        s->more++;
        return;
    }
    struct found *f = &s->list[s->count++];
    *f = (struct found){
        .seen = *j->session.seen,
        .number = j->session.number,
        .first_us = j->session.first_us,
        .last_us = j->session.last_us,
        .client_port = j->session.client_port,
        .account_count = j->account_count,
    };
    memcpy(f->accounts, j->accounts, j->account_count * sizeof *f->accounts);
}

static bool take_line(void *context, const struct log_line *l, uint64_t line)
{
    struct search *s = context;
    struct message m;
    reading_line(&s->inquiry.reading, l, line, &m);
    return true;
}

/* ---- to tell it -------------------------------------------------------------------------- */

struct telling {
    const struct search *search;
    const struct found *found;
    const struct audit_policy *policy;
    struct reading reading; /* of the log alone */
    struct seen by_log;
    bool has_log;
    struct story *story;
};

static bool is_of(const struct found *f, uint32_t account)
{
    for (unsigned i = 0; account && i < f->account_count; i++)
        if (f->accounts[i] == account)
            return true;
    return false;
}

static int tell_events(struct telling *t, const struct audit_options *o, struct err *err)
{
    struct event e;
    struct journal_line line;
    struct journals *j =
        o->journal_count ? journals_open(o->journals, o->journal_count, err) : NULL;
    if (!j)
        return o->journal_count ? -1 : 0;
    /* What came to be since is behind what was read. */
    for (size_t i = 0; i < t->search->event_count && journals_next(j, &e, &line); i++)
        if (is_of(t->found, t->search->account_of[i]))
            story_event(t->story, &e, line.event);
    journals_free(j);
    return 0;
}

static void log_closed(void *context, const struct closed_session *c)
{
    struct telling *t = context;
    if (c->number != t->found->number)
        return;
    t->by_log = *c->seen;
    t->has_log = true;
}

static bool tell_line(void *context, const struct log_line *l, uint64_t line)
{
    struct telling *t = context;
    struct message m;
    char text[STORY_TEXT_MAX];
    struct buf b = BUF(text);
    if (reading_line(&t->reading, l, line, &m) != t->found->number)
        return true;
    buf_cstring(&b, message_words[m.kind]);
    audit_put_message(&b, &m, false);
    story_moment(t->story, l->wall_us, SOURCE_LOG, buf_view(&b));
    return true;
}

static int tell_log(struct telling *t, const struct audit_options *o, struct err *err)
{
    struct audit_sources again = {0};
    if (!t->found->number)
        return 0;
    if (reading_open(&t->reading, 0, log_closed, t, err) < 0)
        return -1;
    audit_sources_read(&again, o, tell_line, t);
    sessions_end(t->reading.sessions);
    audit_sources_free(&again);
    if (t->has_log) {
        audit_resolve(&t->reading, o, t->policy);
        struct judge judge_log = {t->policy->policy, &t->reading.listeners, t->reading.names,
                                  t->policy->ciphers};
        story_log(t->story, &judge_log, &t->by_log, t->found->last_us);
    }
    reading_close(&t->reading);
    return 0;
}

static int tell(struct search *s, const struct audit_options *o, const struct audit_policy *p)
{
    struct telling t = {.search = s, .found = &s->list[0], .policy = p};
    const struct reading *r = &s->inquiry.reading;
    struct judge judge_all = {p->policy, &r->listeners, r->names, p->ciphers};
    struct err err = {"there is not enough memory"};
    t.story = story_new(p->privacy);
    int done = t.story ? tell_events(&t, o, &err) : -1;
    if (done == 0)
        done = tell_log(&t, o, &err);
    if (done == 0)
        done = story_print(t.story, stdout, &judge_all, &t.found->seen, t.found->first_us,
                           t.found->last_us, t.found->client_port);
    if (done < 0)
        fprintf(stderr, "mailreeve explain: %s\n", err.text);
    story_free(t.story);
    return done < 0 ? EX_OSERR : EX_OK;
}

/* ---- none, or several ------------------------------------------------------------------ */

static int tell_none(const struct search *s)
{
    fprintf(
        stderr,
        "mailreeve explain: no session \"%.*s\" is in what was read; a session is named by its key "
        "in the journal (16 digits), a queue id, or a client's address, 192.0.2.7 or "
        "192.0.2.7:40222\n",
        STR_ARG(s->wanted.text));
    return EX_DATAERR;
}

static int tell_several(const struct search *s, const struct audit_policy *p)
{
    const struct reading *r = &s->inquiry.reading;
    struct judge j = {p->policy, &r->listeners, r->names, p->ciphers};
    printf("%u sessions have that name; name one by the client's address and port:\n",
           s->count + s->more);
    for (unsigned i = 0; i < s->count; i++) {
        const struct found *f = &s->list[i];
        struct judged judged;
        char text[512];
        struct buf b = BUF(text);
        judge(&j, &f->seen, f->last_us, &judged);
        story_headline(&b, &f->seen, f->first_us, f->client_port, p->privacy);
        buf_printf(&b, "  %s", tls_mode_names[judged.mode]);
        for (int k = 0; k < FINDING_COUNT; k++)
            if (judged.found & FINDING_BIT(k))
                buf_printf(&b, " %s", findings[k].id);
        printf("  %s\n", buf_cstr(&b));
    }
    if (s->more)
        printf("  and %u more\n", s->more);
    return EX_OK;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int find(struct search *s, const struct audit_options *o, const struct audit_policy *p)
{
    struct err err = {""};
    if (inquiry_open(&s->inquiry, 0, closed, s, &err) < 0) {
        fprintf(stderr, "mailreeve explain: %s\n", err.text);
        return EX_OSERR;
    }
    if (audit_journals_read(&s->sources, o, &s->inquiry, take_event) < 0)
        return EX_NOINPUT;
    if (o->log_count || o->journal)
        audit_sources_read(&s->sources, o, take_line, s);
    audit_end(&s->inquiry, o, p);
    for (unsigned i = 0; i < s->sources.problem_count; i++)
        fprintf(stderr, "mailreeve explain: %s\n", s->sources.problems[i]);
    if (s->failed) {
        fprintf(stderr, "mailreeve explain: there is not enough memory\n");
        return EX_OSERR;
    }
    return s->count == 0 ? tell_none(s) : s->count > 1 ? tell_several(s, p) : tell(s, o, p);
}

int explain_session(const char *name, const char *config, char *const *sources, int count)
{
    static struct audit_options o;
    static struct search s;
    struct audit_policy p = {0};
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* as in cmd_audit() */
    o.now_us = clock_us(CLOCK_REALTIME);
    parse_wanted(name, &s.wanted);
    const char *why = audit_sources_sort(&o, sources, count);
    for (unsigned i = 0; !why && i < o.log_count; i++)
        if (strcmp(o.logs[i], "-") == 0)
            why = "sources are read twice: give files, not standard input";
    if (!why && count == 0)
        why = "name the logs and journals to look in: /var/log/mail.log /var/lib/mailreeve/journal";
    if (why) {
        fprintf(stderr, "mailreeve explain: %s\n", why);
        return EX_USAGE;
    }
    int ended = audit_policy_open(&p, config);
    if (ended < 0)
        ended = find(&s, &o, &p);
    free(s.account_of);
    inquiry_close(&s.inquiry);
    audit_sources_free(&s.sources);
    audit_policy_close(&p);
    return ended;
}
