/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time, as a value that is passed in: no rule and no parser reads a clock,
 * so a test can be at any date. Wall time is for dates and for people,
 * monotonic time for durations.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "core/buf.h"

struct now {
    int64_t wall_us; /* microseconds since 1970-01-01T00:00:00Z */
    int64_t mono_us; /* microseconds since some fixed point of this boot */
};

#define US_PER_S INT64_C(1000000)

/*
 * "2027-03-31" or "2027-03-31T18:00:00Z" to the first microsecond at which it
 * is over: a date lasts until midnight UTC at its end, a time until itself.
 * False if it is neither, or no such day exists.
 */
bool clock_parse_until(struct str s, int64_t *ret_wall_us);

/* RFC 3339, UTC: "2027-03-31T18:00:00.000001Z" (`digits` of 0, 3 or 6). */
void clock_format(struct buf *b, int64_t wall_us, int digits);

#endif
