/* SPDX-License-Identifier: Apache-2.0 */
#include "core/wire/opening_internal.h"

#include <stdlib.h>

enum {
    FIRST_CAP = 256,
    PIECE = 256, /* bytes looked at in one go: what is not needed is never copied */
};

const char *const opening_first_names[FIRSTS] = {
    [FIRST_NOTHING] = "nothing", [FIRST_TLS] = "tls",     [FIRST_SMTP] = "smtp",
    [FIRST_HTTP] = "http",       [FIRST_OTHER] = "other",
};

const char *const hello_fate_names[FATES] = {
    [FATE_UNKNOWN] = "unknown",           [FATE_ANSWERED] = "answered", [FATE_ALERT] = "alert",
    [FATE_HIDDEN_ALERT] = "hidden-alert", [FATE_LEFT] = "left",
};

/* ---- memory ------------------------------------------------------------------------------ */

static void wipe_and_free(struct opening_buffer *b)
{
    if (b)
        explicit_bzero(b->bytes, b->cap);
    free(b);
}

/* Not realloc(): that leaves a copy behind. */
static bool grow(struct opening *o, size_t cap)
{
    struct opening_buffer *old = o->unread, *b = calloc(1, sizeof *b + cap);
    if (!b)
        return false;
    if (old) {
        memcpy(b, old, sizeof *b + old->n);
        wipe_and_free(old);
    } else {
        b->phase = o->proxied ? PHASE_PROXY : PHASE_FIRST;
    }
    b->cap = (uint32_t)cap;
    o->unread = b;
    return true;
}

/* Room for a piece, or for as much as there may be; false if there is none. */
static bool make_room(struct opening *o)
{
    struct opening_buffer *b = o->unread;
    size_t cap = b ? b->cap : 0;
    if (b && (cap - b->n >= PIECE || cap == OPENING_BUFFER))
        return b->n < cap;
    cap = cap ? cap * 2 : FIRST_CAP;
    return grow(o, cap < OPENING_BUFFER ? cap : OPENING_BUFFER);
}

static void drop(struct opening_buffer *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->bytes, b->bytes + n, b->n - n);
    explicit_bzero(b->bytes + (b->n - n), n);
    b->n -= (uint32_t)n;
}

/* ---- steps ------------------------------------------------------------------------------- */

/* Missing or wrong, the bytes are the client's own. */
static bool proxy_missing(struct opening *o)
{
    o->proxy_missing = true;
    return opening_go(o, PHASE_FIRST);
}

static bool opening_proxy(struct opening *o, struct str bytes, size_t *used)
{
    switch (proxy_header_parse(bytes, &o->proxy, used)) {
    case PROXY_MORE: return bytes.n == OPENING_BUFFER && proxy_missing(o);
    case PROXY_ITEM: return opening_go(o, PHASE_FIRST);
    default: return proxy_missing(o);
    }
}

/* Each can tell within OPENING_BUFFER bytes. */
static opening_step *const steps[PHASES] = {
    [PHASE_PROXY] = opening_proxy,
    [PHASE_FIRST] = opening_command,
    [PHASE_COMMAND] = opening_command,
    [PHASE_STARTTLS] = opening_command,
    [PHASE_REST_OF_LINE] = opening_rest_of_line,
    [PHASE_MECHANISM] = opening_mechanism,
    [PHASE_NO_MECHANISM] = opening_no_mechanism,
    [PHASE_RESPONSE] = opening_response,
    [PHASE_HELLO] = opening_hello,
    [PHASE_RECORDS] = opening_record,
};

static void run(struct opening *o)
{
    bool on = true;
    while (on && o->state == OPENING_GOES_ON && o->unread->n) {
        struct opening_buffer *b = o->unread;
        size_t used = b->skip < b->n ? b->skip : b->n;
        if (used)
            b->skip -= (uint32_t)used;
        else
            on = steps[b->phase](o, (struct str){b->bytes, b->n}, &used);
        drop(b, used);
    }
}

/* ------------------------------------------------------------------------------------------ */

void opening_init(struct opening *o, bool proxied)
{
    *o = (struct opening){.proxied = proxied};
}

static void end(struct opening *o)
{
    opening_over(o);
    if (o->unread)
        drop(o->unread, o->unread->n);
}

int opening_feed(struct opening *o, struct str bytes)
{
    if (o->state == OPENING_OVER)
        return 0;
    while (bytes.n && o->state == OPENING_GOES_ON) {
        if (!make_room(o)) {
            opening_gap(o);
            break;
        }
        struct opening_buffer *b = o->unread;
        size_t n = b->cap - b->n < PIECE ? b->cap - b->n : PIECE;
        n = bytes.n < n ? bytes.n : n;
        memcpy(b->bytes + b->n, bytes.p, n);
        b->n += (uint32_t)n;
        bytes = (struct str){bytes.p + n, bytes.n - n};
        run(o);
    }
    if (o->state == OPENING_OVER)
        end(o);
    return o->gap ? -1 : 0; /* only because memory was short: it was not over before */
}

void opening_gap(struct opening *o)
{
    if (o->state == OPENING_OVER)
        return;
    o->gap = true;
    end(o);
}

void opening_close(struct opening *o)
{
    if (o->state == OPENING_OVER)
        return;
    struct opening_buffer *b = o->unread;
    if (!b)
        o->proxy_missing = o->proxied;
    if (b && b->phase == PHASE_PROXY) {
        proxy_missing(o);
        run(o);
    }
    if (b && o->state == OPENING_GOES_ON) {
        if (b->phase == PHASE_RECORDS)
            o->fate = FATE_LEFT;
        if (steps[b->phase] == opening_command)
            opening_last_command(o, (struct str){b->bytes, b->n});
    }
    end(o);
}

void opening_free(struct opening *o)
{
    opening_over(o);
    wipe_and_free(o->unread);
    free(o->hello);
    o->unread = NULL;
    o->hello = NULL;
}
