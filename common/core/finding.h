/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a policy: roles, actions, modes and findings, with the table of
 * findings (findings.def). An id is permanent: journals, exceptions and
 * documentation keep it for ever.
 */
#ifndef CORE_FINDING_H
#define CORE_FINDING_H

#include "core/str.h"

/* What a listener is for, named as IANA names the service. */
enum role {
    ROLE_SMTP,        /* 25: mail from other servers */
    ROLE_SUBMISSION,  /* 587, 2525: STARTTLS (RFC 6409) */
    ROLE_SUBMISSIONS, /* 465: TLS at once (RFC 8314 3.3) */
    ROLE_COUNT
};

/* What follows from a finding; a larger value is stricter. */
enum action {
    ACTION_NONE, /* the finding cannot be said of that role */
    ACTION_IGNORE,
    ACTION_LOG,
    ACTION_DEFER,
    ACTION_REJECT,
    ACTION_COUNT
};

/* The mail is not taken. */
static inline bool refuses(enum action a)
{
    return a == ACTION_DEFER || a == ACTION_REJECT;
}

enum mode { MODE_AUDIT, MODE_ENFORCE, MODE_COUNT };

/* Indexed by the enums above; what people write and read. */
extern const char *const role_names[ROLE_COUNT];
extern const char *const action_names[ACTION_COUNT];
extern const char *const mode_names[MODE_COUNT];

enum finding {
#define FINDING(name, ...) FINDING_##name,
#include "core/findings.def"
#undef FINDING
    FINDING_COUNT /* also: no finding */
};

/* Bit 1 << FINDING_x. */
typedef uint32_t finding_set;
_Static_assert(FINDING_COUNT <= 32, "finding_set is too small");
#define FINDING_BIT(f) ((finding_set)1 << (f))

struct finding_info {
    const char *id;
    enum action by_role[ROLE_COUNT]; /* default once a listener is in enforce */
    enum action strictest;
    const char *what;
    const char *fix;
};

extern const struct finding_info findings[FINDING_COUNT];

/* FINDING_COUNT if there is no such id. */
enum finding finding_of(struct str id);

/* The index in `names` of `count`, or -1. */
int name_index(const char *const *names, int count, struct str s);

#endif
