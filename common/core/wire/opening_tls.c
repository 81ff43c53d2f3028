/* SPDX-License-Identifier: Apache-2.0 */
/* TLS in the opening: the ClientHello, then one record that shows what became of it. */
#include "core/wire/opening_internal.h"

#include <stdlib.h>

#include "core/wire/reader.h"

enum {
    RECORD_HEADER = 5,
    RECORD_MAX = (1 << 14) + 2048, /* encrypted, TLS 1.2 (RFC 5246 6.2.3) */
    MESSAGE_HEADER = 4,
    MESSAGE_CLIENT_HELLO = 1,
    PLAIN_ALERT = 2,
    HIDDEN_ALERT = PLAIN_ALERT + 1 + 16, /* with its type and a tag (RFC 8446 5.2) */
    EXTENSION_EARLY_DATA = 42,
    TLS_1_3 = 0x0304,
};

bool opening_hello(struct opening *o, struct str bytes, size_t *used)
{
    struct client_hello hello;
    switch (client_hello_parse(bytes, &hello, used)) {
    case HELLO_MORE: return false;
    case HELLO_BAD: o->hello_bad = true; return opening_over(o);
    case HELLO_ITEM: break;
    }
    o->hello = malloc(sizeof hello);
    if (!o->hello) {
        o->gap = true;
        return opening_over(o);
    }
    *o->hello = hello;
    return opening_go(o, PHASE_RECORDS);
}

/* ---- records ----------------------------------------------------------------------------- */

struct record {
    struct str there; /* what has come of its body */
    size_t length;    /* of the body */
};

/* What a record shows: a fate; or nothing, and the next may. */
enum look { LOOK_MORE, LOOK_ON, LOOK_OVER };

static enum look fate(struct opening *o, enum hello_fate f)
{
    o->fate = f;
    return LOOK_OVER;
}

static enum look look_at_change_cipher(struct opening *o, struct record r)
{
    (void)r;
    o->unread->changed_cipher = true;
    return LOOK_ON;
}

/* One of two bytes is in clear text, whatever came before: a tag or MAC would make it longer. */
static enum look look_at_alert(struct opening *o, struct record r)
{
    if (r.length != PLAIN_ALERT)
        return o->unread->changed_cipher ? fate(o, FATE_HIDDEN_ALERT) : LOOK_OVER;
    if (r.there.n < PLAIN_ALERT)
        return LOOK_MORE;
    o->alert = (uint8_t)r.there.p[1];
    return fate(o, FATE_ALERT);
}

/*
 * After a HelloRetryRequest comes a second ClientHello (RFC 8446 4.1.2), maybe behind a
 * ChangeCipherSpec; all else a client says here answers a ServerHello. Behind ChangeCipherSpec it
 * may also be an encrypted Finished of TLS 1.2, whose first bytes are anything: so the length
 * counts.
 */
static enum look look_at_handshake(struct opening *o, struct record r)
{
    struct opening_buffer *b = o->unread;
    if (b->hello_left) {
        b->hello_left -= (uint32_t)(r.length < b->hello_left ? r.length : b->hello_left);
        return LOOK_ON;
    }
    if (b->second_hello || o->hello->highest != TLS_1_3 || r.length < MESSAGE_HEADER)
        return fate(o, FATE_ANSWERED);
    if (r.there.n < MESSAGE_HEADER)
        return LOOK_MORE;
    struct reader header = {r.there, false};
    uint32_t type = read_number(&header, 1), length = read_number(&header, 3) + MESSAGE_HEADER;
    if (type != MESSAGE_CLIENT_HELLO || length < r.length || length > HELLO_MAX)
        return fate(o, FATE_ANSWERED);
    b->second_hello = true;
    b->hello_left = length - (uint32_t)r.length;
    return LOOK_ON;
}

/* Early data answers nothing (RFC 8446 2.3). */
static enum look look_at_data(struct opening *o, struct record r)
{
    for (size_t i = 0; i < o->hello->extension_count; i++)
        if (o->hello->extensions[i] == EXTENSION_EARLY_DATA)
            return LOOK_OVER;
    return fate(o, r.length == HIDDEN_ALERT ? FATE_HIDDEN_ALERT : FATE_ANSWERED);
}

static const struct {
    uint8_t type;
    enum look (*look)(struct opening *, struct record);
} records[] = {
    {20, look_at_change_cipher},
    {21, look_at_alert},
    {22, look_at_handshake},
    {23, look_at_data},
};

bool opening_record(struct opening *o, struct str bytes, size_t *used)
{
    struct reader r = {bytes, false};
    uint32_t type = read_number(&r, 1), version = read_number(&r, 2);
    size_t length = read_number(&r, 2);
    if (r.bad)
        return false;
    if (version < 0x0300 || version > 0x0304 || length > RECORD_MAX)
        return opening_over(o);
    enum look look = LOOK_OVER;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (records[i].type == type)
            look = records[i].look(o, (struct record){r.left, length});
    if (look == LOOK_OVER)
        return opening_over(o);
    if (look == LOOK_ON) {
        *used = RECORD_HEADER;
        o->unread->skip = (uint32_t)length;
    }
    return look == LOOK_ON;
}
