/* SPDX-License-Identifier: Apache-2.0 */
/* How many: sessions by listener and mode, TLS versions, ciphers, software, findings. */
#include "audit/report/charts.h"
#include "audit/report/page.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- sessions, versions, ciphers, software ---------------------------------- */

enum { MODES = 4 };
static void mode_parts(const uint64_t *by_mode, struct chart_part *ret)
{
    ret[0] = (struct chart_part){"implicit TLS", SHADE_GOOD, by_mode[TLS_MODE_IMPLICIT]};
    ret[1] = (struct chart_part){"STARTTLS", SHADE_OTHER, by_mode[TLS_MODE_STARTTLS]};
    ret[2] = (struct chart_part){"clear text", SHADE_BAD, by_mode[TLS_MODE_CLEARTEXT]};
    ret[3] = (struct chart_part){"not known", SHADE_NONE, by_mode[TLS_MODE_UNKNOWN]};
}

static void mode_cells(struct html_table *t, const char *name, const uint64_t *by_mode)
{
    struct chart_part parts[MODES];
    mode_parts(by_mode, parts);
    html_cell(t);
    chart_bar(t->to, name, parts, MODES, 0);
    for (unsigned i = 0; i < MODES; i++)
        html_cell_number(t, parts[i].n);
}

static void listener_row(struct html_table *t, const struct report_listener *l, bool with_host)
{
    const char *name = *l->name ? l->name : "no name in the log";
    html_row(t);
    html_cell(t);
    html_put(t->to, "<code>");
    html_cstring(t->to, name);
    html_put(t->to, "</code><span class=\"note\">");
    if (with_host && *l->host) {
        html_put(t->to, "on ");
        html_cstring(t->to, l->host);
        html_put(t->to, ": ");
    }
    html_cstring(t->to, l->what);
    if (*l->how) {
        html_put(t->to, " (");
        html_cstring(t->to, l->how);
        html_put(t->to, ")");
    }
    html_put(t->to, "</span>");
    mode_cells(t, name, l->by_mode);
    html_cell_number(t, l->sessions);
    html_cell_number(t, l->logins);
    html_cell_number(t, l->customers);
}

void page_listeners(struct page *p)
{
    static const struct html_column columns[] = {
        {"Listener"},       {"TLS mode"},         {"Implicit TLS", true},
        {"STARTTLS", true}, {"Clear text", true}, {"Not known", true},
        {"Sessions", true}, {"Logins", true},     {"Of customers", true}};
    struct chart_part parts[MODES];
    uint64_t logins = 0;
    for (unsigned i = 0; i < p->r->listener_count; i++)
        logins += p->r->listeners[i].logins;
    mode_parts(p->r->by_mode, parts);
    html_put(p->to, "<p>On port 25 other servers may send in clear text.</p>\n");
    chart_legend(p->to, parts, MODES);
    struct html_table t =
        html_table_begin(p->to, "Sessions by listener, as the log names it, and by TLS mode",
                         columns, COUNT(columns));
    for (unsigned i = 0; i < p->r->listener_count; i++)
        listener_row(&t, &p->r->listeners[i], report_several_hosts(p->r));
    html_row(&t);
    html_cell(&t);
    html_put(p->to, "All");
    mode_cells(&t, "All listeners", p->r->by_mode);
    html_cell_number(&t, p->r->sessions);
    html_cell_number(&t, logins);
    html_cell_number(&t, p->r->customers);
    html_table_end(&t);
}

static void count_row(struct html_table *t, const struct report_count *c, uint64_t whole,
                      const struct chart_part *names)
{
    struct chart_part parts[] = {names[0], names[1]};
    parts[0].n = c->sessions - c->flagged;
    parts[1].n = c->flagged;
    if (!c->told)
        parts[0] = (struct chart_part){"not logged", SHADE_NONE, parts[0].n};
    html_row(t);
    html_cell(t);
    html_cstring(t->to, c->label);
    html_cell(t);
    chart_bar(t->to, c->label, parts, COUNT(parts), whole);
    html_cell_number(t, c->sessions);
    html_cell_number(t, c->customers);
    html_cell_number(t, c->flagged);
}

/*
 * The most frequent ones, and of the others those in which something was found. Columns: what, its
 * share, sessions, of customers, and how many of these are `names[1]`.
 */
static void counts(struct page *p, const char *caption, const struct html_column *columns,
                   const struct chart_part *names, const struct report_count *list, unsigned count)
{
    uint64_t whole = 0;
    unsigned shown = 0;
    for (unsigned i = 0; i < count; i++)
        whole += list[i].sessions;
    if (count == 0) {
        html_put(p->to, "<p>The logs tell of none.</p>\n");
        return;
    }
    chart_legend(p->to, names, 3);
    struct html_table t = html_table_begin(p->to, caption, columns, 5);
    for (unsigned i = 0; i < count && shown < PAGE_FLAGGED; i++) {
        if (i >= PAGE_COUNTS && list[i].flagged == 0)
            continue;
        count_row(&t, &list[i], whole, names);
        shown++;
    }
    html_table_end(&t);
    page_more(p, count, shown, "--json");
}

void page_versions(struct page *p)
{
    static const struct html_column columns[] = {
        {"Version"}, {"Share"}, {"Sessions", true}, {"Of customers", true}, {"Too old", true}};
    static const struct chart_part names[] = {{"as the policy wants it", SHADE_GOOD},
                                              {"too old for the policy", SHADE_BAD},
                                              {"not logged", SHADE_NONE}};
    counts(p, "Sessions under TLS by its version", columns, names, p->r->versions,
           p->r->version_count);
}

void page_ciphers(struct page *p)
{
    static const struct html_column columns[] = {
        {"Cipher"}, {"Share"}, {"Sessions", true}, {"Of customers", true}, {"Weak", true}};
    static const struct chart_part names[] = {
        {"good", SHADE_GOOD}, {"weak, or no protection", SHADE_BAD}, {"not logged", SHADE_NONE}};
    counts(p, "Sessions under TLS by cipher", columns, names, p->r->ciphers, p->r->cipher_count);
}

void page_software(struct page *p)
{
    static const struct html_column columns[] = {{"Program"}, {"Share"}, {"Sessions", true}};
    const struct report *r = p->r;
    if (r->software_count == 0) {
        html_put(p->to, "<p>The logs tell of none.</p>\n");
        return;
    }
    struct html_table t = html_table_begin(p->to, "Sessions of customers by client software",
                                           columns, COUNT(columns));
    for (unsigned i = 0; i < r->software_count && i < PAGE_COUNTS; i++) {
        const struct report_count *c = &r->software[i];
        struct chart_part part = {"sessions", c->told ? SHADE_OTHER : SHADE_NONE, c->sessions};
        html_row(&t);
        html_cell(&t);
        html_cstring(p->to, c->label);
        html_cell(&t);
        chart_bar(p->to, c->label, &part, 1, r->customers);
        html_cell_number(&t, c->sessions);
    }
    html_table_end(&t);
    page_more(p, r->software_count, PAGE_COUNTS, "--json");
}

/* ---- findings --------------------------------------------------------------- */

static void finding_row(struct page *p, struct html_table *t, const struct report_finding *f,
                        const struct chart_part *names)
{
    struct chart_part parts[] = {names[0], names[1]};
    parts[0].n = f->customers;
    parts[1].n = f->sessions - f->customers;
    html_row(t);
    html_cell(t);
    page_finding(p, f->finding);
    html_put(t->to, "<span class=\"note\">");
    html_cstring(t->to, findings[f->finding].what);
    html_put(t->to, "</span>");
    html_cell(t);
    chart_bar(t->to, findings[f->finding].id, parts, COUNT(parts), 0);
    html_cell_number(t, parts[0].n);
    html_cell_number(t, parts[1].n);
    html_cell_number(t, f->likely);
    html_cell_number(t, f->users);
    html_cell_number(t, f->clients);
}

void page_found(struct page *p)
{
    static const struct html_column columns[] = {
        {"Finding"},           {"Whose sessions"}, {"Of customers", true}, {"Of strangers", true},
        {"Not certain", true}, {"Users", true},    {"Addresses", true}};
    static const struct chart_part names[] = {{"customers", SHADE_BAD}, {"strangers", SHADE_NONE}};
    const struct report *r = p->r;
    if (r->finding_count == 0) {
        html_put(p->to, "<p>Nothing was found.</p>\n");
        return;
    }
    html_put(p->to, "<p>&quot;Not certain&quot; are sessions whose log allows another "
                    "reading.</p>\n");
    chart_legend(p->to, names, COUNT(names));
    struct html_table t =
        html_table_begin(p->to, "Sessions in which something was found", columns, COUNT(columns));
    for (unsigned i = 0; i < r->finding_count; i++)
        finding_row(p, &t, &r->findings[i], names);
    html_table_end(&t);
}
