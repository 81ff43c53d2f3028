/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key under which every program writes what it saw of one session, so that
 * sources can be joined: a hash of both addresses and both ports, the same in
 * every program that was given the same key.
 */
#ifndef CORE_SESSION_KEY_H
#define CORE_SESSION_KEY_H

#include "core/session.h"
#include "core/siphash.h"

/* 0 where one of the four parts is unknown (the hash itself is never 0). */
uint64_t session_key(const struct sipkey *key, const struct session *s);

/* Postfix's `instance` begins with the smtpd process id in hexadecimal; 0: not told. */
uint32_t instance_pid(struct str instance);

#endif
