/* SPDX-License-Identifier: Apache-2.0 */
/* What a refusal of a filter must look like (libmilter's smfi_setreply; RFC 5321 4.2, RFC 3463 2).
 */
#ifndef MILREPLY_H
#define MILREPLY_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many bytes follow the first four of a packet, its letter included. */
static inline size_t milreply_length(const char *packet)
{
    uint32_t length;

    memcpy(&length, packet, sizeof(length));
    return ntohl(length);
}

/* "550 5.7.1 text" of size bytes, printable, ended by its one NUL, and with a % only in pairs:
 * Sendmail throws a text with a single one away. */
static inline bool milreply_is_good(const char *text, size_t size)
{
    if (size < sizeof("550 5.7.1 x") || text[size - 1] != '\0' || strlen(text) != size - 1 ||
        (text[0] != '4' && text[0] != '5') || text[3] != ' ' || text[4] != text[0])
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~' || (*at == '%' && at[1] != '%'))
            return false;
        at += *at == '%';
    }
    return true;
}

#endif
