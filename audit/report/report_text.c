/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for a terminal. First what the reader came for: who would be refused, and what each
 * has to change; then the numbers; at the end what the log cannot tell.
 */
#include <errno.h>

#include "audit/report/report_text.h"

/* ---- pieces --------------------------------------------------------------------- */

void put_time(struct buf *b, int64_t us)
{
    char text[40];
    struct buf t = BUF(text);
    clock_format(&t, us, 0);
    buf_put(b, t.p, 10);
    buf_char(b, ' ');
    buf_put(b, t.p + 11, 8);
}

void say(const struct text *t, struct buf *b)
{
    text_wrap(&t->style, 2, 4, buf_cstr(b));
    b->n = 0;
    b->full = false;
}

void write_table(struct text *t, struct text_table *table, const char *heading)
{
    if (!table_write(table, &t->style, heading))
        t->failed = true;
}

unsigned at_most(unsigned count, unsigned limit)
{
    return limit && count > limit ? limit : count;
}

/* ---- what was read -------------------------------------------------------------- */

static void write_head(const struct text *t)
{
    const struct report_input *in = t->r->input;
    char text[SENTENCE_MAX], number[GROUPED_MAX];
    struct buf b = BUF(text);
    buf_cstring(&b, "Audit of ");
    unsigned shown = at_most(in->source_count, 3);
    for (unsigned i = 0; i < shown; i++)
        buf_printf(&b, "%s%.300s",
                   i == 0                      ? ""
                   : i + 1 == in->source_count ? " and "
                                               : ", ",
                   in->sources[i]);
    if (in->source_count > shown)
        buf_printf(&b, " and %u more", in->source_count - shown);
    text_wrap(&t->style, 0, 2, buf_cstr(&b));
    b.n = 0;
    if (in->first_us) {
        put_time(&b, in->first_us);
        buf_cstring(&b, " to ");
        put_time(&b, in->last_us);
        buf_cstring(&b, " UTC");
        if (in->since_us) {
            buf_cstring(&b, ", sessions since ");
            put_time(&b, in->since_us);
        }
        say(t, &b);
    }
    put_count(&b, in->lines, "line", "lines");
    buf_printf(&b, ", %s of Postfix or Sendmail; ", grouped(in->ours, number));
    put_count(&b, t->r->sessions, "session", "sessions");
    buf_printf(&b, "; read in %.1f s", in->seconds);
    say(t, &b);
    if (in->join) {
        put_count(&b, in->journals->events, "event", "events");
        buf_cstring(&b, " of Mailreeve's journals; ");
        put_count(&b, in->join->joined, "session of the log is in them",
                  "sessions of the log are in them");
        buf_cstring(&b, ", ");
        put_count(&b, in->join->alone, "is in them alone", "are in them alone");
        if (in->join->ambiguous) {
            buf_cstring(&b, ", ");
            put_count(&b, in->join->ambiguous, "may be one or another", "may be one or another");
        }
        say(t, &b);
    }
    buf_printf(&b, "policy: %s", t->r->policy);
    say(t, &b);
}

/* True if there is no more to say than that. */
static bool write_nothing(const struct text *t)
{
    const struct report_input *in = t->r->input;
    char text[SENTENCE_MAX], number[GROUPED_MAX];
    struct buf b = BUF(text);
    if (t->r->sessions)
        return false;
    if (in->lines == 0 && in->problem_count)
        buf_cstring(&b, "Nothing could be read: see the problems.");
    else if (in->lines == 0 && in->journals)
        buf_cstring(&b, "The journals tell of no session.");
    else if (in->lines == 0)
        buf_cstring(&b, "There is nothing in it.");
    else if (in->ours == 0)
        buf_printf(&b,
                   "No line of Postfix's smtpd or of Sendmail was found in %s lines. Is this the "
                   "mail log? Often it is /var/log/mail.log or /var/log/maillog, or with "
                   "systemd's journal: journalctl -o json | mailreeve audit -",
                   grouped(in->lines, number));
    else if (in->since_us)
        buf_cstring(&b, "No session ended after the date of --since.");
    else
        buf_cstring(&b, "No session of a client is in it. Is this the log of the server that takes "
                        "mail from clients?");
    fprintf(t->style.to, "\n");
    say(t, &b);
    return true;
}

/* ---- findings ------------------------------------------------------------------ */

static void write_findings(struct text *t)
{
    static const struct text_column columns[] = {
        {"", .shrinks = true}, {"customers", true}, {"strangers", true},
        {"users", true},       {"clients", true},   {"only likely", true, .optional = true},
    };
    const struct report *r = t->r;
    struct text_table table;
    if (r->finding_count == 0)
        return;
    table_begin(&table, columns, sizeof columns / sizeof *columns);
    for (unsigned i = 0; i < r->finding_count; i++) {
        const struct report_finding *f = &r->findings[i];
        table_cell(&table, findings[f->finding].id);
        table_number(&table, f->customers);
        table_number(&table, f->sessions - f->customers);
        table_number(&table, f->users);
        table_number(&table, f->clients);
        table_number(&table, f->likely);
    }
    write_table(t, &table, "FOUND, IN SESSIONS OF");
}

/* ---- listeners, TLS, software --------------------------------------------------- */

static void write_listeners(struct text *t)
{
    static const struct text_column columns[] = {
        {"", .shrinks = true},
        {"host", .shrinks = true, .optional = true},
        {"is", .shrinks = true},
        {"sessions", true},
        {"implicit", true, .optional = true},
        {"STARTTLS", true, .optional = true},
        {"clear", true, .optional = true},
        {"unknown", true, .optional = true},
        {"logins", true, .optional = true},
    };
    const struct report *r = t->r;
    struct text_table table;
    char text[SENTENCE_MAX];
    table_begin(&table, columns, sizeof columns / sizeof *columns);
    for (unsigned i = 0; i < r->listener_count; i++) {
        const struct report_listener *l = &r->listeners[i];
        struct buf b = BUF(text);
        if (l->listener)
            buf_printf(&b, "%.*s %u", STR_ARG(l->listener->names[0]), l->listener->port);
        else
            buf_cstring(&b, l->what);
        if (l->known_by != KNOWN_BY_NOTHING)
            buf_printf(&b, " (%s)", report_known_by_ids[l->known_by]);
        table_cell(&table, *l->name ? l->name : "(no name)");
        table_cell(&table, report_several_hosts(r) ? l->host : "");
        table_cell(&table, buf_cstr(&b));
        table_number(&table, l->sessions);
        table_number(&table, l->by_mode[TLS_MODE_IMPLICIT]);
        table_number(&table, l->by_mode[TLS_MODE_STARTTLS]);
        table_number(&table, l->by_mode[TLS_MODE_CLEARTEXT]);
        table_number(&table, l->by_mode[TLS_MODE_UNKNOWN]);
        table_number(&table, l->logins);
    }
    write_table(t, &table, "LISTENERS");
}

/* `few`: the most frequent of them, and those that are flagged. */
static void write_counts(struct text *t, const struct report_count *list, unsigned count, bool few,
                         const char *heading, const char *flagged)
{
    const struct text_column columns[] = {
        {"", .shrinks = true},
        {"customers", true},
        {"strangers", true, .optional = true},
        {flagged, true, .optional = true},
    };
    struct text_table table;
    unsigned more = 0;
    if (count == 0)
        return;
    table_begin(&table, columns, sizeof columns / sizeof *columns);
    for (unsigned i = 0; i < count; i++) {
        const struct report_count *c = &list[i];
        if (few && t->rows && i >= FEW && !c->flagged) {
            more++;
            continue;
        }
        table_cell(&table, c->label);
        table_number(&table, c->customers);
        table_number(&table, c->sessions - c->customers);
        table_number(&table, c->flagged);
    }
    write_table(t, &table, heading);
    if (more)
        fprintf(t->style.to, "  and %u more, none of them weak: --all\n", more);
}

static void write_software(struct text *t)
{
    const struct report *r = t->r;
    unsigned known = 0;
    for (unsigned i = 0; i < r->software_count; i++)
        known += *r->software[i].id != '\0';
    if (known)
        write_counts(t, r->software, r->software_count, false, "SOFTWARE", "");
}

/* ---- what cannot be said -------------------------------------------------------- */

static void numbered(const struct text *t, uint64_t v, const char *text)
{
    char number[GROUPED_MAX];
    int column = fprintf(t->style.to, "%10s  ", grouped(v, number));
    text_go_on(&t->style, (unsigned)column, 14, text);
}

static void write_doubts(const struct text *t)
{
    const struct report *r = t->r;
    if (r->doubt_count == 0 && r->overflow == 0)
        return;
    text_heading(&t->style, "WHAT THIS LOG DOES NOT TELL (in front: sessions)");
    for (unsigned i = 0; i < r->doubt_count; i++) {
        const struct doubt_info *d = &doubts[r->doubts[i].doubt];
        numbered(t, r->doubts[i].sessions, d->what);
        if (d->remedy)
            text_wrap(&t->style, 12, 12, d->remedy);
    }
    if (r->overflow)
        numbered(t, r->overflow,
                 "anything, of more sessions than the memory allowed is enough for");
}

/* Index of the most frequent shape that has not been written yet. */
static unsigned next_shape(const struct shapes *s, const bool *written)
{
    unsigned best = s->count;
    for (unsigned i = 0; i < s->count; i++)
        if (!written[i] && (best == s->count || s->list[i].count > s->list[best].count))
            best = i;
    return best;
}

static void write_drift(const struct text *t)
{
    const struct shapes *s = t->r->input->shapes;
    bool written[SHAPES_MAX] = {false};
    char text[SENTENCE_MAX];
    struct buf b = BUF(text);
    if (!s || s->lines == 0)
        return;
    text_heading(&t->style,
                 "LINES ABOUT TLS OR LOGINS THAT ARE NOT UNDERSTOOD (in front: how many)");
    buf_cstring(&b, "Their shapes, without what stood in them; please report those that matter.");
    say(t, &b);
    unsigned shown = at_most(s->count, t->rows ? FEW : 0);
    for (unsigned i = 0; i < shown; i++) {
        unsigned k = next_shape(s, written);
        written[k] = true;
        buf_printf(&b, "%s (first in line %llu)", s->list[k].text,
                   (unsigned long long)s->list[k].first_line);
        numbered(t, s->list[k].count, buf_cstr(&b));
        b.n = 0;
    }
    if (s->count > shown)
        fprintf(t->style.to, "  and %u more: --all\n", s->count - shown);
}

static void write_problems(const struct text *t)
{
    const struct report_input *in = t->r->input;
    if (in->problem_count == 0)
        return;
    text_heading(&t->style, "PROBLEMS");
    for (unsigned i = 0; i < in->problem_count; i++)
        text_wrap(&t->style, 2, 4, in->problems[i]);
}

int report_text(FILE *to, const struct report *r, const struct report_style *style)
{
    struct text t = {.style = {to, style->width, style->colour}, .r = r, .rows = style->rows};
    write_head(&t);
    if (!write_nothing(&t)) {
        write_short(&t);
        write_findings(&t);
        write_who(&t);
        write_listeners(&t);
        write_counts(&t, r->versions, r->version_count, false, "TLS VERSIONS", "too old");
        write_counts(&t, r->ciphers, r->cipher_count, true, "CIPHERS", "weak");
        write_software(&t);
        write_doubts(&t);
    }
    write_drift(&t);
    write_problems(&t);
    if (t.failed)
        errno = ENOMEM;
    return t.failed || fflush(to) != 0 || ferror(to) ? -1 : 0;
}
