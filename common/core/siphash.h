/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 with a 64-bit result (Aumasson and Bernstein, 2012): the hash of
 * every table whose keys come from strangers, who without the key cannot aim
 * at one bucket. OpenSSL has it too, behind an allocation per call; the tests
 * hold this one against OpenSSL's.
 */
#ifndef CORE_SIPHASH_H
#define CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct sipkey {
    uint64_t k0, k1;
};

uint64_t siphash(const struct sipkey *key, const void *p, size_t n);

#endif
