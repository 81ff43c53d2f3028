/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up every right that capturing needed, for good. Capabilities are each thread's own
 * (capabilities(7)): call these while there is one, before the journal's.
 */
#ifndef TAP_RIGHTS_H
#define TAP_RIGHTS_H

#include "core/err.h"

/*
 * As long as we may: empties the bounding set, so that no program that we might start could have
 * any. Without the right to (CAP_SETPCAP: whoever was not started as root) nothing happens;
 * rights_drop() then does the same by no_new_privs.
 */
void rights_bound(void);

/*
 * No capability of any kind, no new ones by starting a program, no core dump, and nobody who is
 * not root may look into our memory. -1 with *e set if anything is left.
 */
int rights_drop(struct err *e);

#endif
