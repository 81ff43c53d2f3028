/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an SMTP server says: replies (RFC 5321 4.2), the keywords of EHLO, and
 * what a refusal means. Pure; the texts are a stranger's, so everything is
 * bounded, and only said() makes something of it that may be shown.
 *
 * Thread use: any.
 */
#ifndef PROBE_REPLY_H
#define PROBE_REPLY_H

#include "core/str.h"

/* RFC 5321 4.5.3.1.5 has 512 bytes a line; real servers say more. */
enum { REPLY_LINES = 128, REPLY_LINE_MAX = 2048, REPLY_MAX = 16384 };

struct reply {
    unsigned code; /* 200..599 */
    struct str
        lines[REPLY_LINES]; /* with the code, without the end of line; views into the input */
    unsigned line_count;
};

enum reply_parsed {
    REPLY_MORE, /* the input ends too early, and is shorter than REPLY_MAX */
    REPLY_ITEM, /* one whole reply; *used bytes of the input are it */
    REPLY_BAD   /* not a reply, or larger than the limits; *why says it */
};

/* The reply that `in` begins with. A line may also end with LF alone. */
enum reply_parsed reply_parse(struct str in, struct reply *ret, size_t *used, const char **why);

/* ---- what may be shown ------------------------------------------------------ */

enum { SAID = 200 };

/* One line of printable ASCII: "?" for every other byte, "..." at the end of what does not fit. */
void said(char to[SAID], struct str text);

/* The reply's last line, or the first one if it says more. */
void reply_said(char to[SAID], const struct reply *r);

/* ---- EHLO --------------------------------------------------------------------- */

enum { MECHANISMS = 16, MECHANISM_N = 21 /* RFC 4422 3.1: 20 characters */ };

/* The keywords that the probe cares about. `known` is false if EHLO had no answer. */
struct capabilities {
    bool known, starttls;
    bool auth;        /* "AUTH", with or without mechanisms */
    bool auth_is_old; /* only as "AUTH=", which is from before RFC 2554 */
    char mechanisms[MECHANISMS][MECHANISM_N];
    unsigned mechanism_count, mechanisms_dropped;
};

/* From the reply to EHLO. One that is not 2xx offers nothing; 4xx leaves them unknown. */
void capabilities_read(const struct reply *r, struct capabilities *ret);

bool capabilities_have(const struct capabilities *c, const char *mechanism);

/* Can a password be sent as it is, or what is as good as one? */
bool capabilities_take_passwords(const struct capabilities *c);

/* ---- what a reply to MAIL or RCPT means ------------------------------------------ */

enum refusal {
    REFUSAL_UNKNOWN,    /* not asked, or no answer */
    REFUSAL_NONE,       /* 2xx */
    REFUSAL_WANTS_TLS,  /* RFC 3207 4 */
    REFUSAL_WANTS_AUTH, /* RFC 4954 6, or "access denied" to who has not logged in */
    REFUSAL_OTHER       /* no such user, no relaying, come back later, ... */
};
enum refusal refusal_of(const struct reply *r);

/* The software that names itself in a greeting ("Postfix"); NULL: none that is known. */
const char *software_of(struct str greeting);

#endif
