/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the lines of an audit come from: files, plain or compressed (gzip, xz; told by their first
 * bytes, not by their names), standard input, systemd's journal. All of them give lines; what a
 * line is, line.h says.
 *
 * The journal is read through journalctl(1) as a child with `-o json`, one entry a line, and the
 * same JSON may come from a file or a pipe; an entry then is a log_line at once.
 *
 * One thread at a time. Memory is bounded: a line longer than INPUT_LINE_MAX is cut there and
 * counted.
 */
#ifndef AUDIT_INPUT_H
#define AUDIT_INPUT_H

#include "core/err.h"
#include "audit/dialect/line.h"

enum { INPUT_LINE_MAX = 64 * 1024 };

struct input_counts {
    uint64_t lines, bytes, cut; /* bytes after decompression */
};

/* False: stop. `l` is valid during the call. */
typedef bool input_take(void *context, const struct log_line *l, uint64_t line);

/*
 * Reads all of a file to its end. "-": standard input. A name that ends in ".journal", and a
 * directory that holds such files, is read with journalctl. 0, also if it was stopped; -1 with *err
 * set if it could not be opened, or not be read to its end (what came before was taken, but for the
 * last line of compressed data that is cut or damaged, if it has no end). `now_us`: for stamps
 * without a year where the source has no time of its own. *counts is set in any case.
 */
int input_read(const char *path, int64_t now_us, input_take *take, void *context,
               struct input_counts *counts, struct err *err);

/* The running system's journal, with journalctl: what was logged as mail (the syslog facility);
 * since_us 0: all of it. */
int input_read_journal(int64_t since_us, input_take *take, void *context,
                       struct input_counts *counts, struct err *err);

/* The time of the first line that has one, to put rotated files in order; 0: none among the first
 * lines. Not for "-". */
int64_t input_first_time(const char *path, int64_t now_us);

#endif
