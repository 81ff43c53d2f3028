/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a session had lasted when a line was written, as far as the log tells. Inside
 * audit/session/ only.
 */
#ifndef AUDIT_WAITED_H
#define AUDIT_WAITED_H

#include "audit/dialect/message.h"

/*
 * Microseconds, at least; 0: not known. `connect_us` is the time of the session's connect line, or
 * 0. Without one, Sendmail's queue id tells: it begins with the moment at which the session did
 * (year, month, day, hour, minute, second, each a digit of base 60). Of these only minute and
 * second are read, since a log's hours may be of another zone, and then only of a quarter of an
 * hour.
 */
int64_t waited_us(int64_t connect_us, const struct log_line *l, const struct message *m);

#endif
