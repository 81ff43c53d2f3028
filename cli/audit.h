/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `mailreeve audit` share: the options, and the policy that is asked. */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "config/config.h"
#include "edge/privacy.h"
#include "audit/input/input.h"
#include "audit/report/report.h"
#include "audit/join/inquiry.h"

enum audit_output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_HTML };

enum { AUDIT_PROBLEMS_MAX = 64, AUDIT_SOURCES_MAX = 4096 };

struct audit_options {
    const char *config; /* NULL: the usual file if it is there, else the built-in policy */
    struct listener_option listeners[LOG_LISTENERS_MAX];
    unsigned listener_count;
    int64_t since_us, now_us;
    enum report_by by;
    enum audit_output output;
    const char *html;
    bool all, lines, journal, follow;
    const char *checkpoint;
    const char *logs[AUDIT_SOURCES_MAX];
    unsigned log_count;
    const char *journals[JOURNALS_MAX]; /* of Mailreeve's programs, not systemd's */
    unsigned journal_count;
};

struct audit_policy {
    struct config *config;
    const struct policy *policy;
    struct ciphers *ciphers;
    struct privacy *privacy; /* NULL: everything is shown */
    bool given;              /* a file, not the built-in policy */
};

/* What could not be read, for people and for the report. */
struct audit_sources {
    const char *names[AUDIT_SOURCES_MAX];
    unsigned count;
    char *problems[AUDIT_PROBLEMS_MAX];
    unsigned problem_count;
    uint64_t bytes;
    bool failed; /* one of them could not be read, or not to its end */
};

void audit_problem(struct audit_sources *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads the journals, if there are some. -1: they cannot be read, which was said. */
int audit_journals_read(struct audit_sources *s, const struct audit_options *o, struct inquiry *v,
                        inquiry_event *each);

/* Reads all the logs, in the order of their times, until the end or SIGINT. `each` gets every line.
 */
void audit_sources_read(struct audit_sources *s, const struct audit_options *o, input_take *each,
                        void *context);
void audit_sources_free(struct audit_sources *s);

/* Resolves the listeners' names with what was seen so far. */
void audit_resolve(struct reading *r, const struct audit_options *o, const struct audit_policy *p);

/* The end of all that is read: inquiry_end(). */
void audit_end(struct inquiry *v, const struct audit_options *o, const struct audit_policy *p);

/* The policy that is asked: `path`, or the usual one. The exit code if it cannot be had, which was
 * said, else -1. */
int audit_policy_open(struct audit_policy *p, const char *path);
void audit_policy_close(struct audit_policy *p);

/* Logs and journals apart; NULL, or what is wrong. */
const char *audit_sources_sort(struct audit_options *o, char *const *list, int count);

/* A line of a log as --lines shows it: ` name=value`, or `,"name":"value"`. */
void audit_put_message(struct buf *b, const struct message *m, bool json);
void audit_put_detail(struct buf *b, const char *name, struct str value, bool json);

/* The exit codes of the three ways to run. */
int audit_report(const struct audit_options *o, const struct audit_policy *p);
int audit_lines(const struct audit_options *o, const struct audit_policy *p);
int audit_follow(const struct audit_options *o, const struct audit_policy *p);

#endif
