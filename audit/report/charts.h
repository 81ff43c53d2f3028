/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bars as inline SVG. A bar stands in the row of a table that has its numbers, takes the width it
 * is given, and each of its parts has a colour and a pattern of its own. Colours and patterns are
 * the style sheet's.
 */
#ifndef AUDIT_CHARTS_H
#define AUDIT_CHARTS_H

#include <stdint.h>
#include <stdio.h>

enum { CHART_PARTS = 4 };

enum chart_shade {
    SHADE_GOOD,  /* as it should be */
    SHADE_OTHER, /* as it should be, in another way */
    SHADE_BAD,   /* something to change */
    SHADE_NONE,  /* not known; or strangers */
    SHADE_COUNT
};

struct chart_part {
    const char *label;
    enum chart_shade shade;
    uint64_t n;
};

/* The patterns: once in a page, before the first bar. */
void chart_patterns(FILE *to);

/* What is what, in the order of the parts. */
void chart_legend(FILE *to, const struct chart_part *parts, unsigned count);

/*
 * One bar; `whole` is the number for the full width; 0: the sum of the parts. A part that is
 * not 0 is always wide enough to be seen. `title` is what the bar is of.
 */
void chart_bar(FILE *to, const char *title, const struct chart_part *parts, unsigned count,
               uint64_t whole);

#endif
