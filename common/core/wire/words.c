/* SPDX-License-Identifier: Apache-2.0 */
#include "core/wire/words.h"

const char *const smtp_verb_names[VERBS] = {
#define VERB(name) #name,
#include "core/wire/verbs.def"
#undef VERB
};

static const char *const methods[] = {
    "GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "DELETE", "TRACE", "PATCH", "PRI",
};

static const char *const mechanisms[] = {
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "CRAM-SHA1",
    "DIGEST-MD5",
    "EXTERNAL",
    "ANONYMOUS",
    "GSSAPI",
    "GSS-SPNEGO",
    "GS2-KRB5",
    "GS2-KRB5-PLUS",
    "NTLM",
    "OTP",
    "XOAUTH2",
    "OAUTHBEARER",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA3-512",
    "SCRAM-SHA3-512-PLUS",
    "KERBEROS_V4",
    "SKEY",
    "SRP",
    "9798-U-RSA-SHA1-ENC",
    "SECURID",
};
enum {
    METHODS = sizeof methods / sizeof *methods,
    MECHANISMS = sizeof mechanisms / sizeof *mechanisms,
};

enum smtp_verb smtp_verb_of(struct str s)
{
    unsigned i = 0;
    while (i < VERBS && !str_eq_nocase(s, str_of(smtp_verb_names[i])))
        i++;
    return (enum smtp_verb)i;
}

bool is_http_method(struct str s)
{
    for (size_t i = 0; i < METHODS; i++)
        if (str_eq_nocase(s, str_of(methods[i])))
            return true;
    return false;
}

const char *sasl_mechanism_of(struct str s)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (str_eq_nocase(s, str_of(mechanisms[i])))
            return mechanisms[i];
    return NULL;
}

bool is_sasl_mechanism_begun(struct str s)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (s.n <= strlen(mechanisms[i]) && str_eq_nocase(s, (struct str){mechanisms[i], s.n}))
            return true;
    return false;
}
