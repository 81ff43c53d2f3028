/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MAX = 65535 };

const char *const srv_labels[SRV_SERVICES] = {"_submissions._tcp", "_submission._tcp"};

/* ---- parsing ------------------------------------------------------------------- */

/* A name may hold any byte (RFC 2181 11); a host name does not. */
static void set_target(char to[256], const char *name)
{
    size_t n = strlen(name);
    if (n && name[n - 1] == '.')
        n--;
    n = n < 255 ? n : 255;
    for (size_t i = 0; i < n; i++)
        to[i] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
    to[n] = '\0';
}

static void add_record(struct srv_seen *s, struct srv_record record)
{
    if (s->count == SRV_RECORDS) {
        s->dropped++;
        return;
    }
    unsigned at = s->count++;
    for (; at > 0; at--) { /* the lowest priority first, then the largest weight */
        const struct srv_record *before = &s->records[at - 1];
        if (before->priority < record.priority ||
            (before->priority == record.priority && before->weight >= record.weight))
            break;
        s->records[at] = *before;
    }
    s->records[at] = record;
}

static bool parse_srv(const unsigned char *p, size_t n, const ns_rr *rr, struct srv_seen *ret)
{
    struct srv_record record = {.leads = SRV_UNKNOWN};
    const unsigned char *data = ns_rr_rdata(*rr);
    char name[NS_MAXDNAME];
    if (ns_rr_rdlen(*rr) < 7 || dn_expand(p, p + n, data + 6, name, sizeof name) < 0)
        return false;
    record.priority = (uint16_t)ns_get16(data);
    record.weight = (uint16_t)ns_get16(data + 2);
    record.port = (uint16_t)ns_get16(data + 4);
    set_target(record.target, name);
    if (!*record.target)
        record.leads = SRV_NOT_OFFERED;
    add_record(ret, record);
    return true;
}

static bool parse_address(const ns_rr *rr, struct addresses *ret)
{
    bool v6 = ns_rr_type(*rr) == ns_t_aaaa;
    if (ns_rr_rdlen(*rr) != (v6 ? 16 : 4))
        return false;
    if (ret->count == ADDRESSES_MAX)
        ret->dropped++;
    else
        inet_ntop(v6 ? AF_INET6 : AF_INET, ns_rr_rdata(*rr), ret->text[ret->count++],
                  sizeof ret->text[0]);
    return true;
}

/* Every record of the answer section, to the list that is given. */
static bool parse(const unsigned char *p, size_t n, struct srv_seen *srv, struct addresses *list)
{
    ns_msg message;
    if (n > ANSWER_MAX || ns_initparse(p, (int)n, &message) < 0)
        return false;
    for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&message, ns_s_an, i, &rr) < 0)
            return false;
        ns_type type = ns_rr_type(rr);
        if (ns_rr_class(rr) != ns_c_in)
            continue;
        if (srv && type == ns_t_srv && !parse_srv(p, n, &rr, srv))
            return false;
        if (list && (type == ns_t_a || type == ns_t_aaaa) && !parse_address(&rr, list))
            return false;
    }
    return true;
}

bool dns_parse_srv(const unsigned char *p, size_t n, struct srv_seen *ret)
{
    return parse(p, n, ret, NULL);
}

bool dns_parse_addresses(const unsigned char *p, size_t n, struct addresses *ret)
{
    return parse(p, n, NULL, ret);
}

/* ---- asking ------------------------------------------------------------------------ */

bool resolver_parse(const char *text, struct resolver *ret)
{
    struct str all = str_of(text), host = all, port = {NULL, 0};
    uint64_t number = 53;
    if (all.n && all.p[0] == '[') {
        struct str rest = {all.p + 1, all.n - 1};
        host = str_cut(&rest, "]");
        if (!rest.p || (rest.n && rest.p[0] != ':'))
            return false;
        if (rest.n)
            port = (struct str){rest.p + 1, rest.n - 1};
    } else if (memchr(all.p, ':', all.n) &&
               !memchr(strchr(text, ':') + 1, ':', strlen(strchr(text, ':') + 1))) {
        struct str rest = all;
        host = str_cut(&rest, ":");
        port = rest;
    }
    char address[64];
    if (host.n >= sizeof address || (port.p && !str_to_u64(port, UINT16_MAX, &number)) || !number)
        return false;
    snprintf(address, sizeof address, "%.*s", STR_ARG(host));
    ret->given = endpoint_of(address, (uint16_t)number, &ret->server);
    return ret->given;
}

/* One server in place of those of resolv.conf. glibc keeps IPv6 ones beside the list. */
static bool use_server(res_state state, const union endpoint *server)
{
    state->nscount = 1;
    if (server->any.sa_family == AF_INET) {
        state->nsaddr_list[0] = server->in4;
        return true;
    }
    struct sockaddr_in6 *copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    *copy = server->in6;
    state->nsaddr_list[0].sin_family = 0;
    free(state->_u._ext.nsaddrs[0]);
    state->_u._ext.nsaddrs[0] = copy;
    state->_u._ext.nscount = 1;
    return true;
}

/* How many bytes of answer; 0: there is none; -1: it is not known, and why. */
static int ask(const struct resolver *r, const char *name, ns_type type,
               unsigned char answer[ANSWER_MAX], char why[SAID])
{
    struct __res_state state = {0};
    if (res_ninit(&state) < 0) {
        snprintf(why, SAID, "the resolver cannot be used");
        return -1;
    }
    state.retry = 2; /* the second time it waits twice as long */
    state.retrans = r->seconds > 3 ? (int)r->seconds / 3 : 1;
    int n = -1, error = NO_RECOVERY;
    if (!r->given || use_server(&state, &r->server)) {
        n = res_nquery(&state, name, ns_c_in, (int)type, answer, ANSWER_MAX);
        error = state.res_h_errno;
    }
    res_nclose(&state);
    if (n > ANSWER_MAX)
        n = ANSWER_MAX;
    if (n >= 0 || error == HOST_NOT_FOUND || error == NO_DATA)
        return n >= 0 ? n : 0;
    snprintf(why, SAID, "DNS does not answer the question for %.80s: %s", name, hstrerror(error));
    return -1;
}

static void set(struct answer *a, enum known is, const char *why)
{
    a->is = is;
    snprintf(a->why, sizeof a->why, "%s", why);
}

void dns_srv(const struct resolver *r, const char *name, struct srv_seen *ret)
{
    *ret = (struct srv_seen){0};
    unsigned char *answer = malloc(ANSWER_MAX);
    char why[SAID] = "out of memory";
    int n = answer ? ask(r, name, ns_t_srv, answer, why) : -1;
    if (n > 0 && !dns_parse_srv(answer, (size_t)n, ret)) {
        *ret = (struct srv_seen){0};
        snprintf(why, sizeof why, "the answer of DNS for %.80s is damaged", name);
        n = -1;
    }
    set(&ret->found, n < 0 ? UNKNOWN : ret->count ? YES : NO, n < 0 ? why : "");
    free(answer);
}

/* The system's way: /etc/hosts and all. */
static void system_addresses(const char *name, struct addresses *ret, struct answer *found)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int error = getaddrinfo(name, NULL, &hints, &list);
    bool none = error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY;
    if (error) {
        set(found, none ? NO : UNKNOWN, gai_strerror(error));
        return;
    }
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        if (ret->count == ADDRESSES_MAX)
            ret->dropped++;
        else if (getnameinfo(a->ai_addr, a->ai_addrlen, ret->text[ret->count], sizeof ret->text[0],
                             NULL, 0, NI_NUMERICHOST) == 0)
            ret->count++;
    }
    freeaddrinfo(list);
    set(found, ret->count ? YES : NO, "");
}

void dns_addresses(const struct resolver *r, const char *name, struct addresses *ret,
                   struct answer *found)
{
    union endpoint numeric;
    *ret = (struct addresses){0};
    if (!r->given || endpoint_of(name, 0, &numeric)) {
        system_addresses(name, ret, found);
        return;
    }
    unsigned char *answer = malloc(ANSWER_MAX);
    static const ns_type types[] = {ns_t_a, ns_t_aaaa};
    char why[SAID] = "out of memory";
    int failed = !answer;
    for (int i = 0; i < 2 && answer; i++) {
        int n = ask(r, name, types[i], answer, why);
        failed |= n < 0 || (n > 0 && !dns_parse_addresses(answer, (size_t)n, ret));
    }
    free(answer);
    set(found, ret->count ? YES : failed ? UNKNOWN : NO, failed ? why : "");
}
