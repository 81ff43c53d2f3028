/* SPDX-License-Identifier: Apache-2.0 */
/* What a reply of a policy server must look like (Postfix SMTPD_POLICY_README, access(5)). */
#ifndef POLREPLY_H
#define POLREPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/*
 * One attribute line and the empty line that ends the reply; length counts both newlines. What
 * Postfix would take for a permission is not good either: no action, a number, OK and PERMIT.
 */
static inline bool polreply_is_good(const char *reply, size_t length)
{
    const char *action = reply + sizeof("action=") - 1;

    if (length < sizeof("action=x\n\n") - 1 || memcmp(reply, "action=", 7) != 0 ||
        memcmp(reply + length - 2, "\n\n", 2) != 0)
        return false;
    for (const char *at = reply; at < reply + length - 2; at++)
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
            return false;
    return action[strspn(action, "0123456789 ")] != '\n' && strncasecmp(action, "ok", 2) != 0 &&
           strncasecmp(action, "permit", 6) != 0;
}

#endif
