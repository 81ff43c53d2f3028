/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OpenSSL knows of TLS. Only here do we ask it; a cipher that it does not
 * have is unknown, which is not the same as good or bad.
 */
#ifndef EDGE_TLS_H
#define EDGE_TLS_H

#include "core/err.h"
#include "core/session.h"

struct ciphers;

/*
 * Every cipher of the OpenSSL we run with, also those it would never
 * negotiate by itself. NULL with *e set if OpenSSL cannot be used.
 */
struct ciphers *ciphers_new(struct err *e);

/* By OpenSSL's or the IANA's name, exactly; NULL if unknown. Safe from any thread. */
const struct cipher *ciphers_find(const struct ciphers *c, struct str name);

void ciphers_free(struct ciphers *c);

#endif
