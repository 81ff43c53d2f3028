/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which port a listener's name in a log stands for. A log has no ports, only names that people
 * gave; so the answer says how it is known, and is "unknown" where listeners share a name.
 *
 * Asked in this order:
 *   told     `--listener NAME=PORT`: the whole name, or its last part
 *   policy   a listener of the policy has that name: the whole, or the last part of
 *            "postfix/submission"; a Sendmail daemon's name
 *   custom   the name is one that packages and books give: smtps, MSA, TLSMTA, a port number, ...
 *   assumed  Postfix's name without syslog_name is port 25, if other names of that machine
 *            are submission or submissions and nothing speaks against it
 * and against all but "told" and a policy that was given counts what was seen: a name with both
 * sessions under implicit TLS and others that began in clear text is shared. A shared name has no
 * port, but each session on it whose mode is known still has a role: implicit TLS is submissions,
 * and any other what the name stands for, if it stands for something that begins in clear text.
 */
#ifndef AUDIT_LISTENERS_H
#define AUDIT_LISTENERS_H

#include "core/policy.h"
#include "audit/session/names.h"
#include "audit/session/seen.h"

enum { LOG_LISTENERS_MAX = 256 };

enum known_by {
    KNOWN_BY_NOTHING,
    KNOWN_BY_OPTION,
    KNOWN_BY_POLICY,
    KNOWN_BY_CUSTOM,
    KNOWN_BY_ASSUMPTION,
    KNOWN_BY_COUNT
};
extern const char *const known_by_names[KNOWN_BY_COUNT];

struct log_listener {
    uint32_t name; /* of names.h; 0: sessions whose lines name none */
    uint32_t host; /* two machines may mean different things by it */
    uint8_t mta;   /* enum mta */
    bool bare;
    /* What was seen there. */
    uint64_t sessions, by_mode[TLS_MODES], tls_lines, logins;
    /* What follows; set by log_listeners_resolve(). */
    const struct listener *listener; /* of the policy; NULL: unknown, or, if known_by says that it
                                        is known, a port that the policy does not name */
    enum known_by known_by;
    bool shared;
};

struct log_listeners {
    struct log_listener list[LOG_LISTENERS_MAX];
    unsigned count;
    uint64_t overflow; /* sessions of names that found no place */
};

/* `--listener NAME=PORT`: the name as the log has it. */
struct listener_option {
    struct str name;
    uint16_t port;
};

/* Counts one closed session. */
void log_listeners_add(struct log_listeners *l, const struct seen *s);

/* `given`: the policy is one that the administrator wrote, not the built-in. May be called again,
 * after more sessions. */
void log_listeners_resolve(struct log_listeners *l, const struct names *names,
                           const struct policy *p, bool given,
                           const struct listener_option *options, unsigned option_count);

/* NULL if the name was not met. */
const struct log_listener *log_listeners_find(const struct log_listeners *l, const struct seen *s);

#endif
