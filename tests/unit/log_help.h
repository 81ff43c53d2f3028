/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of log inputs share: a directory for each, and the lines that came. */
#ifndef TESTS_LOG_HELP_H
#define TESTS_LOG_HELP_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "audit/input/input.h"

extern char log_top[64]; /* the directory of the test that runs */

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, log_set_up, log_tear_down)
int log_set_up(void **state);
/* Fails, too, if a child process or an open descriptor was left behind. */
int log_tear_down(void **state);

/* A file in it, written; its path, until the eighth call after this one. */
const char *log_path(const char *name);
const char *log_file(const char *name, struct str bytes);

struct got_line {
    int64_t wall_us;
    uint32_t pid;
    unsigned times;
    uint64_t number;
    char *host, *tag; /* NUL-terminated copies */
    struct str text;
};

struct got {
    struct got_line *list;
    size_t count;
    size_t stop_after; /* 0: never */
    struct input_counts counts;
    struct err err;
};

bool got_take(void *context, const struct log_line *l, uint64_t line);
/* input_read() of it at 2031-06-01T00:00:00Z, which no clock says; what it returned. *g is zeroed
 * first but for stop_after; got_free() when done. */
int got_read(struct got *g, const char *path);
void got_free(struct got *g);
#define NOW_US (INT64_C(1938038400) * US_PER_S)

/* The texts of all lines, joined with '/', are these. */
void assert_texts(const struct got *g, const char *expected);

/* Writes them one byte at a time (997 if they are many) into a pipe, in a thread; the path to read
 * them from. */
struct log_dribble {
    struct str bytes;
    int ends[2];
    atomic_bool over;
    unsigned long thread;
    char path[32];
};
const char *log_dribble(struct log_dribble *d, struct str bytes);
/* After the path was read. */
void log_dribble_end(struct log_dribble *d);

#endif
