/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of journals, of all programs together in the order of their times. Each of what is
 * given is a journal's path, the directory of one program in it, or a file of lines.
 *
 * One thread at a time.
 */
#ifndef AUDIT_JOURNALS_H
#define AUDIT_JOURNALS_H

#include "core/err.h"
#include "audit/join/event.h"

struct journals;

enum { JOURNALS_MAX = 256 }; /* programs and files together */

struct journals_counts {
    uint64_t lines, events; /* all; about sessions */
    uint64_t bytes;
    uint64_t bad, missing, unreadable; /* as journal_reader_stats */
};

/*
 * NULL with *err set: nothing there, it cannot be read, memory ends. What is given twice, by itself
 * or with a directory that it lies in, is read once.
 */
struct journals *journals_open(const char *const *paths, unsigned count, struct err *err);
void journals_free(struct journals *j);

/* The next event, valid until the next call; *ret_line (may be NULL): where it stands. False: that
 * was all. */
bool journals_next(struct journals *j, struct event *ret, struct journal_line *ret_line);

void journals_get(const struct journals *j, struct journals_counts *ret);

/* Is that argument one of these, and not a log? A directory, or a file whose name ends in .jsonl.
 */
bool journals_is_one(const char *path);

#endif
