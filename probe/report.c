/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/report.h"

/* Ports that nobody named and nobody looks for are worth a row only if somebody answers. */
static bool is_shown(const struct port_seen *p)
{
    return p->begins != BEGINS_CLOSED || p->named || p->port == 25 || p->port == 465 ||
           p->port == 587;
}

static void print_addresses(const struct host_seen *h, FILE *out)
{
    fprintf(out, "%s", h->host);
    for (unsigned i = 0; i < h->address_count; i++)
        if (strcmp(h->addresses[i], h->host) != 0)
            fprintf(out, "%s%s", i ? ", " : ": ", h->addresses[i]);
    fprintf(out, "\n\n");
}

static void print_ports(const struct host_seen *h, int64_t now_s, FILE *out)
{
    size_t widths[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        widths[c] = strlen(columns[c].title);
        for (unsigned i = 0; i < h->port_count; i++) {
            char cell[CELL];
            columns[c].show(&h->ports[i], now_s, cell);
            if (is_shown(&h->ports[i]) && strlen(cell) > widths[c])
                widths[c] = strlen(cell);
        }
    }
    for (int c = 0; c < COLUMNS; c++)
        fprintf(out, "%-*s%s", c < COLUMNS - 1 ? (int)widths[c] : 0, columns[c].title,
                c < COLUMNS - 1 ? "  " : "\n");
    for (unsigned i = 0; i < h->port_count; i++)
        for (int c = 0; c < COLUMNS && is_shown(&h->ports[i]); c++) {
            char cell[CELL];
            columns[c].show(&h->ports[i], now_s, cell);
            fprintf(out, "%-*s%s", c < COLUMNS - 1 ? (int)widths[c] : 0, cell,
                    c < COLUMNS - 1 ? "  " : "\n");
        }
}

static const char *const leads_words[SRV_LEADS] = {
    [SRV_NOT_OFFERED] = "not offered", [SRV_HERE] = "here", [SRV_ELSEWHERE] = "elsewhere",
    [SRV_NOWHERE] = "no address",      [SRV_UNKNOWN] = "?",
};

static void print_srv(const struct host_seen *h, FILE *out)
{
    if (!*h->domain)
        return;
    fprintf(out, "\nSRV records of %s\n", h->domain);
    for (int s = 0; s < SRV_SERVICES; s++) {
        const struct srv_seen *srv = &h->srv[s];
        if (!srv->count)
            fprintf(out, "%-17s  %s\n", srv_labels[s], srv->found.is == NO ? "none" : "?");
        for (unsigned i = 0; i < srv->count; i++) {
            const struct srv_record *r = &srv->records[i];
            if (r->leads == SRV_NOT_OFFERED)
                fprintf(out, "%-17s  not offered\n", srv_labels[s]);
            else
                fprintf(out, "%-17s  priority %u, weight %u: %s port %u (%s)\n", srv_labels[s],
                        r->priority, r->weight, r->target, r->port, leads_words[r->leads]);
        }
    }
}

void report_print(const struct host_seen *h, int64_t now_s, FILE *out)
{
    print_addresses(h, out);
    print_ports(h, now_s, out);
    print_srv(h, out);
    fprintf(out, "\n");
}
