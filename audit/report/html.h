/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes HTML. Markup is a constant of the program, always: html_put() takes nothing but a string
 * literal. Everything else goes through html_text(), in text and in attributes alike. Whether
 * writing went well is asked of the FILE at the end (ferror).
 */
#ifndef AUDIT_HTML_H
#define AUDIT_HTML_H

#include <stdio.h>

#include "core/str.h"

#define html_put(to, literal) ((void)fputs("" literal, (to)))

enum { HTML_TEXT_MAX = 1000 }; /* bytes of one text; what is longer ends with "..." */

/*
 * Escaped. Whatever is no visible character becomes U+FFFD, one for each byte or character:
 * controls, line ends too; bytes that are not UTF-8; and the characters that turn the direction of
 * what follows, so that no name can look like another.
 */
void html_text(FILE *to, struct str s);
void html_cstring(FILE *to, const char *s);

/* "1,234,567". */
void html_number(FILE *to, uint64_t n);
/* "1 session", "1,234 sessions". */
void html_count(FILE *to, uint64_t n, const char *one, const char *many);
/* "12 %"; "less than 1 %" and "more than 99 %" for what is neither nothing nor all. */
void html_percent(FILE *to, uint64_t part, uint64_t whole);
/* A <time>, in UTC, to the minute; a dash for 0: not known. */
void html_time(FILE *to, int64_t wall_us);

/* ---- tables ----------------------------------------------------------------- */

/* The first column is the heading of its row. On a narrow page a row becomes a card, and `head`
 * stands before each value. */
struct html_column {
    const char *head;
    bool number; /* aligned to the right */
};

struct html_table {
    FILE *to;
    const struct html_column *columns;
    unsigned count, at;
};

/* `columns` must outlive the table. */
struct html_table html_table_begin(FILE *to, const char *caption, const struct html_column *columns,
                                   unsigned count);
/* Ends the row before, if there is one. Every row has all its cells. */
void html_row(struct html_table *t);
/* The next cell of the row; what is written then is in it. */
void html_cell(struct html_table *t);
void html_cell_number(struct html_table *t, uint64_t n);
void html_table_end(struct html_table *t);

#endif
