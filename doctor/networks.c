/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor/networks.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>

#include "config/config_internal.h"

/* Nobody on the Internet has these (RFC 1918, 6598, 3927, 4193, 4291). */
static const char *const own[] = {
    "127.0.0.0/8",    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
    "169.254.0.0/16", "::1/128",    "fc00::/7",      "fe80::/10",
};

/* What Docker and Podman give to their bridges, unless told otherwise. */
static const char *const of_containers[] = {"172.16.0.0/12", "10.88.0.0/16"};

static const char *const bridges[] = {"docker", "br-", "podman", "cni", "lxcbr", "lxdbr"};

static bool lies_in(const struct prefix *p, const char *const *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct prefix outer;
        if (prefix_parse(str_of(list[i]), &outer) == PREFIX_OK && p->len >= outer.len &&
            prefix_contains(&outer, &p->addr))
            return true;
    }
    return false;
}

static bool is_bridge(const char *name)
{
    for (unsigned i = 0; i < sizeof bridges / sizeof *bridges; i++)
        if (strncmp(name, bridges[i], strlen(bridges[i])) == 0)
            return true;
    return false;
}

static bool address_of(const struct sockaddr *sa, struct addr *ret)
{
    *ret = (struct addr){0};
    if (sa && sa->sa_family == AF_INET) {
        ret->bits = 32;
        memcpy(ret->b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    } else if (sa && sa->sa_family == AF_INET6) {
        ret->bits = 128;
        memcpy(ret->b, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    }
    return ret->bits != 0;
}

/* A bridge of this machine in that network. */
static bool has_bridge(const struct prefix *p, char why[200])
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        struct addr a;
        char text[64];
        struct buf b = BUF(text);
        if (!is_bridge(i->ifa_name) || !address_of(i->ifa_addr, &a) || !prefix_contains(p, &a))
            continue;
        addr_format(&b, &a);
        snprintf(why, 200,
                 "%.20s (%s), the gateway of containers, is in it: whoever comes through "
                 "a container's port has that address.",
                 i->ifa_name, buf_cstr(&b));
        found = true;
    }
    freeifaddrs(all);
    return found;
}

enum network_danger network_judge(const struct prefix *p, bool live, char why[200])
{
    bool private = lies_in(p, own, sizeof own / sizeof *own);
    unsigned large = p->addr.bits == 32 ? 16 : 32;
    if (!private && p->len < large) {
        snprintf(why, 200, "That is more of the Internet than one provider has.");
        return NETWORK_LARGE;
    }
    if (live)
        return has_bridge(p, why) ? NETWORK_PROXY : NETWORK_SAFE;
    if (!lies_in(p, of_containers, sizeof of_containers / sizeof *of_containers))
        return NETWORK_SAFE;
    snprintf(why, 200,
             "Docker and Podman have their gateways there: whoever comes through a "
             "container's port has the gateway's address.");
    return NETWORK_DOUBTFUL;
}

bool network_read(struct str word, struct prefix *ret)
{
    char text[80];
    struct buf b = BUF(text);
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] != '[' && word.p[i] != ']')
            buf_char(&b, word.p[i]);
    return !b.full && prefix_parse(buf_view(&b), ret) != PREFIX_BAD;
}

void networks_check_trusted(const struct doctor_input *in, struct faults *fs)
{
    const struct prefix_list *list = in->config ? in->config->details->trusted : NULL;
    for (; list; list = list->next) {
        char why[200], text[80];
        struct buf b = BUF(text);
        enum network_danger danger = network_judge(&list->prefix, in->live, why);
        if (danger == NETWORK_SAFE)
            continue;
        struct fault *f = fault_add(fs, FAULT_TRUSTED_PROXY);
        if (danger == NETWORK_DOUBTFUL)
            f->severity = FAULT_WARNING;
        prefix_format(&b, &list->prefix);
        fault_where(f, "%s", in->yaml ? in->yaml : "mailreeve.yaml");
        fault_evidence(f, "trusted.networks has %s", buf_cstr(&b));
        fault_detail(f, "%s", why);
        fault_fix(f, "Take %s out of trusted.networks, or write only the hosts that are meant",
                  buf_cstr(&b));
    }
}
