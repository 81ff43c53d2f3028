/* SPDX-License-Identifier: Apache-2.0 */
/* One session on the bench: what judge.c, detections.c and doubts.c share. Inside audit/session/
 * only. */
#ifndef AUDIT_BENCH_H
#define AUDIT_BENCH_H

#include "audit/session/judge.h"

struct bench {
    const struct judge *j;
    const struct seen *s;
    const struct log_listener *on; /* NULL: its name found no place */
    struct now now;
    struct session session;
    struct verdict verdict; /* of the rules */
    struct judged *ret;
};

static inline bool has(const struct bench *b, uint32_t flags)
{
    return (b->s->flags & flags) == flags;
}

static inline bool has_any(const struct bench *b, uint32_t flags)
{
    return b->s->flags & flags;
}

static inline bool is_on(const struct bench *b, enum role role)
{
    return b->ret->listener && b->ret->listener->role == role;
}

static inline bool tls_by_mta(const struct bench *b)
{
    return !b->ret->listener || b->ret->listener->tls_by == TLS_BY_MTA;
}

/* The client said something that the MTA could read. */
static inline bool acted(const struct bench *b)
{
    return b->s->first || has_any(b, SEEN_HELO | SEEN_MAIL | SEEN_AUTH | SEEN_AUTH_FAILED |
                                         SEEN_QUIT | SEEN_STARTTLS_REFUSED | SEEN_UNRECOGNISED);
}

static inline bool tls_begun(const struct bench *b)
{
    return has_any(b, SEEN_TLS | SEEN_TLS_FAILED);
}

/* A port that is known and that the policy does not name. */
bool bench_left_alone(const struct bench *b);

/* TLS that is up would have a line: Postfix by service, Sendmail by its one LogLevel. */
bool bench_tls_is_logged(const struct bench *b);

/* The finding decides, if it is stricter than what was found before, or as strict and earlier in
 * findings.def. */
void bench_weigh(struct bench *b, enum finding f, enum action would);

/* What was seen rather than asked about. */
void bench_detect(struct bench *b);

doubt_set bench_doubts(const struct bench *b);

#endif
