/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: read, checked, and turned into a policy and the
 * settings of the programs. Non-logging: what is wrong is collected in
 * `struct problems`, in the words a person needs, and the caller prints it.
 *
 * Thread use: config_load() uses no globals and may run in a thread of its own
 * while another configuration is in use.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "core/policy.h"

/* ---- what is wrong ------------------------------------------------------ */

enum severity { SEVERITY_WARNING, SEVERITY_ERROR };

struct problem {
    enum severity severity;
    unsigned line, column; /* from 1, columns in characters; 0: about the file as a whole */
    char file[256];
    char text[512];        /* what was given and what is wrong with it */
    char help[512];        /* what is allowed, "did you mean", the other place; may be empty */
    char source[384];      /* the line, or the part of a long one that matters; may be empty */
    unsigned caret, width; /* where in source (characters, from 1) and how many are marked */
};

enum { PROBLEMS_MAX = 64 }; /* more are counted, not kept */

struct problems {
    struct problem *list;
    unsigned count, errors, warnings, dropped;
};

/*
 * One problem as people read it, without a newline at the end:
 *   /etc/mailreeve/mailreeve.yaml:7:12: error: unknown key "min_tsl"
 *       7 |     min_tsl: TLSv1.2
 *         |     ^~~~~~~
 *         = help: did you mean "min_tls"?
 * The first line alone if `with_source` is false (syslog).
 */
void problem_format(struct buf *b, const struct problem *p, bool with_source);
void problems_free(struct problems *ps);

/* ---- what is right ------------------------------------------------------ */

enum { SOCKETS_MAX = 16 };

struct socket_spec {
    bool is_unix;
    char path[108];   /* unix */
    struct addr addr; /* inet */
    uint16_t port;
    char listener[64]; /* the listener that this socket stands for; "": any */
    unsigned line;
};

struct program_settings {
    struct socket_spec listen[SOCKETS_MAX];
    unsigned listen_count;
    char group[64]; /* owns the unix sockets; "": the group of the program */
};

struct journal_settings {
    char path[256];     /* "": no journal */
    int64_t keep_s;     /* seconds */
    uint64_t max_total; /* bytes, all segments of one program */
    uint64_t min_free;  /* bytes, or with ... */
    bool min_free_is_percent;
};

enum { TAP_PROXIED_MAX = 64 };

/* What mailreeve-tap looks at. */
struct tap_settings {
    char interface[16];                      /* IFNAMSIZ; "any": all of them */
    uint16_t proxied_ports[TAP_PROXIED_MAX]; /* a PROXY header comes first there */
    unsigned proxied_count;
};

enum user_privacy { USER_PLAIN, USER_HASH, USER_DOMAIN };
enum address_privacy { ADDRESS_PLAIN, ADDRESS_HASH, ADDRESS_NETWORK };

struct privacy_settings {
    enum user_privacy user;
    enum address_privacy address;
};

struct config {
    struct policy *policy; /* holds one reference */
    struct program_settings policyd, milter;
    struct tap_settings tap;
    struct journal_settings journal;
    struct privacy_settings privacy;
    struct config_details *details; /* for config_print() and config_report.h */
};

/*
 * Reads the file (and the exceptions file it names). NULL if it cannot be read
 * or has an error, which `problems` then tells: one error of syntax, or all
 * errors of meaning; it may hold warnings also on success. A later
 * problems_free() is the caller's in every case. `path` NULL: the defaults,
 * as if the file were empty.
 */
struct config *config_load(const char *path, struct problems *problems);

/*
 * The same, from memory and at a date; `name` stands for the file in problems
 * and is what a relative exceptions_file is relative to. For tests and fuzzing.
 */
struct config *config_parse(struct str text, const char *name, struct problems *problems);
struct config *config_parse_at(struct str text, const char *name, const struct now *now,
                               struct problems *problems);

/*
 * The whole configuration as a file that loads to the same one again: what
 * `mailreeve check --print` shows. Exceptions from an exceptions file stay there.
 */
void config_print(struct buf *b, const struct config *c);

/* Where its exceptions file is; NULL: it has none. */
const char *config_exceptions_path(const struct config *c);

void config_free(struct config *c);

#endif
