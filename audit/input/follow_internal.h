/* SPDX-License-Identifier: Apache-2.0 */
/* What following a file and following the journal have in common. Internal to input/. */
#ifndef AUDIT_FOLLOW_INTERNAL_H
#define AUDIT_FOLLOW_INTERNAL_H

#include "audit/input/checkpoint.h"
#include "audit/input/entry.h"
#include "audit/input/follow.h"

struct follow {
    struct follow_settings s; /* with the defaults filled in; its strings are ours */
    int (*run)(struct follow *f, int stop_fd, struct err *err);
    /* `from` by `needed`. */
    void (*places)(const struct follow *f, struct checkpoint_state *ret);
    void (*free)(struct follow *f);

    struct checkpoint checkpoint; /* path NULL: none */
    struct checkpoint_state written;
    int64_t written_us, idle_us; /* monotonic: the last attempt to write, the last idle() */
    uint64_t needed;             /* what idle() returned */
    bool failing;                /* writing the checkpoint */

    struct stamps stamps;
    char room[INPUT_LINE_MAX];
};

/* Copies the settings. 1: there is a checkpoint, *ret; 0; -1 with *err set. */
int follow_begin(struct follow *f, const struct follow_settings *s, const char *log,
                 struct checkpoint_state *ret, struct err *err);
void follow_end(struct follow *f);

bool follow_give(struct follow *f, const struct log_line *l, uint64_t position, bool again);
void follow_say(struct follow *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Calls idle(), and writes the checkpoint if it says something new and enough time has passed. */
void follow_settle(struct follow *f);
bool follow_settle_is_due(const struct follow *f);
/* Whatever the time. */
void follow_write(struct follow *f);

/* Waits for either descriptor (-1: none) or the time. */
int follow_wait(const int fds[2], int64_t timeout_us, bool ret_readable[2], struct err *err);

#endif
