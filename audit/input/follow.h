/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a growing log file: over rotation (renamed and made anew, also more than once, also
 * compressed), truncation (copytruncate), its disappearance, its replacement by something that is
 * no file, and over restarts of ours, without losing or repeating a line, as far as the bytes are
 * still there.
 *
 * A checkpoint file remembers the place: device, inode, hashes of the file's first bytes and of
 * those before the offset, the offset, and an earlier place from which to read again for context:
 * sessions that were open then. Lines between the two are given with `again` set: nothing that ends
 * there is to be told a second time. It is replaced as a whole (written beside, renamed).
 *
 * What is promised:
 *   - A line is all up to a newline. Half a line waits for its rest; if the file is left - rotated,
 *     truncated without a copy - it is given as it is.
 *   - A file that was renamed is left for the next one when that one has something in it and
 *     nothing came in the old one for `quiet_ms`; when both are written, after sixty times that.
 *   - Stopped and started again: each line once (but `again`).
 *   - Killed, or the machine died: no line is lost. Lines that were given after the last checkpoint
 *     are given once more, without `again`: what they lead to may be told twice. A checkpoint is
 *     written behind idle(), once a second at most, so that this is about the last second.
 *   - The place's file is nowhere any more, also not among the rotated ones: what was written last
 *     after it is read, and a note says that lines may be missing or come twice.
 *
 * One thread at a time; blocks in poll(2), writes the checkpoint with fdatasync(2).
 */
#ifndef AUDIT_FOLLOW_H
#define AUDIT_FOLLOW_H

#include "audit/input/input.h"

struct follow;

struct follow_line {
    const struct log_line *line;
    uint64_t
        position; /* grows with each line; for sessions_line(). It begins anew with each open */
    bool again;
};

/* False: stop. The line counts as taken. */
typedef bool follow_take(void *context, const struct follow_line *l);
/* Told now and then while nothing comes, and after each batch of lines: flush, close idle sessions.
 * Returns the position from which a restart must read again (sessions_oldest()); UINT64_MAX: from
 * here. What was given before it is told for good when it returns. */
typedef uint64_t follow_idle(void *context);
/* What a person should know: "mail.log was truncated", "... is a directory now". Once each time
 * that it happens. Also during follow_open(). */
typedef void follow_note(void *context, const char *text);

struct follow_settings {
    const char *path;       /* the log; of the journal: a directory, NULL: the system's */
    const char *checkpoint; /* NULL: none; begins at the end of the file */
    bool from_start;        /* without a checkpoint: begin at the file's start */
    follow_take *take;
    follow_idle *idle; /* may be NULL */
    follow_note *note; /* may be NULL */
    void *context;
    /* For tests; 0: a second each. Without inotify the file is looked at each poll_ms. */
    int poll_ms, quiet_ms, checkpoint_ms;
    bool no_inotify;
};

/* NULL with *err set: a checkpoint that is not one, is another log's, a newer version's, or in use;
 * no right to read or write; the directory of the log does not exist; the log is no file, and there
 * is no checkpoint. The log itself need not exist yet. Texts are copied. */
struct follow *follow_open(const struct follow_settings *s, struct err *err);

/* Runs until `stop_fd` is readable (a signalfd, a pipe), or take() says so. Reads what is there to
 * its end first, for five seconds at most; behind a rotated file that may still be written it does
 * not go. 0, or -1 with *err set. May be called again. */
int follow_run(struct follow *f, int stop_fd, struct err *err);

/* Writes the checkpoint a last time; calls nothing but note(). */
void follow_close(struct follow *f);

/* The same for the journal: journalctl --follow, by its cursors. The journal keeps no half lines
 * and is not rotated by names; if the entry of the checkpoint was vacuumed, reading goes on with
 * the first one that is left. A journalctl that ends is started again after a while. */
struct follow *follow_journal_open(const struct follow_settings *s, struct err *err);

#endif
