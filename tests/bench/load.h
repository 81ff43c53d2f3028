/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of a load generator: options, connections, the phases of a measurement, the loop
 * around epoll and the report. One thread, one load a process. polload and milload say what is
 * sent and what must be answered.
 */
#ifndef LOAD_H
#define LOAD_H

#include "poladdr.h"
#include "polhist.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* What a server can do wrong; each is counted, and any makes the exit code 1. */
enum load_fault {
    MALFORMED,
    EXTRA_BYTES,   /* an answer to nothing */
    WRONG_VERDICT, /* well formed, and not what it should be */
    NEGOTIATION,   /* other terms than the connection before, or none that we play (milter) */
    MISSING,       /* not answered when the time was over */
    CLOSED,
    NOT_SENT,
    NO_CONNECTION,
    LOAD_FAULTS
};

enum load_phase { WARMING, MEASURING, DRAINING };

struct load_counts {
    uint64_t units; /* requests, sessions: what times are divided by */
    uint64_t bytes; /* sent */
    uint64_t detail;
};

struct load {
    struct poladdr server;
    unsigned connections, idle;
    bool spin; /* --busy */
    bool hold; /* --hold */
    enum load_phase phase;
    unsigned outstanding; /* what the end waits for */
    struct load_counts total, measured;
    uint64_t fault[LOAD_FAULTS];
    struct polhist latency;        /* what ended while measuring */
    uint64_t start, end;           /* of measuring, ns of the monotonic clock */
    uint64_t server_cpu, used_cpu; /* ns while measuring: the server's, ours */
};
extern struct load load;

/* What makes a generator of it. Connections are numbered; idle ones come behind the others. */
struct load_program {
    const char *name, *unit, *detail; /* detail: what load_counts.detail counts */
    unsigned connections;             /* unless an option says otherwise */
    const struct option *options;     /* own ones, up to a row without a name */
    const char *usage;                /* a line for each of them */
    bool (*take)(int letter, const char *value);
    bool (*prepare)(void);          /* all options are taken; false: they are wrong */
    bool (*open)(void);             /* memory */
    bool (*first)(void);            /* before all connections; false: give up; may be NULL */
    void (*open_idle)(unsigned i);  /* brings an idle connection to where it stays */
    bool (*open_busy)(unsigned i);  /* false: give up; NULL: turn() opens them */
    int (*descriptor)(unsigned i);  /* of a connection where no answer is due, or -1 */
    void (*begin)(uint64_t now);    /* the first units; NULL: turn() begins them */
    void (*readable)(unsigned i);   /* a connection that load_watch() was told of */
    bool (*turn)(uint64_t now);     /* after each round of events; true: come back at once */
    void (*measured)(uint64_t now); /* measuring has ended; may be NULL */
    void (*report)(void);           /* further members of the JSON object, ", " before each */
};

/* main(): options, the load, one line of JSON on stdout. Returns the exit code: 0, 1 = something
 * was answered wrongly or nothing at all, 64 = usage, 71 = the system. */
int load_main(int argc, char **argv, const struct load_program *program);

uint64_t load_clock(clockid_t id);

/* A new connection, or -1, which is counted. Connecting blocks: else a full backlog of a unix
 * socket answers EAGAIN. */
int load_connect(void);

/* From now on readable(i) is called for it. */
bool load_watch(int fd, unsigned i);

/* Sends all of it at once, or counts what went wrong. Does not block. */
bool load_send(int fd, const void *data, size_t size);

/* What took `ns` has ended; counted while measuring. */
void load_took(uint64_t ns);

#endif
