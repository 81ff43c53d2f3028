/* SPDX-License-Identifier: Apache-2.0 */
/* A story while it is gathered (story.c), and printed (story_print.c). */
#ifndef AUDIT_STORY_INTERNAL_H
#define AUDIT_STORY_INTERNAL_H

#include "core/arena.h"
#include "audit/report/story.h"

enum { FACTS_MAX = 128, MOMENTS_MAX = 1000 };

struct fact_row {
    const char *name;
    struct str value;
    source_set who;
};

struct moment {
    int64_t us;
    unsigned number; /* in the order in which they were told */
    enum source source;
    struct str text;
};

struct story {
    struct privacy *privacy;
    struct arena arena;
    struct fact_row facts[FACTS_MAX];
    unsigned fact_count;
    struct moment moments[MOMENTS_MAX];
    unsigned moment_count, moments_left_out;
    source_set by_finding[FINDING_COUNT];
    bool failed;
};

#endif
