/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drift of the log's dialect: lines that have words of TLS or SASL and are in no table. They are
 * counted, and their shape is kept: words of the vocabulary (those of our own templates and of TLS)
 * as they are, of everything else its kind and length only, because passwords end up in such lines.
 *
 *     "warning: SASL frobnication of alice with 0xabc12 refused"
 *     "warning: SASL a12 of a5 with x5 refused"
 *
 * One thread at a time. Memory: SHAPES_MAX shapes; more are counted as one.
 */
#ifndef AUDIT_SHAPE_H
#define AUDIT_SHAPE_H

#include "core/buf.h"

enum { SHAPES_MAX = 256, SHAPE_TEXT_MAX = 240 };

struct shape {
    char text[SHAPE_TEXT_MAX]; /* NUL-terminated */
    uint64_t count;
    uint64_t first_line; /* its number in the input, for who wants to look */
};

struct shapes {
    struct shape list[SHAPES_MAX];
    unsigned count;
    uint64_t lines;    /* all lines with a shape */
    uint64_t overflow; /* those whose shape found no place */
};

/* True if the text has a word of TLS or SASL. */
bool shape_matters(struct str text);

/* Writes the shape of a text; cut, with "..." at its end, if it does not fit. */
void shape_write(struct buf *b, struct str text);

void shapes_add(struct shapes *s, struct str text, uint64_t line);

#endif
