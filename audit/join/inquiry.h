/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that there is to know: logs and journals in, sessions out, each one once. First the journals,
 * then the lines of the logs, then the end.
 *
 * One thread at a time.
 */
#ifndef AUDIT_INQUIRY_H
#define AUDIT_INQUIRY_H

#include "edge/privacy.h"
#include "audit/join/join.h"
#include "audit/join/journals.h"
#include "audit/session/reading.h"

struct inquiry {
    struct reading reading;
    struct join *join; /* NULL: no journals */
    struct journals_counts journals;
    struct arena arena;
    struct table users;      /* hash of the journals to number of names.h */
    struct privacy *hashing; /* set before the journals are read; NULL: hashes stay hashes */
    void (*closed)(void *context, const struct joined *j);
    void *context;
};

/* What each event is told to, with the number of its account (0: it found no place). May be NULL.
 */
typedef void inquiry_event(void *context, const struct event *e, const struct journal_line *l,
                           uint32_t account);

/* As reading_open(). */
int inquiry_open(struct inquiry *v, int64_t since_us,
                 void (*closed)(void *context, const struct joined *j), void *context,
                 struct err *err);
/* Frees `hashing`, too. */
void inquiry_close(struct inquiry *v);

/* Reads the journals, all of them; once, before the first line of a log. -1 with *err set. */
int inquiry_journals(struct inquiry *v, const char *const *paths, unsigned count,
                     inquiry_event *each, struct err *err);

/* All lines are read. `resolve` sees to log_listeners_resolve(), more than once. */
void inquiry_end(struct inquiry *v, void (*resolve)(void *arg), void *arg);

#endif
