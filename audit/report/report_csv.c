/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report's entries as CSV (RFC 4180): a line for each finding of each part of an entry.
 *
 * Spreadsheets take a cell that begins with one of = + - @ for a formula, so these get an
 * apostrophe in front. Bytes that are no visible character are written \xNN.
 */
#include <inttypes.h>

#include "audit/report/report.h"
#include "config/utf8.h"

struct csv {
    FILE *to;
    bool begun; /* a cell stands in this line already */
};

static void next(struct csv *c)
{
    if (c->begun)
        fputc(',', c->to);
    c->begun = true;
}

static void word(struct csv *c, const char *word)
{
    next(c);
    fputs(word, c->to);
}

static void text(struct csv *c, const char *text)
{
    struct str s = str_of(text);
    uint32_t u;
    next(c);
    fputc('"', c->to);
    if (s.n && strchr("=+-@", *s.p))
        fputc('\'', c->to);
    while (s.n) {
        size_t n = utf8_next(s, &u);
        if (n == 0 || u < 0x20 || !utf8_visible(u)) {
            n = 1;
            fprintf(c->to, "\\x%02x", (unsigned)(unsigned char)*s.p);
        } else {
            fprintf(c->to, "%s%.*s", u == '"' ? "\"" : "", (int)n, s.p);
        }
        s.p += n, s.n -= n;
    }
    fputc('"', c->to);
}

static void number(struct csv *c, uint64_t v)
{
    next(c);
    fprintf(c->to, "%" PRIu64, v);
}

static void when(struct csv *c, int64_t us)
{
    char scratch[40];
    struct buf b = BUF(scratch);
    if (us)
        clock_format(&b, us, 6);
    word(c, buf_cstr(&b));
}

/* ---- lines ---------------------------------------------------------------------- */

static const char *first(const struct report_values *v)
{
    return v->count ? v->list[0] : "";
}

static const char titles[] =
    "customer,sasl_username,users,user_known_by,client_address,clients,client_name,listener,"
    "server_port,client_software,client_version,finding,likely,sessions,first,last,would,setting";

static void write_line(FILE *to, const struct report_entry *e, const struct report_part *p,
                       enum finding f)
{
    struct csv c = {to, false};
    word(&c, e->customer ? "yes" : "no");
    text(&c, first(&e->users));
    number(&c, e->users.count);
    word(&c, report_who_names[e->who]);
    text(&c, first(&e->clients));
    number(&c, e->clients.count);
    text(&c, e->name);
    text(&c, p->listener);
    if (p->on)
        number(&c, p->on->port);
    else
        word(&c, "");
    word(&c, p->software ? p->software->id : "");
    text(&c, p->version);
    word(&c, findings[f].id);
    word(&c, p->likely & FINDING_BIT(f) ? "yes" : "no");
    number(&c, p->sessions);
    when(&c, p->first_us);
    when(&c, p->last_us);
    word(&c, refuses(p->would) ? action_names[p->would] : "pass");
    text(&c, p->setting);
    fputs("\r\n", to);
}

int report_csv(FILE *to, const struct report *r)
{
    fprintf(to, "%s\r\n", titles);
    for (unsigned i = 0; i < r->entry_count; i++) {
        const struct report_entry *e = &r->entries[i];
        for (unsigned k = 0; k < e->part_count; k++)
            for (int f = 0; f < FINDING_COUNT; f++)
                if (e->parts[k].findings & FINDING_BIT(f))
                    write_line(to, e, &e->parts[k], (enum finding)f);
    }
    return fflush(to) != 0 || ferror(to) ? -1 : 0;
}
