/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "edge/privacy.h"
#include "audit/report/report_internal.h"

const char *const report_by_names[BY_COUNT] = {
    [BY_USER] = "user",         [BY_CLIENT] = "client",   [BY_SOFTWARE] = "software",
    [BY_LISTENER] = "listener", [BY_FINDING] = "finding",
};

const char *const report_known_by_ids[KNOWN_BY_COUNT] = {
    [KNOWN_BY_NOTHING] = "",
    [KNOWN_BY_OPTION] = "option",
    [KNOWN_BY_POLICY] = "policy",
    [KNOWN_BY_CUSTOM] = "custom",
    [KNOWN_BY_ASSUMPTION] = "assumption",
};

const char *const report_who_names[WHO_COUNT] = {
    [WHO_LOGGED_IN] = "login",
    [WHO_ADDRESS] = "address",
    [WHO_TRIED] = "tried",
    [WHO_NOBODY] = "",
};

const char *const report_state_names[STATE_COUNT] = {
    [STATE_FINE] = "fine",
    [STATE_CHANGE] = "change",
    [STATE_UNKNOWN] = "unknown",
};

/* ---- memory and texts ----------------------------------------------------------- */

void *build_alloc(struct build *b, size_t n)
{
    void *p = arena_alloc(&b->r->arena, n);
    if (!p)
        b->failed = true;
    return p;
}

const char *build_text(struct build *b, struct str s)
{
    if (s.n == 0)
        return "";
    char *known = table_get(&b->texts, s.p, s.n);
    if (known)
        return known;
    known = arena_strdup(&b->r->arena, s);
    if (!known || !table_put(&b->texts, s.p, s.n, known)) {
        b->failed = true;
        return "";
    }
    for (char *nul = known; (nul = memchr(nul, '\0', (size_t)(known + s.n - nul)));)
        *nul = '?';
    return known;
}

const char *build_text_of(struct build *b, uint32_t number)
{
    return build_text(b, names_text(b->s->judge->names, number));
}

static const char *user_text(struct build *b, uint32_t number)
{
    char scratch[PRIVACY_TEXT_MAX];
    struct buf t = BUF(scratch);
    struct str user = names_text(b->s->judge->names, number);
    return build_text(b, b->s->privacy ? privacy_user(b->s->privacy, user, &t) : user);
}

static const char *software_text(struct build *b, const struct seen *s)
{
    char scratch[CATALOGUE_VERSION_MAX + 100];
    struct buf t = BUF(scratch);
    if (s->software == 0)
        return "";
    buf_cstring(&t, catalogue[s->software - 1].name);
    if (s->software_version) {
        buf_char(&t, ' ');
        buf_str(&t, names_text(b->s->judge->names, s->software_version));
    }
    return build_text(b, buf_view(&t));
}

/* ---- who it was ----------------------------------------------------------------- */

static struct identity identify(const struct tally *t, const struct seen *s)
{
    bool login = s->flags & SEEN_AUTH;
    if (login && s->user)
        return (struct identity){WHO_LOGGED_IN, s->user, true};
    uint32_t here = tally_user_at(t, &s->client);
    uint32_t tried = s->failed_user ? tally_user_of_hash(t, s->failed_user) : 0;
    if (tried && tried != here && !tally_guesses(t, &s->client))
        return (struct identity){WHO_TRIED, tried, true};
    if (here > NAMES_MORE)
        return (struct identity){WHO_ADDRESS, here, true};
    return (struct identity){WHO_NOBODY, 0, here || login};
}

/* ---- items ---------------------------------------------------------------------- */

static void add_item(struct build *b, struct item *list, const struct judged_row *f)
{
    const struct seen *s = &f->row->seen;
    list[b->count++] = (struct item){
        .row = f->row,
        .on = f->judged.listener,
        .user = f->id.user ? user_text(b, f->id.user) : "",
        .client = "",
        .software = software_text(b, s),
        .listener = build_text_of(b, s->listener),
        .found = f->judged.found,
        .likely = f->judged.likely & f->judged.found,
        .user_number = f->id.user,
        .who = (uint8_t)f->id.who,
        .would = (uint8_t)f->judged.would,
        .because = (uint8_t)f->judged.because,
        .customer = f->id.customer,
    };
}

/* Equal addresses follow each other, so that each is written once. */
static void write_clients(struct build *b)
{
    char text[64], scratch[PRIVACY_TEXT_MAX];
    const char *client = "";
    uint64_t seen[FINDING_COUNT] = {0}; /* which client had that finding last */
    uint64_t devices = 0;
    for (size_t i = 0, number = 0; i < b->count; i++) {
        struct item *m = b->items[i];
        const struct addr *a = &m->row->seen.client;
        if (i == 0 || item_order_client(&b->items[i - 1], &b->items[i])) {
            struct buf t = BUF(text), p = BUF(scratch);
            addr_format(&t, a);
            struct str plain = t.n ? buf_view(&t) : STR("unknown");
            struct str shown = b->s->privacy ? privacy_address(b->s->privacy, plain, a, &p) : plain;
            if (!str_eq(shown, str_of(client))) /* addresses of one network follow each other */
                client = arena_strdup(&b->r->arena, shown);
            if (!client) {
                b->failed = true;
                return;
            }
            number++;
        }
        m->client = client;
        for (unsigned k = 0; k < b->r->finding_count; k++) {
            struct report_finding *f = &b->r->findings[k];
            if (!(m->found & FINDING_BIT(f->finding)) || seen[k] == number)
                continue;
            seen[k] = number;
            f->clients++;
        }
        if (m->who != WHO_LOGGED_IN && refuses(m->would) && m->row->seen.flags & SEEN_MAIL_TAKEN) {
            b->r->refused_devices += m->row->count;
            b->r->refused_device_clients += devices != number;
            devices = number;
        }
    }
}

static void count_users_of_findings(struct build *b)
{
    uint32_t seen[FINDING_COUNT] = {0};
    for (size_t i = 0; i < b->count; i++) {
        const struct item *m = b->items[i];
        for (unsigned k = 0; m->who == WHO_LOGGED_IN && k < b->r->finding_count; k++) {
            struct report_finding *f = &b->r->findings[k];
            if (!(m->found & FINDING_BIT(f->finding)) || seen[k] == m->user_number)
                continue;
            seen[k] = m->user_number;
            f->users++;
        }
    }
}

/* ---- entries -------------------------------------------------------------------- */

static size_t choose(struct build *b, enum finding f)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++)
        if (f == FINDING_COUNT ? refuses(b->items[i]->would)
                               : (b->items[i]->found & FINDING_BIT(f)) != 0)
            b->sorted[n++] = b->items[i];
    return n;
}

static void make_entries_by_finding(struct build *b)
{
    struct report *r = b->r;
    r->entries = build_alloc(b, (2 * r->finding_count + 1) * sizeof *r->entries);
    for (unsigned k = 0; r->entries && k < r->finding_count; k++) {
        struct report_entry *list;
        unsigned n;
        size_t chosen = choose(b, r->findings[k].finding);
        build_entries(b, b->sorted, chosen, item_orders[BY_FINDING], r->findings[k].finding, &list,
                      &n);
        for (unsigned i = 0; i < n; i++)
            r->entries[r->entry_count++] = list[i];
    }
}

static void make_entries(struct build *b)
{
    struct report *r = b->r;
    if (r->by == BY_FINDING)
        make_entries_by_finding(b);
    else
        build_entries(b, b->items, b->count, item_orders[r->by], FINDING_COUNT, &r->entries,
                      &r->entry_count);
    sort_entries(r->entries, r->entry_count);
    size_t n = choose(b, FINDING_COUNT);
    build_entries(b, b->sorted, n, item_order_refused, FINDING_COUNT, &r->refused,
                  &r->refused_count);
    sort_entries(r->refused, r->refused_count);
}

/* ---- the report ----------------------------------------------------------------- */

/* "built in", or the file and its digest. */
static const char *policy_name(struct build *b)
{
    char scratch[600];
    struct buf t = BUF(scratch);
    const struct policy *p = b->s->judge->policy;
    if (!b->s->policy_given)
        return "built in";
    buf_printf(&t, "%.500s, %s", p->file, p->digest);
    return build_text(b, buf_view(&t));
}

static void read_rows(struct build *b, struct item *list)
{
    struct counting *n = arena_alloc(&b->work, sizeof *n);
    if (!n) {
        b->failed = true;
        return;
    }
    table_init(&n->users, &b->work, &b->texts.key);
    table_init(&n->ciphers, &b->work, &b->texts.key);
    for (size_t i = 0; i < tally_rows(b->tally) && !b->failed; i++) {
        struct judged_row f = {.row = tally_row(b->tally, i)};
        int64_t at_us = f.row->last_us ? f.row->last_us : b->r->input->last_us;
        judge(b->s->judge, &f.row->seen, at_us, &f.judged);
        f.id = identify(b->tally, &f.row->seen);
        count_row(b, n, &f);
        if (f.judged.found)
            add_item(b, list, &f);
    }
    list_counted(b, n);
    table_free(&n->users);
    table_free(&n->ciphers);
}

static void fill(struct build *b)
{
    size_t rows = tally_rows(b->tally) + 1;
    struct item *list = malloc(rows * sizeof *list);
    if (list)
        read_rows(b, list);
    b->items = malloc((b->count + 1) * sizeof *b->items);
    b->sorted = malloc((b->count + 1) * sizeof *b->sorted);
    b->values = malloc((b->count + 1) * sizeof *b->values);
    if (!list || !b->items || !b->sorted || !b->values)
        b->failed = true;
    for (size_t i = 0; !b->failed && i < b->count; i++)
        b->items[i] = &list[i];
    if (!b->failed) {
        qsort(b->items, b->count, sizeof *b->items, item_order_user);
        count_users_of_findings(b);
        qsort(b->items, b->count, sizeof *b->items, item_order_client);
        write_clients(b);
        make_entries(b);
    }
    free(list);
    free(b->items);
    free(b->sorted);
    free(b->values);
}

struct report *report_new(const struct tally *t, const struct report_input *input,
                          const struct report_settings *s)
{
    struct report *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    struct build b = {.r = r, .tally = t, .s = s};
    r->input = input;
    r->by = s->by;
    r->policy_given = s->policy_given;
    r->overflow = tally_overflow(t);
    table_init(&b.texts, &b.work, tally_key(t));
    table_init(&b.advices, &b.work, tally_key(t));
    r->policy = policy_name(&b);
    fill(&b);
    table_free(&b.texts);
    table_free(&b.advices);
    arena_free(&b.work);
    if (!b.failed)
        return r;
    report_free(r);
    return NULL;
}

bool report_several_hosts(const struct report *r)
{
    for (unsigned i = 1; i < r->listener_count; i++)
        if (strcmp(r->listeners[i].host, r->listeners[0].host) != 0)
            return true;
    return false;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    arena_free(&r->arena);
    free(r);
}
