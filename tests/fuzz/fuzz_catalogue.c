/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a header value and as an EHLO argument: the version is a view
 * inside them and looks like one; case changes nothing; the same again gives the same;
 * and what lies behind the bytes that are looked at is not read.
 */
#include <stdlib.h>

#include "core/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

typedef bool (*recognise)(struct str, struct software *);

static void must(bool what)
{
    if (!what)
        abort();
}

static bool of_version(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '+' || c == '-';
}

static void check(struct str value, bool found, const struct software *s)
{
    must(found == (s->info != NULL) && found == (s->certainty != CERTAINTY_NONE));
    must(!found || (s->info >= catalogue && s->info < catalogue + SOFTWARE_COUNT));
    if (s->version.n == 0)
        return;
    must(found && s->version.n <= CATALOGUE_VERSION_MAX);
    must(s->version.p > value.p && s->version.p + s->version.n <= value.p + value.n);
    must(s->version.p + s->version.n <= value.p + CATALOGUE_LOOKS_AT);
    must(s->version.p[0] >= '0' && s->version.p[0] <= '9');
    for (size_t i = 0; i < s->version.n; i++)
        must(of_version(s->version.p[i]));
}

/* The same program, and the version at the same place of another copy of the value. */
static void check_same(recognise call, struct str value, const struct software *s, const char *base)
{
    struct software t;
    must(call(value, &t) == (s->info != NULL));
    must(t.info == s->info && t.certainty == s->certainty && t.version.n == s->version.n);
    must(!s->version.n || t.version.p - value.p == s->version.p - base);
}

static void run(recognise call, struct str value)
{
    struct software s;
    bool found = call(value, &s);
    check(value, found, &s);
    check_same(call, value, &s, value.p);

    /* A copy in the other case, with only one byte behind those that are looked at. */
    struct str copy = value;
    if (copy.n > CATALOGUE_LOOKS_AT + 1)
        copy.n = CATALOGUE_LOOKS_AT + 1;
    char *text = malloc(copy.n ? copy.n : 1);
    must(text != NULL);
    for (size_t i = 0; i < copy.n; i++) {
        char c = value.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        text[i] = letter ? (char)(c ^ ('a' ^ 'A')) : c;
    }
    copy.p = text;
    check_same(call, copy, &s, value.p);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str value = {(const char *)p, n};
    run(catalogue_header, value);
    run(catalogue_helo, value);
    return 0;
}
