/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as captured traffic, from packets to judgements, on every link type, in a small table.
 * The first byte is the link type; then packets: two bytes of length, one of how much longer it
 * was, one of milliseconds. What is begun is ended, once; each packet is one thing; nothing reads
 * behind a packet; a judgement does not contradict itself; and in one order the same bytes give the
 * same.
 */
#include <stdlib.h>

#include "config/config.h"
#include "tap/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST = 6, SPEAKING = 3, PLAIN_HEADER = 4 };

static const int types[] = {101, 1, 113, 276, 0, 108, 12, 14, 228, 229};

struct run {
    const struct config *config;
    struct ports ports;
    struct flows *flows;
    uint64_t told, sum;
    uint64_t packets[PACKET_KINDS];
};

static void must(bool it_is_so)
{
    if (!it_is_so)
        abort();
}

static void tell(void *context, const struct flow_told *t)
{
    struct run *r = context;
    static struct judgement j;
    struct now now = {t->ended_us, t->ended_us};
    r->told++;
    must(t->ended_us >= t->began_us && t->first_us <= t->ended_us);
    must(t->first_us < 0 || t->first_us >= t->began_us);
    must(t->ended < ENDEDS && t->opening->first < FIRSTS && t->opening->fate < FATES);
    tap_judge(r->config->policy, t, &now, &j);
    const struct verdict *v = &j.verdict;
    must((j.likely & ~v->broken) == 0 && !refuses(v->action));
    must((v->finding == FINDING_COUNT) == (v->broken == 0));
    must(v->broken == 0 || v->broken & FINDING_BIT(v->finding));
    must(refuses(v->would) == (v->held != HELD_NOT));
    must(j.session.listener || v->broken == 0);
    /* Without all bytes nothing is said that rests on what did not come. */
    must(t->ended != ENDED_GAP || !(v->broken & (FINDING_BIT(FINDING_CLOSED_BEFORE_STARTTLS) |
                                                 FINDING_BIT(FINDING_WAITS_ON_IMPLICIT_PORT))));
    r->sum = r->sum * 31 + v->broken + (uint64_t)t->ended * 7 + t->opening->seen +
             (uint64_t)t->opening->commands;
}

static void feed(struct run *r, const uint8_t *p, size_t n)
{
    const struct link_type *l = packet_link(types[n ? p[0] % (sizeof types / sizeof *types) : 0]);
    int64_t now_us = 0;
    for (size_t at = 1; at + PLAIN_HEADER <= n;) {
        size_t size = (size_t)p[at] << 8 | p[at + 1], more = p[at + 2];
        now_us += p[at + 3] * INT64_C(1000) * (p[at + 3] > 250 ? 3000 : 1);
        at += PLAIN_HEADER;
        size = size < n - at ? size : n - at;
        uint8_t *copy =
            malloc(size ? size : 1); /* so that a sanitizer sees the first byte behind */
        must(copy != NULL);
        memcpy(copy, p + at, size);
        struct segment s;
        enum packet_kind kind = packet_parse(l, (struct str){(const char *)copy, size},
                                             size + more * (more > 200 ? 400 : 0), &s);
        must(kind < PACKET_KINDS);
        r->packets[kind]++;
        if (kind == PACKET_TCP) {
            must(s.payload.n <= s.length && s.client.bits && s.server.bits);
            if (r->ports.is[s.server_port])
                flows_segment(r->flows, &s, now_us);
        }
        free(copy);
        flows_tick(r->flows, now_us);
        const struct flows_counters *c = flows_counters(r->flows);
        must(c->open <= MOST && c->speaking <= SPEAKING && c->speaking <= c->open);
        must(c->begun == c->open + r->told + c->half_open_ended);
        at += size;
    }
    flows_stop(r->flows, now_us);
    must(flows_counters(r->flows)->open == 0 && flows_counters(r->flows)->speaking == 0);
}

static const struct config *policy(void)
{
    static struct config *config;
    static const char text[] = "tap: {proxied_ports: [10587]}\ntrusted: {networks: [10.0.0.0/8]}\n";
    struct problems problems = {0};
    if (!config) {
        config = config_parse(STR(text), "fuzz", &problems);
        problems_free(&problems);
    }
    return config;
}

static void begin(struct run *r)
{
    static const struct sipkey key = {5, 6};
    *r = (struct run){.config = policy()};
    struct flows_settings s = {
        .max = MOST, .speaking_max = SPEAKING, .ports = &r->ports, .tell = tell, .context = r};
    ports_set(&r->ports, r->config);
    r->flows = flows_new(&key, &s);
    must(r->flows != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct run a, b;
    begin(&a);
    begin(&b);
    feed(&a, data, n);
    feed(&b, data, n);
    must(a.told == b.told && a.sum == b.sum);
    flows_free(a.flows);
    flows_free(b.flows);
    return 0;
}
