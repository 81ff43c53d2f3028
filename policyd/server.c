/* SPDX-License-Identifier: Apache-2.0 */
#include "policyd/server.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/now.h"

enum {
    SWEEP_S = 1,
    UNFINISHED_S = 60, /* for a request that was begun, and for a reply not read */
    SILENT_S = 10,     /* for a connection that never asked, when there is no room for others */
    IDLE_S = 3600,     /* Postfix ends its own after 1,000 s (max_ttl) */
    FIRST_KEEP = 4096, /* first size of the buffer for an unfinished request */
};

/* One connection; kept small, since thousands of them are mostly idle. */
struct conn {
    struct event event;
    TAILQ_ENTRY(conn) link;
    struct server *server;
    const struct listening *from;
    char *in;                        /* an unfinished request; NULL: none */
    char *out;                       /* replies that the peer has not taken yet; NULL: none */
    uint32_t in_n, in_cap, searched; /* before `searched` there is no end of a request */
    uint32_t out_n;
    uint32_t since; /* seconds, monotonic: last progress */
    bool asked;     /* a whole request came at least once */
};

struct acceptor {
    struct event event;
    struct server *server;
    struct listening *listening;
};

struct server {
    struct event_base *base;
    struct event sweep;
    TAILQ_HEAD(, conn) conns;
    answer_fn *answer;
    void *context;
    struct failures *failures;
    struct server_counters counters;
    uint64_t max_open;
    bool paused; /* not accepting: max_open is reached */
    int acceptor_count;
    struct acceptor acceptors[SOCKETS_MAX];
    /* Used within one turn of the loop only. */
    char in[REQUEST_MAX + 1];
    char out[64 * REPLY_MAX];
};

static void on_ready(evutil_socket_t fd, short what, void *arg);

static uint32_t seconds(const struct now *now)
{
    return (uint32_t)(now->mono_us / US_PER_S);
}

/* ---- accepting ---------------------------------------------------------- */

static void accept_pause(struct server *s, const struct now *now, const char *detail)
{
    if (s->paused)
        return;
    s->paused = true;
    failure(s->failures, FAILURE_DESCRIPTORS, now, "policy service", detail);
    for (int i = 0; i < s->acceptor_count; i++)
        event_del(&s->acceptors[i].event);
}

static void accept_resume(struct server *s)
{
    if (!s->paused || s->counters.open >= s->max_open)
        return;
    s->paused = false;
    for (int i = 0; i < s->acceptor_count; i++)
        event_add(&s->acceptors[i].event, NULL);
}

static void conn_close(struct conn *c)
{
    struct server *s = c->server;
    event_del(&c->event);
    close(event_get_fd(&c->event));
    TAILQ_REMOVE(&s->conns, c, link);
    free(c->in);
    free(c->out);
    free(c);
    s->counters.open--;
    accept_resume(s);
}

static void conn_open(struct server *s, int fd, const struct listening *from, const struct now *now)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c || event_assign(&c->event, s->base, fd, EV_READ | EV_PERSIST, on_ready, c) != 0 ||
        event_add(&c->event, NULL) != 0) {
        failure(s->failures, FAILURE_MEMORY, now, from->name, "a connection was not taken");
        free(c);
        close(fd);
        return;
    }
    c->server = s;
    c->from = from;
    c->since = seconds(now);
    TAILQ_INSERT_TAIL(&s->conns, c, link);
    s->counters.open++;
    s->counters.accepted++;
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    struct acceptor *a = arg;
    struct server *s = a->server;
    struct now now = clock_now();
    (void)what;
    while (s->counters.open < s->max_open) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            conn_open(s, fd, a->listening, &now);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_pause(s, &now, strerror(errno));
            return;
        } /* else the peer went away in the meantime: take the next */
    }
    accept_pause(s, &now, "the limit of open files is reached");
}

/* ---- replies ------------------------------------------------------------ */

/*
 * Sends what is in `out`. What the peer does not take now is kept, and nothing
 * more is read from it until it has. False: the connection is gone.
 */
static bool conn_send(struct conn *c, const struct buf *out, const struct now *now)
{
    size_t sent = 0;
    while (sent < out->n) {
        ssize_t n = send(event_get_fd(&c->event), out->p + sent, out->n - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR) {
            conn_close(c);
            return false;
        }
    }
    if (sent == out->n)
        return true;
    c->out_n = (uint32_t)(out->n - sent);
    c->out = malloc(c->out_n);
    if (!c->out) {
        failure(c->server->failures, FAILURE_MEMORY, now, c->from->name, "a reply was not kept");
        conn_close(c);
        return false;
    }
    memcpy(c->out, out->p + sent, c->out_n);
    event_del(&c->event);
    event_assign(&c->event, c->server->base, event_get_fd(&c->event), EV_WRITE | EV_PERSIST,
                 on_ready, c);
    event_add(&c->event, NULL);
    return true;
}

/* ---- requests ----------------------------------------------------------- */

/* Keeps the unfinished request at the end of what was read. False: connection closed. */
static bool conn_keep(struct conn *c, struct str rest, const struct now *now)
{
    if (rest.n == 0) {
        free(c->in);
        c->in = NULL;
        c->in_n = c->in_cap = c->searched = 0;
        return true;
    }
    if (rest.n >= c->in_cap) {
        uint32_t cap = c->in_cap ? c->in_cap : FIRST_KEEP;
        while (cap <= rest.n)
            cap *= 2;
        /* `rest` may lie in the old buffer */
        char *in = malloc(cap);
        if (!in) {
            failure(c->server->failures, FAILURE_MEMORY, now, c->from->name,
                    "a request was not kept");
            conn_close(c);
            return false;
        }
        memcpy(in, rest.p, rest.n);
        free(c->in);
        c->in = in;
        c->in_cap = cap;
    } else {
        memmove(c->in, rest.p, rest.n);
    }
    c->in_n = (uint32_t)rest.n;
    return true;
}

/*
 * Answers the whole requests in `in` until there are no more or the peer does
 * not take the replies. What is left over is kept.
 */
static bool conn_serve(struct conn *c, struct str in, const struct now *now)
{
    struct server *s = c->server;
    struct buf out = BUF(s->out);
    while (in.n && !c->out) {
        struct request r;
        size_t used;
        const char *why;
        enum parsed parsed = request_parse(in, &r, &used, &why);
        if (parsed == PARSED_MORE)
            break;
        if (parsed == PARSED_BAD) {
            if (conn_send(c, &out, now)) {
                failure(s->failures, FAILURE_REQUEST_NOT_UNDERSTOOD, now, c->from->name, why);
                conn_close(c);
            }
            return false;
        }
        c->asked = true;
        s->counters.requests++;
        s->counters.duplicate_attributes += r.duplicates;
        struct buf reply = {out.p + out.n, 0, REPLY_MAX, false};
        s->answer(s->context, &r, str_of(c->from->listener), now, &reply);
        out.n += reply.n;
        in = (struct str){in.p + used, in.n - used};
        c->searched = 0;
        if (out.cap - out.n < REPLY_MAX) {
            if (!conn_send(c, &out, now))
                return false;
            out.n = 0;
        }
    }
    return (out.n == 0 || c->out || conn_send(c, &out, now)) && conn_keep(c, in, now);
}

/* True once the empty line that ends a request may be there; avoids parsing a slow one again
 * with each byte. */
static bool may_be_whole(struct conn *c)
{
    uint32_t from = c->searched ? c->searched - 1 : 0;
    c->searched = c->in_n;
    return c->in_n >= REQUEST_MAX || memmem(c->in + from, c->in_n - from, "\n\n", 2) ||
           c->in[0] == '\n';
}

static void conn_read(struct conn *c, const struct now *now)
{
    struct server *s = c->server;
    if (c->in && c->in_n + 1 >= c->in_cap && !conn_keep(c, (struct str){c->in, c->in_n}, now))
        return;
    char *to = c->in ? c->in + c->in_n : s->in;
    size_t room = c->in ? c->in_cap - c->in_n : sizeof s->in;
    ssize_t n = recv(event_get_fd(&c->event), to, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        if (c->in_n)
            failure(s->failures, FAILURE_REQUEST_UNFINISHED, now, c->from->name,
                    "the peer closed the connection in the middle of it");
        conn_close(c);
        return;
    }
    c->since = seconds(now);
    if (!c->in) {
        conn_serve(c, (struct str){s->in, (size_t)n}, now);
        return;
    }
    c->in_n += (uint32_t)n;
    if (may_be_whole(c))
        conn_serve(c, (struct str){c->in, c->in_n}, now);
}

/* The peer takes more of a reply; when it has all, its next requests are looked at. */
static void conn_write(struct conn *c, const struct now *now)
{
    struct buf out = {c->out, c->out_n, c->out_n, false};
    char *kept = c->out;
    c->out = NULL;
    bool alive = conn_send(c, &out, now);
    free(kept);
    if (!alive)
        return;
    c->since = seconds(now);
    if (c->out)
        return;
    event_del(&c->event);
    event_assign(&c->event, c->server->base, event_get_fd(&c->event), EV_READ | EV_PERSIST,
                 on_ready, c);
    event_add(&c->event, NULL);
    if (c->in_n)
        conn_serve(c, (struct str){c->in, c->in_n}, now);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct now now = clock_now();
    (void)fd;
    if (what & EV_WRITE)
        conn_write(arg, &now);
    else
        conn_read(arg, &now);
}

/* ---- connections that do not get on -------------------------------------- */

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    struct now now = clock_now();
    struct conn *c, *next;
    bool crowded = s->paused; /* the first that is closed makes room */
    (void)fd;
    (void)what;
    for (c = TAILQ_FIRST(&s->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        uint32_t quiet = seconds(&now) - c->since;
        if (c->out && quiet >= UNFINISHED_S)
            failure(s->failures, FAILURE_PEER_DOES_NOT_READ, &now, c->from->name,
                    "it waited for a minute");
        else if (!c->out && c->in && quiet >= UNFINISHED_S)
            failure(s->failures, FAILURE_REQUEST_UNFINISHED, &now, c->from->name,
                    "the rest did not come for a minute");
        else if (quiet < IDLE_S && !(crowded && !c->asked && quiet >= SILENT_S))
            continue;
        conn_close(c);
    }
    accept_resume(s); /* what was short may be there again */
}

/* ---- the whole ----------------------------------------------------------- */

struct server *server_new(struct event_base *base, struct listening *list, int count,
                          uint64_t max_open, answer_fn *answer, void *context,
                          struct failures *failures)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    TAILQ_INIT(&s->conns);
    s->base = base;
    s->answer = answer;
    s->context = context;
    s->failures = failures;
    s->max_open = max_open;
    for (; s->acceptor_count < count; s->acceptor_count++) {
        struct acceptor *a = &s->acceptors[s->acceptor_count];
        *a = (struct acceptor){.server = s, .listening = &list[s->acceptor_count]};
        event_assign(&a->event, base, a->listening->fd, EV_READ | EV_PERSIST, on_accept, a);
        event_add(&a->event, NULL);
    }
    event_assign(&s->sweep, base, -1, EV_PERSIST, on_sweep, s);
    event_add(&s->sweep, &(struct timeval){.tv_sec = SWEEP_S});
    return s;
}

const struct server_counters *server_counters(const struct server *s)
{
    return &s->counters;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    s->paused = false; /* nothing is to be accepted again */
    for (int i = 0; i < s->acceptor_count; i++)
        event_del(&s->acceptors[i].event);
    event_del(&s->sweep);
    while (!TAILQ_EMPTY(&s->conns))
        conn_close(TAILQ_FIRST(&s->conns));
    free(s);
}
