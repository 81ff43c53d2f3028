/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the report for a terminal that says who has to change what. */
#include "audit/report/report_text.h"

static void put_ids(struct buf *b, finding_set set, finding_set likely)
{
    const char *between = "";
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (!(set & FINDING_BIT(f)))
            continue;
        buf_printf(b, "%s%s%s", between, findings[f].id,
                   likely & FINDING_BIT(f) ? " (likely)" : "");
        between = ", ";
    }
}

/* ---- who has to change what ----------------------------------------------------- */

/* "192.0.2.7 (host.example.com) and 3 more". */
static void put_client(struct buf *b, const struct report_entry *e)
{
    buf_printf(b, "%.100s", e->clients.count ? e->clients.list[0] : "unknown");
    if (*e->name)
        buf_printf(b, " (%.100s)", e->name);
    if (e->clients.count > 1)
        buf_printf(b, " and %u more", e->clients.count - 1);
}

static void put_user(struct buf *b, const struct report_entry *e)
{
    static const char *const before[WHO_COUNT] = {
        [WHO_LOGGED_IN] = "",
        [WHO_ADDRESS] = "from the address of ",
        [WHO_TRIED] = "somebody who tried the name of ",
        [WHO_NOBODY] = "",
    };
    buf_printf(b, "%s%.200s%s", before[e->who], e->user,
               e->who == WHO_TRIED ? " (perhaps a guess)" : "");
}

/* What the entry is about; false: the user, or the client where there is none. */
static bool put_key(struct buf *b, const struct report *r, const struct report_entry *e)
{
    switch (r->by) {
    case BY_SOFTWARE:
        buf_cstring(b, *e->software ? e->software : "software not recognised");
        return true;
    case BY_LISTENER:
        buf_cstring(b, *e->listener ? e->listener : "listener without a name");
        return true;
    case BY_FINDING: buf_cstring(b, findings[e->finding].id); return true;
    default: return false;
    }
}

static void put_title(struct buf *b, const struct report *r, const struct report_entry *e)
{
    bool user = e->who != WHO_NOBODY;
    if (put_key(b, r, e)) {
        buf_cstring(b, ": ");
        if (user)
            put_user(b, e);
        else
            put_client(b, e);
    } else if (r->by == BY_CLIENT || !user) {
        put_client(b, e);
        if (user)
            buf_cstring(b, ", ");
        if (user)
            put_user(b, e);
    } else {
        put_user(b, e);
        buf_cstring(b, e->who == WHO_ADDRESS ? ", " : ", from ");
        put_client(b, e);
    }
    if (e->last_us) {
        buf_cstring(b, "; last ");
        put_time(b, e->last_us);
    }
}

static const char *const would_words[ACTION_COUNT] = {
    [ACTION_NONE] = "only logged",        [ACTION_IGNORE] = "only logged",
    [ACTION_LOG] = "only logged",         [ACTION_DEFER] = "would be deferred",
    [ACTION_REJECT] = "would be refused",
};

/* "   12  would be refused: tls-required, cleartext-auth; on postfix/submission, Mutt 2.2.9". */
static void write_part(const struct text *t, const struct report_part *p)
{
    char text[SENTENCE_MAX], number[GROUPED_MAX];
    struct buf b = BUF(text);
    const char *would = would_words[p->would];
    bool red = t->style.colour && refuses(p->would);
    int column = fprintf(t->style.to, "%10s  ", grouped(p->sessions, number));
    fprintf(t->style.to, "%s%s%s: ", red ? "\033[31m" : "", would, red ? "\033[0m" : "");
    put_ids(&b, p->findings, p->likely);
    if (*p->listener)
        buf_printf(&b, "; on %.100s", p->listener);
    if (p->software)
        buf_printf(&b, ", %s%s%.40s", p->software->name, *p->version ? " " : "", p->version);
    if (p->offered)
        buf_printf(&b, ", offers up to %s", tls_version_name(p->offered));
    if (*p->ja4 && !p->software) /* who has no name has a fingerprint */
        buf_printf(&b, ", JA4 %.40s", p->ja4);
    text_go_on(&t->style, (unsigned)column + (unsigned)strlen(would) + 2, 14, buf_cstr(&b));
}

static void write_entry(const struct text *t, const struct report_entry *e)
{
    char text[SENTENCE_MAX];
    struct buf b = BUF(text);
    put_title(&b, t->r, e);
    text_wrap(&t->style, 2, 4, buf_cstr(&b));
    unsigned shown = at_most(e->part_count, t->rows ? PARTS_SHOWN : 0);
    for (unsigned i = 0; i < shown; i++) {
        const struct report_part *p = &e->parts[i];
        write_part(t, p);
        if (i + 1 == shown || e->parts[i + 1].setting != p->setting)
            text_wrap(&t->style, 12, 12, p->setting);
    }
    if (e->part_count > shown)
        fprintf(t->style.to, "%12sand %u more: --all\n", "", e->part_count - shown);
}

/* Entries `from` to `to`. */
static void write_entries(const struct text *t, unsigned from, unsigned to, const char *heading)
{
    if (from == to)
        return;
    text_heading(&t->style, heading);
    unsigned shown = at_most(to - from, t->rows);
    for (unsigned i = from; i < from + shown; i++)
        write_entry(t, &t->r->entries[i]);
    if (shown < to - from)
        fprintf(t->style.to, "  and %u more: --all\n", to - from - shown);
}

/* ---- strangers ------------------------------------------------------------------ */

static void write_strangers(struct text *t, unsigned from)
{
    static const struct text_column columns[] = {
        {"", .shrinks = true},
        {"sessions", true},
        {"found", .shrinks = true},
    };
    const struct report *r = t->r;
    struct text_table table;
    char text[SENTENCE_MAX];
    unsigned shown = at_most(r->entry_count - from, t->rows ? FEW : 0);
    if (from == r->entry_count)
        return;
    table_begin(&table, columns, sizeof columns / sizeof *columns);
    for (unsigned i = from; i < from + shown; i++) {
        const struct report_entry *e = &r->entries[i];
        struct buf b = BUF(text);
        if (!put_key(&b, r, e))
            put_client(&b, e);
        table_cell(&table, buf_cstr(&b));
        table_number(&table, e->sessions);
        b.n = 0;
        put_ids(&b, e->findings, 0);
        table_cell(&table, buf_cstr(&b));
    }
    write_table(t, &table, "STRANGERS");
    if (shown < r->entry_count - from)
        fprintf(t->style.to, "  and %u more: --all\n", r->entry_count - from - shown);
}

/* The entries are sorted: customers, strangers who lose something, other strangers. */
void write_who(struct text *t)
{
    const struct report *r = t->r;
    unsigned customers = 0, devices;
    while (customers < r->entry_count && r->entries[customers].customer)
        customers++;
    devices = customers;
    while (devices < r->entry_count && r->entries[devices].breaks)
        devices++;
    write_entries(t, 0, customers, "CUSTOMERS, AND WHAT TO CHANGE (in front: sessions)");
    write_entries(t, customers, devices,
                  "WITHOUT A LOGIN, BUT THEIR MAIL IS TAKEN TODAY (if that is meant: `trusted`)");
    write_strangers(t, devices);
}
