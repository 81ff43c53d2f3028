/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/input/entry.h"

#include "journal/json.h"

enum field {
    FIELD_MESSAGE,
    FIELD_IDENTIFIER,
    FIELD_SYSLOG_PID,
    FIELD_PID,
    FIELD_HOST,
    FIELD_TIME,
    FIELD_CURSOR,
    FIELDS
};

static const struct str names[FIELDS] = {
    [FIELD_MESSAGE] = STR("MESSAGE"),       [FIELD_IDENTIFIER] = STR("SYSLOG_IDENTIFIER"),
    [FIELD_SYSLOG_PID] = STR("SYSLOG_PID"), [FIELD_PID] = STR("_PID"),
    [FIELD_HOST] = STR("_HOSTNAME"),        [FIELD_TIME] = STR("__REALTIME_TIMESTAMP"),
    [FIELD_CURSOR] = STR("__CURSOR"),
};

/* "[99, 97, 102, 233]": what is not UTF-8 comes as numbers. */
static bool bytes_of_numbers(struct str raw, struct buf *room)
{
    struct str rest = {raw.p + 1, raw.n - 2}; /* the scanner has seen the brackets */
    while (rest.p) {
        uint64_t byte;
        if (!str_to_u64(str_trim(str_cut(&rest, ",")), UINT8_MAX, &byte))
            return false;
        buf_char(room, (char)byte);
    }
    return !room->full;
}

/* Empty if the field has another kind of value: null is one that was too large. */
static struct str text_of(const struct json_item *item, struct buf *room)
{
    size_t before = room->n;
    bool numbers = item->kind == JSON_IS_OTHER && item->raw.p[0] == '[';
    if (item->kind == JSON_IS_STRING && item->plain)
        return item->raw;
    if (item->kind == JSON_IS_STRING ? json_decode(item->raw, room)
                                     : numbers && bytes_of_numbers(item->raw, room))
        return (struct str){room->p + before, room->n - before};
    return (struct str){NULL, 0};
}

/* False: it is not an object to its end, or has no message, not even one that is null. */
static bool fields_of(struct str json, struct buf *room, struct str field[FIELDS])
{
    struct json_scan scan;
    struct json_item item;
    enum json_result r;
    bool message = false;
    json_scan_init(&scan, json);
    while ((r = json_next(&scan, &item)) == JSON_ITEM) {
        /* Only what is taken must not come twice; and an entry may have any number of fields. */
        scan.count = 0;
        for (int i = 0; i < FIELDS; i++) {
            if (str_eq(item.name, names[i])) {
                field[i] = text_of(&item, room);
                message = message || i == FIELD_MESSAGE;
            }
        }
    }
    return r == JSON_END && message;
}

static uint64_t number(struct str s, uint64_t max)
{
    uint64_t v;
    return str_to_u64(s, max, &v) ? v : 0;
}

void entry_of_line(struct stamps *t, struct str line, struct buf *room, struct entry *ret)
{
    struct str field[FIELDS] = {{NULL, 0}};
    struct log_line *l = &ret->line;
    room->n = 0;
    room->full = false;
    ret->cursor = (struct str){NULL, 0};
    if (line.n == 0 || line.p[0] != '{' || !fields_of(line, room, field)) {
        line_parse(t, line, l);
        return;
    }
    line_parse(t, field[FIELD_MESSAGE], l);
    if (l->pid == 0) { /* the ordinary case: the message is the text */
        uint64_t pid = number(field[FIELD_SYSLOG_PID], UINT32_MAX);
        l->pid = (uint32_t)(pid ? pid : number(field[FIELD_PID], UINT32_MAX));
        l->tag = field[FIELD_IDENTIFIER];
        l->host.n = 0;
    }
    if (l->host.n == 0)
        l->host = field[FIELD_HOST];
    uint64_t us = number(field[FIELD_TIME], INT64_MAX);
    if (us)
        l->wall_us = (int64_t)us;
    ret->cursor = field[FIELD_CURSOR];
}
