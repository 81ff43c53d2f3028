/* SPDX-License-Identifier: Apache-2.0 */
#include "slots.h"

#include <string.h>

struct draws draws_init(uint32_t offenders, uint64_t seed)
{
    /* Two runs against one server must not repeat each other's instances either. */
    return (struct draws){.offenders = offenders,
                          .random = seed,
                          .seconds = 0x6b000000 + ((uint32_t)seed & 0xffff) * 64};
}

struct draw draws_next(struct draws *d, bool offender)
{
    if (++d->micros == 1000000) {
        d->micros = 0;
        d->seconds++;
    }
    d->random = d->random * 6364136223846793005u + 1442695040888963407u;
    return (struct draw){.number =
                             (uint32_t)(d->random >> 33) % (offender ? d->offenders : POPULATION),
                         .seconds = d->seconds,
                         .micros = d->micros,
                         .random = d->random};
}

static size_t slot_width(char kind)
{
    switch (kind) {
    case 'U': return 6;
    case 'P': return 5;
    case 'p': return 2;
    case 'Q': return 11;
    case 'I': return sizeof("1a2b.6b00ea63.4a81a.0") - 1;
    default: return 3;
    }
}

int slotted_add_bytes(struct slotted *s, const void *bytes, size_t size)
{
    if (size > sizeof(s->text) - s->length)
        return -1;
    memcpy(s->text + s->length, bytes, size);
    s->length = (uint16_t)(s->length + size);
    return 0;
}

int slotted_add(struct slotted *s, const char *text)
{
    static const char room[32];

    for (; *text != '\0'; text++) {
        if (*text != '%') {
            if (slotted_add_bytes(s, text, 1) < 0)
                return -1;
            continue;
        }
        text++;
        if (s->slots == SLOTS_MAX)
            return -1;
        s->slot[s->slots++] = (struct slot){s->length, *text};
        if (slotted_add_bytes(s, room, slot_width(*text)) < 0)
            return -1;
    }
    return 0;
}

static void put_decimal(char *at, uint32_t value, int digits)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void put_hex(char *at, uint64_t value, int digits)
{
    while (digits-- > 0) {
        at[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

/* Postfix: process id, seconds, microseconds, transaction; all hexadecimal. */
static void put_instance(char *at, const struct draw *d)
{
    put_hex(at, 0x1000 + ((uint32_t)(d->random >> 48) & 0x3fff), 4);
    put_hex(at + 5, d->seconds, 8);
    put_hex(at + 14, d->micros, 5);
    at[4] = at[13] = at[19] = '.';
    at[20] = '0';
}

static uint32_t port_of(const struct draw *d)
{
    return 10000 + (uint32_t)(d->random >> 40) % 55000;
}

void slotted_fill(struct slotted *s, unsigned from, unsigned to, const struct draw *d)
{
    for (unsigned i = from; i < to; i++) {
        char *at = s->text + s->slot[i].offset;

        switch (s->slot[i].kind) {
        case 'A': put_decimal(at, 100 + d->number / 10000, 3); break;
        case 'B': put_decimal(at, 100 + d->number / 100 % 100, 3); break;
        case 'C': put_decimal(at, 100 + d->number % 100, 3); break;
        case 'U': put_decimal(at, d->number, 6); break;
        case 'P': put_decimal(at, port_of(d), 5); break;
        case 'p':
            at[0] = (char)(port_of(d) >> 8);
            at[1] = (char)port_of(d);
            break;
        case 'Q': put_hex(at, d->random >> 12 ^ d->micros, 11); break;
        case 'I': put_instance(at, d); break;
        }
    }
}

unsigned mix_kinds(const char *name)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } mixes[] = {{"all", 0x3ff}, {"pass", 0x397}, {"smtp", 0x007}, {"submission", 0x3f8}};

    for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
        if (strcmp(mixes[i].name, name) == 0)
            return mixes[i].kinds;
    return 0;
}
