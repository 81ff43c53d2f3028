/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of templates (template.h): what a value looks like, and where in a message it goes.
 * Pure; any thread.
 */
#ifndef AUDIT_FIELDS_H
#define AUDIT_FIELDS_H

#include "audit/dialect/template.h"

#define FIELD(name) field_take take_##name;
#include "audit/dialect/fields.def"
#undef FIELD

/* Of bytes as the MTAs escape them: "\026\003\001" is three bytes, "\r\n" two, "\\" one. */
enum first_bytes first_bytes_of(struct str sent);

/* ---- parts of values: the cursor moves behind what was found, or stays ---- */

bool digits(struct str *c, unsigned *ret);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]", "[unknown]", "[]" */
bool bracketed(struct str *c, struct addr *ret);

/* What stands behind `p`, a place in s, and n bytes more. */
static inline struct str text_behind(struct str s, const char *p, size_t n)
{
    size_t at = (size_t)(p - s.p) + n;
    return (struct str){s.p + at, s.n - at};
}

/* What stands before a place in s. */
static inline struct str text_before(struct str s, const char *p)
{
    return (struct str){s.p, (size_t)(p - s.p)};
}

#endif
