/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-policyd: answers Postfix's SMTPD policy requests. */
#include <signal.h>

#include "edge/life.h"
#include "edge/log.h"
#include "policyd/server.h"
#include "policyd/service.h"

#include <openssl/rand.h>

struct policyd {
    struct life life;
    struct listening sockets[SOCKETS_MAX];
    int socket_count;
    struct service service;
    struct server *server;
};

static struct policyd *policyd_of(struct life *l)
{
    return (struct policyd *)l; /* its first member */
}

static int open_sockets(struct life *l, struct err *e)
{
    struct policyd *d = policyd_of(l);
    d->socket_count = sock_from_systemd(d->sockets, e);
    if (d->socket_count == 0)
        d->socket_count = sock_listen_all(&l->daemon.config->policyd, d->sockets, e);
    if (d->socket_count == 0)
        return err_set(e, "there is no socket to listen on; see policyd.listen");
    return d->socket_count < 0 ? -1 : 0;
}

static int begin(struct life *l, struct err *e)
{
    struct policyd *d = policyd_of(l);
    struct sipkey key;
    if (RAND_bytes((unsigned char *)&key, sizeof key) != 1)
        return err_set(e, "OpenSSL has no random bytes");
    d->service = (struct service){.life = l, .transactions = transactions_new(&key)};
    if (d->service.transactions)
        d->server = server_new(l->base, d->sockets, d->socket_count, l->files - LIFE_DESCRIPTORS,
                               service_answer, &d->service, &l->failures);
    if (!d->server)
        return err_set(e, "memory is short");
    for (int i = 0; i < d->socket_count; i++)
        log_info("listening on %s", d->sockets[i].name);
    return 0;
}

static size_t count(struct life *l, struct status_counter *list, size_t room)
{
    struct policyd *d = policyd_of(l);
    const struct server_counters *c = server_counters(d->server);
    const struct status_counter own[] = {
        {"connections-open", c->open},
        {"connections-accepted", c->accepted},
        {"requests", c->requests},
        {"requests-repeated", d->service.repeated},
        {"duplicate-attributes", c->duplicate_attributes},
    };
    size_t n = sizeof own / sizeof *own;
    memcpy(list, own, sizeof own);
    return n <= room ? n : 0;
}

static unsigned removes(struct life *l, const char **ret)
{
    return sock_files(policyd_of(l)->sockets, policyd_of(l)->socket_count, ret);
}

static void end(struct life *l)
{
    struct policyd *d = policyd_of(l);
    server_free(d->server);
    sock_close_all(d->sockets, d->socket_count);
    transactions_free(d->service.transactions);
}

int main(int argc, char **argv)
{
    static const struct sentence_part sentence[] = {
        {"connection", "connections", "connections-open"},
        {"request", "requests", "requests"},
        {"refused", "refused", "*-rejected"},
        {"put off", "put off", "*-deferred"},
        {0},
    };
    static const struct life_of of = {
        .sandbox = SANDBOX_POLICYD,
        .sentence = sentence,
        .open = open_sockets,
        .removes = removes,
        .begin = begin,
        .count = count,
        .end = end,
    };
    static struct policyd d = {
        .life = {.daemon = {.program = "mailreeve-policyd", .reload_signal = SIGHUP}, .of = &of},
    };
    return life_run(&d.life, argc, argv);
}
