/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads journals: the segments of one program, or of all programs one after
 * the other, each program's in the order they were written. It ignores what it
 * does not know, counts what it cannot read, and goes on.
 *
 * It reads what is there: segments deleted meanwhile are skipped, and the end
 * of the last one is the end. Non-logging; one thread at a time per reader.
 */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "core/err.h"
#include "core/str.h"

struct journal_reader;

/* What every line begins with. Views are valid until the next call; strings are as
 * in JSON, without quotes (json_decode()); empty where the line has none. */
struct journal_line {
    struct str text; /* the whole line, for json_scan_init() */
    struct str ts, host, src, boot, event;
    struct str key; /* empty: null, the session is not known */
    int64_t mono_us, seq;
    uint64_t missing;    /* lines of the same src and boot lost just before this one */
    const char *program; /* directory; "": it was opened as a file */
    const char *segment; /* file */
    uint64_t line;       /* in it, from 1 */
};

struct journal_reader_stats {
    uint64_t segments, lines, bytes;
    uint64_t bad;        /* not JSON, not v 1, or without src, boot, seq, event */
    uint64_t unfinished; /* segments that end in half a line: killed, or being written now */
    uint64_t missing;    /* lines, by gaps in seq */
    uint64_t repeated;   /* lines whose seq is not above the one before */
    uint64_t unreadable; /* segments that could not be opened or read on */
};

/*
 * `program` NULL: all that have a directory. NULL with *err set: a directory
 * cannot be read, memory ends. What comes to be after this call is not read.
 */
struct journal_reader *journal_reader_open(const char *journal_path, const char *program,
                                           struct err *err);

/* One file of lines, by whatever name; it need not be in a journal. */
struct journal_reader *journal_reader_open_file(const char *file, struct err *err);

void journal_reader_free(struct journal_reader *r);

/* False: that was all. */
bool journal_reader_next(struct journal_reader *r, struct journal_line *ret);

const struct journal_reader_stats *journal_reader_get(const struct journal_reader *r);

#endif
