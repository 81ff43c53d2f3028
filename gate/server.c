/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/now.h"
#include "edge/log.h"

enum { EVENTS = 64, QUIET_S = 60, PAUSE_MS = 1000 };

/* Why a connection was closed, or none accepted. */
enum trouble {
    TROUBLE_WRONG_SERVICE,
    TROUBLE_BAD,
    TROUBLE_UNREAD,
    TROUBLE_MEMORY,
    TROUBLE_FULL,
    TROUBLE_COUNT
};

static const struct {
    const char *what, *consequence;
} troubles[TROUBLE_COUNT] = {
    [TROUBLE_WRONG_SERVICE] =
        {"an AUTH for another service than " GATE_SERVICE,
         "connection closed, so that the client is told to try again and keeps its mail; correct "
         "the "
         "smtpd_sasl_path of that port, or give port 25 -o smtpd_sasl_service=" GATE_SERVICE},
    [TROUBLE_BAD] = {"what was said is not understood", "connection closed"},
    [TROUBLE_UNREAD] = {"a peer does not read its answers", "connection closed"},
    [TROUBLE_MEMORY] = {"memory is short", "connection closed"},
    [TROUBLE_FULL] = {"as many connections as this process may have",
                      "new ones wait until others end; raise LimitNOFILE"},
};

struct conn {
    int fd;
    uint32_t in_n, out_n;
    char *in;  /* the beginning of a line, AUTH_LINE_MAX of room; NULL: none */
    char *out; /* what the peer has not read, GATE_OUT_MAX of room; NULL: none */
    struct conn *next, **prev;
    struct dialogue dialogue;
};

struct gate_server {
    struct gate_server_options o;
    int epoll;
    struct conn *conns;
    uint64_t open;
    uint32_t accepted;
    bool paused, stop;
    struct {
        int64_t next_us; /* monotonic: not logged again before */
        uint64_t quiet;  /* how many were not logged since */
    } said[TROUBLE_COUNT];
    char in[2 * AUTH_LINE_MAX]; /* within one turn of the loop */
};

/* ---- troubles ------------------------------------------------------------------- */

static void complain(struct gate_server *s, enum trouble t, const char *detail)
{
    int64_t now = clock_us(CLOCK_MONOTONIC);
    if (now < s->said[t].next_us) {
        s->said[t].quiet++;
        return;
    }
    log_warn("%s%s%s; %s (%llu more since the last such line)", troubles[t].what,
             *detail ? ": " : "", detail, troubles[t].consequence,
             (unsigned long long)s->said[t].quiet);
    s->said[t].next_us = now + QUIET_S * US_PER_S;
    s->said[t].quiet = 0;
}

/* ---- connections ---------------------------------------------------------------- */

/* What is looked for on a descriptor; 0 for nothing, to be changed later. */
static int watch(struct gate_server *s, int how, int fd, uint32_t events, void *what)
{
    struct epoll_event e = {.events = events, .data.ptr = what};
    return epoll_ctl(s->epoll, how, fd, &e);
}

static void pause_accepting(struct gate_server *s, bool pause)
{
    if (s->paused == pause)
        return;
    s->paused = pause;
    watch(s, EPOLL_CTL_MOD, s->o.listening, pause ? 0 : EPOLLIN, &s->o.listening);
}

static void drop_memory(char **p, size_t n)
{
    if (*p)
        explicit_bzero(*p, n);
    free(*p);
    *p = NULL;
}

static void conn_close(struct gate_server *s, struct conn *c)
{
    close(c->fd);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    drop_memory(&c->in, AUTH_LINE_MAX);
    free(c->out);
    free(c);
    s->open--;
    pause_accepting(s, false);
}

static bool conn_drop(struct gate_server *s, struct conn *c, enum trouble t, const char *detail)
{
    complain(s, t, detail);
    conn_close(s, c);
    return false;
}

/* ---- what is said ------------------------------------------------------------------ */

/*
 * Sends it, or keeps what the peer does not take now. False: the connection is gone.
 */
static bool conn_send(struct gate_server *s, struct conn *c, struct str text)
{
    while (!c->out && text.n) {
        ssize_t n = send(c->fd, text.p, text.n, MSG_NOSIGNAL);
        if (n >= 0) {
            text = (struct str){text.p + n, text.n - (size_t)n};
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            conn_close(s, c);
            return false;
        }
    }
    if (text.n == 0)
        return true;
    if (c->out_n + text.n > GATE_OUT_MAX)
        return conn_drop(s, c, TROUBLE_UNREAD, "");
    if (!c->out) {
        c->out = malloc(GATE_OUT_MAX);
        if (!c->out)
            return conn_drop(s, c, TROUBLE_MEMORY, "");
        watch(s, EPOLL_CTL_MOD, c->fd, EPOLLOUT, c); /* it is not heard until it has read this */
    }
    memcpy(c->out + c->out_n, text.p, text.n);
    c->out_n += (uint32_t)text.n;
    return true;
}

/* The peer reads on. */
static void conn_write(struct gate_server *s, struct conn *c)
{
    ssize_t n = send(c->fd, c->out, c->out_n, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n < 0) {
        conn_close(s, c);
        return;
    }
    c->out_n -= (uint32_t)n;
    memmove(c->out, c->out + n, c->out_n);
    if (c->out_n)
        return;
    free(c->out);
    c->out = NULL;
    watch(s, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}

/* First the answer, then the record. False: the connection is gone. */
static bool conn_answer(struct gate_server *s, struct conn *c, const struct auth_command *command)
{
    char text[GATE_REPLY_MAX];
    struct buf reply = BUF(text);
    struct attempt a;
    const char *why = "";
    switch (dialogue_answer(&c->dialogue, command, s->o.text, &reply, &a, &why)) {
    case DIALOGUE_SILENT: return true;
    case DIALOGUE_ASKED: return conn_send(s, c, buf_view(&reply));
    case DIALOGUE_WRONG_SERVICE: return conn_drop(s, c, TROUBLE_WRONG_SERVICE, "");
    case DIALOGUE_BAD: return conn_drop(s, c, TROUBLE_BAD, why);
    case DIALOGUE_REFUSED: break;
    }
    bool alive = conn_send(s, c, buf_view(&reply));
    if (alive)
        s->o.refused(s->o.context, &a);
    explicit_bzero(&a, sizeof a);
    return alive;
}

/* ---- what is heard ------------------------------------------------------------------- */

/* Answers the lines in `in`, which is in s->in, and keeps the beginning of the next. */
static void conn_serve(struct gate_server *s, struct conn *c, struct str in)
{
    for (;;) {
        struct auth_command command;
        const char *why;
        size_t used;
        enum auth_parsed parsed = auth_parse(in, &command, &used, &why);
        if (parsed == AUTH_MORE)
            break;
        if (parsed == AUTH_BAD) {
            conn_drop(s, c, TROUBLE_BAD, why);
            return;
        }
        if (!conn_answer(s, c, &command))
            return;
        in = (struct str){in.p + used, in.n - used};
    }
    c->in_n = (uint32_t)in.n;
    if (in.n == 0)
        return;
    c->in = malloc(AUTH_LINE_MAX);
    if (c->in)
        memcpy(c->in, in.p, in.n);
    else
        conn_drop(s, c, TROUBLE_MEMORY, "");
}

static void conn_read(struct gate_server *s, struct conn *c)
{
    size_t begun = c->in_n;
    ssize_t n = recv(c->fd, s->in + begun, sizeof s->in - begun, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(s, c);
        return;
    }
    if (begun)
        memcpy(s->in, c->in, begun);
    drop_memory(&c->in, AUTH_LINE_MAX);
    c->in_n = 0;
    size_t all = begun + (size_t)n;
    conn_serve(s, c, (struct str){s->in, all});
    explicit_bzero(s->in, all);
}

/* ---- accepting ------------------------------------------------------------------------- */

static void conn_open(struct gate_server *s, int fd)
{
    char text[GATE_HELLO_MAX];
    struct buf hello = BUF(text);
    struct conn *c = calloc(1, sizeof *c);
    if (!c || watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, c) != 0) {
        complain(s, TROUBLE_MEMORY, "");
        free(c);
        close(fd);
        return;
    }
    c->fd = fd;
    c->next = s->conns;
    c->prev = &s->conns;
    if (c->next)
        c->next->prev = &c->next;
    s->conns = c;
    s->open++;
    dialogue_hello(&hello, (uint32_t)getpid(), ++s->accepted);
    conn_send(s, c, buf_view(&hello));
}

static void accept_all(struct gate_server *s)
{
    while (s->open < s->o.max_open) {
        int fd = accept4(s->o.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_open(s, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            complain(s, TROUBLE_FULL, strerrordesc_np(errno));
            pause_accepting(s, true);
            return;
        } /* else the peer went away in the meantime: take the next */
    }
    complain(s, TROUBLE_FULL, "");
    pause_accepting(s, true);
}

/* ---- the loop ---------------------------------------------------------------------------- */

struct gate_server *gate_server_new(const struct gate_server_options *o, struct err *e)
{
    struct gate_server *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(e, "memory is short");
        return NULL;
    }
    s->o = *o;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll >= 0 && watch(s, EPOLL_CTL_ADD, o->listening, EPOLLIN, &s->o.listening) == 0 &&
        watch(s, EPOLL_CTL_ADD, o->signals, EPOLLIN, &s->o.signals) == 0)
        return s;
    err_set(e, "epoll: %s", strerrordesc_np(errno));
    gate_server_free(s);
    return NULL;
}

/* A connection is closed by its own event only, so none of one turn is gone when its turn comes. */
static void turn(struct gate_server *s, const struct epoll_event *e)
{
    struct conn *c = e->data.ptr;
    if (e->data.ptr == &s->o.signals)
        s->stop = true;
    else if (e->data.ptr == &s->o.listening)
        accept_all(s);
    else if (c->out)
        conn_write(s, c);
    else
        conn_read(s, c);
}

void gate_server_run(struct gate_server *s)
{
    struct epoll_event events[EVENTS];
    while (!s->stop) {
        int wait_ms = s->o.turned(s->o.context, s->open);
        /* While nobody is accepted: what the system lacked may be there again. */
        if (s->paused && (wait_ms < 0 || wait_ms > PAUSE_MS))
            wait_ms = PAUSE_MS;
        int n = epoll_wait(s->epoll, events, EVENTS, wait_ms);
        for (int i = 0; i < n; i++)
            turn(s, &events[i]);
        if (n == 0 && s->open < s->o.max_open)
            pause_accepting(s, false);
    }
}

void gate_server_free(struct gate_server *s)
{
    if (!s)
        return;
    while (s->conns)
        conn_close(s, s->conns);
    if (s->epoll >= 0)
        close(s->epoll);
    free(s);
}
