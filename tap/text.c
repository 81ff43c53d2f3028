/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/text.h"

#include <inttypes.h>

#include "core/catalogue.h"

enum {
    CLIENT_WIDTH = 22,
    LISTENER_WIDTH = 15,
    FOUND_WIDTH = 30,
    TLS_WIDTH = 16,
    SOFTWARE_WIDTH = 12
};

/* "waits-on-implicit-port?" where that is only the likeliest reading. */
static void put_found(struct buf *b, const struct judgement *j)
{
    for (int f = 0; f < FINDING_COUNT; f++)
        if (j->verdict.broken & FINDING_BIT(f))
            buf_printf(b, "%s%s%s", b->n ? ", " : "", findings[f].id,
                       j->likely & FINDING_BIT(f) ? "?" : "");
}

/* "TLSv1.3 TLSv1.2", "none", or "-": nothing of it was seen. */
static void put_tls(struct buf *b, const struct judgement *j)
{
    struct str versions[HELLO_VERSIONS];
    const struct opening *o = j->told->opening;
    size_t n = o->hello ? tap_versions(o->hello, versions) : 0;
    for (size_t i = 0; i < n; i++) {
        buf_cstring(b, i ? " " : "");
        buf_str(b, versions[i]);
    }
    if (!n)
        buf_cstring(b, j->mode == TAP_MODE_CLEARTEXT ? "none" : "-");
}

/* What to change: in the words of the client's own software, if that is known. */
static void put_advice(struct buf *b, const struct judgement *j)
{
    enum finding f = j->verdict.finding;
    if (f == FINDING_COUNT)
        return;
    record_put_setting(b, &j->session, f);
    if (!b->n)
        buf_cstring(b, findings[f].fix);
}

void text_session(FILE *out, struct privacy *privacy, const struct judgement *j,
                  const struct now *now, bool first)
{
    char when[32], client[PRIVACY_TEXT_MAX + 8], scratch[PRIVACY_TEXT_MAX], listener[96];
    char found[640], tls[160], advice[512];
    struct buf w = BUF(when), c = BUF(client), s = BUF(scratch), l = BUF(listener);
    struct buf f = BUF(found), t = BUF(tls), a = BUF(advice);
    const struct session *x = &j->session;
    const struct software_info *software = catalogue_by_id(x->software);
    if (first)
        fprintf(out, "%-20s  %-*s  %-*s  %-*s  %-*s  %-*s  %s\n", "TIME (UTC)", CLIENT_WIDTH,
                "CLIENT", LISTENER_WIDTH, "LISTENER", FOUND_WIDTH, "FOUND (?: likely)", TLS_WIDTH,
                "TLS OFFERED", SOFTWARE_WIDTH, "SOFTWARE", "WHAT TO CHANGE");
    clock_format(&w, now->wall_us, 0);
    struct str address = privacy_address(privacy, x->client_text, &x->client, &s);
    bool v6 = memchr(address.n ? address.p : "", ':', address.n) && x->client.bits == 128;
    buf_printf(&c, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(address), (unsigned)x->client_port);
    buf_printf(&l, "%.*s:%u", STR_ARG(x->listener->names[0]), (unsigned)x->server_port);
    put_found(&f, j);
    put_tls(&t, j);
    put_advice(&a, j);
    fprintf(out, "%-20s  %-*s  %-*s  %-*s  %-*s  %-*s  %s\n", buf_cstr(&w), CLIENT_WIDTH,
            buf_cstr(&c), LISTENER_WIDTH, buf_cstr(&l), FOUND_WIDTH, buf_cstr(&f), TLS_WIDTH,
            buf_cstr(&t), SOFTWARE_WIDTH, software ? software->name : "-", buf_cstr(&a));
}

static void number(FILE *out, uint64_t n, const char *what)
{
    fprintf(out, "%12" PRIu64 "  %s\n", n, what);
}

/* One that is rarely not 0. */
static void trouble(FILE *out, uint64_t n, const char *what)
{
    if (n)
        number(out, n, what);
}

static uint64_t packets(const struct watch *w)
{
    uint64_t all = 0;
    for (int k = 0; k < PACKET_KINDS; k++)
        all += w->packets[k];
    return all;
}

static void text_packets(FILE *out, const struct watch *w)
{
    const struct flows_counters *c = flows_counters(w->flows);
    number(out, packets(w), "packets");
    trouble(out, w->packets[PACKET_NOT_IP], "  not IP");
    trouble(out, w->packets[PACKET_NOT_TCP], "  not TCP");
    trouble(out, w->packets[PACKET_FRAGMENT],
            "  fragments of IP packets, which are not put together");
    trouble(out, w->elsewhere, "  TCP to ports that are not watched, or from them");
    trouble(
        out, c->midstream,
        "  of connections whose beginning is not in the capture, or that need no more looking at");
    trouble(out, c->retransmitted, "  with nothing new in them");
    trouble(out, c->out_of_order, "  before their turn");
    for (int k = PACKET_BAD; k < PACKET_KINDS; k++) {
        char text[64];
        snprintf(text, sizeof text, "  malformed: %s", packet_kind_names[k]);
        trouble(out, w->packets[k], text);
    }
}

static void text_connections(FILE *out, const struct watch *w, uint64_t found)
{
    const struct flows_counters *c = flows_counters(w->flows);
    const struct record_counters *r = &w->recorder->counters;
    number(out, c->completed, "connections");
    for (int e = 0; e < ENDEDS; e++) {
        char text[64];
        snprintf(text, sizeof text, "  ended: %s", flow_ended_names[e]);
        trouble(out, c->ended[e], text);
    }
    number(out, found, "  with something found");
    for (int f = 0; f < FINDING_COUNT; f++) {
        char text[64];
        snprintf(text, sizeof text, "    %s", findings[f].id);
        trouble(out, r->found[f], text);
    }
    trouble(out, r->excepted, "  with something that an exception allows");
    trouble(out, r->trusted, "  of trusted clients, who may do what was found");
    trouble(out, r->monitors, "  of monitors, which are not shown");
    trouble(out, r->no_listener, "  to a port of no listener");
    trouble(out, c->half_open_ended, "attempts that came to no connection");
    trouble(out, c->memory, "times memory was short");
}

void text_summary(FILE *out, const char *file, const struct watch *w, uint64_t found)
{
    fprintf(out, "%s%s\n", found ? "\n" : "", file);
    text_packets(out, w);
    text_connections(out, w, found);
}
