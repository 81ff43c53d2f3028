/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a packet: link and IP to a segment (packet.h), to a connection (flows.h), and when
 * that is over to a judgement (judge.h) and a record (record.h). The daemon and --read are both
 * this, with packets from elsewhere. One thread.
 */
#ifndef TAP_WATCH_H
#define TAP_WATCH_H

#include "tap/record.h"

struct watch {
    const struct policy *policy; /* the one in force; sessions are judged by it when they end */
    struct recorder *recorder;
    struct ports ports;
    struct flows *flows;
    /* The time for flows is that of packets; what a record has is made of it by this. */
    struct now (*record_time)(int64_t packet_us);
    /* Something was found; may be NULL. */
    void (*found)(void *context, const struct judgement *j, const struct now *now);
    void *context;
    uint64_t packets[PACKET_KINDS]; /* by what they were */
    uint64_t elsewhere;             /* TCP to a port that is not watched */
};

/* All but policy, recorder, record_time, found and context is set here. `most`: connections, 0: as
 * many as FLOWS_MAX. -1 with *e set. */
int watch_begin(struct watch *w, const struct config *c, unsigned most, struct err *e);
/* Another configuration: its ports. Sessions that are going on stay. */
void watch_use(struct watch *w, const struct config *c);
/* `length` bytes long on the link; time in microseconds. */
void watch_packet(struct watch *w, const struct link_type *l, struct str captured, size_t length,
                  int64_t now_us);
void watch_end(struct watch *w); /* nothing more is told; also of one that was not begun */

/* Its numbers; how many. */
size_t watch_list_counters(const struct watch *w, struct status_counter *list, size_t room);

#endif
