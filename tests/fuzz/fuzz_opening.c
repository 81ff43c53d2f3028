/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes from a client, with a PROXY header due and without: whole, byte by byte and in pieces
 * of any size they tell the same, within their bounds, and nothing stays in memory that is done
 * with.
 */
#include <stdlib.h>

#include "core/wire/opening_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool what)
{
    if (!what)
        abort();
}

static void check_memory(const struct opening *o)
{
    static const char nothing[OPENING_BUFFER];
    const struct opening_buffer *b = o->unread;
    if (!b)
        return;
    must(b->n <= b->cap && b->cap <= OPENING_BUFFER);
    must(o->state == OPENING_GOES_ON || b->n == 0);
    must(memcmp(b->bytes + b->n, nothing, b->cap - b->n) == 0);
}

static void check(const struct opening *o)
{
    must(o->state == OPENING_OVER && o->first < FIRSTS && o->fate < FATES);
    must(o->verb_count <= OPENING_VERBS && o->commands <= OPENING_COMMANDS);
    must(o->unknown + o->verb_count <= o->commands);
    must((o->seen == 0) == (o->verb_count == 0) && o->seen < 1u << VERBS);
    for (size_t i = 0; i < o->verb_count; i++)
        must(o->verbs[i] < VERBS && o->seen & 1u << o->verbs[i]);
    must((o->mechanism != NULL) == ((o->seen & 1u << VERB_AUTH) != 0));
    must(o->starttls == ((o->seen & 1u << VERB_STARTTLS) != 0));
    must(o->mechanism || !o->initial_response);
    must(o->proxied || (!o->proxy_missing && !o->proxy.told));
    must(!(o->proxy_missing && o->proxy.told) && !o->gap);
    must(o->hello_begun || (!o->hello && !o->hello_bad));
    must(!(o->hello && o->hello_bad) && !(o->hello_begun && o->garbage));
    must(!o->hello_begun || o->first == FIRST_TLS || o->starttls);
    must(o->hello || o->fate == FATE_UNKNOWN);
    must(o->fate == FATE_ALERT || o->alert == 0);
    must(o->first != FIRST_HTTP || o->commands == 0);
}

/* Facts, without what they point to and what is unread. */
static void must_be_same(struct opening a, struct opening b)
{
    must((a.hello != NULL) == (b.hello != NULL));
    must(!a.hello || memcmp(a.hello, b.hello, sizeof *a.hello) == 0);
    must(memcmp(a.helo, b.helo, a.helo_n) == 0);
    a.hello = b.hello = NULL;
    a.unread = b.unread = NULL;
    memset(a.helo, 0, sizeof a.helo); /* what is behind helo_n does not count */
    memset(b.helo, 0, sizeof b.helo);
    must(memcmp(&a, &b, sizeof a) == 0);
}

/* `seed` 0: whole. Else pieces of 1 to `most` bytes. */
static void run(struct opening *o, struct str in, bool proxied, uint32_t seed, uint32_t most)
{
    memset(o, 0, sizeof *o); /* padding, too: it is compared */
    opening_init(o, proxied);
    while (in.n) {
        size_t n = in.n;
        if (seed) {
            seed = seed * 1103515245 + 12345;
            size_t piece = 1 + (seed >> 16) % most;
            n = piece < in.n ? piece : in.n;
        }
        must(opening_feed(o, (struct str){in.p, n}) == 0);
        check_memory(o);
        in = (struct str){in.p + n, in.n - n};
    }
    opening_close(o);
    check_memory(o);
    check(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint32_t pieces[] = {1, 9, 300};
    struct str in = {(const char *)p, n};
    for (int proxied = 0; proxied < 2; proxied++) {
        struct opening whole, part;
        run(&whole, in, proxied, 0, 0);
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            run(&part, in, proxied, (uint32_t)n + 1, pieces[i]);
            must_be_same(whole, part);
            opening_free(&part);
        }
        opening_free(&whole);
    }
    return 0;
}
