/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sendmail's sendmail.cf, as far as ports, TLS, AUTH and filters are concerned,
 * with the line of each. What is not set is not here: cf_number() and the like
 * know the defaults. Read from the text as Sendmail's readcf() reads it (8.12 to 8.18);
 * rules are kept of the ruleset Local_srv_features only.
 *
 * Thread use: any; nothing is kept.
 */
#ifndef MTA_SENDMAIL_CF_H
#define MTA_SENDMAIL_CF_H

#include "core/arena.h"
#include "core/err.h"

enum {
    CF_TEXT_MAX = 4 * 1024 * 1024,
    CF_OPTIONS = 512,
    CF_DAEMONS = 64,
    CF_FILTERS = 64,
    CF_RULES = 256,
    CF_LIST = 64
};

/* O Name=value. All strings here are NUL-terminated, without blanks at their ends, never NULL
 * unless that is said. */
struct cf_option {
    const char *name, *value;
    unsigned line;
};

/* O DaemonPortOptions=..., one listener. Of a key it is the first letter that counts. */
struct cf_daemon {
    const char *name;      /* "": it has none; Sendmail then calls it Daemon0, ... */
    const char *port;      /* as written, "smtp" or "25"; "": the default, 25 */
    const char *address;   /* "": all */
    const char *family;    /* "": inet */
    const char *modifiers; /* M=: "Ea" */
    const char *filters;   /* InputMailFilters=; NULL: those of the option InputMailFilters */
    const char *text;      /* the whole value */
    unsigned line;         /* 0: nothing is written, and Sendmail listens on port 25 */
};

/* Xname, S=socket, F=flags, T=timeouts */
struct cf_filter {
    const char *name, *socket, *flags;
    const char *text;
    unsigned line;
};

/* Rleft<TAB>right of Local_srv_features. */
struct cf_rule {
    const char *left, *right;
    unsigned line;
};

struct cf {
    struct arena arena; /* all that the others point to */
    struct cf_option *options;
    struct cf_daemon *daemons;
    struct cf_filter *filters;
    struct cf_rule *rules;
    unsigned option_count, daemon_count, filter_count, rule_count;
    const char *host; /* what it calls itself: Dj; "": by the machine's name */
    const char
        *version; /* of the files it was made from: DZ, "8.17.1.9/Debian-2+deb12u2"; "": none */
    const char *access; /* the file of the access map, "/etc/mail/access"; "": it is not asked */
    unsigned trusts;    /* the line of C{TrustAuthMech}, 0: none */
    unsigned features;  /* the line of Local_srv_features, 0: none */
};

/* -1 and *e: more than a maximum above, or no memory. The caller clears it in any case. */
int cf_parse(struct str text, struct cf *ret, struct err *e);

/* The same from a file; -1 also if it cannot be read. */
int cf_read(const char *path, struct cf *ret, struct err *e);

void cf_clear(struct cf *c);

/* The one that counts of several, by its long name without regard to case; NULL: not set. */
const struct cf_option *cf_option(const struct cf *c, const char *name);

/* Its value, "" if it is not set. */
const char *cf_value(const struct cf *c, const char *name);

/* Sendmail's default is 9. A value that is no number counts as 0, as there. */
unsigned cf_log_level(const struct cf *c);

/* By name; NULL: there is none. Filters' names are told apart by case. */
const struct cf_filter *cf_filter(const struct cf *c, struct str name);

/* The filters that a daemon asks, in order; their number. Names that are not defined are left out.
 */
unsigned cf_daemon_filters(const struct cf *c, const struct cf_daemon *d,
                           const struct cf_filter *ret[CF_LIST]);

/* The next name of a list of filters (they stand between commas or semicolons); n is 0 at the end.
 */
struct str cf_next_filter(struct str *rest);

static inline bool cf_has(const char *letters, char letter)
{
    return letter && strchr(letters, letter) != NULL;
}

/* Is `word` one of the words of a list, between blanks or commas? Without regard to case. */
bool cf_lists(const char *list, const char *word);

#endif
