/* SPDX-License-Identifier: Apache-2.0 */
/* libmilter's callbacks: context, facts, filter, reply. */
#ifndef MILTER_CALLBACKS_H
#define MILTER_CALLBACKS_H

#include "milter/filter.h"

/*
 * Registers with libmilter; `f` is what all connections share and outlives
 * smfi_main(). False if libmilter will not have it.
 */
bool callbacks_register(struct filter *f);

#endif
