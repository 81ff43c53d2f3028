/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/watch.h"

#include <openssl/rand.h>

static void told(void *context, const struct flow_told *t)
{
    struct watch *w = context;
    struct judgement j;
    struct now now = w->record_time(t->ended_us);
    tap_judge(w->policy, t, &now, &j);
    if (tap_record(w->recorder, w->policy, &j, &now) && w->found)
        w->found(w->context, &j, &now);
}

int watch_begin(struct watch *w, const struct config *c, unsigned most, struct err *e)
{
    struct sipkey key;
    if (RAND_bytes((unsigned char *)&key, sizeof key) != 1)
        return err_set(e, "OpenSSL has no random bytes");
    struct flows_settings s = {.max = most, .ports = &w->ports, .tell = told, .context = w};
    watch_use(w, c);
    w->flows = flows_new(&key, &s);
    return w->flows ? 0 : err_set(e, "memory is short");
}

void watch_use(struct watch *w, const struct config *c)
{
    w->policy = c->policy;
    ports_set(&w->ports, c);
}

void watch_packet(struct watch *w, const struct link_type *l, struct str captured, size_t length,
                  int64_t now_us)
{
    struct segment s;
    enum packet_kind kind = packet_parse(l, captured, length, &s);
    w->packets[kind]++;
    if (kind != PACKET_TCP)
        return;
    if (w->ports.is[s.server_port])
        flows_segment(w->flows, &s, now_us);
    else
        w->elsewhere++;
}

void watch_end(struct watch *w)
{
    flows_free(w->flows);
    w->flows = NULL;
}

size_t watch_list_counters(const struct watch *w, struct status_counter *list, size_t room)
{
    static const char *const ended[ENDEDS] = {
        [ENDED_SEEN] = "ended-seen", [ENDED_FIN] = "ended-fin",   [ENDED_RST] = "ended-rst",
        [ENDED_IDLE] = "ended-idle", [ENDED_FULL] = "ended-full", [ENDED_GAP] = "ended-gap",
        [ENDED_STOP] = "ended-stop",
    };
    static const char *const kinds[PACKET_KINDS] = {
#define PACKET(name, word) [PACKET_##name] = "packets-" word,
#include "tap/packet_kinds.def"
#undef PACKET
    };
    const struct flows_counters *c = flows_counters(w->flows);
    const struct status_counter single[] = {
        {"packets-elsewhere", w->elsewhere},
        {"packets-midstream", c->midstream},
        {"packets-retransmitted", c->retransmitted},
        {"packets-out-of-order", c->out_of_order},
        {"connections-begun", c->begun},
        {"connections", c->completed},
        {"half-open-ended", c->half_open_ended},
        {"connections-open", c->open},
        {"connections-open-most", c->open_most},
        {"connections-speaking", c->speaking},
        {"memory-short", c->memory},
    };
    size_t n = 0;
    for (int k = 0; k < PACKET_KINDS && n < room; k++)
        list[n++] = (struct status_counter){kinds[k], w->packets[k]};
    for (size_t i = 0; i < sizeof single / sizeof *single && n < room; i++)
        list[n++] = single[i];
    for (int i = 0; i < ENDEDS && n < room; i++)
        list[n++] = (struct status_counter){ended[i], c->ended[i]};
    return n;
}
