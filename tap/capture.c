/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/capture.h"

#include <pcap/pcap.h>
#include <stdlib.h>

struct capture {
    pcap_t *pcap;
    const struct link_type *link;
    int fd;
    uint64_t dropped;
    uint32_t dropped_before; /* libpcap's number is of 32 bits */
    /* During capture_read(). */
    capture_packet *packet;
    void *context;
};

enum { PORTS_TEXT = 1024, FILTER_TEXT = 4 * PORTS_TEXT };

/*
 * "vlan" moves all that stands behind it by one tag. On "any" it is not allowed; there the
 * kernel has taken the outer tag off, so that only what has two is not seen.
 */
static int set_filter(pcap_t *p, const struct link_type *l, const struct ports *ports,
                      struct err *e)
{
    char some[PORTS_TEXT], text[FILTER_TEXT];
    struct buf s = BUF(some), t = BUF(text);
    struct bpf_program program;
    ports_format(&s, ports);
    const char *list = buf_cstr(&s);
    if (packet_link_has_vlans(l))
        buf_printf(&t,
                   "tcp dst port (%s) or (vlan and (tcp dst port (%s) or (vlan and tcp dst "
                   "port (%s))))",
                   list, list, list);
    else
        buf_printf(&t, "tcp dst port (%s)", list);
    if (s.full || t.full)
        return err_set(e, "there are more ports than a filter can hold");
    if (pcap_compile(p, &program, buf_cstr(&t), 1, PCAP_NETMASK_UNKNOWN) != 0)
        return err_set(e, "filter: %s", pcap_geterr(p));
    int failed = pcap_setfilter(p, &program);
    pcap_freecode(&program);
    return failed ? err_set(e, "filter: %s", pcap_geterr(p)) : 0;
}

/* What libpcap says of a failure; it has two places for it. */
static const char *reason(pcap_t *p, int code)
{
    const char *more = pcap_geterr(p);
    return *more ? more : pcap_statustostr(code);
}

static int activate(pcap_t *p, const char *interface, struct err *e)
{
    if (pcap_set_snaplen(p, CAPTURE_SNAPLEN) != 0 || pcap_set_promisc(p, 0) != 0 ||
        pcap_set_timeout(p, CAPTURE_TIMEOUT_MS) != 0 ||
        pcap_set_buffer_size(p, CAPTURE_BUFFER) != 0)
        return err_set(e, "libpcap does not take our settings");
    int code = pcap_activate(p);
    if (code == PCAP_ERROR_PERM_DENIED || code == PCAP_ERROR_PROMISC_PERM_DENIED)
        return err_set(e,
                       "capturing on \"%s\" needs CAP_NET_RAW: start it as root with -u, or with "
                       "systemd's AmbientCapabilities=CAP_NET_RAW",
                       interface);
    if (code < 0)
        return err_set(e, "cannot capture on \"%s\" (tap.interface): %s", interface,
                       reason(p, code));
    return 0;
}

static int begin(struct capture *c, const char *interface, const struct ports *ports, struct err *e)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    c->pcap = pcap_create(interface, why);
    if (!c->pcap)
        return err_set(e, "cannot capture on \"%s\" (tap.interface): %s", interface, why);
    if (activate(c->pcap, interface, e) != 0)
        return -1;
    c->link = packet_link(pcap_datalink(c->pcap));
    if (!c->link)
        return err_set(e, "\"%s\" (tap.interface) has link type %d, which is not known here",
                       interface, pcap_datalink(c->pcap));
    if (pcap_setnonblock(c->pcap, 1, why) != 0)
        return err_set(e, "%s", why);
    c->fd = pcap_get_selectable_fd(c->pcap);
    if (c->fd < 0)
        return err_set(e, "\"%s\" (tap.interface) cannot be waited for", interface);
    return set_filter(c->pcap, c->link, ports, e);
}

struct capture *capture_open(const char *interface, const struct ports *ports, struct err *e)
{
    struct capture *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(e, "memory is short");
        return NULL;
    }
    if (begin(c, interface, ports, e) == 0)
        return c;
    capture_close(c);
    return NULL;
}

void capture_close(struct capture *c)
{
    if (c && c->pcap)
        pcap_close(c->pcap);
    free(c);
}

int capture_use(struct capture *c, const struct ports *ports, struct err *e)
{
    return set_filter(c->pcap, c->link, ports, e);
}

const struct link_type *capture_link(const struct capture *c)
{
    return c->link;
}

int capture_fd(const struct capture *c)
{
    return c->fd;
}

static void take(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
    struct capture *c = (struct capture *)user;
    c->packet(c->context, (struct str){(const char *)bytes, h->caplen}, h->len,
              h->ts.tv_sec * US_PER_S + h->ts.tv_usec);
}

int capture_read(struct capture *c, capture_packet *packet, void *context, struct err *e)
{
    c->packet = packet;
    c->context = context;
    int got = pcap_dispatch(c->pcap, CAPTURE_AT_ONCE, take, (u_char *)c);
    return got < 0 ? err_set(e, "%s", reason(c->pcap, got)) : 0;
}

uint64_t capture_dropped(struct capture *c)
{
    struct pcap_stat stat;
    if (pcap_stats(c->pcap, &stat) == 0) {
        c->dropped += (uint32_t)(stat.ps_drop - c->dropped_before);
        c->dropped_before = stat.ps_drop;
    }
    return c->dropped;
}
