/* SPDX-License-Identifier: Apache-2.0 */
/* Who: customers to write to, who would be refused, strangers. */
#include "audit/report/page.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char everything[] = "mailreeve audit --csv, or --json";

/* ---- cells ------------------------------------------------------------------ */

static void note(FILE *to, const char *what, const char *text)
{
    if (!*text)
        return;
    html_put(to, "<span class=\"note\">");
    html_cstring(to, what);
    html_cstring(to, text);
    html_put(to, "</span>");
}

static const char *how_known(const struct report_entry *e)
{
    switch (e->who) {
    case WHO_ADDRESS: return "logged in from the same address, not in these sessions";
    case WHO_TRIED: return "this name was tried; it may be a guess";
    default: return "";
    }
}

/* What the entry is about, then the rest of what is known of it. */
static void who_cell(struct page *p, struct html_table *t, const struct report_entry *e,
                     enum report_by by)
{
    static const char *const none[BY_COUNT] = {
        [BY_USER] = "no user is known",
        [BY_CLIENT] = "no address is known",
        [BY_SOFTWARE] = "software not recognised",
        [BY_LISTENER] = "no listener is named",
    };
    const char *text[BY_COUNT] = {e->user, e->client, e->software, e->listener, ""};
    if (by == BY_USER && !*e->user)
        by = BY_CLIENT;
    html_cell(t);
    html_put(t->to, "<strong>");
    if (by == BY_FINDING)
        page_finding(p, e->finding);
    else
        html_cstring(t->to, *text[by] ? text[by] : none[by]);
    html_put(t->to, "</strong>");
    static const struct {
        enum report_by by;
        const char *what;
    } rest[] = {
        {BY_USER, "user: "}, {BY_CLIENT, "from "}, {BY_SOFTWARE, "with "}, {BY_LISTENER, "on "}};
    for (size_t i = 0; i < COUNT(rest); i++) {
        if (rest[i].by != by)
            note(t->to, rest[i].what, text[rest[i].by]);
        if (rest[i].by == BY_USER)
            note(t->to, "", how_known(e));
        if (rest[i].by == BY_CLIENT)
            note(t->to, "host name: ", e->name);
    }
}

static void finding_links(struct page *p, finding_set set)
{
    html_put(p->to, "<ul class=\"plain\">");
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (!(set & FINDING_BIT(f)))
            continue;
        html_put(p->to, "<li>");
        page_finding(p, (enum finding)f);
        html_put(p->to, "</li>");
    }
    html_put(p->to, "</ul>");
}

static void found_cell(struct page *p, struct html_table *t, const struct report_entry *e)
{
    html_cell(t);
    finding_links(p, e->findings);
    if (e->likely == 0)
        return;
    html_put(p->to, "<span class=\"note\">");
    if (e->likely < e->sessions) {
        html_put(p->to, "in ");
        html_count(p->to, e->likely, "session", "sessions");
        html_put(p->to, " ");
    }
    html_put(p->to, "the likeliest reading, not the only one</span>");
}

/* What to change, each advice once. */
struct advices {
    const char *text[5];
    uint64_t sessions[5], rest; /* rest: sessions of advices that found no place */
    unsigned count;
};

/* Parts are sorted: those that matter most are first. */
static struct advices advices_of(const struct report_entry *e)
{
    struct advices a = {.count = 0};
    for (unsigned i = 0; i < e->part_count; i++) {
        unsigned k = 0;
        while (k < a.count && strcmp(a.text[k], e->parts[i].setting) != 0)
            k++;
        if (k == COUNT(a.text)) {
            a.rest += e->parts[i].sessions;
            continue;
        }
        if (k == a.count)
            a.text[a.count++] = e->parts[i].setting;
        a.sessions[k] += e->parts[i].sessions;
    }
    return a;
}

static void setting_cell(struct html_table *t, const struct report_entry *e)
{
    struct advices a = advices_of(e);
    html_cell(t);
    if (a.count < 2) {
        html_cstring(t->to, e->setting);
        return;
    }
    html_put(t->to, "<ul>");
    for (unsigned k = 0; k < a.count; k++) {
        html_put(t->to, "<li>");
        html_cstring(t->to, a.text[k]);
        html_put(t->to, "<span class=\"note\">");
        html_count(t->to, a.sessions[k], "session", "sessions");
        html_put(t->to, "</span></li>");
    }
    html_put(t->to, "</ul>");
    if (a.rest) {
        html_put(t->to, "<span class=\"note\">and more, in ");
        html_count(t->to, a.rest, "session", "sessions");
        html_put(t->to, "</span>");
    }
}

static void would_cell(struct html_table *t, const struct report_entry *e)
{
    html_cell(t);
    if (!refuses(e->would)) {
        html_put(t->to, "passes");
        return;
    }
    html_put(t->to, "<strong class=\"bad\">");
    html_cstring(t->to, e->would == ACTION_DEFER ? "deferred" : "refused");
    html_put(t->to, "</strong>");
}

static void last_cell(struct html_table *t, const struct report_entry *e)
{
    html_cell(t);
    html_time(t->to, e->last_us);
}

/* ---- tables ----------------------------------------------------------------- */

typedef bool entry_filter(const struct report_entry *e);

static bool is_customer(const struct report_entry *e)
{
    return e->customer;
}

/* A device or a program that sends without a login, and would stop. */
static bool is_sender(const struct report_entry *e)
{
    return !e->customer && e->breaks;
}

static bool is_stranger(const struct report_entry *e)
{
    return !e->customer && !e->breaks;
}

struct list {
    const struct report_entry *entries;
    unsigned count;
    entry_filter *filter;
    enum report_by by;
    unsigned most;
};

static unsigned matching(const struct list *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->count; i++)
        n += l->filter(&l->entries[i]);
    return n;
}

enum cells { WOULD = 1, SETTING = 2, BREAKS = 4 };

static void entry_row(struct page *p, struct html_table *t, const struct report_entry *e,
                      enum report_by by, unsigned cells)
{
    html_row(t);
    who_cell(p, t, e, by);
    if (cells & SETTING)
        setting_cell(t, e);
    found_cell(p, t, e);
    if (cells & WOULD)
        would_cell(t, e);
    html_cell_number(t, e->sessions);
    if (cells & BREAKS)
        html_cell_number(t, e->breaks);
    last_cell(t, e);
}

/* Rows from the `from`th on that pass, at most `most`: how many. */
static unsigned entry_rows(struct page *p, const char *caption, const struct list *l,
                           unsigned cells, unsigned from, unsigned most)
{
    /* In the order of entry_row(). */
    static const struct {
        struct html_column column;
        unsigned cell;
    } all[] = {
        {{"Who"}, 0},
        {{"What to change"}, SETTING},
        {{"What was found"}, 0},
        {{"In enforce"}, WOULD},
        {{"Sessions", true}, 0},
        {{"With mail", true}, BREAKS},
        {{"Last seen"}, 0},
    };
    struct html_column columns[COUNT(all)];
    unsigned count = 0, passed = 0;
    for (size_t i = 0; i < COUNT(all); i++)
        if ((all[i].cell & ~cells) == 0)
            columns[count++] = all[i].column;
    struct html_table t = html_table_begin(p->to, caption, columns, count);
    for (unsigned i = 0; i < l->count && passed < from + most; i++)
        if (l->filter(&l->entries[i]) && passed++ >= from)
            entry_row(p, &t, &l->entries[i], l->by, cells);
    html_table_end(&t);
    return passed;
}

/* The first ones; more, to be opened; and how many there are else. */
static void entry_tables(struct page *p, const char *caption, const struct list *l, unsigned cells)
{
    enum { OPEN = 25 };
    unsigned all = matching(l), shown = entry_rows(p, caption, l, cells, 0, OPEN);
    if (all > shown) {
        html_put(p->to, "<details><summary>The next ");
        html_number(p->to, (all < l->most ? all : l->most) - shown);
        html_put(p->to, "</summary>\n");
        shown = entry_rows(p, caption, l, cells, shown, l->most - shown);
        html_put(p->to, "</details>\n");
    }
    page_more(p, all, shown, everything);
}

/* ---- sections --------------------------------------------------------------- */

static struct list entries_of(const struct report *r, entry_filter *filter, unsigned most)
{
    return (struct list){r->entries, r->entry_count, filter, r->by, most};
}

void page_customers(struct page *p)
{
    static const char *const captions[BY_COUNT] = {
        [BY_USER] = "Customers with something to change, by user",
        [BY_CLIENT] = "Customers with something to change, by address",
        [BY_SOFTWARE] = "Sessions of customers with something to change, by client software",
        [BY_LISTENER] = "Sessions of customers with something to change, by listener",
        [BY_FINDING] = "Sessions of customers with something to change, by finding",
    };
    struct list l = entries_of(p->r, is_customer, PAGE_CUSTOMERS);
    if (matching(&l) == 0) {
        html_put(p->to, "<p>No customer has anything to change, as far as the logs tell.</p>\n");
        return;
    }
    html_put(p->to, "<p>Those who would be refused come first. Settings are called what the "
                    "client calls them, where the client is known; &quot;not checked&quot; means "
                    "that the name was written from memory.</p>\n");
    entry_tables(p, captions[p->r->by], &l, SETTING | WOULD);
}

void page_refused(struct page *p)
{
    const struct report *r = p->r;
    struct list customers = {r->refused, r->refused_count, is_customer, BY_USER, PAGE_REFUSED};
    struct list senders = {r->refused, r->refused_count, is_sender, BY_USER, PAGE_REFUSED};
    html_put(p->to, "<p>Under the policy (");
    html_cstring(p->to, r->policy);
    html_put(p->to, "), <code>mode: enforce</code> would refuse ");
    html_count(p->to, r->refused_sessions, "session", "sessions");
    html_put(p->to, ". Among them are ");
    html_count(p->to, r->refused_customers, "user", "users");
    html_put(p->to, ", and ");
    html_count(p->to, r->refused_devices, "session", "sessions");
    html_put(p->to, " whose mail is taken today without a login, from ");
    html_count(p->to, r->refused_device_clients, "address", "addresses");
    html_put(p->to, ".</p>\n");
    if (matching(&customers))
        entry_tables(p, "Customers who would be refused, and why", &customers, WOULD | BREAKS);
    if (matching(&senders))
        entry_tables(p, "Others whose mail is taken today and would be refused: devices, mostly",
                     &senders, SETTING | WOULD | BREAKS);
}

bool page_has_strangers(const struct report *r)
{
    struct list l = entries_of(r, is_stranger, 0);
    return matching(&l);
}

void page_strangers(struct page *p)
{
    struct list l = entries_of(p->r, is_stranger, PAGE_STRANGERS);
    html_put(p->to, "<p>Who neither logged in, nor tried a name that logged in elsewhere, nor came "
                    "from an address where somebody logged in: bots and other servers, "
                    "mostly.</p>\n<details><summary>");
    html_count(p->to, matching(&l), "stranger", "strangers");
    html_put(p->to, "</summary>\n");
    unsigned shown = entry_rows(p, "Strangers, most sessions first", &l, 0, 0, l.most);
    page_more(p, matching(&l), shown, everything);
    html_put(p->to, "</details>\n");
}
