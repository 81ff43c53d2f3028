/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of any input - of a log, or one of journalctl's JSON entries - to a log_line.
 * Internal to input/.
 *
 * Pure but for `stamps` and `room`; one thread at a time.
 */
#ifndef AUDIT_ENTRY_H
#define AUDIT_ENTRY_H

#include "audit/dialect/line.h"

struct entry {
    struct log_line line;
    struct str cursor; /* __CURSOR, the journal's name for the entry's place; empty: not told */
};

/* What entries are asked for: the value of journalctl's --output-fields. */
#define ENTRY_FIELDS "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME"

/*
 * A line that begins with '{' and is an entry as `journalctl -o json` writes it is taken as one;
 * any other goes to line_parse(). A message that is a whole line itself, as of a container's
 * output, is taken apart, too.
 *
 * `room` takes the texts that do not stand in the JSON as they are; it is emptied first, and as
 * much room as the line has is always enough. Views point into `line` and `room`.
 */
void entry_of_line(struct stamps *t, struct str line, struct buf *room, struct entry *ret);

#endif
