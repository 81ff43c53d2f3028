/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report/text_table.h"

#include "edge/log.h"

enum {
    CELL_MAX = 400,
    GAP = 2,
    SHRUNK_MIN = 12,
    ROW_MAX = TABLE_INDENT + TABLE_COLUMNS * (CELL_MAX + GAP)
};

static const char bold[] = "\033[1m", plain[] = "\033[0m";

struct text_row {
    struct text_row *next;
    struct str cells[TABLE_COLUMNS];
};

/* ---- numbers -------------------------------------------------------------------- */

const char *grouped(uint64_t v, char text[GROUPED_MAX])
{
    char digits[24];
    struct buf d = BUF(digits), out = {text, 0, GROUPED_MAX, false};
    buf_u64(&d, v);
    for (size_t i = 0; i < d.n; i++) {
        if (i && (d.n - i) % 3 == 0)
            buf_char(&out, ',');
        buf_char(&out, d.p[i]);
    }
    return buf_cstr(&out);
}

void put_count(struct buf *b, uint64_t v, const char *one, const char *many)
{
    char text[GROUPED_MAX];
    buf_printf(b, "%s %s", grouped(v, text), v == 1 ? one : many);
}

/* ---- tables --------------------------------------------------------------------- */

void table_begin(struct text_table *t, const struct text_column *columns, unsigned column_count)
{
    *t = (struct text_table){.columns = columns, .column_count = column_count};
}

void table_cell(struct text_table *t, const char *text)
{
    char clean[CELL_MAX];
    struct buf b = BUF(clean);
    log_sanitise(&b, str_of(text));
    if (t->at == 0) {
        struct text_row *row = arena_alloc(&t->arena, sizeof *row);
        if (!row) {
            t->failed = true;
            return;
        }
        if (t->last)
            t->last->next = row;
        else
            t->first = row;
        t->last = row;
    }
    char *copy = arena_strdup(&t->arena, buf_view(&b));
    if (!copy || t->failed) {
        t->failed = true;
        return;
    }
    t->last->cells[t->at++] = (struct str){copy, b.n};
    t->at %= t->column_count;
}

void table_number(struct text_table *t, uint64_t v)
{
    char text[GROUPED_MAX];
    table_cell(t, v ? grouped(v, text) : "-");
}

/* How wide each column is; 0: it is left out. */
static void measure(const struct text_table *t, size_t *widths, const char *heading)
{
    for (unsigned c = 0; c < t->column_count; c++) {
        bool filled = !t->columns[c].optional;
        widths[c] = 0;
        for (const struct text_row *r = t->first; r; r = r->next) {
            filled |= r->cells[c].n && !str_eq(r->cells[c], STR("-"));
            if (r->cells[c].n > widths[c])
                widths[c] = r->cells[c].n;
        }
        size_t title = strlen(c == 0 ? heading : t->columns[c].title);
        if (c == 0) /* which is not indented */
            title -= title < TABLE_INDENT ? title : TABLE_INDENT;
        widths[c] = !filled ? 0 : title > widths[c] ? title : widths[c];
    }
}

/* Takes from the widest column that may shrink until the table fits, or none is left. */
static void shrink(const struct text_table *t, size_t *widths, size_t room)
{
    for (;;) {
        size_t total = TABLE_INDENT;
        unsigned widest = TABLE_COLUMNS;
        for (unsigned c = 0; c < t->column_count; c++) {
            total += widths[c] + (c && widths[c] ? GAP : 0);
            if (t->columns[c].shrinks && widths[c] > SHRUNK_MIN &&
                (widest == TABLE_COLUMNS || widths[c] > widths[widest]))
                widest = c;
        }
        if (total <= room || widest == TABLE_COLUMNS)
            return;
        widths[widest]--;
    }
}

static void pad(struct buf *line, size_t n)
{
    while (n--)
        buf_char(line, ' ');
}

static void put_cell(struct buf *line, struct str cell, size_t width, bool right)
{
    bool cut = cell.n > width;
    size_t n = cut ? width - 2 : cell.n;
    if (right)
        pad(line, width - cell.n);
    buf_put(line, cell.p, n);
    buf_cstring(line, cut ? ".." : "");
    if (!right)
        pad(line, cut ? 0 : width - cell.n);
}

static void put_row(const struct text_table *t, struct buf *line, const size_t *widths,
                    const struct str *cells)
{
    pad(line, TABLE_INDENT);
    for (unsigned c = 0; c < t->column_count; c++) {
        if (widths[c] == 0)
            continue;
        pad(line, c ? GAP : 0);
        put_cell(line, cells[c], widths[c], t->columns[c].right);
    }
    while (line->n && line->p[line->n - 1] == ' ')
        line->n--;
}

static void write_row(const struct text_table *t, FILE *to, const size_t *widths,
                      const struct str *cells)
{
    char text[ROW_MAX];
    struct buf line = BUF(text);
    put_row(t, &line, widths, cells);
    fprintf(to, "%.*s\n", (int)line.n, line.p);
}

static void write_titles(const struct text_table *t, const struct text_style *s,
                         const size_t *widths, const char *heading)
{
    struct str titles[TABLE_COLUMNS] = {{NULL, 0}};
    char text[ROW_MAX];
    struct buf line = BUF(text);
    for (unsigned c = 1; c < t->column_count; c++)
        titles[c] = str_of(t->columns[c].title);
    put_row(t, &line, widths, titles);
    fprintf(s->to, "\n%s%s%s", s->colour ? bold : "", heading, s->colour ? plain : "");
    size_t at = strlen(heading);
    if (line.n > at)
        fprintf(s->to, "%.*s", (int)(line.n - at), line.p + at);
    fputc('\n', s->to);
}

bool table_write(struct text_table *t, const struct text_style *s, const char *heading)
{
    size_t widths[TABLE_COLUMNS];
    bool ok = !t->failed;
    if (ok) {
        measure(t, widths, heading);
        if (s->width)
            shrink(t, widths, s->width);
        write_titles(t, s, widths, heading);
        for (const struct text_row *r = t->first; r; r = r->next)
            write_row(t, s->to, widths, r->cells);
    }
    arena_free(&t->arena);
    return ok;
}

/* ---- paragraphs ----------------------------------------------------------------- */

void text_heading(const struct text_style *s, const char *text)
{
    fprintf(s->to, "\n%s%s%s\n", s->colour ? bold : "", text, s->colour ? plain : "");
}

void text_go_on(const struct text_style *s, unsigned column, unsigned next, const char *text)
{
    bool fresh = true; /* nothing of the text stands in this line yet */
    for (struct str rest = str_of(text); rest.p;) {
        char clean[CELL_MAX];
        struct buf word = BUF(clean);
        log_sanitise(&word, str_cut(&rest, " "));
        if (s->width && column + !fresh + word.n > s->width && column > next) {
            fprintf(s->to, "\n%*s", (int)next, "");
            column = next;
            fresh = true;
        }
        column += (unsigned)fprintf(s->to, "%s%.*s", fresh ? "" : " ", (int)word.n, word.p);
        fresh = false;
    }
    fprintf(s->to, "\n");
}

void text_wrap(const struct text_style *s, unsigned first, unsigned next, const char *text)
{
    fprintf(s->to, "%*s", (int)first, "");
    text_go_on(s, first, next, text);
}
