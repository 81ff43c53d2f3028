/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a log, from lines to judgements, with room for few sessions. What is opened is
 * closed, once; the same bytes give the same sessions, to the byte; and a judgement does not
 * contradict itself.
 */
#include <stdlib.h>

#include "config/config.h"
#include "audit/session/judge.h"
#include "audit/session/sessions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_OPEN = 4, KEPT = 64 };

struct run {
    struct names *names;
    struct sessions *sessions;
    struct log_listeners listeners;
    struct seen kept[KEPT];
    uint64_t closed, lines;
};

static const struct sipkey key = {3, 4};

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

static void take(void *context, const struct closed_session *c)
{
    struct run *r = context;
    const struct seen *s = c->seen;
    must(c->number > 0 && c->first_position > 0 && c->first_position <= r->lines);
    must(s->mode < TLS_MODES && s->handshake < HANDSHAKES && s->first <= BYTES_OTHER);
    must(s->client.bits == 0 || s->client.bits == 32 || s->client.bits == 128);
    must(!s->reason || sessions_reason(s->reason));
    log_listeners_add(&r->listeners, s);
    if (r->closed < KEPT)
        memcpy(&r->kept[r->closed], s, sizeof *s);
    r->closed++;
}

static void begin(struct run *r)
{
    struct sessions_settings s = {MAX_OPEN, 60 * US_PER_S, take, r};
    memset(r, 0, sizeof *r);
    r->names = names_new(&key, 40);
    r->sessions = sessions_new(r->names, &key, &s);
    must(r->names && r->sessions);
}

static void read_all(struct run *r, struct str log)
{
    struct stamps stamps;
    const struct sessions_counts *c = sessions_counts(r->sessions);
    stamps_init(&stamps, INT64_C(1795212800) * US_PER_S);
    while (log.n) {
        struct log_line l;
        struct message m;
        line_parse(&stamps, str_cut(&log, "\n"), &l);
        r->lines++;
        if (message_parse(&l, &m))
            sessions_line(r->sessions, &l, &m, r->lines);
        must(c->opened >= c->closed && c->opened - c->closed <= MAX_OPEN);
        must(c->closed == r->closed);
        must((sessions_oldest(r->sessions) == UINT64_MAX) == (c->opened == c->closed));
    }
    sessions_end(r->sessions);
    must(c->opened == c->closed && sessions_oldest(r->sessions) == UINT64_MAX);
}

static void judge_all(struct run *r)
{
    static struct config *config;
    static struct ciphers *ciphers;
    struct problems problems = {0};
    struct err err = {0};
    if (!config) {
        config = config_load(NULL, &problems);
        ciphers = ciphers_new(&err);
        problems_free(&problems);
    }
    log_listeners_resolve(&r->listeners, r->names, config->policy, false, NULL, 0);
    struct judge j = {config->policy, &r->listeners, r->names, ciphers};
    for (uint64_t i = 0; i < r->closed && i < KEPT; i++) {
        struct judged is;
        judge(&j, &r->kept[i], 0, &is);
        must(is.mode < TLS_MODES && (is.likely & ~is.found) == 0);
        must((is.found == 0) == (is.because == FINDING_COUNT));
        must((is.because == FINDING_COUNT) == (is.would == ACTION_IGNORE));
        must(is.because == FINDING_COUNT || (is.found & FINDING_BIT(is.because)));
        must(is.listener || !refuses(is.would));
        /* Without TLS no cipher is found fault with. */
        must(is.mode != TLS_MODE_CLEARTEXT || !(is.found & FINDING_BIT(FINDING_TLS_CIPHER)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct run a, b;
    struct str log = {(const char *)data, n};
    begin(&a);
    begin(&b);
    read_all(&a, log);
    read_all(&b, log);
    must(a.closed == b.closed && memcmp(a.kept, b.kept, sizeof a.kept) == 0);
    judge_all(&a);
    sessions_free(a.sessions);
    sessions_free(b.sessions);
    names_free(a.names);
    names_free(b.names);
    return 0;
}
