/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/mechanisms.h"

/* ---- where the name is ------------------------------------------------------ */

/* RFC 4616: authorisation NUL name NUL password. */
static struct str user_of_plain(struct str r)
{
    const char *first = r.n ? memchr(r.p, '\0', r.n) : NULL;
    if (!first)
        return (struct str){NULL, 0};
    struct str rest = {first + 1, r.n - (size_t)(first + 1 - r.p)};
    const char *second = rest.n ? memchr(rest.p, '\0', rest.n) : NULL;
    return second ? (struct str){rest.p, (size_t)(second - rest.p)} : (struct str){NULL, 0};
}

/* LOGIN's name, EXTERNAL's authorisation identity (RFC 4422 A.1): all of it. */
static struct str user_of_all(struct str r)
{
    return r;
}

/* "user=" name ^A "auth=Bearer " token ^A ^A */
static struct str user_of_xoauth2(struct str r)
{
    static const struct str key = {"user=", 5};
    if (r.n < key.n || memcmp(r.p, key.p, key.n) != 0)
        return (struct str){NULL, 0};
    struct str rest = {r.p + key.n, r.n - key.n};
    struct str name = str_cut(&rest, "\x01");
    return rest.p ? name : (struct str){NULL, 0};
}

/* The field of a GS2 header or a SCRAM message that begins with `key` (RFC 5801 4, RFC 5802 7),
 * among the first `fields`. */
static struct str comma_field(struct str r, const char *key, int fields)
{
    while (r.p && fields-- > 0) {
        struct str field = str_cut(&r, ",");
        if (r.p && field.n > 2 && field.p[0] == key[0] && field.p[1] == '=')
            return (struct str){field.p + 2, field.n - 2};
    }
    return (struct str){NULL, 0};
}

/* RFC 7628: "n,a=" name "," ^A ... */
static struct str user_of_oauthbearer(struct str r)
{
    return comma_field(r, "a", 2);
}

/* RFC 5802: "n,,n=" name ",r=" ... */
static struct str user_of_scram(struct str r)
{
    return comma_field(r, "n", 3);
}

/* ---- the table ---------------------------------------------------------------- */

/*
 * No combination of smtpd_sasl_security_options may leave Postfix without a mechanism: that would
 * be fatal to smtpd. So the list has one for "noplaintext, noactive, nodictionary, forward_secrecy,
 * mutual_auth" too, which no Dovecot has; it is not EXTERNAL because smtpd_sasl_mechanism_filter
 * leaves that out.
 */
const struct mechanism mechanisms[] = {
    {{"PLAIN", 5}, "\tplaintext", user_of_plain, false},
    {{"LOGIN", 5}, "\tplaintext", user_of_all, true},
    {{"CRAM-MD5", 8}, "\tdictionary\tactive", NULL, false},
    {{"DIGEST-MD5", 10}, "\tdictionary\tactive\tmutual-auth", NULL, false},
    {{"NTLM", 4}, "\tdictionary\tactive", NULL, false},
    {{"GSSAPI", 6}, "", NULL, false},
    {{"GSS-SPNEGO", 10}, "", NULL, false},
    {{"EXTERNAL", 8}, "", user_of_all, false},
    {{"XOAUTH2", 7}, "\tplaintext", user_of_xoauth2, false},
    {{"OAUTHBEARER", 11}, "\tplaintext", user_of_oauthbearer, false},
    {{"SCRAM-SHA-1", 11}, "\tmutual-auth", user_of_scram, false},
    {{"SCRAM-SHA-256", 13}, "\tmutual-auth", user_of_scram, false},
    {{"SCRAM-SHA-1-PLUS", 16}, "\tmutual-auth", user_of_scram, false},
    {{"SCRAM-SHA-256-PLUS", 18}, "\tmutual-auth\tforward-secrecy", user_of_scram, false},
    {{"ANONYMOUS", 9}, "\tanonymous", NULL, false},
};
const size_t mechanism_count = sizeof mechanisms / sizeof *mechanisms;

const struct mechanism *mechanism_of(struct str name)
{
    for (size_t i = 0; i < mechanism_count; i++)
        if (str_eq_nocase(name, mechanisms[i].name))
            return &mechanisms[i];
    return NULL;
}

/* ---- base64 -------------------------------------------------------------------- */

enum { DECODED_MAX = 1024 }; /* a name at most USER_MAX, twice, and what stands before it */

/* The value of a digit, -1: none. */
static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The first bytes of what it stands for, as many as `out` has room for; -1: no base64. Looks at
 * all of it: a client that sends rubbish tells no name. */
static long decode(struct str in, char *out, size_t room)
{
    size_t n = 0, digits = in.n;
    if (in.n % 4 != 0)
        return -1;
    while (digits && in.n - digits < 2 && in.p[digits - 1] == '=')
        digits--;
    uint32_t bits = 0;
    for (size_t i = 0; i < digits; i++) {
        int d = digit(in.p[i]);
        if (d < 0)
            return -1;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 != 0 && n < room)
            out[n++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    return (long)n;
}

bool mechanism_user(const struct mechanism *m, struct str response, struct buf *ret)
{
    char decoded[DECODED_MAX];
    if (!m || !m->user)
        return false;
    long n = decode(response, decoded, sizeof decoded);
    struct str user = {NULL, 0};
    if (n > 0)
        user = m->user((struct str){decoded, (size_t)n});
    bool known = user.n > 0 && user.n <= USER_MAX;
    if (known)
        buf_str(ret, user);
    explicit_bzero(decoded, sizeof decoded);
    return known && !ret->full;
}
