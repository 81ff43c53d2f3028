/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/event.h"

#include <stddef.h>

#include "core/session_key.h"
#include "audit/dialect/stamp.h"
#include "journal/json.h"

/* ---- the tables ---------------------------------------------------------------------- */

static const struct {
    struct str name;
    enum event_kind kind;
} kinds[] = {
    {{"decision", 8}, EVENT_DECISION},          {{"finding", 7}, EVENT_FINDING},
    {{"software", 8}, EVENT_SOFTWARE},          {{"session", 7}, EVENT_SESSION},
    {{"auth_refused", 12}, EVENT_AUTH_REFUSED},
};

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_TOLD, FIELD_FINDINGS, FIELD_RAW };

static const struct field {
    struct str name;
    enum field_kind kind;
    size_t at;
} fields[] = {
#define FIELD(name, kind, member)                                                                  \
    {                                                                                              \
        {name, sizeof(name) - 1}, kind, offsetof(struct event, member)                             \
    }
    FIELD("host", FIELD_TEXT, host),
    FIELD("client_address", FIELD_TEXT, client_text),
    FIELD("client_port", FIELD_NUMBER, client_port),
    FIELD("server_port", FIELD_NUMBER, server_port),
    FIELD("listener", FIELD_TEXT, listener),
    FIELD("role", FIELD_TEXT, role),
    FIELD("protocol_state", FIELD_TEXT, stage),
    FIELD("queue_id", FIELD_TEXT, queue_id),
    FIELD("instance", FIELD_TEXT, instance),
    FIELD("mta_pid", FIELD_NUMBER, mta_pid),
    FIELD("helo_name", FIELD_TEXT, helo),
    FIELD("client_software", FIELD_TEXT, software),
    FIELD("client_version", FIELD_TEXT, software_version),
    FIELD("sasl_username", FIELD_TEXT, user),
    FIELD("sasl_method", FIELD_TEXT, mechanism),
    FIELD("tls", FIELD_TOLD, tls),
    FIELD("auth", FIELD_TOLD, auth),
    FIELD("encryption_protocol", FIELD_TEXT, tls_version),
    FIELD("encryption_cipher", FIELD_TEXT, cipher),
    FIELD("encryption_keysize", FIELD_NUMBER, bits),
    FIELD("action", FIELD_TEXT, action),
    FIELD("would", FIELD_TEXT, would),
    FIELD("findings", FIELD_FINDINGS, found),
    FIELD("likely", FIELD_FINDINGS, likely),
    FIELD("tls_mode", FIELD_TEXT, tls_mode),
    FIELD("first_bytes", FIELD_TEXT, first_bytes),
    FIELD("silent_ms", FIELD_NUMBER, silent_ms),
    FIELD("duration_ms", FIELD_NUMBER, duration_ms),
    FIELD("commands", FIELD_RAW, commands),
    FIELD("unknown_commands", FIELD_NUMBER, unknown_commands),
    FIELD("tls_offered", FIELD_RAW, offered),
    FIELD("tls_offered_highest", FIELD_TEXT, offered_highest),
    FIELD("tls_sni", FIELD_TEXT, tls_sni),
    FIELD("tls_alpn", FIELD_TEXT, tls_alpn),
    FIELD("ja4", FIELD_TEXT, ja4),
    FIELD("handshake", FIELD_TEXT, handshake),
    FIELD("alert", FIELD_NUMBER, alert),
    FIELD("ended", FIELD_TEXT, ended),
    FIELD("proxy_address", FIELD_TEXT, proxy),
#undef FIELD
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* "mailreeve-milter-2": a program's further sockets have a number. */
static bool source_of(struct str src, enum source *ret)
{
    static const struct str prefix = {"mailreeve-", 10};
    if (src.n <= prefix.n || memcmp(src.p, prefix.p, prefix.n) != 0)
        return false;
    struct str rest = {src.p + prefix.n, src.n - prefix.n}, name = str_cut(&rest, "-");
    for (int s = SOURCE_POLICYD; s < SOURCES; s++) {
        if (str_eq(name, str_of(source_names[s]))) {
            *ret = (enum source)s;
            return true;
        }
    }
    return false;
}

static enum event_kind kind_of(struct str event)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_eq(kinds[i].name, event))
            return kinds[i].kind;
    return EVENT_OTHER;
}

/* ---- values -------------------------------------------------------------------------- */

static finding_set findings_of(struct str raw)
{
    finding_set set = 0;
    struct str id;
    while (json_next_string(&raw, &id)) {
        enum finding f = finding_of(id);
        set |= f < FINDING_COUNT ? FINDING_BIT(f) : 0;
    }
    return set;
}

/* A text that holds escapes is decoded into the parser's memory, which is as long as a line. */
static struct str text_of(const struct json_item *item, struct buf *room)
{
    if (item->plain)
        return item->raw;
    size_t at = room->n;
    return json_decode(item->raw, room) ? (struct str){room->p + at, room->n - at}
                                        : (struct str){NULL, 0};
}

static void take_field(const struct field *f, const struct json_item *item, struct buf *room,
                       struct event *ret)
{
    void *to = (char *)ret + f->at;
    switch (f->kind) {
    case FIELD_TEXT:
        if (item->kind == JSON_IS_STRING)
            *(struct str *)to = text_of(item, room);
        break;
    case FIELD_NUMBER:
        if (item->kind == JSON_IS_INTEGER && item->integer >= 0)
            *(int64_t *)to = item->integer;
        break;
    case FIELD_TOLD:
        if (item->kind == JSON_IS_BOOL)
            *(enum told *)to = item->boolean ? TOLD_YES : TOLD_NO;
        break;
    case FIELD_FINDINGS:
        if (item->kind == JSON_IS_STRINGS)
            *(finding_set *)to = findings_of(item->raw);
        break;
    case FIELD_RAW:
        if (item->kind == JSON_IS_STRINGS)
            *(struct str *)to = item->raw;
        break;
    }
}

uint64_t event_key(struct str hex)
{
    uint64_t key = 0;
    if (hex.n != 16)
        return 0;
    for (size_t i = 0; i < hex.n; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *at = memchr(digits, hex.p[i], 16);
        if (!at)
            return 0;
        key = key << 4 | (uint64_t)(at - digits);
    }
    return key;
}

/* A port that is none, or a process that is none, was not told. */
static void check(struct event *e)
{
    if (e->client_port > UINT16_MAX)
        e->client_port = 0;
    if (e->server_port > UINT16_MAX)
        e->server_port = 0;
    if (e->mta_pid > UINT32_MAX)
        e->mta_pid = 0;
    if (e->bits > UINT16_MAX)
        e->bits = 0;
    e->likely &= e->found;
}

uint32_t event_pid(const struct event *e)
{
    return e->mta_pid ? (uint32_t)e->mta_pid : instance_pid(e->instance);
}

/* Names of one length mostly differ at their end. */
static bool is_name(struct str a, struct str b)
{
    return a.n == b.n && a.p[a.n - 1] == b.p[b.n - 1] && memcmp(a.p, b.p, b.n) == 0;
}

void event_parser_init(struct event_parser *p)
{
    stamps_init(&p->stamps, 0);
}

bool event_parse(struct event_parser *p, const struct journal_line *l, struct event *ret)
{
    struct json_scan scan;
    struct json_item item;
    struct buf room = BUF(p->text);
    struct str ts = l->ts;
    enum event_kind kind = kind_of(l->event);
    *ret = (struct event){.kind = EVENT_OTHER};
    if (kind == EVENT_OTHER || !source_of(l->src, &ret->source) ||
        !take_stamp(&p->stamps, &ts, &ret->wall_us) || ret->wall_us == 0)
        return false;
    json_scan_init(&scan, l->text);
    while (json_next(&scan, &item) == JSON_ITEM)
        for (size_t i = 0; i < FIELDS; i++)
            if (is_name(item.name, fields[i].name))
                take_field(&fields[i], &item, &room, ret);
    ret->kind = kind;
    ret->key = event_key(l->key);
    addr_parse(ret->client_text, &ret->client);
    check(ret);
    if (kind == EVENT_SESSION)
        ret->begun_us =
            ret->wall_us - (ret->duration_ms < INT64_C(1) << 40 ? ret->duration_ms : 0) * 1000;
    return true;
}
