/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that logs. A line goes to syslog (facility mail, ident and
 * pid as syslogd expects them) or to stderr, and is for people; programs read
 * the journal.
 *
 * It never waits for the reader: if syslogd or the pipe behind stderr does not
 * take a line now, it is dropped and counted, and the next line that gets
 * through is preceded by one that says how many are missing.
 *
 * Whatever the arguments hold, a line is printable ASCII: every other byte
 * becomes \xNN here, so callers pass what they got. Lines over LOG_LINE_MAX
 * end in " [cut]". Any thread may log.
 */
#ifndef EDGE_LOG_H
#define EDGE_LOG_H

#include "core/buf.h"

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVEL_FATAL };

enum { LOG_LINE_MAX = 2000 };

/*
 * `program` outlives the process: "mailreeve-policyd". Before it is called
 * (and with to_stderr) lines go to stderr: "program: error: text". Calling it
 * again changes the destination. It cannot fail: syslogd may come later.
 */
void log_open(const char *program, bool to_stderr);

/* The same with another socket than /dev/log, for tests. */
void log_open_socket(const char *program, const char *path);

void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For what ends the program; ending it is the caller's, who knows the exit code. */
void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Lines dropped since the start. */
uint64_t log_dropped(void);

/* What a line is made of: s with every byte that is not printable ASCII as \xNN. */
void log_sanitise(struct buf *b, struct str s);

#endif
