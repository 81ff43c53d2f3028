/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every text that is kept of a log, once: a number for a string. Number 0 is the empty string. When
 * the limit is reached, or memory ends, every new string is NAMES_MORE, which reads "(more)", and
 * is counted.
 *
 * One thread at a time. Texts live until names_free().
 */
#ifndef AUDIT_NAMES_H
#define AUDIT_NAMES_H

#include "core/str.h"
#include "core/siphash.h"

struct names;

enum { NAMES_MORE = 1 };

/* At most `max` strings (and 2^31). NULL when memory ends. */
struct names *names_new(const struct sipkey *key, uint32_t max);
void names_free(struct names *n);

uint32_t names_id(struct names *n, struct str s);
/* 0 also if it was never given. */
uint32_t names_find(const struct names *n, struct str s);
struct str names_text(const struct names *n, uint32_t id);

/* How many times a string found no place. */
uint64_t names_overflow(const struct names *n);

#endif
