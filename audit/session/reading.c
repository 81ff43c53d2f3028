/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/session/reading.h"

#include <sys/random.h>

static void closed(void *context, const struct closed_session *c)
{
    struct reading *r = context;
    if (r->since_us && c->last_us && c->last_us < r->since_us)
        return;
    log_listeners_add(&r->listeners, c->seen);
    r->closed(r->context, c);
}

int reading_open(struct reading *r, int64_t since_us,
                 void (*take)(void *context, const struct closed_session *c), void *context,
                 struct err *err)
{
    *r = (struct reading){.since_us = since_us, .closed = take, .context = context};
    if (getrandom(&r->key, sizeof r->key, 0) != sizeof r->key) {
        err_set(err, "the system gives no random numbers");
        return -1;
    }
    struct sessions_settings s = {.closed = closed, .context = r};
    r->names = names_new(&r->key, READING_NAMES_MAX);
    r->sessions = r->names ? sessions_new(r->names, &r->key, &s) : NULL;
    if (!r->sessions) {
        reading_close(r);
        err_set(err, "there is not enough memory");
        return -1;
    }
    return 0;
}

void reading_close(struct reading *r)
{
    sessions_free(r->sessions);
    names_free(r->names);
    r->sessions = NULL;
    r->names = NULL;
}

void reading_span(struct reading *r, int64_t wall_us)
{
    if (!wall_us)
        return;
    if (!r->first_us || wall_us < r->first_us)
        r->first_us = wall_us;
    if (wall_us > r->last_us)
        r->last_us = wall_us;
}

uint64_t reading_line(struct reading *r, const struct log_line *l, uint64_t position,
                      struct message *ret)
{
    r->lines++;
    reading_span(r, l->wall_us);
    if (!message_parse(l, ret))
        return 0;
    r->ours++;
    if (ret->kind != MESSAGE_NONE)
        return sessions_line(r->sessions, l, ret, position);
    r->unknown++;
    if (shape_matters(l->text))
        shapes_add(&r->shapes, l->text, r->lines);
    return 0;
}
