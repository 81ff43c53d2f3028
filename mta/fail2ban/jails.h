/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail2ban's jails: jail.conf, the .conf files of jail.d, jail.local, the .local files of jail.d,
 * in that order, later ones winning; [DEFAULT] is inherited, %(name)s replaced, as fail2ban 0.11
 * to 1.1 do it. [INCLUDES] is not followed: what stands there are the paths of logs.
 *
 * Thread use: any; nothing is kept.
 */
#ifndef MTA_FAIL2BAN_JAILS_H
#define MTA_FAIL2BAN_JAILS_H

#include "core/arena.h"
#include "core/err.h"

enum { JAILS_TEXT_MAX = 1024 * 1024, JAILS_SETTINGS = 8192, JAILS = 512, JAIL_VALUE_MAX = 2048 };

/* key = value. Strings are NUL-terminated. */
struct jail_setting {
    const char *section, *key, *value; /* the key in small letters */
    const char *file;                  /* "jail.d/mail.conf" */
    unsigned line;
};

struct jails {
    struct arena arena;
    struct jail_setting *settings; /* in the order of reading */
    unsigned count;
    const char *names[JAILS]; /* each section once, but [DEFAULT] and [INCLUDES] */
    unsigned name_count;
};

/* One more file. -1 and *e: more than a maximum, or no memory. jails_clear() in any case. */
int jails_parse(struct str text, const char *file, struct jails *j, struct err *e);

/* All files of /etc/fail2ban. -1 and *e: one cannot be read, or there are none. */
int jails_read(const char *directory, struct jails *ret, struct err *e);

void jails_clear(struct jails *j);

/* The setting that counts for a jail, its own or that of [DEFAULT], as written; NULL: none. */
const struct jail_setting *jail_setting(const struct jails *j, const char *jail, const char *key);

/* Its value with every %(name)s replaced; false: there is none, or it does not end or fit. */
bool jail_value(const struct jails *j, const char *jail, const char *key, char ret[JAIL_VALUE_MAX]);

bool jail_is_enabled(const struct jails *j, const char *jail);

/* The filter of a jail: "postfix[mode=ddos]" is postfix and ddos. `mode` is "" if it is not given,
 * and then the filter's own. False: it has none that can be told. */
bool jail_filter(const struct jails *j, const char *jail, char name[64], char mode[32]);

#endif
