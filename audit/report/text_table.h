/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for a terminal: aligned tables, wrapped paragraphs, numbers as people read them. Whatever a
 * cell or a paragraph is given, what is written is printable ASCII (edge/log.h).
 *
 * One thread at a time. When memory ends a table remembers it, and table_write() writes nothing.
 */
#ifndef AUDIT_TEXT_TABLE_H
#define AUDIT_TEXT_TABLE_H

#include <stdio.h>

#include "core/arena.h"
#include "core/buf.h"

struct text_style {
    FILE *to;
    unsigned width; /* columns; 0: no limit */
    bool colour;
};

enum { TABLE_COLUMNS = 10, TABLE_INDENT = 2 };

struct text_column {
    const char *title;
    bool right;    /* numbers */
    bool shrinks;  /* may be cut, with "..", where the table is too wide */
    bool optional; /* is left out where no row has more than "" or "-" */
};

struct text_table {
    const struct text_column *columns;
    unsigned column_count;
    struct arena arena;
    struct text_row *first, *last;
    unsigned at; /* the next cell's column; 0: of a new row */
    bool failed;
};

void table_begin(struct text_table *t, const struct text_column *columns, unsigned column_count);
/* The next cell, from left to right; cut if it is longer than 400 bytes. */
void table_cell(struct text_table *t, const char *text);
/* "1,234"; "-" for 0. */
void table_number(struct text_table *t, uint64_t v);
/* Writes it, `heading` as the first column's title, and frees it. False: memory ended. */
bool table_write(struct text_table *t, const struct text_style *s, const char *heading);

/* A heading in a line of its own, with an empty line before it. */
void text_heading(const struct text_style *s, const char *text);
/* Words, broken where a line would be too long: the first line indented by `first`, the others by
 * `next`. */
void text_wrap(const struct text_style *s, unsigned first, unsigned next, const char *text);

/* The same behind what already stands in the line, which is `column` wide. */
void text_go_on(const struct text_style *s, unsigned column, unsigned next, const char *text);

/* "1,234,567". */
enum { GROUPED_MAX = 32 };
const char *grouped(uint64_t v, char text[GROUPED_MAX]);
/* "1 session", "1,234 sessions"; `one` and `many` are the words. */
void put_count(struct buf *b, uint64_t v, const char *one, const char *many);

#endif
