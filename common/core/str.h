/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string as (pointer, length): a view into memory that somebody else owns,
 * valid as long as that memory is. It is not NUL-terminated and may hold any
 * byte. The empty view is {NULL, 0} or any pointer with n == 0.
 */
#ifndef CORE_STR_H
#define CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, ((s).p ? (s).p : "")

static inline struct str str_of(const char *c)
{
    return (struct str){c, c ? strlen(c) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters compare without regard to case, every other byte exactly. */
bool str_eq_nocase(struct str a, struct str b);

/* Decimal digits only, no sign, no space; false if empty or above `max`. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *ret);

/* Without the spaces and tabs at both ends. */
struct str str_trim(struct str s);

/*
 * Cuts `*rest` at the first byte that is in `seps` and returns what stood
 * before it; at the end of the text, returns what is left and empties `*rest`
 * (p becomes NULL: "while (rest.p)" reads all fields, empty ones included).
 */
struct str str_cut(struct str *rest, const char *seps);

#endif
