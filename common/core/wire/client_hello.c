/* SPDX-License-Identifier: Apache-2.0 */
#include "core/wire/client_hello.h"

#include "core/wire/reader.h"

enum {
    RECORD_HANDSHAKE = 22,
    RECORD_HEADER = 5,
    RECORD_MAX = 1 << 14, /* bytes of a record in clear text (RFC 8446 5.1) */
    RECORDS = 64,         /* that a message may lie in; nobody needs more */
    MESSAGE_HEADER = 4,
    MESSAGE_CLIENT_HELLO = 1,
    SESSION_ID_MAX = 32,
};

/* RFC 8701 2: 0x0a0a, 0x1a1a, ... 0xfafa. */
static bool grease(uint32_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

struct list {
    uint16_t *values, *count;
    size_t max;
};

static void keep(struct client_hello *h, struct list list, uint32_t value)
{
    if (grease(value))
        return;
    if (*list.count < list.max)
        list.values[(*list.count)++] = (uint16_t)value;
    else
        h->dropped++;
}

static void read_list(struct reader *r, struct client_hello *h, struct list list)
{
    while (r->left.n) {
        uint32_t value = read_number(r, 2);
        if (!r->bad)
            keep(h, list, value);
    }
}

static struct list ciphers_of(struct client_hello *h)
{
    return (struct list){h->ciphers, &h->cipher_count, HELLO_CIPHERS};
}

static struct list versions_of(struct client_hello *h)
{
    return (struct list){h->versions, &h->version_count, HELLO_VERSIONS};
}

/* ---- extensions: each reads what is inside it ------------------------------------------- */

static struct reader read_server_name(struct reader *r, struct client_hello *h)
{
    enum { HOST_NAME = 0 };
    struct reader names = read_vector(r, 2);
    bool first = !h->sni; /* of a second extension of this type, nothing */
    h->sni = true;
    while (names.left.n) {
        uint32_t type = read_number(&names, 1);
        struct str name = read_vector(&names, 2).left;
        if (type != HOST_NAME || !first)
            continue;
        first = false;
        if (name.n && name.n <= HELLO_NAME_MAX) {
            memcpy(h->server_name, name.p, name.n);
            h->server_name_n = (uint8_t)name.n;
        }
    }
    return names;
}

static struct reader read_alpn(struct reader *r, struct client_hello *h)
{
    struct reader protocols = read_vector(r, 2);
    bool first = h->alpn_n == 0;
    while (protocols.left.n) {
        struct reader name = read_vector(&protocols, 1);
        struct str s = name.left;
        if (!first || (s.n == 2 && grease(read_number(&name, 2))))
            continue;
        first = false;
        if (s.n > HELLO_ALPN_MAX) {
            h->dropped++;
        } else if (s.n) {
            memcpy(h->alpn, s.p, s.n);
            h->alpn_n = (uint8_t)s.n;
        }
    }
    return protocols;
}

static struct reader read_signature_algorithms(struct reader *r, struct client_hello *h)
{
    struct reader list = read_vector(r, 2);
    read_list(&list, h, (struct list){h->signatures, &h->signature_count, HELLO_SIGNATURES});
    return list;
}

static struct reader read_supported_versions(struct reader *r, struct client_hello *h)
{
    struct reader list = read_vector(r, 1);
    h->supported = true;
    read_list(&list, h, versions_of(h));
    return list;
}

static const struct {
    uint16_t type;
    struct reader (*read)(struct reader *, struct client_hello *); /* returns the vector in it */
} known[] = {
    {0, read_server_name},           /* RFC 6066 3 */
    {13, read_signature_algorithms}, /* RFC 8446 4.2.3 */
    {16, read_alpn},                 /* RFC 7301 3.1 */
    {43, read_supported_versions},   /* RFC 8446 4.2.1 */
};

/* Of those that are known, one with bytes behind its vector is wrong. */
static void read_extension(struct reader *r, struct client_hello *h)
{
    uint32_t type = read_number(r, 2);
    struct reader body = read_vector(r, 2);
    if (r->bad)
        return;
    keep(h, (struct list){h->extensions, &h->extension_count, HELLO_EXTENSIONS}, type);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type)
            r->bad = known[i].read(&body, h).bad || body.bad || body.left.n;
}

/* ---- the message ------------------------------------------------------------------------ */

static uint16_t highest_of(const struct client_hello *h)
{
    uint16_t highest = 0;
    for (size_t i = 0; i < h->version_count; i++) {
        uint16_t v = h->versions[i];
        if (v >> 8 == 0x7f) /* drafts of TLS 1.3 (RFC 8446, its drafts, 4.2.1.1) */
            v = 0x0304;
        if (v >= 0x0300 && v <= 0x0304 && v > highest)
            highest = v;
    }
    return highest;
}

static void set_versions(struct client_hello *h)
{
    if (!h->supported)
        keep(h, versions_of(h), h->legacy_version);
    h->highest = highest_of(h);
}

/* RFC 8446 4.1.2, without the header. Empty lists are facts, not mistakes of the form. */
static bool read_message(struct str body, struct client_hello *h)
{
    struct reader r = {body, false};
    h->legacy_version = (uint16_t)read_number(&r, 2);
    read_bytes(&r, 32); /* random */
    if (read_vector(&r, 1).left.n > SESSION_ID_MAX)
        return false;
    struct reader ciphers = read_vector(&r, 2);
    read_list(&ciphers, h, ciphers_of(h));
    read_vector(&r, 1); /* compression methods */
    if (r.left.n) {     /* extensions, since TLS 1.0 (RFC 5246 7.4.1.2) */
        struct reader extensions = read_vector(&r, 2);
        while (extensions.left.n)
            read_extension(&extensions, h);
        r.bad |= extensions.bad;
    }
    set_versions(h);
    return !r.bad && !ciphers.bad && r.left.n == 0;
}

/* Where a message lies in records. */
struct place {
    size_t used;   /* bytes, headers of records and all */
    size_t length; /* of the message, its header and all */
};

/* False if it is not the header of a record that a ClientHello can lie in. */
static bool read_header(struct reader *r, size_t *ret_length)
{
    uint32_t type = read_number(r, 1), major = read_number(r, 1), minor = read_number(r, 1);
    *ret_length = read_number(r, 2);
    return type == RECORD_HANDSHAKE && major == 3 && minor <= 4 && *ret_length > 0 &&
           *ret_length <= RECORD_MAX;
}

/* The message has to end where a record does: nothing may follow a ClientHello in its record. */
static enum hello_result find_message(struct str bytes, struct place *ret)
{
    struct reader r = {bytes, false};
    char head[MESSAGE_HEADER]; /* may lie in several records, too */
    size_t before = 0, length, want = 0;
    for (int i = 0; i < RECORDS; i++, before += length) {
        if (r.left.n < RECORD_HEADER)
            return HELLO_MORE;
        if (!read_header(&r, &length))
            return HELLO_BAD;
        size_t there = length < r.left.n ? length : r.left.n;
        for (size_t at = 0; at < there && before + at < sizeof head; at++)
            head[before + at] = r.left.p[at];
        if (before + there >= 1 && head[0] != MESSAGE_CLIENT_HELLO)
            return HELLO_BAD;
        if (before + there >= sizeof head) {
            struct reader h = {{head + 1, 3}, false};
            want = sizeof head + read_number(&h, 3);
            if (want > HELLO_MAX || before + length > want)
                return HELLO_BAD;
        }
        if (there < length)
            return HELLO_MORE;
        read_bytes(&r, length);
        if (before + length == want) {
            *ret = (struct place){bytes.n - r.left.n, want};
            return HELLO_ITEM;
        }
    }
    return HELLO_BAD;
}

static enum hello_result parse_records(struct str bytes, struct client_hello *h, size_t *ret_used)
{
    struct place place;
    enum hello_result found = find_message(bytes, &place);
    if (found != HELLO_ITEM)
        return found;

    char joined[HELLO_MAX];
    size_t n = 0;
    struct reader r = {{bytes.p, place.used}, false};
    while (r.left.n) {
        read_bytes(&r, RECORD_HEADER - 2);
        struct str part = read_vector(&r, 2).left;
        memcpy(joined + n, part.p, part.n);
        n += part.n;
    }
    *ret_used = place.used;
    struct str body = {joined + MESSAGE_HEADER, place.length - MESSAGE_HEADER};
    return read_message(body, h) ? HELLO_ITEM : HELLO_BAD;
}

/*
 * RFC 5246 E.2. Ciphers have three bytes: those of TLS begin with a zero, those of SSL 2.0 have
 * no place in our list.
 */
static enum hello_result parse_sslv2(struct str bytes, struct client_hello *h, size_t *ret_used)
{
    struct reader r = {bytes, false};
    size_t length = read_number(&r, 2) & 0x7fff;
    if (length > HELLO_MAX)
        return HELLO_BAD;
    if (length > r.left.n)
        return HELLO_MORE;
    r.left.n = length;
    read_bytes(&r, 1); /* type */
    h->sslv2 = true;
    h->legacy_version = (uint16_t)read_number(&r, 2);
    size_t cipher_bytes = read_number(&r, 2);
    size_t others = read_number(&r, 2);
    others += read_number(&r, 2); /* session id and challenge */
    struct reader ciphers = {read_bytes(&r, cipher_bytes), false};
    while (ciphers.left.n) {
        uint32_t cipher = read_number(&ciphers, 3);
        if (cipher <= 0xffff)
            keep(h, ciphers_of(h), cipher);
        else
            h->dropped++;
    }
    set_versions(h);
    *ret_used = 2 + length;
    return r.bad || ciphers.bad || others != r.left.n ? HELLO_BAD : HELLO_ITEM;
}

/* ---- what it begins with ---------------------------------------------------------------- */

static bool begins_record(const unsigned char *p, size_t n)
{
    return (n < 1 || p[0] == RECORD_HANDSHAKE) && (n < 2 || p[1] == 3) && (n < 3 || p[2] <= 4);
}

static bool begins_sslv2(const unsigned char *p, size_t n)
{
    return (n < 1 || p[0] & 0x80) && (n < 3 || p[2] == MESSAGE_CLIENT_HELLO) &&
           (n < 4 || p[3] == 3 || p[3] == 0) && (n < 5 || (p[3] == 3 ? p[4] <= 4 : p[4] == 2));
}

enum hello_result client_hello_begins(struct str bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    if (begins_record(p, bytes.n))
        return bytes.n < 3 ? HELLO_MORE : HELLO_ITEM;
    if (begins_sslv2(p, bytes.n))
        return bytes.n < 5 ? HELLO_MORE : HELLO_ITEM;
    return HELLO_BAD;
}

enum hello_result client_hello_parse(struct str bytes, struct client_hello *ret, size_t *ret_used)
{
    enum hello_result begins = client_hello_begins(bytes);
    if (begins != HELLO_ITEM)
        return begins;
    struct client_hello h = {0};
    size_t used = 0;
    enum hello_result result = bytes.p[0] == RECORD_HANDSHAKE ? parse_records(bytes, &h, &used)
                                                              : parse_sslv2(bytes, &h, &used);
    if (result == HELLO_ITEM) {
        *ret = h;
        *ret_used = used;
    }
    return result;
}
