/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon writes down of its decisions: the journal line, the line in
 * the log, the numbers. One function per event; nobody else formats them.
 * docs/journal.md describes the fields.
 *
 * Thread use: one thread at a time (a program that answers on several has a lock, edge/life.h).
 */
#ifndef EDGE_RECORD_H
#define EDGE_RECORD_H

#include "core/session_key.h"
#include "core/verdict.h"
#include "journal/journal.h"
#include "edge/log_limits.h"
#include "edge/privacy.h"
#include "journal/status.h"

/* How a transaction ended for the client, or would have. */
enum ending {
    ENDING_PASS,
    ENDING_WOULD_DEFER,
    ENDING_WOULD_REJECT,
    ENDING_DEFER,
    ENDING_REJECT,
    ENDING_COUNT
};

struct record_counters {
    uint64_t ended[ROLE_COUNT][ENDING_COUNT];
    uint64_t found[FINDING_COUNT];
    uint64_t excepted, trusted, monitors, no_listener, before_mail;
};

struct recorder {
    bool journaling; /* there is a path for it */
    bool quiet;      /* nothing is said in the log */
    struct journal *journal;
    struct privacy *privacy;
    struct log_limits *limits;
    struct sipkey session_key;
    struct record_counters counters;
};

/*
 * Opens the journal and what belongs to it, for the given owner (see
 * journal_open()). -1 with *e set, and nothing is left open.
 */
int recorder_open(struct recorder *r, const struct config *c, const char *program, uid_t owner,
                  gid_t group, struct err *e);
void recorder_free(struct recorder *r);

/*
 * The same, for a tool that reads what was captured earlier: lines go to `out` (journal_to_file();
 * NULL: nowhere), nothing to the log. Nothing is made on disk: where the secret of the
 * configuration's journal can be read, keys and hashes are as the daemons write them; else they
 * are like each other only.
 */
int recorder_open_file(struct recorder *r, const struct config *c, const char *program, FILE *out,
                       struct err *e);

/*
 * One decision: of a transaction, or of a session before MAIL in which something was
 * found. Passes on role smtp and whatever `monitors` do are numbers only.
 */
void record_decision(struct recorder *r, const struct policy *p, const struct session *s,
                     const struct verdict *v, const struct now *now);

/*
 * Something seen that no answer follows: the event "finding", with the verdict of
 * decide_detected(). What is in s->recorded is told again but not counted again.
 */
void record_detected(struct recorder *r, const struct policy *p, const struct session *s,
                     const struct verdict *v, const struct now *now);

/*
 * A session that was only looked at, told once, at its end: the event "session". `put` adds
 * the fields of `what` behind the verdict. Those without a finding on role smtp, and those of
 * `monitors`, are numbers only. True: there is something in it to be told, and its client is no
 * monitor.
 */
bool record_session(struct recorder *r, const struct policy *p, const struct session *s,
                    const struct verdict *v, void (*put)(struct jline *l, const void *what),
                    const void *what, const struct now *now);

/* What the setting that would mend the finding is called in the client's own software, s->software:
 * "in Thunderbird: Connection security: STARTTLS"; nothing where that is not known. */
void record_put_setting(struct buf *b, const struct session *s, enum finding f);

/* The client's software became known, s->software: the event "software". */
void record_software(struct recorder *r, const struct policy *p, const struct session *s,
                     const struct now *now);

/* The events "start", "stop" and "reload". `why` is empty if all is well. */
void record_life(struct recorder *r, const char *event, const struct policy *p, const char *why,
                 const struct now *now);

/* Adds the numbers above to a list for status_publish(); returns how many. */
size_t record_list_counters(const struct record_counters *c, struct status_counter *list,
                            size_t room);

#endif
