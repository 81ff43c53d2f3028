/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom Postfix lets submit mail without AUTH today: mynetworks and client certificates. Mailreeve
 * would refuse them unless they are trusted (RFC 6409 4.3). Left out is what may be everybody: the
 * gateway of a container network, a proxy.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/net.h"
#include "mta/child.h"
#include "setup/plan_internal.h"

enum { TABLE_MAX = 64 * 1024, POSTMAP_S = 20 };

/* ---- this machine ------------------------------------------------------------------- */

static const char *const bridge_names[] = {"docker", "br-",   "podman", "cni",
                                           "virbr",  "lxcbr", "lxdbr",  "flannel"};

static bool is_bridge(const char *interface)
{
    for (unsigned i = 0; i < sizeof bridge_names / sizeof *bridge_names; i++)
        if (strncmp(interface, bridge_names[i], strlen(bridge_names[i])) == 0)
            return true;
    return false;
}

unsigned bridges_here(struct bridge ret[BRIDGES_MAX])
{
    struct ifaddrs *list = NULL;
    unsigned n = 0;
    if (getifaddrs(&list) < 0)
        return 0;
    for (struct ifaddrs *i = list; i && n < BRIDGES_MAX; i = i->ifa_next) {
        if (!i->ifa_addr || !is_bridge(i->ifa_name))
            continue;
        struct bridge b = {.address.bits = i->ifa_addr->sa_family == AF_INET ? 32 : 128};
        if (i->ifa_addr->sa_family == AF_INET)
            memcpy(b.address.b, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, 4);
        else if (i->ifa_addr->sa_family == AF_INET6)
            memcpy(b.address.b, &((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr, 16);
        else
            continue;
        snprintf(b.interface, sizeof b.interface, "%s", i->ifa_name);
        ret[n++] = b;
    }
    freeifaddrs(list);
    return n;
}

/* ---- what looks like everybody --------------------------------------------------------- */

static const struct {
    const char *network, *of;
} container_ranges[] = {
    {"172.17.0.0/16", "Docker"},
    {"10.88.0.0/16", "Podman"},
    {"10.244.0.0/16", "Kubernetes"},
    {"10.42.0.0/16", "k3s"},
};

static const char *const private_networks[] = {"10.0.0.0/8",  "172.16.0.0/12", "192.168.0.0/16",
                                               "127.0.0.0/8", "fc00::/7",      "fe80::/10"};

static bool within(const struct prefix *p, const char *network)
{
    struct prefix outer;
    return prefix_parse(str_of(network), &outer) == PREFIX_OK && p->len >= outer.len &&
           prefix_contains(&outer, &p->addr);
}

/* Why it is not to be trusted; NULL: nothing is against it. */
static const char *objection(struct plan *p, const struct site *at, const struct prefix *net)
{
    const struct plan_options *o = p->options;
    bool loopback = within(net, "127.0.0.0/8") || within(net, "::1/128");
    for (unsigned i = 0; i < o->bridge_count; i++)
        if (prefix_contains(net, &o->bridges[i].address))
            return plan_text(p,
                             "containers or virtual machines are in it (%s): behind their gateway "
                             "may be everybody",
                             o->bridges[i].interface);
    for (unsigned i = 0; i < sizeof container_ranges / sizeof *container_ranges; i++)
        if (within(net, container_ranges[i].network))
            return plan_text(p, "%s uses such networks: behind its gateway may be everybody",
                             container_ranges[i].of);
    struct str rest =
        str_of(postfix_text(p->postfix, at->service, "smtpd_authorized_xclient_hosts"));
    struct str word;
    struct prefix proxy;
    while ((word = pf_word(&rest)).n)
        if (!loopback && prefix_parse(word, &proxy) == PREFIX_OK &&
            (prefix_contains(net, &proxy.addr) || prefix_contains(&proxy, &net->addr)))
            return "a proxy is in it (smtpd_authorized_xclient_hosts)";
    if (at->at.proxied && !loopback)
        return "a proxy stands in front of this port";
    bool is_private = false;
    for (unsigned i = 0; i < sizeof private_networks / sizeof *private_networks; i++)
        is_private |= within(net, private_networks[i]);
    if (!is_private && net->len < (net->addr.bits == 32 ? 16 : 48))
        return "it is a large public network";
    return NULL;
}

/* ---- lists and tables ---------------------------------------------------------------------- */

static void add(struct plan *p, const char **list, unsigned *count, const char *text)
{
    for (unsigned i = 0; i < *count; i++)
        if (strcmp(list[i], text) == 0)
            return;
    if (*count == WISH_TRUSTED)
        p->failed = true;
    else
        list[(*count)++] = text;
}

/* "[::1]/128" of Postfix is "::1/128" for others. */
static const char *without_brackets(struct plan *p, struct str word)
{
    char text[128];
    struct buf b = BUF(text);
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] != '[' && word.p[i] != ']')
            buf_char(&b, word.p[i]);
    return plan_copy(p, b.full ? word : buf_view(&b));
}

static void take_network(struct plan *p, const struct site *at, struct str word)
{
    struct prefix net;
    const char *text = without_brackets(p, word);
    char canonical[64];
    struct buf b = BUF(canonical);
    if (prefix_parse(str_of(text), &net) != PREFIX_OK) {
        plan_say(p, LINE_WARNING,
                 "mynetworks: \"%s\" is not a plain network; it is not made trusted", text);
        return;
    }
    const char *why = net.len == 0 ? "it is everybody" : objection(p, at, &net);
    prefix_format(&b, &net);
    text = plan_copy(p, buf_view(&b));
    if (why)
        plan_say(p, LINE_WARNING, "%s is in mynetworks and is not made trusted: %s", text, why);
    else
        add(p, p->wish.networks, &p->wish.network_count, text);
}

/* "AB:CD:..." of 32 bytes, as config wants it. */
static void take_fingerprint(struct plan *p, const struct site *at, struct str word)
{
    (void)at;
    char hex[65];
    struct buf b = BUF(hex);
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] != ':')
            buf_char(&b, word.p[i] >= 'A' && word.p[i] <= 'F' ? word.p[i] - 'A' + 'a' : word.p[i]);
    if (b.full || b.n != 64 || strspn(buf_cstr(&b), "0123456789abcdef") != 64)
        plan_say(p, LINE_WARNING,
                 "relay_clientcerts: \"%.80s\" is no SHA-256 fingerprint; it is not made trusted "
                 "(smtpd_tls_fingerprint_digest = sha256)",
                 plan_copy(p, word));
    else
        add(p, p->wish.certificates, &p->wish.certificate_count, plan_copy(p, word));
}

typedef void take_fn(struct plan *p, const struct site *at, struct str word);

static struct str read_text(struct plan *p, const char *path)
{
    char *text = arena_alloc(&p->arena, TABLE_MAX);
    int fd = text ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    ssize_t n = fd < 0 ? -1 : read(fd, text, TABLE_MAX);
    if (fd >= 0)
        close(fd);
    return (struct str){n < 0 || n == TABLE_MAX ? NULL : text, n < 0 ? 0 : (size_t)n};
}

/* The words of a file; `first_only`: the keys of a table, one a line. */
static void take_lines(struct plan *p, const struct site *at, struct str text, bool first_only,
                       take_fn *take)
{
    while (text.n) {
        struct str line = str_trim(str_cut(&text, "\n")), word;
        if (line.n == 0 || line.p[0] == '#')
            continue;
        while ((word = pf_word(&line)).n) {
            take(p, at, word);
            if (first_only)
                break;
        }
    }
}

static void take_table(struct plan *p, const struct site *at, const char *parameter,
                       const char *table, take_fn *take)
{
    const char *const argv[] = {"postmap", "-c", p->postfix->directory, "-s", table, NULL};
    struct child_result r;
    struct err why;
    if (child_run(argv, NULL, POSTMAP_S, &p->arena, &r, &why) < 0 || r.code)
        plan_say(p, LINE_WARNING,
                 "%s: %s cannot be listed by postmap -s; what is in it is not made trusted; see "
                 "\"trusted\" in docs/configuration.md",
                 parameter, table);
    else
        take_lines(p, at, r.out, true, take);
}

static void take_list(struct plan *p, const struct site *at, const char *parameter, take_fn *take)
{
    struct str rest = str_of(postfix_text(p->postfix, at->service, parameter)), word;
    while ((word = pf_word(&rest)).n) {
        const char *text = plan_copy(p, word);
        const char *colon = strchr(text, ':');
        if (*text == '!') {
            plan_say(p, LINE_WARNING,
                     "%s: \"%s\" takes something out, which trusted cannot; look "
                     "at what becomes trusted",
                     parameter, text);
        } else if (*text == '/') {
            struct str file = read_text(p, text);
            if (file.p)
                take_lines(p, at, file, false, take);
            else
                plan_say(p, LINE_WARNING,
                         "%s: %s cannot be read; what is in it is not made trusted", parameter,
                         text);
        } else if (*text != '[' && colon && strchr(colon, '/') && colon[1] != ':') {
            take_table(p, at, parameter, text, take);
        } else {
            take(p, at, word);
        }
    }
}

/* Does a client for whom `permit` is true, and that has not logged in, get through every list by
 * it? What else a list asks is taken to refuse nobody. */
static bool lets_through(struct plan *p, const struct site *at, const char *permit)
{
    struct pf_restriction *all = arena_alloc(&p->arena, PF_RESTRICTIONS * sizeof *all);
    unsigned n = all ? postfix_restrictions(p->postfix, at->service, all) : 0;
    bool found = false;
    p->failed |= !all;
    for (unsigned i = 0; i < n; i++) {
        const struct pf_restriction *r = &all[i];
        bool fits = str_eq_nocase(str_of(r->name), str_of(permit));
        found |= fits;
        if (r->always && r->effect == PF_REJECT)
            return false;
        if (fits || (r->always && r->effect == PF_PERMIT))
            while (i + 1 < n && all[i + 1].list == r->list)
                i++;
    }
    return found;
}

void plan_trusted(struct plan *p, const struct site *at)
{
    unsigned before = p->wish.network_count + p->wish.certificate_count;
    if (lets_through(p, at, "permit_mynetworks"))
        take_list(p, at, "mynetworks", take_network);
    if (lets_through(p, at, "permit_tls_clientcerts"))
        take_list(p, at, "relay_clientcerts", take_fingerprint);
    if (p->wish.network_count + p->wish.certificate_count > before)
        plan_say(p, LINE_STEP,
                 "who may submit mail without AUTH today (mynetworks, client certificates) becomes "
                 "trusted in mailreeve.yaml; --no-trust leaves them out");
}
