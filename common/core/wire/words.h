/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words that clients of a mail port say, wherever they are looked for: on the wire, or in a log
 * that repeats them. Pure; any thread.
 */
#ifndef CORE_WIRE_WORDS_H
#define CORE_WIRE_WORDS_H

#include "core/str.h"

enum { WORD_MAX = 8 }; /* bytes of the longest verb, and of the longest method */

/* Commands of SMTP; an id for each. */
enum smtp_verb {
#define VERB(name) VERB_##name,
#include "core/wire/verbs.def"
#undef VERB
    VERBS
};
extern const char *const smtp_verb_names[VERBS]; /* "EHLO", ... */

/* VERBS: it is none. Letter case does not count (RFC 5321 2.4). */
enum smtp_verb smtp_verb_of(struct str s);

/* A method of HTTP (RFC 9110 9.3), or the "PRI" that begins HTTP/2 (RFC 9113 3.4). Letter case does
 * not count: it is no command of SMTP in either. */
bool is_http_method(struct str s);

/*
 * The name of a SASL mechanism, as it is written: IANA's list, and what mail programs say besides.
 * NULL: it is none that is known. Letter case does not count (RFC 4954 4).
 */
const char *sasl_mechanism_of(struct str s);

/* Does a mechanism's name begin so? */
bool is_sasl_mechanism_begun(struct str s);

#endif
