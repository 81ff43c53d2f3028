/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/report.h"

/* Ports that nobody named and nobody looks for are worth a row only if somebody answers. */
static bool is_shown(const struct port_seen *p)
{
    return p->begins != BEGINS_CLOSED || p->named || p->port == 25 || p->port == 465 ||
           p->port == 587;
}

static void print_cells(const char *const cells[COLUMNS], const size_t widths[COLUMNS], FILE *out)
{
    for (int c = 0; c < COLUMNS - 1; c++)
        fprintf(out, "%-*s  ", (int)widths[c], cells[c]);
    fprintf(out, "%s\n", cells[COLUMNS - 1]);
}

static void print_row(const struct port_seen *p, const size_t widths[COLUMNS], int64_t now_s,
                      FILE *out)
{
    char texts[COLUMNS][CELL];
    const char *cells[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        columns[c].show(p, now_s, texts[c]);
        cells[c] = texts[c];
    }
    print_cells(cells, widths, out);
}

/* One heading, then the ports of each address. */
static void print_ports(const struct host_seen *h, int64_t now_s, FILE *out)
{
    size_t widths[COLUMNS];
    const char *titles[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        titles[c] = columns[c].title;
        widths[c] = strlen(titles[c]);
        for (unsigned i = 0; i < h->port_count; i++) {
            char cell[CELL];
            columns[c].show(&h->ports[i], now_s, cell);
            if (is_shown(&h->ports[i]) && strlen(cell) > widths[c])
                widths[c] = strlen(cell);
        }
    }
    for (unsigned i = 0; i < h->port_count; i++) {
        const struct port_seen *p = &h->ports[i];
        if (i == 0 || strcmp(p->address, h->ports[i - 1].address) != 0) {
            bool is_host = strcmp(h->host, p->address) == 0;
            fprintf(out, "%s%s%s%s\n", i ? "\n" : "", is_host ? "" : h->host, is_host ? "" : " at ",
                    p->address);
            print_cells(titles, widths, out);
        }
        if (is_shown(p))
            print_row(p, widths, now_s, out);
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

void seen_print(const struct host_seen *h, int64_t now_s, FILE *out)
{
    print_ports(h, now_s, out);
    print_srv(h, out);
    fprintf(out, "\n");
}
