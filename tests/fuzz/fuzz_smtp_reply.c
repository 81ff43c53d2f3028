/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes from an SMTP server: parsed whole and byte by byte they give the
 * same, within the limits; what may be shown is printable ASCII; what EHLO offers is clean.
 */
#include <stdint.h>
#include <stdlib.h>

#include "probe/reply.h"

static void must(bool what)
{
    if (!what)
        abort();
}

/* With one byte more each time, around the place where it is decided. */
static void by_byte(struct str in, enum reply_parsed whole, const struct reply *w, size_t used)
{
    static struct reply r;
    size_t reach = whole == REPLY_ITEM ? used : in.n < REPLY_MAX + 1 ? in.n : REPLY_MAX + 1;
    enum reply_parsed parsed = REPLY_MORE;
    for (size_t n = reach > 600 ? reach - 600 : 0; n <= reach && parsed == REPLY_MORE; n++) {
        size_t part = 0;
        const char *why = NULL;
        parsed = reply_parse((struct str){in.p, n}, &r, &part, &why);
        must(parsed != REPLY_ITEM ||
             (n == reach && part == used && r.code == w->code && r.line_count == w->line_count));
    }
    must(parsed == whole);
}

static void clean(const char *text)
{
    must(strlen(text) < SAID);
    for (; *text; text++)
        must(*text >= 0x20 && *text < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct reply r;
    struct str in = {(const char *)p, n};
    while (in.n) {
        char shown[SAID];
        size_t used = 0;
        const char *why = NULL;
        enum reply_parsed parsed = reply_parse(in, &r, &used, &why);
        by_byte(in, parsed, &r, used);
        must(parsed != REPLY_BAD || why);
        must(parsed != REPLY_MORE || in.n < REPLY_MAX);
        said(shown, in);
        clean(shown);
        if (parsed != REPLY_ITEM)
            break;
        must(used > 0 && used <= in.n && used <= REPLY_MAX);
        must(r.line_count > 0 && r.line_count <= REPLY_LINES && r.code >= 200 && r.code < 600);
        reply_said(shown, &r);
        clean(shown);
        struct capabilities c;
        capabilities_read(&r, &c);
        must(c.mechanism_count <= MECHANISMS);
        for (unsigned i = 0; i < c.mechanism_count; i++)
            must(strlen(c.mechanisms[i]) < MECHANISM_N), clean(c.mechanisms[i]);
        must(refusal_of(&r) != REFUSAL_UNKNOWN);
        software_of(r.lines[0]);
        in = (struct str){in.p + used, in.n - used};
    }
    return 0;
}
