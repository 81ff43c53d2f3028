/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailreeve audit --lines: what was understood of each line, and what each session came to. Nothing
 * of a line is repeated but what the table of messages names: a log can hold passwords.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sysexits.h>

#include "cli/audit.h"
#include "core/now.h"
#include "edge/log.h"
#include "journal/json.h"

enum { SESSIONS_MAX = 1000 * 1000, TEXT_MAX = 2048 };

struct ended {
    struct seen seen;
    uint64_t number; /* 0: the log does not have it */
    int64_t last_us;
    uint16_t client_port;
    uint32_t account; /* the first of those that the journals have of it; 0: none */
};

struct lines {
    struct inquiry inquiry;
    struct audit_sources sources;
    bool json;
    struct ended *ended;
    size_t count, room;
    uint64_t left_out;
};

static void closed(void *context, const struct joined *j)
{
    struct lines *x = context;
    const struct closed_session *c = &j->session;
    if (x->count == x->room && x->room < SESSIONS_MAX) {
        size_t room = x->room ? 2 * x->room : 1024;
        struct ended *more = realloc(x->ended, room * sizeof *more);
        if (more)
            x->ended = more, x->room = room;
    }
    if (x->count == x->room)
        x->left_out++;
    else
        x->ended[x->count++] = (struct ended){*c->seen, c->number, c->last_us, c->client_port,
                                              j->account_count ? j->accounts[0] : 0};
}

/* ---- words ---------------------------------------------------------------------- */

static void put_words(struct buf *b, bool json, const char *name, uint32_t set, int count,
                      const char *(*word)(int i))
{
    const char *sep = json ? "[" : "";
    if (!set)
        return;
    buf_printf(b, json ? ",\"%s\":" : " %s=", name);
    for (int i = 0; i < count; i++) {
        if (set & (uint32_t)1 << i) {
            buf_printf(b, json ? "%s\"%s\"" : "%s%s", sep, word(i));
            sep = ",";
        }
    }
    if (json)
        buf_char(b, ']');
}

static const char *finding_word(int i)
{
    return findings[i].id;
}
static const char *doubt_word(int i)
{
    return doubts[i].id;
}

/* ---- a line ----------------------------------------------------------------------- */

static void print_line(const struct lines *x, const struct message *m, uint64_t line,
                       uint64_t session, struct str shape)
{
    char text[TEXT_MAX];
    struct buf b = BUF(text);
    const char *kind = m->kind == MESSAGE_NONE ? "unknown" : message_words[m->kind];
    if (x->json)
        buf_printf(&b, "{\"line\":%" PRIu64 ",\"session\":%" PRIu64 ",\"kind\":\"%s\"", line,
                   session, kind);
    else if (session)
        buf_printf(&b, "%8" PRIu64 " %8" PRIu64 "  %-12s", line, session, kind);
    else
        buf_printf(&b, "%8" PRIu64 " %8s  %-12s", line, "-", kind);
    audit_put_message(&b, m, x->json);
    if (m->kind == MESSAGE_NONE && shape.n)
        audit_put_detail(&b, "shape", shape, x->json);
    printf("%.*s%s\n", (int)b.n, b.p, x->json ? "}" : "");
}

static bool take(void *context, const struct log_line *l, uint64_t line)
{
    struct lines *x = context;
    struct message m;
    char text[SHAPE_TEXT_MAX];
    struct buf shape = BUF(text);
    struct reading *reading = &x->inquiry.reading;
    uint64_t ours = reading->ours;
    uint64_t session = reading_line(reading, l, line, &m);
    if (reading->ours == ours)
        return true; /* another program's */
    if (m.kind == MESSAGE_NONE && shape_matters(l->text))
        shape_write(&shape, l->text);
    print_line(x, &m, line, session, buf_view(&shape));
    return true;
}

/* ---- an event ---------------------------------------------------------------------- */

static void take_event(void *context, const struct event *e, const struct journal_line *l,
                       uint32_t account)
{
    struct lines *x = context;
    char text[TEXT_MAX], address[64];
    struct buf b = BUF(text), a = BUF(address);
    addr_format(&a, &e->client);
    if (x->json)
        buf_printf(&b, "{\"event\":\"%.*s\",\"source\":\"%s\",\"account\":%" PRIu32,
                   STR_ARG(l->event), source_names[e->source], account);
    else
        buf_printf(&b, "%8s %8" PRIu32 "  %s %.*s", source_names[e->source], account, "event",
                   STR_ARG(l->event));
    if (a.n)
        buf_printf(&b, x->json ? ",\"client\":\"%.*s\"" : " client=%.*s", (int)a.n, a.p);
    if (e->client_port)
        buf_printf(&b, x->json ? ",\"client_port\":%u" : " client_port=%u",
                   (unsigned)e->client_port);
    put_words(&b, x->json, "findings", e->found, FINDING_COUNT, finding_word);
    printf("%.*s%s\n", (int)b.n, b.p, x->json ? "}" : "");
}

/* ---- a session -------------------------------------------------------------------- */

static const char *source_word(int i)
{
    return source_names[i];
}

/* Who it was, which the log's own lines have told already where there are no journals. */
static void put_joined(struct buf *b, const struct lines *x, const struct ended *e)
{
    char address[64];
    struct buf a = BUF(address);
    struct str ja4 = names_text(x->inquiry.reading.names, e->seen.ja4);
    addr_format(&a, &e->seen.client);
    if (a.n)
        buf_printf(b, x->json ? ",\"client\":\"%.*s\"" : " client=%.*s", (int)a.n, a.p);
    if (e->client_port)
        buf_printf(b, x->json ? ",\"client_port\":%u" : " client_port=%u", e->client_port);
    if (e->account)
        buf_printf(b, x->json ? ",\"account\":%" PRIu32 : " account=%" PRIu32, e->account);
    if (e->seen.software)
        buf_printf(b, x->json ? ",\"software\":\"%s\"" : " software=%s",
                   catalogue[e->seen.software - 1].id);
    if (e->seen.offered)
        buf_printf(b, x->json ? ",\"offered\":\"%s\"" : " offered=%s",
                   tls_version_name(e->seen.offered));
    if (ja4.n) {
        buf_cstring(b, x->json ? ",\"ja4\":" : " ja4=");
        if (x->json)
            json_put_string(b, ja4);
        else
            log_sanitise(b, ja4);
    }
    put_words(b, x->json, "sources", e->seen.sources, SOURCES, source_word);
}

static void print_ended(const struct lines *x, const struct judge *j, const struct ended *e)
{
    char text[TEXT_MAX];
    struct buf b = BUF(text);
    struct judged judged;
    judge(j, &e->seen, e->last_us, &judged);
    const char *mode = tls_mode_names[judged.mode];
    if (x->json)
        buf_printf(&b, "{\"ended\":%" PRIu64 ",\"mode\":\"%s\"", e->number, mode);
    else
        buf_printf(&b, "%8s %8" PRIu64 "  %-12s mode=%s", "", e->number, "ended", mode);
    if (judged.listener)
        buf_printf(&b, x->json ? ",\"role\":\"%s\",\"port\":%u" : " role=%s port=%u",
                   role_names[judged.listener->role], (unsigned)judged.listener->port);
    const char *reason = sessions_reason(e->seen.reason);
    if (reason) /* OpenSSL's words, a constant of the table */
        buf_printf(&b, x->json ? ",\"reason\":\"%s\"" : " reason=\"%s\"", reason);
    if (x->inquiry.join)
        put_joined(&b, x, e);
    put_words(&b, x->json, "findings", judged.found, FINDING_COUNT, finding_word);
    put_words(&b, x->json, "likely", judged.likely, FINDING_COUNT, finding_word);
    put_words(&b, x->json, "doubts", judged.doubts, DOUBTS, doubt_word);
    if (refuses(judged.would))
        buf_printf(&b, x->json ? ",\"would\":\"%s\",\"because\":\"%s\"" : " would=%s because=%s",
                   action_names[judged.would], findings[judged.because].id);
    printf("%.*s%s\n", (int)b.n, b.p, x->json ? "}" : "");
}

static int tell(struct lines *x, const struct audit_options *o, const struct audit_policy *p)
{
    const struct reading *r = &x->inquiry.reading;
    audit_sources_read(&x->sources, o, take, x);
    audit_end(&x->inquiry, o, p);
    struct judge j = {p->policy, &r->listeners, r->names, p->ciphers};
    for (size_t i = 0; i < x->count; i++)
        print_ended(x, &j, &x->ended[i]);
    if (x->left_out)
        audit_problem(&x->sources, "%" PRIu64 " sessions more are not shown", x->left_out);
    for (unsigned i = 0; i < x->sources.problem_count; i++)
        fprintf(stderr, "mailreeve audit: %s\n", x->sources.problems[i]);
    if (x->sources.failed)
        return EX_NOINPUT;
    return r->ours || x->inquiry.journals.events ? EX_OK : EX_DATAERR;
}

int audit_lines(const struct audit_options *o, const struct audit_policy *p)
{
    static struct lines x;
    struct err err = {""};
    x.json = o->output == OUTPUT_JSON;
    if (inquiry_open(&x.inquiry, o->since_us, closed, &x, &err) < 0) {
        fprintf(stderr, "mailreeve audit: %s\n", err.text);
        return EX_OSERR;
    }
    if (!x.json)
        printf("%8s %8s  %-12s\n", "line", "session", "what");
    int ended = audit_journals_read(&x.sources, o, &x.inquiry, take_event) < 0 ? EX_NOINPUT
                                                                               : tell(&x, o, p);
    free(x.ended);
    inquiry_close(&x.inquiry);
    audit_sources_free(&x.sources);
    return ended;
}
