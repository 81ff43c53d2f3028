/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report/html.h"
#include "config/utf8.h"
#include "core/clock.h"

/* ---- text ------------------------------------------------------------------- */

/* RFC 9839 calls them troublesome; Unicode's bidirectional controls are more so. */
static bool shown(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } not_shown[] = {
        {'\t', '\r'},     {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f},
        {0x202a, 0x202e}, {0x2060, 0x206f}, {0xfdd0, 0xfdef}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof not_shown / sizeof *not_shown; i++)
        if (c >= not_shown[i].first && c <= not_shown[i].last)
            return false;
    return utf8_visible(c) && (c & 0xfffe) != 0xfffe;
}

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void html_text(FILE *to, struct str s)
{
    for (size_t at = 0, n; at < s.n; at += n) {
        uint32_t c = 0;
        if (at >= HTML_TEXT_MAX) {
            html_put(to, "...");
            return;
        }
        n = utf8_next((struct str){s.p + at, s.n - at}, &c);
        const char *escaped = entity(s.p[at]);
        if (escaped)
            fputs(escaped, to);
        else if (n && shown(c))
            fwrite(s.p + at, 1, n, to);
        else
            html_put(to, "\xef\xbf\xbd");
        n = n ? n : 1;
    }
}

void html_cstring(FILE *to, const char *s)
{
    html_text(to, str_of(s));
}

/* ---- numbers and times ------------------------------------------------------ */

void html_number(FILE *to, uint64_t n)
{
    char text[32];
    struct buf digits = BUF(text);
    buf_u64(&digits, n);
    for (size_t i = 0; i < digits.n; i++) {
        if (i && (digits.n - i) % 3 == 0)
            fputc(',', to);
        fputc(text[i], to);
    }
}

void html_count(FILE *to, uint64_t n, const char *one, const char *many)
{
    html_number(to, n);
    fputc(' ', to);
    html_cstring(to, n == 1 ? one : many);
}

void html_percent(FILE *to, uint64_t part, uint64_t whole)
{
    double share = whole ? 100.0 * (double)part / (double)whole : 0;
    if (part && share < 1)
        html_put(to, "less than 1 %");
    else if (part < whole && share > 99)
        html_put(to, "more than 99 %");
    else
        fprintf(to, "%u %%", (unsigned)(share + 0.5));
}

void html_time(FILE *to, int64_t wall_us)
{
    char text[40];
    struct buf t = BUF(text);
    if (wall_us)
        clock_format(&t, wall_us, 0);
    if (t.n < sizeof "2027-03-31T18:00" || t.full) {
        html_put(to, "\xe2\x80\x93");
        return;
    }
    /* "2027-03-31T18:00:00Z": date and minute are at fixed places, from the end. */
    size_t day = t.n - sizeof "T18:00:00Z" + 1;
    fprintf(to, "<time datetime=\"%.*s\">%.*s %.5s UTC</time>", (int)t.n, t.p, (int)day, t.p,
            t.p + day + 1);
}

/* ---- tables ----------------------------------------------------------------- */

struct html_table html_table_begin(FILE *to, const char *caption, const struct html_column *columns,
                                   unsigned count)
{
    html_put(to, "<table>\n<caption>");
    html_cstring(to, caption);
    html_put(to, "</caption>\n<thead><tr>");
    for (unsigned i = 0; i < count; i++) {
        fputs(columns[i].number ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">", to);
        html_cstring(to, columns[i].head);
        html_put(to, "</th>");
    }
    html_put(to, "</tr></thead>\n<tbody>\n");
    return (struct html_table){.to = to, .columns = columns, .count = count};
}

static void end_cell(struct html_table *t)
{
    if (t->at)
        fputs(t->at == 1 ? "</th>" : "</td>", t->to);
}

static void end_row(struct html_table *t)
{
    end_cell(t);
    if (t->at)
        html_put(t->to, "</tr>\n");
    t->at = 0;
}

void html_row(struct html_table *t)
{
    end_row(t);
    html_put(t->to, "<tr>");
}

void html_cell(struct html_table *t)
{
    end_cell(t);
    if (t->at == 0) {
        html_put(t->to, "<th scope=\"row\">");
    } else {
        const struct html_column *c = &t->columns[t->at];
        fputs(c->number ? "<td class=\"n\" data-label=\"" : "<td data-label=\"", t->to);
        html_cstring(t->to, c->head);
        html_put(t->to, "\">");
    }
    t->at++;
}

void html_cell_number(struct html_table *t, uint64_t n)
{
    html_cell(t);
    html_number(t->to, n);
}

void html_table_end(struct html_table *t)
{
    end_row(t);
    html_put(t->to, "</tbody>\n</table>\n");
}
