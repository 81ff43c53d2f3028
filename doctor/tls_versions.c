/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor/tls_versions.h"

static const struct {
    const char *name;
    unsigned number; /* on the wire */
    unsigned bit;
} versions[] = {
    {"SSLv2", 0x0002, TLS_VERSION_SSL_2}, {"SSLv3", 0x0300, TLS_VERSION_SSL_3},
    {"TLSv1", 0x0301, TLS_VERSION_1_0},   {"TLSv1.1", 0x0302, TLS_VERSION_1_1},
    {"TLSv1.2", 0x0303, TLS_VERSION_1_2}, {"TLSv1.3", 0x0304, TLS_VERSION_1_3},
};
enum { VERSIONS = sizeof versions / sizeof *versions };

/* "303", "0303", "0x303" */
static bool hexadecimal(struct str s, unsigned *ret)
{
    *ret = 0;
    if (s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X'))
        s.p += 2, s.n -= 2;
    if (s.n == 0 || s.n > 8)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *digits = "0123456789abcdef", *found;
        char c = s.p[i] >= 'A' && s.p[i] <= 'F' ? (char)(s.p[i] + 32) : s.p[i];
        if (!c || !(found = strchr(digits, c)))
            return false;
        *ret = *ret * 16 + (unsigned)(found - digits);
    }
    return true;
}

/* The index of a version by its name; -1: it has none. */
static int named(struct str word)
{
    for (int i = 0; i < VERSIONS; i++)
        if (str_eq_nocase(word, str_of(versions[i].name)))
            return i;
    return -1;
}

/* ">=x", "<=x": what lies outside is taken away. */
static bool bound(struct str word, unsigned *allowed)
{
    bool lowest = word.p[0] == '>';
    struct str given = {word.p + 2, word.n - 2};
    int i = named(given);
    unsigned number;
    if (i >= 0)
        number = versions[i].number;
    else if (!hexadecimal(given, &number))
        return false;
    for (i = 0; i < VERSIONS; i++)
        if (lowest ? versions[i].number < number : versions[i].number > number)
            *allowed &= ~versions[i].bit;
    return true;
}

bool tls_versions(struct str list, unsigned *ret)
{
    unsigned allowed = TLS_VERSIONS_ALL, included = 0;
    while (list.p) {
        struct str word = str_cut(&list, " \t\r\n,:");
        if (word.n == 0)
            continue;
        if (word.n > 2 && (word.p[0] == '>' || word.p[0] == '<') && word.p[1] == '=') {
            if (!bound(word, &allowed))
                return false;
            continue;
        }
        bool without = word.p[0] == '!';
        int i = named((struct str){word.p + without, word.n - without});
        if (i < 0)
            return false;
        if (without)
            allowed &= ~versions[i].bit;
        else
            included |= versions[i].bit;
    }
    *ret = included ? allowed & included : allowed;
    return true;
}
