/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the journal share: a directory for each, lines in and out, and the system's
 * write, free space and clock replaced where a test needs them. They wait for conditions, never for
 * a time.
 */
#ifndef TESTS_JOURNAL_HELP_H
#define TESTS_JOURNAL_HELP_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/journal_internal.h"
#include "journal/journal_reader.h"
#include "journal/json.h"

extern char top[64]; /* the directory of the test that runs */

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int64_t end = time_now().mono_us + 20 * US_PER_S;                                          \
        while (!(condition)) {                                                                     \
            if (time_now().mono_us > end)                                                          \
                fail_msg("waited 20 s for: %s", #condition);                                       \
            sched_yield();                                                                         \
        }                                                                                          \
    } while (0)

struct tally {
    uint64_t lines, count;
    int64_t sum;
    struct journal_reader_stats stats;
};

#define assert_field(text, name, expected)                                                         \
    assert_true(str_eq(field_of((text), (name)), str_of(expected)))

struct fake {
    sem_t gate; /* write() waits for it while `frozen` */
    atomic_bool frozen, waiting;
    atomic_long room;   /* bytes that writes may still take; -1: any */
    atomic_int failure; /* errno when there is no room left */
    _Atomic uint64_t free_space;
    _Atomic int64_t clock_shift_us; /* of the wall clock */
};
extern struct fake fake;
extern const struct journal_io fake_io;

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int set_up(void **state);
int tear_down(void **state);
struct now time_now(void);
struct journal_settings settings(void);
struct journal *open_journal(const struct journal_settings *s);
void start(struct journal *j);
void put(struct journal *j, int64_t number, size_t size);
struct journal_state state_of(const struct journal *j);
void stop(struct journal *j);
struct tally tally(const char *event, const char *field);
int segments(char names[][64], int max);
struct str ring_text(struct journal *j);
struct str field_of(struct str text, const char *name);
void reset_fake(void);

#endif
