/* SPDX-License-Identifier: Apache-2.0 */
/* What template fields share with each other. Pure; any thread. */
#ifndef AUDIT_FIELDS_H
#define AUDIT_FIELDS_H

#include "audit/dialect/template.h"

/* Of bytes as the MTAs escape them: "\026\003\001" is three bytes, "\r\n" two, "\\" one. */
enum first_bytes first_bytes_of(struct str sent);

#endif
