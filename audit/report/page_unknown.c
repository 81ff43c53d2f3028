/* SPDX-License-Identifier: Apache-2.0 */
/* What the logs do not tell, and what of them was not understood or not read. */
#include "audit/report/page.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void doubt_rows(struct page *p)
{
    static const struct html_column columns[] = {
        {"Not known"}, {"Sessions", true}, {"What to switch on"}};
    struct html_table t =
        html_table_begin(p->to, "What the logs do not tell of a session", columns, COUNT(columns));
    for (unsigned i = 0; i < p->r->doubt_count; i++) {
        const struct doubt_info *d = &doubts[p->r->doubts[i].doubt];
        html_row(&t);
        html_cell(&t);
        html_cstring(p->to, d->what);
        html_cell_number(&t, p->r->doubts[i].sessions);
        html_cell(&t);
        html_cstring(p->to, d->remedy ? d->remedy : "nothing that Mailreeve knows of");
    }
    html_table_end(&t);
}

void page_unknown(struct page *p)
{
    const struct report *r = p->r;
    const struct sessions_counts *s = r->input->sessions;
    html_put(p->to, "<p>What went wrong, or the TLS mode, is unknown of ");
    html_count(p->to, r->unknown, "session", "sessions");
    html_put(p->to, " (");
    html_percent(p->to, r->unknown, r->sessions);
    html_put(p->to, ").</p>\n");
    if (r->doubt_count)
        doubt_rows(p);
    const struct {
        uint64_t n;
        const char *one, *many;
    } left_out[] = {
        {r->overflow, "session is in no table: there were too many different ones",
         "sessions are in no table: there were too many different ones"},
        {s ? s->incomplete : 0, "session began before the logs, or ended after them",
         "sessions began before the logs, or ended after them"},
        {s ? s->evicted : 0, "session was closed early: too many were open, or it was idle",
         "sessions were closed early: too many were open, or they were idle"},
        {s ? s->homeless : 0, "line belongs to no session that is known",
         "lines belong to no session that is known"},
        {r->excepted, "session has something that an exception of the policy allows",
         "sessions have something that an exception of the policy allows"},
        {r->trusted, "session has something that is allowed because the client is trusted",
         "sessions have something that is allowed because the client is trusted"},
    };
    html_put(p->to, "<ul>\n");
    for (unsigned i = 0; i < COUNT(left_out); i++) {
        if (left_out[i].n == 0)
            continue;
        html_put(p->to, "<li>");
        html_count(p->to, left_out[i].n, left_out[i].one, left_out[i].many);
        html_put(p->to, "</li>\n");
    }
    html_put(p->to, "</ul>\n");
}

bool page_has_drift(const struct report *r)
{
    return r->input->shapes && r->input->shapes->lines;
}

void page_drift(struct page *p)
{
    static const struct html_column columns[] = {
        {"Shape"}, {"Lines", true}, {"First at line", true}};
    const struct shapes *s = p->r->input->shapes;
    html_put(p->to, "<p>These lines speak of TLS or logins, and Mailreeve does not know them. Only "
                    "their shape is kept, because passwords end up in such lines. Please report "
                    "the shapes.</p>\n<details><summary>");
    html_count(p->to, s->count, "shape", "shapes");
    html_put(p->to, " of ");
    html_count(p->to, s->lines, "line", "lines");
    html_put(p->to, "</summary>\n");
    struct html_table t =
        html_table_begin(p->to, "Shapes of lines that are not known", columns, COUNT(columns));
    for (unsigned i = 0; i < s->count; i++) {
        html_row(&t);
        html_cell(&t);
        html_put(p->to, "<code>");
        html_cstring(p->to, s->list[i].text);
        html_put(p->to, "</code>");
        html_cell_number(&t, s->list[i].count);
        html_cell_number(&t, s->list[i].first_line);
    }
    html_table_end(&t);
    if (s->overflow) {
        html_put(p->to, "<p>");
        html_count(p->to, s->overflow, "line is", "lines are");
        html_put(p->to, " of still other shapes.</p>\n");
    }
    html_put(p->to, "</details>\n");
}

bool page_has_problems(const struct report *r)
{
    return r->input->problem_count;
}

void page_problems(struct page *p)
{
    page_codes(p, p->r->input->problems, p->r->input->problem_count, p->r->input->problem_count);
}
