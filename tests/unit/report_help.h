/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions written by hand, and the report about them. */
#ifndef TESTS_REPORT_HELP_H
#define TESTS_REPORT_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/report/report.h"
#include "config/config.h"

/* Noon of 2026-11-20, UTC. */
#define NOON (INT64_C(1795176000) * US_PER_S)

struct world {
    struct sipkey key;
    struct names *names;
    struct config *config;
    struct ciphers *ciphers;
    struct log_listeners listeners;
    struct judge judge;
    struct tally *tally;
    struct report_input input;
    struct report_settings settings;
    struct report *report;
};

/* `policy`: the text of a configuration; "" is the built-in one. */
void world_open(struct world *w, const char *policy, uint32_t max_rows);
void world_close(struct world *w);

/* A session of Postfix from its connect line to its counters: EHLO and QUIT. */
struct seen session_on(struct world *w, const char *listener, const char *client);
/* The same, with STARTTLS where there is no implicit TLS. */
struct seen tls_on(struct world *w, const char *listener, const char *client, unsigned version,
                   const char *cipher);
/* `s` with a login and a mail that was taken. */
struct seen mail_of(struct world *w, struct seen s, const char *user);
/* `s` with a login of that name that failed. */
struct seen failed_as(struct world *w, struct seen s, const char *user);

/* Adds a session `count` times, seconds after noon. */
void see(struct world *w, struct seen s, unsigned count, int64_t first_s, int64_t last_s);

/* The report; the world keeps it. */
const struct report *make_report(struct world *w, enum report_by by);

/* What `report_x` writes, NUL-terminated; to be freed. */
char *text_of(const struct report *r, unsigned width, unsigned rows, bool colour);
char *written(int (*write)(FILE *, const struct report *), const struct report *r);

/* The text is exactly what stands in tests/audit/report/NAME. */
void expect_file(const char *name, const char *text);

#endif
