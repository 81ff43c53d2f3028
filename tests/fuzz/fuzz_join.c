/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a journal, and behind a line "--" any bytes as a log, to joined sessions and their
 * judgement. Each session of the log is told once; each account goes into one session, or is told
 * alone; who is told was seen by somebody.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "audit/join/inquiry.h"
#include "audit/report/story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { KEPT = 256 };

struct run {
    struct inquiry inquiry;
    struct story *story;
    struct seen kept[KEPT];
    uint64_t told, of_log, accounts;
};

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

static void take(void *context, const struct joined *j)
{
    struct run *r = context;
    const struct seen *s = j->session.seen;
    must(j->session.number || j->account_count);
    must(j->account_count <= JOIN_OF_ONE);
    must(s->sources != 0 && s->mode < TLS_MODES && (s->likely & ~s->told) == 0);
    must((s->sources & SOURCE_BIT(SOURCE_LOG)) == (j->session.number ? SOURCE_BIT(SOURCE_LOG) : 0));
    if (r->told < KEPT)
        memcpy(&r->kept[r->told], s, sizeof *s);
    r->told++;
    r->of_log += j->session.number != 0;
    r->accounts += j->account_count;
}

static void take_event(void *context, const struct event *e, const struct journal_line *l,
                       uint32_t account)
{
    struct run *r = context;
    must(account && e->kind != EVENT_OTHER && e->wall_us);
    must(e->client_port <= UINT16_MAX && e->server_port <= UINT16_MAX &&
         (e->likely & ~e->found) == 0);
    story_event(r->story, e, l->event);
}

static void resolve(void *arg)
{
    static struct config *config;
    struct run *r = arg;
    struct problems problems = {0};
    if (!config) {
        config = config_load(NULL, &problems);
        problems_free(&problems);
    }
    log_listeners_resolve(&r->inquiry.reading.listeners, r->inquiry.reading.names, config->policy,
                          false, NULL, 0);
}

static void judge_all(struct run *r)
{
    static struct config *config;
    static struct ciphers *ciphers;
    static FILE *nowhere;
    struct problems problems = {0};
    struct err err = {0};
    if (!config) {
        config = config_load(NULL, &problems);
        ciphers = ciphers_new(&err);
        nowhere = fopen("/dev/null", "w");
    }
    struct judge j = {config->policy, &r->inquiry.reading.listeners, r->inquiry.reading.names,
                      ciphers};
    for (uint64_t i = 0; i < r->told && i < KEPT; i++) {
        struct judged is;
        judge(&j, &r->kept[i], 0, &is);
        must((is.likely & ~is.found) == 0);
        must(is.because == FINDING_COUNT || (is.found & FINDING_BIT(is.because)));
        must(is.listener || !refuses(is.would));
    }
    if (r->told)
        story_print(r->story, nowhere, &j, &r->kept[0], 1, 2, 3);
}

static void read_log(struct run *r, struct str log)
{
    struct stamps stamps;
    struct reading *reading = &r->inquiry.reading;
    stamps_init(&stamps, INT64_C(1795212800) * US_PER_S);
    for (uint64_t line = 1; log.n; line++) {
        struct log_line l;
        struct message m;
        line_parse(&stamps, str_cut(&log, "\n"), &l);
        reading_line(reading, &l, line, &m);
    }
}

static void run(struct run *r, struct str journal, struct str log)
{
    char path[64];
    const char *paths[] = {path};
    struct err err = {""};
    int fd = memfd_create("journal", 0);
    memset(r, 0, sizeof *r);
    must(fd >= 0 && write(fd, journal.p ? journal.p : "", journal.n) == (ssize_t)journal.n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    r->story = story_new(NULL);
    must(r->story && inquiry_open(&r->inquiry, 0, take, r, &err) == 0);
    r->inquiry.reading.key = (struct sipkey){1, 2};
    must(inquiry_journals(&r->inquiry, paths, 1, take_event, &err) == 0);
    close(fd);
    read_log(r, log);
    inquiry_end(&r->inquiry, resolve, r);

    const struct join_counts *c = join_counts(r->inquiry.join);
    must(c->accounts == r->accounts && c->overflow == 0);
    must(sessions_counts(r->inquiry.reading.sessions)->closed == r->of_log);
    must(c->joined <= r->of_log && c->alone == r->told - r->of_log);
    judge_all(r);
    story_free(r->story);
    inquiry_close(&r->inquiry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct run a;
    struct str all = {(const char *)data, n}, log = {NULL, 0};
    const char *cut = n > 4 ? memmem(data, n, "\n--\n", 4) : NULL;
    if (cut) {
        log = (struct str){cut + 4, n - (size_t)(cut + 4 - all.p)};
        all.n = (size_t)(cut + 1 - all.p);
    }
    run(&a, all, log);
    return 0;
}
