/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { LISTENER_TOLD_MAX = 63 };

struct connection *connection_new(bool our_lists)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c)
        c->our_lists = our_lists;
    return c;
}

/* Nothing is left of a session before on the same connection. */
static void forget(struct connection *c)
{
    free(c->listener_told);
    free(c->helo);
    *c = (struct connection){.policy = c->policy, .our_lists = c->our_lists};
}

void connection_free(struct connection *c)
{
    if (!c)
        return;
    policy_unref(c->policy);
    forget(c);
    free(c);
}

static void client(struct connection *c, const struct sockaddr *sa)
{
    char text[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *in = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;
    if (sa && sa->sa_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        c->client_port = ntohs(in->sin_port);
    } else if (sa && sa->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        c->client_port = ntohs(in6->sin6_port);
    }
    addr_parse(str_of(text), &c->client);
}

static bool is_any(const struct addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->b, zero, sizeof zero) == 0;
}

/*
 * Where the client connected. Sendmail says {if_addr}, but not on loopback, and
 * {daemon_addr} is what it listens on, which may be every address.
 */
static void server(struct connection *c, const struct told *told)
{
    uint64_t port = 0;
    if (!addr_parse(macros_value(told, MACRO_IF_ADDR), &c->server))
        addr_parse(macros_value(told, MACRO_DAEMON_ADDR), &c->server);
    if (is_any(&c->server))
        c->server.bits = 0;
    str_to_u64(macros_value(told, MACRO_DAEMON_PORT), UINT16_MAX, &port);
    c->server_port = (uint16_t)port;
}

/* A lower-case s among "EE a s": upper-case letters are written twice. */
static bool has_modifier(struct str flags, char modifier)
{
    while (flags.p) {
        struct str word = str_cut(&flags, " ");
        if (word.n == 1 && word.p[0] == modifier)
            return true;
    }
    return false;
}

/* Sendmail says it with the daemon's flags, Postfix by having TLS already. */
static enum known tls_at_connect(const struct told *told)
{
    if (macros_know(told, MACRO_DAEMON_FLAGS) == KNOWN_NOTHING)
        return macros_know(told, MACRO_TLS_AT_CONNECT);
    return has_modifier(macros_value(told, MACRO_DAEMON_FLAGS), 's') ? KNOWN_VALUE : KNOWN_NO;
}

void connection_begins(struct connection *c, const struct sockaddr *sa, const struct told *told)
{
    struct str name = macros_value(told, MACRO_DAEMON_NAME);
    forget(c);
    c->mta = told->mta;
    client(c, sa);
    if (!sa || sa->sa_family != AF_UNIX) /* there Sendmail claims port 25 */
        server(c, told);
    c->tls_at_connect = (uint8_t)tls_at_connect(told);
    /* A Postfix that was told no name gives its host name, which is none. */
    if (name.n && name.n <= LISTENER_TOLD_MAX && !str_eq(name, macros_value(told, MACRO_HOST_NAME)))
        c->listener_told = strndup(name.p, name.n);
}

bool connection_helo(struct connection *c, const char *argument, const struct told *told)
{
    size_t n = strlen(argument);
    c->tls_at_helo = (uint8_t)macros_know(told, MACRO_TLS_AT_HELO);
    free(c->helo);
    c->helo = n <= HELO_MAX ? strdup(argument) : NULL;
    return c->helo != NULL;
}

void connection_software(struct connection *c, const struct software *software)
{
    struct buf version = {c->software_version, 0, sizeof c->software_version, false};
    c->software = software->info->id;
    buf_str(&version, software->version);
    buf_cstr(&version);
}
