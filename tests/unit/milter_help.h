/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the milter's filter share: a filter with a policy and a journal in memory,
 * sessions with macros as the MTAs send them, and the journal's lines, read where its
 * writer would.
 */
#ifndef TESTS_MILTER_HELP_H
#define TESTS_MILTER_HELP_H

#include "tests/unit/journal_help.h"

#include "milter/filter.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define POSTFIX "MTA_VERSION=Postfix 3.7.11|HOST_NAME=mx.example.test|DAEMON_ADDR=198.51.100.1|"
#define SENDMAIL "MTA_VERSION=8.17.1.9|HOST_NAME=mx.example.test|DAEMON_ADDR=198.51.100.1|"
#define OTHER "MTA_VERSION=Other 1.0|DAEMON_ADDR=198.51.100.1|"
#define SOMEBODY "192.0.2.17"

extern struct config *config; /* of the filter below */
extern struct filter f;

struct config *parse(const char *text);

/* For cmocka's setup and teardown: the filter, with this policy. */
int filter_set_up(void **state, const char *policy_text);
int filter_tear_down(void **state);

/* "DAEMON_PORT=587|DAEMON_FLAGS=": a value, an empty one; the others are absent. */
struct told tell(const struct connection *c, enum macro_stage stage, const char *text);

/* Stages of a session; `macros` as above. */
struct connection *come(const char *address, bool our_lists, const char *macros);
void helo(struct connection *c, const char *argument, const char *macros);
void leave(struct connection *c);

/* The next line of the journal; empty: there is none. */
struct str next_line(void);

#define expect_silence() assert_int_equal(next_line().n, 0)

#endif
