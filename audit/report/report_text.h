/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write the report for a terminal share. */
#ifndef AUDIT_REPORT_TEXT_H
#define AUDIT_REPORT_TEXT_H

#include "audit/report/report.h"
#include "audit/report/text_table.h"

enum { SENTENCE_MAX = 2000, PARTS_SHOWN = 6, FEW = 5 };

/* A report that is being written. */
struct text {
    struct text_style style;
    const struct report *r;
    unsigned rows; /* 0: all */
    bool failed;   /* memory has ended */
};

/* Writes a paragraph, indented, and empties the buffer. */
void say(const struct text *t, struct buf *b);
/* table_write(), which may fail. */
void write_table(struct text *t, struct text_table *table, const char *heading);
/* "2026-11-21 08:18:44", UTC. */
void put_time(struct buf *b, int64_t us);
/* `limit` 0: none. */
unsigned at_most(unsigned count, unsigned limit);

/* The answer in a few sentences. */
void write_short(const struct text *t);
/* Customers, devices, strangers: who has to change what. */
void write_who(struct text *t);

#endif
