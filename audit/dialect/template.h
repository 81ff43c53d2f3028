/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates of log messages: text with fields in it.
 *
 *     "lost connection after %after[ (%skip bytes)] from %client"
 *
 * "%name" is a field of fields.def; it takes what its kind of value looks like, or everything up to
 * the text that follows it in the template. "[...]" may be absent as a whole (not nested). "%*" is
 * whatever is left. A line matches if all of it was taken.
 *
 * Templates are compiled once, before main(); after that everything is read only: any thread.
 */
#ifndef AUDIT_TEMPLATE_H
#define AUDIT_TEMPLATE_H

#include "audit/dialect/message.h"

/* What may follow a field: texts, or the line's end. */
struct stops {
    struct str text[3];
    uint8_t count;
    bool end;
};

/* Takes a field's value from the cursor (cursor.h) into the message; false: there is none. */
typedef bool field_take(struct str *c, const struct stops *stops, struct message *m);

struct field {
    struct str name;
    field_take *take;
};
extern const struct field fields[];
extern const unsigned field_count;

enum step_what { STEP_TEXT, STEP_FIELD, STEP_OPEN, STEP_CLOSE, STEP_REST, STEP_END };

struct step {
    enum step_what what;
    uint8_t close; /* OPEN: how many steps ahead its CLOSE is */
    struct str text;
    field_take *take;
    struct stops stops;
};

/* The steps of a template, `*used` of `max` places in `to` taken; NULL if it is not a right
 * template or does not fit. Views point into the template. */
const struct step *template_compile(const char *text, struct step *to, unsigned max,
                                    unsigned *used);

/* On false the message may hold fields of an attempt that failed. */
bool template_match(const struct step *steps, struct str text, struct message *m);

/* ---- for fields ---- */

/* Where the text stands; NULL: nowhere. */
const char *text_first(struct str in, struct str what);
const char *text_last(struct str in, struct str what);

/* Most comparisons end at the first byte. */
static inline bool text_starts(struct str in, struct str with)
{
    return in.n >= with.n && with.n && in.p[0] == with.p[0] && memcmp(in.p, with.p, with.n) == 0;
}

/* Everything up to the first (or the last) place of a stop; false if there is none. */
bool take_until(struct str *c, const struct stops *stops, struct str *ret);
bool take_until_last(struct str *c, const struct stops *stops, struct str *ret);

#endif
