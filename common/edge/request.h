/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Postfix SMTPD policy protocol, the half that Postfix speaks: lines of
 * `name=value` in any order, ended by an empty line (SMTPD_POLICY_README).
 */
#ifndef EDGE_REQUEST_H
#define EDGE_REQUEST_H

#include "core/str.h"

enum attribute {
#define ATTRIBUTE(name) ATTR_##name,
#include "edge/request_attributes.def"
#undef ATTRIBUTE
    ATTR_COUNT
};

extern const struct str attribute_names[ATTR_COUNT];

/* Values are views into the bytes that were parsed. */
struct request {
    uint32_t present;    /* bits 1 << ATTR_x; only then does value[] count */
    unsigned duplicates; /* names that came again: the first value is kept */
    struct str value[ATTR_COUNT];
};

/* The longest request that is read; Postfix's own are below 12 KiB. */
enum { REQUEST_MAX = 64 * 1024 };

enum parsed { PARSED_MORE, PARSED_ITEM, PARSED_BAD };

/*
 * Reads one request from the start of `in`.
 * MORE: it does not end here yet. ITEM: *ret is filled and *ret_used bytes are
 * done with. BAD: it can never become a request we understand; *ret_why is one
 * sentence. `in` longer than REQUEST_MAX without an end is BAD.
 */
enum parsed request_parse(struct str in, struct request *ret, size_t *ret_used,
                          const char **ret_why);

static inline bool request_has(const struct request *r, enum attribute a)
{
    return r->present >> a & 1;
}

/* The value, or the empty view if the attribute is absent. */
static inline struct str request_value(const struct request *r, enum attribute a)
{
    return request_has(r, a) ? r->value[a] : (struct str){NULL, 0};
}

#endif
