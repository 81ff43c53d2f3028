/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as they come, in pieces of any size, to lines. A line that lies in one piece is not
 * copied. Internal to input/.
 */
#ifndef AUDIT_LINES_H
#define AUDIT_LINES_H

#include "audit/input/input.h"

struct lines {
    struct stamps stamps;
    input_take *take;
    void *context;
    struct input_counts counts;
    bool stopped;   /* take() said so */
    bool too_long;  /* the line that began is longer than INPUT_LINE_MAX */
    size_t carried; /* of a line whose end has not come yet */
    char carry[INPUT_LINE_MAX];
    char room[INPUT_LINE_MAX];
};

/* Too large for a stack. `reference_us`: as in line.h. */
void lines_init(struct lines *l, int64_t reference_us, input_take *take, void *context);

/* False: stop. */
bool lines_feed(struct lines *l, const char *p, size_t n);

/* The input is over: what has come of a last line without a newline is a line. */
void lines_end(struct lines *l);

#endif
