/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fault: something about a mail server that is wrong, or worth knowing, with
 * the standard that says so, what shows it, and the command that mends it. (A
 * finding, core/finding.h, is about a client.) `mailreeve doctor` finds faults
 * in a configuration, `mailreeve probe` on the wire; both tell them through
 * this file. docs/faults.md explains each; faults.def is the table.
 *
 * What could not be looked at is no fault and is never left out: it is noted
 * with faults_unknown().
 *
 * Thread use: a `struct faults` is one thread's. No globals.
 */
#ifndef MTA_FAULT_H
#define MTA_FAULT_H

#include <stdio.h>

#include "core/buf.h"

/* A note is worth knowing and needs no action: it does not count as found. */
enum fault_severity { FAULT_NOTE, FAULT_WARNING, FAULT_ERROR };

enum fault_id {
#define FAULT(id, name, severity, rfc, what) FAULT_##id,
#include "mta/faults.def"
#undef FAULT
    FAULT_COUNT
};

enum { FAULT_FIXES = 6, FAULT_TEXT = 480, FAULTS_MAX = 256, UNKNOWNS_MAX = 64 };

struct fault_kind {
    const char *name; /* permanent */
    enum fault_severity severity;
    const char *rfc;  /* "RFC 8314 4"; "": no standard says it */
    const char *what; /* one sentence without a dot */
};
extern const struct fault_kind fault_kinds[FAULT_COUNT];

struct fault {
    enum fault_id id;
    enum fault_severity severity;      /* the kind's, unless the one who found it made it less */
    char where[160];                   /* "master.cf:17, submission/inet"; "port 587" */
    char evidence[FAULT_TEXT];         /* what shows it, as it stands there; may be empty */
    char detail[FAULT_TEXT];           /* what is particular in this case; may be empty */
    char fix[FAULT_FIXES][FAULT_TEXT]; /* what to run, or what to change, in order */
    unsigned fix_count;
};

struct faults {
    struct fault *list;
    unsigned count, dropped;
    char (*unknown)[FAULT_TEXT];
    unsigned unknown_count;
};

/*
 * Adds one with the severity of its kind. Never NULL: when there are FAULTS_MAX
 * or memory ends it is counted in `dropped`, and what is written into it is
 * lost. The pointer is valid until the next one is added. What does not fit
 * into a text is cut and ends with "..."; controls become "?".
 */
struct fault *fault_add(struct faults *fs, enum fault_id id);
void fault_where(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fault_evidence(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fault_detail(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One more step of the repair. */
void fault_fix(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Notes that something could not be looked at, why, and what would help. The same text twice is
 * noted once. */
void faults_unknown(struct faults *fs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* How many are at least that severe. */
unsigned faults_count(const struct faults *fs, enum fault_severity least);

/*
 * For people: the most severe first, otherwise in the order in which they were
 * added; then what is unknown; then one line that sums up. In colour on a
 * terminal, without NO_COLOR.
 */
void faults_print(const struct faults *fs, FILE *out);

/*
 * For programs: the members "faults" (a list of objects with id, severity, rfc,
 * what, where, evidence, detail, fix) and "unknown" (a list of strings), with a
 * comma between but none before or behind. The caller writes the braces and its own members.
 */
void faults_json(const struct faults *fs, FILE *out);

/* One JSON string. */
void fault_json_string(FILE *out, const char *text);

/* The exit code: 1 if there is a warning or an error, otherwise 0. */
int faults_exit_code(const struct faults *fs);

void faults_free(struct faults *fs);

#endif
