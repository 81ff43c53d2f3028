/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to characters (RFC 3629): no overlong forms, no surrogates, nothing
 * above U+10FFFF.
 */
#ifndef CONFIG_UTF8_H
#define CONFIG_UTF8_H

#include "core/str.h"

/* How many bytes the first character takes, 1 to 4; 0 if `s` is empty or does
 * not begin with one. *ret_char is set only if it does; NULL is allowed. */
size_t utf8_next(struct str s, uint32_t *ret_char);

/*
 * False for control characters (but tab and line ends), for the line ends that
 * editors do not show as such, byte order marks and noncharacters: what a text
 * file for people does not hold, and what YAML refuses.
 */
bool utf8_visible(uint32_t c);

#endif
