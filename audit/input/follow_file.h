/* SPDX-License-Identifier: Apache-2.0 */
/* Following a file: what follow.c and follow_step.c share. Internal to input/. */
#ifndef AUDIT_FOLLOW_FILE_H
#define AUDIT_FOLLOW_FILE_H

#include "audit/input/follow_internal.h"
#include "audit/input/resume.h"

/* Sessions that began in an older file are not read again after a restart. */
enum { LEFT_MAX = 64 };

struct file_follow {
    struct follow follow; /* the first member: one is cast to the other */
    char *directory, *name;

    struct tail tail;               /* what is being read; fd -1: nothing */
    uint64_t position, base, begun; /* where the tail's offset 0 and its first line have theirs */
    struct rotated queue;           /* what comes after it */
    /* The place until the tail gave a line. That is where to look again if the directory was
     * changed between the listing (`signature`) and that line: a copytruncate may lie between. */
    struct place before;
    uint64_t signature;
    bool sure;   /* no need to look */
    bool forced; /* the file before was left although it was still written */
    unsigned unsure;

    struct left left[LEFT_MAX]; /* the latest is the last */
    size_t left_n;

    bool again; /* lines before `told` */
    struct place told;
    bool told_here; /* in the tail */
    bool lost;      /* the last place's file is nowhere */

    int64_t grew_us, both_us; /* monotonic: the tail gave more; it was to be left. 0: not yet */
    uint64_t grown_to;
    enum rotated_log log, noted; /* what stands at the log's name; what was said of it */
    int64_t log_us;              /* monotonic: since when */
    bool broken, cut;            /* noted */

    int inotify, watch; /* -1: none */
    int64_t wait_us;    /* until something has to be looked at again */
};

enum step { STEP_ON, STEP_WAIT, STEP_STOP };

/* Does what is to be done next: gives some lines, or goes to another file. STEP_WAIT: there is
 * nothing to do now. */
enum step follow_step(struct file_follow *f);

/* Goes to the place, or to where reading goes on without it. */
enum step follow_resume(struct file_follow *f, const struct place *at);

/* The tail was opened at this offset. */
void follow_began(struct file_follow *f, uint64_t offset);

/* Behind the last line that was given. */
struct place follow_here(const struct file_follow *f);
uint64_t follow_position(const struct file_follow *f);

#endif
