/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients' side of TCP connections: a bounded table of those that are looked at, from the SYN
 * until there is nothing more to see, each with the opening of its session (core/wire/opening.h).
 * When a connection leaves the table it is told, once, with why.
 *
 * A connection is in one of three states, each with a list in the order of the last packet:
 *
 *   half-open  a SYN, and nothing else: 128 bytes. Ended without a word but a number, since it is
 *              none yet; a flood of them costs the table's memory and no more.
 *   quiet      the client has acknowledged the server's SYN, and said nothing.
 *   speaking   bytes came: an opening is there.
 *
 * When the table is full the oldest half-open one gives way, else the one that was quiet longest.
 *
 * Only the client's packets are looked at. So it is not known whether there is a server that
 * answers: a stranger who knows no answer (spoofed address) can play a client that goes on alone.
 *
 * Time is passed in: microseconds of any clock; one that goes back stands still. One thread.
 */
#ifndef TAP_FLOWS_H
#define TAP_FLOWS_H

#include "core/clock.h"
#include "core/siphash.h"
#include "core/wire/opening.h"
#include "tap/packet.h"
#include "tap/ports.h"

struct flows;

enum {
    FLOWS_MAX = 128 * 1024,    /* connections; 128 bytes each, used as they come */
    FLOWS_SPEAKING = 8 * 1024, /* of them with an opening: OPENING_BUFFER each, at the worst */
};

/*
 * A client that waits for the server is given up by the MTA first (Postfix: 300 s), and its
 * closing is then seen. A SYN that nobody acknowledged: Linux tries again after 1, 2, 4, 8, 16 s;
 * one that is tried again later than that begins anew, with nothing lost but the time it waited.
 */
#define FLOWS_IDLE_US (330 * US_PER_S)
#define FLOWS_HALF_OPEN_US (30 * US_PER_S)

enum flow_ended {
    ENDED_SEEN, /* there is nothing more to see */
    ENDED_FIN,
    ENDED_RST,
    ENDED_IDLE,
    ENDED_FULL, /* it gave way to another */
    ENDED_GAP,  /* packets are missing, or a part of one; its end, if it begins anew */
    ENDED_STOP, /* we stop looking */
    ENDEDS
};
extern const char *const flow_ended_names[ENDEDS]; /* "seen", "fin", ... */

/* What is told of one; it lives as long as the call. */
struct flow_told {
    struct addr client, server;
    uint16_t client_port, server_port;
    const struct opening *opening; /* never NULL */
    int64_t began_us, ended_us;
    int64_t first_us; /* the client's first byte; -1: none came */
    enum flow_ended ended;
    bool dialogue; /* STARTTLS, AUTH or MAIL came in a later segment than EHLO or HELO: somebody
                      had answered, or the client does not wait for answers */
};

struct flows_settings {
    unsigned max, speaking_max;    /* 0: as above; fewer for tests */
    int64_t idle_us, half_open_us; /* 0: as above */
    const struct ports *ports;
    void (*tell)(void *context, const struct flow_told *told);
    void *context;
};

struct flows_counters {
    uint64_t begun;           /* SYNs that began one */
    uint64_t completed;       /* of these, acknowledged: connections */
    uint64_t half_open_ended; /* never acknowledged: idle or full or rst, and not told */
    uint64_t ended[ENDEDS];   /* told */
    uint64_t midstream;       /* packets of connections that are not, or no longer, looked at */
    uint64_t retransmitted;   /* segments of which nothing was new */
    uint64_t out_of_order;    /* segments kept for later */
    uint64_t memory;          /* could not be kept: memory is short */
    uint32_t open, open_most, speaking;
};

/* NULL when memory is short. *s is copied; what it points to must live as long. */
struct flows *flows_new(const struct sipkey *key, const struct flows_settings *s);

/* Nobody is told of what is still open. NULL is allowed. */
void flows_free(struct flows *f);

/* A packet to one of the ports. */
void flows_segment(struct flows *f, const struct segment *s, int64_t now_us);

/* Ends what was idle for too long; call it about once a second. */
void flows_tick(struct flows *f, int64_t now_us);

/* Ends all as `stop`. */
void flows_stop(struct flows *f, int64_t now_us);

const struct flows_counters *flows_counters(const struct flows *f);

/* What one entry costs before its first byte. */
size_t flows_entry_size(void);

#endif
