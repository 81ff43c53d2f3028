/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a log to sessions and judgements, for tests that write logs by hand. */
#ifndef SESSION_HELP_H
#define SESSION_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/config.h"
#include "audit/session/judge.h"
#include "audit/session/sessions.h"

enum { GIVEN_MAX = 64 };

/* What sessions_*() gave. */
struct given {
    struct names *names;
    struct sessions *sessions;
    struct stamps stamps;
    uint64_t position; /* the number of the last line */
    unsigned count;
    struct {
        struct seen seen;
        uint64_t number, first_position;
        int64_t first_us, last_us;
        char queue_id[32];
    } list[GIVEN_MAX]; /* in the order in which they were closed */
};

extern const struct sipkey given_key;

void given_open(struct given *g, unsigned max_open, int64_t idle_us);
void given_close(struct given *g);

/* One line; the number of its session. */
uint64_t give(struct given *g, const char *line);
/* Several lines, each with a newline, and the log's end. */
void give_log(struct given *g, const char *text);

/* The same, put together: at 10:`time` on one day. */
uint64_t given_say(struct given *g, const char *time, const char *tag, unsigned pid,
                   const char *message);
uint64_t given_smtpd(struct given *g, const char *time, unsigned pid, const char *message);

struct str given_text(const struct given *g, uint32_t id);

/* Of the i-th session that was closed: flags it has, and flags it has not. */
void assert_seen(const struct given *g, unsigned i, uint32_t are, uint32_t are_not);

#define BOB "bob.example.net[192.0.2.7]"
#define EVE "eve.example.org[198.51.100.9]"

/* A log that was read and is to be judged. */
struct court {
    struct given given;
    struct config *config;
    struct ciphers *ciphers;
    struct log_listeners listeners;
    struct judge judge;
};

/* `yaml`: a policy that the administrator wrote; NULL: the built-in one. */
void court_open(struct court *c, const char *yaml, const char *log,
                const struct listener_option *options, unsigned option_count);
void court_close(struct court *c);

/* The judgement of the i-th session that was closed. */
struct judged judged(const struct court *c, unsigned i);

/* "starttls auth-required", "cleartext -": mode and findings. In static memory. */
const char *sentence(const struct court *c, unsigned i);

#endif
