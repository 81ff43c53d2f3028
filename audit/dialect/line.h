/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a mail log, taken apart as far as every program's lines are alike: when, where, which
 * program, which process, and its text. What the text means is message.h's business.
 *
 * Understood: RFC 3164 ("Nov 21 00:32:25 mx postfix/smtpd[123]: text", which is also what Postfix's
 * maillog_file and Sendmail's syslog have), the same with fractions of a second, with a year, with
 * BSD's "<mail.info>" or Solaris' "[ID 1 mail.info]", or without a host; RFC 3339 and ISO 8601
 * stamps; RFC 5424; "<22>" in front of any; "message repeated 3 times: [ text]". A line with none
 * of this is all text: people paste such lines.
 *
 * Nothing is allocated, nothing is copied: the parts are views into the line. Pure but for
 * `stamps`, which one thread uses at a time.
 */
#ifndef AUDIT_LINE_H
#define AUDIT_LINE_H

#include "core/clock.h"

struct log_line {
    int64_t wall_us; /* since 1970, UTC; 0: the line has no time that we can read */
    struct str host; /* empty: not told */
    struct str tag;  /* the program as syslog has it: "postfix/submission/smtpd"; empty: none */
    uint32_t pid;    /* 0: not told */
    struct str text; /* behind "tag[pid]: ", without blanks at the end */
    unsigned times;  /* 1, or how often syslogd says that the line was repeated */
};

/*
 * What a stamp lacks. RFC 3164 has neither year nor zone: the zone is the machine's (TZ), and the
 * year the latest one with which the time is not after `reference_us` plus a day - the time a file
 * was written last, or now for what comes by a pipe. A leap day goes to a leap year.
 */
struct stamps {
    int64_t reference_us;
    /* The minute that was met last, as text, and its time: lines of one minute cost little. */
    char minute[24];
    uint8_t minute_n;
    bool minute_zoned; /* its zone stands in each line: minute_us is without it */
    int64_t minute_us; /* 0: there is no such time */
};

/* Reads TZ, as tzset(3) does. */
void stamps_init(struct stamps *t, int64_t reference_us);

/*
 * Takes a line (without its newline; a CR at the end is dropped) apart. It cannot fail: what is
 * not there stays empty. Any bytes, any length.
 */
void line_parse(struct stamps *t, struct str line, struct log_line *ret);

#endif
