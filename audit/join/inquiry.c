/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/inquiry.h"

/* Who logs in is remembered by the hash that the journals would have for it. */
static void learn_user(struct inquiry *v, uint32_t user)
{
    char scratch[PRIVACY_TEXT_MAX];
    struct buf b = BUF(scratch);
    if (!v->hashing || user <= NAMES_MORE)
        return;
    struct str hash = privacy_user(v->hashing, names_text(v->reading.names, user), &b);
    if (!table_get(&v->users, hash.p, hash.n))
        table_put(&v->users, hash.p, hash.n, (void *)(uintptr_t)user);
}

static uint32_t user_of(void *context, struct str hash)
{
    struct inquiry *v = context;
    return (uint32_t)(uintptr_t)table_get(&v->users, hash.p, hash.n);
}

static void take_joined(void *context, const struct joined *j)
{
    struct inquiry *v = context;
    if (j->session.number == 0)
        log_listeners_add(&v->reading.listeners, j->session.seen);
    v->closed(v->context, j);
}

static void take_session(void *context, const struct closed_session *c)
{
    struct inquiry *v = context;
    if (v->join) {
        if (c->seen->flags & SEEN_AUTH)
            learn_user(v, c->seen->user);
        join_session(v->join, c);
        return;
    }
    struct joined alone = {.session = *c};
    v->closed(v->context, &alone);
}

int inquiry_open(struct inquiry *v, int64_t since_us,
                 void (*closed)(void *context, const struct joined *j), void *context,
                 struct err *err)
{
    *v = (struct inquiry){.closed = closed, .context = context};
    return reading_open(&v->reading, since_us, take_session, v, err);
}

void inquiry_close(struct inquiry *v)
{
    join_free(v->join);
    privacy_free(v->hashing);
    table_free(&v->users);
    arena_free(&v->arena);
    reading_close(&v->reading);
    v->join = NULL;
}

static void take_event(struct inquiry *v, const struct event *e, const struct journal_line *l,
                       inquiry_event *each)
{
    uint32_t account = 0;
    if (e->wall_us >= v->reading.since_us) {
        account = join_event(v->join, e);
        reading_span(&v->reading, e->wall_us);
        if (e->auth == TOLD_YES && e->user.n)
            learn_user(v, names_id(v->reading.names, e->user));
    }
    if (each)
        each(v->context, e, l, account);
}

int inquiry_journals(struct inquiry *v, const char *const *paths, unsigned count,
                     inquiry_event *each, struct err *err)
{
    struct join_settings settings = {take_joined, user_of, v};
    struct journal_line line;
    struct event event;
    table_init(&v->users, &v->arena, &v->reading.key);
    v->join = join_new(v->reading.names, &v->reading.key, &settings);
    if (!v->join)
        return err_set(err, "there is not enough memory");
    struct journals *j = journals_open(paths, count, err);
    if (!j)
        return -1;
    while (journals_next(j, &event, &line))
        take_event(v, &event, &line, each);
    journals_get(j, &v->journals);
    journals_free(j);
    return 0;
}

void inquiry_end(struct inquiry *v, void (*resolve)(void *arg), void *arg)
{
    sessions_end(v->reading.sessions);
    resolve(arg);
    if (!v->join)
        return;
    join_end(v->join, &v->reading.listeners);
    resolve(arg); /* listeners that only the journals tell of */
}
