/* SPDX-License-Identifier: Apache-2.0 */
/* Items to entries. */
#include <stddef.h>
#include <stdlib.h>

#include "edge/privacy.h"
#include "audit/report/report_internal.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* ---- orders of items ------------------------------------------------------------ */

/* Equal texts are one pointer; which comes first does not matter. */
static int by_text(const char *a, const char *b)
{
    return COMPARE((uintptr_t)a, (uintptr_t)b);
}

/* The user where one is known, else the client. */
static int by_identity(const struct item *a, const struct item *b)
{
    int d = COMPARE(a->who, b->who);
    if (d)
        return d;
    return a->who == WHO_NOBODY ? by_text(a->client, b->client) : by_text(a->user, b->user);
}

#define ORDER(name, expression)                                                                    \
    int name(const void *pa, const void *pb)                                                       \
    {                                                                                              \
        const struct item *a = *(const struct item *const *)pa;                                    \
        const struct item *b = *(const struct item *const *)pb;                                    \
        int d = COMPARE(b->customer, a->customer);                                                 \
        return d ? d : (expression);                                                               \
    }

static ORDER(order_user, by_identity(a, b));
static ORDER(order_client, by_text(a->client, b->client));
static ORDER(order_software, by_text(a->software, b->software));
static ORDER(order_listener, by_text(a->listener, b->listener));
static ORDER(order_finding, 0);
ORDER(item_order_refused, (d = by_identity(a, b)) ? d : COMPARE(a->because, b->because))

item_order *const item_orders[BY_COUNT] = {
    [BY_USER] = order_user,         [BY_CLIENT] = order_client,   [BY_SOFTWARE] = order_software,
    [BY_LISTENER] = order_listener, [BY_FINDING] = order_finding,
};

int item_order_client(const void *pa, const void *pb)
{
    const struct item *a = *(const struct item *const *)pa, *b = *(const struct item *const *)pb;
    return memcmp(&a->row->seen.client, &b->row->seen.client, sizeof a->row->seen.client);
}

int item_order_user(const void *pa, const void *pb)
{
    const struct item *a = *(const struct item *const *)pa, *b = *(const struct item *const *)pb;
    return COMPARE(a->user_number, b->user_number);
}

/* ---- different values of a group ------------------------------------------------ */

static int value_by_text(const void *pa, const void *pb)
{
    return by_text(((const struct value *)pa)->text, ((const struct value *)pb)->text);
}

static int value_by_sessions(const void *pa, const void *pb)
{
    const struct value *a = pa, *b = pb;
    int d = COMPARE(b->sessions, a->sessions);
    return d ? d : strcmp(a->text, b->text);
}

/* Items as surely known as `who`, or all: WHO_COUNT. `field`: where the text stands in an item. */
static struct report_values values(struct build *b, struct item *const *items, size_t n,
                                   size_t field, enum report_who who)
{
    size_t count = 0, kinds = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text;
        memcpy(&text, (const char *)items[i] + field, sizeof text);
        if (*text && (who == WHO_COUNT || who == items[i]->who))
            b->values[count++] = (struct value){text, items[i]->row->count};
    }
    qsort(b->values, count, sizeof *b->values, value_by_text);
    for (size_t i = 0; i < count; i++) {
        if (i && b->values[i].text == b->values[kinds - 1].text)
            b->values[kinds - 1].sessions += b->values[i].sessions;
        else
            b->values[kinds++] = b->values[i];
    }
    qsort(b->values, kinds, sizeof *b->values, value_by_sessions);
    const char **list = kinds ? build_alloc(b, kinds * sizeof *list) : NULL;
    if (!list)
        return (struct report_values){0};
    for (size_t i = 0; i < kinds; i++)
        list[i] = b->values[i].text;
    return (struct report_values){list, (unsigned)kinds};
}

/* "192.0.2.7 and 3 more". */
static const char *label(struct build *b, const struct report_values *v)
{
    if (v->count < 2)
        return v->count ? v->list[0] : "";
    size_t n = strlen(v->list[0]), room = n + sizeof " and 4294967295 more";
    char *text = build_alloc(b, room);
    if (!text)
        return "";
    struct buf t = {text, 0, room, false};
    buf_cstring(&t, v->list[0]);
    buf_printf(&t, " and %u more", v->count - 1);
    return buf_cstr(&t);
}

/* ---- parts ---------------------------------------------------------------------- */

static int order_part(const void *pa, const void *pb)
{
    const struct item *a = *(const struct item *const *)pa, *b = *(const struct item *const *)pb;
    int d = COMPARE(a->found, b->found);
    d = d ? d : COMPARE(a->likely, b->likely);
    d = d ? d : COMPARE(a->would, b->would);
    d = d ? d : by_text(a->listener, b->listener);
    d = d ? d : COMPARE((uintptr_t)a->on, (uintptr_t)b->on);
    d = d ? d : by_text(a->software, b->software);
    d = d ? d : COMPARE(a->row->seen.offered, b->row->seen.offered);
    return d ? d : COMPARE(a->row->seen.ja4, b->row->seen.ja4);
}

static int part_by_setting(const void *pa, const void *pb)
{
    const struct report_part *a = pa, *b = pb;
    int d = COMPARE(a->would, b->would);
    return d ? d : by_text(a->setting, b->setting);
}

static int part_by_weight(const void *pa, const void *pb)
{
    const struct report_part *a = pa, *b = pb;
    int d = COMPARE(b->would, a->would);
    d = d ? d : COMPARE(b->alike, a->alike);
    d = d ? d : strcmp(a->setting, b->setting);
    d = d ? d : COMPARE(b->sessions, a->sessions);
    d = d ? d : COMPARE(a->findings, b->findings);
    d = d ? d : COMPARE(a->likely, b->likely);
    d = d ? d : strcmp(a->listener, b->listener);
    d = d ? d : COMPARE(a->on ? a->on->port : 0, b->on ? b->on->port : 0);
    d = d ? d : COMPARE((uintptr_t)a->software, (uintptr_t)b->software);
    d = d ? d : strcmp(a->version, b->version);
    d = d ? d : COMPARE(a->offered, b->offered);
    return d ? d : strcmp(a->ja4, b->ja4);
}

/* How many items from items[at] on are equal. */
static size_t run(struct item *const *items, size_t n, size_t at, item_order *order)
{
    size_t end = at + 1;
    while (end < n && order(&items[at], &items[end]) == 0)
        end++;
    return end - at;
}

static size_t runs(struct item *const *items, size_t n, item_order *order)
{
    size_t count = 0;
    for (size_t at = 0; at < n; at += run(items, n, at, order))
        count++;
    return count;
}

static void add_times(int64_t *first, int64_t *last, const struct row *row)
{
    if (row->first_us && (*first == 0 || row->first_us < *first))
        *first = row->first_us;
    if (row->last_us > *last)
        *last = row->last_us;
}

/* What enforcing would do to a session because of that finding alone. */
static enum action would_for(const struct item *i, enum finding only)
{
    if (only == FINDING_COUNT || only == i->because)
        return i->would;
    return i->on && refuses(i->on->action[only]) ? i->on->action[only] : ACTION_LOG;
}

static void fill_part(struct build *b, struct report_part *p, struct item *const *items, size_t n,
                      enum finding only)
{
    const struct item *first = items[0];
    const struct seen *seen = &first->row->seen;
    finding_set mask = only == FINDING_COUNT ? ~(finding_set)0 : FINDING_BIT(only);
    *p = (struct report_part){
        .findings = first->found & mask,
        .likely = first->likely & mask,
        .listener = first->listener,
        .on = first->on,
        .software = seen->software ? &catalogue[seen->software - 1] : NULL,
        .version = build_text(b, names_text(b->s->judge->names, seen->software_version)),
        .offered = seen->offered,
        .ja4 = build_text_of(b, seen->ja4),
        .would = would_for(first, only),
    };
    for (size_t i = 0; i < n; i++) {
        p->sessions += items[i]->row->count;
        add_times(&p->first_us, &p->last_us, items[i]->row);
    }
    p->setting = build_advice(b, p->findings, p->on, p->software);
}

static void sort_parts(struct report_part *parts, size_t count)
{
    qsort(parts, count, sizeof *parts, part_by_setting);
    for (size_t i = 0, end; i < count; i = end) {
        uint64_t alike = 0;
        for (end = i; end < count && part_by_setting(&parts[i], &parts[end]) == 0; end++)
            alike += parts[end].sessions;
        for (size_t k = i; k < end; k++)
            parts[k].alike = alike;
    }
    qsort(parts, count, sizeof *parts, part_by_weight);
}

static void fill_parts(struct build *b, struct report_entry *e, struct item **items, size_t n,
                       enum finding only)
{
    qsort(items, n, sizeof *items, order_part);
    size_t count = runs(items, n, order_part), at = 0;
    e->parts = build_alloc(b, count * sizeof *e->parts);
    if (!e->parts)
        return;
    e->part_count = (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        size_t equal = run(items, n, at, order_part);
        fill_part(b, &e->parts[i], items + at, equal, only);
        at += equal;
    }
    sort_parts(e->parts, count);
}

/* ---- entries -------------------------------------------------------------------- */

/* The name of the first client, as the MTA looked it up. */
static const char *client_name(struct build *b, struct item *const *items, size_t n,
                               const char *client)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t number = items[i]->row->seen.client_name;
        if (items[i]->client != client || number <= NAMES_MORE)
            continue;
        char scratch[PRIVACY_TEXT_MAX];
        struct buf t = BUF(scratch);
        struct str name = names_text(b->s->judge->names, number);
        return build_text(b, b->s->privacy ? privacy_name(b->s->privacy, name, &t) : name);
    }
    return "";
}

/* One sentence for all parts; what is beyond three settings is left to the parts. */
static const char *setting(struct build *b, const struct report_entry *e)
{
    const char *told[3] = {NULL};
    unsigned count = 0;
    char text[6000];
    struct buf t = BUF(text);
    for (unsigned i = 0; i < e->part_count && count < 3; i++) {
        const char *s = e->parts[i].setting;
        if (s == told[0] || s == told[1])
            continue;
        buf_printf(&t, "%s%s", count ? "; also: " : "", s);
        told[count++] = s;
    }
    return count == 1 ? told[0] : build_text(b, buf_view(&t));
}

static void fill_entry(struct build *b, struct report_entry *e, struct item **items, size_t n,
                       enum finding only)
{
    *e = (struct report_entry){.customer = items[0]->customer, .who = WHO_NOBODY, .finding = only};
    for (size_t i = 0; i < n; i++) {
        const struct item *m = items[i];
        uint64_t sessions = m->row->count;
        if (m->who < e->who)
            e->who = m->who;
        e->sessions += sessions;
        if ((m->found & ~m->likely) == 0)
            e->likely += sessions;
        if (refuses(would_for(m, only)) && m->row->seen.flags & SEEN_MAIL_TAKEN)
            e->breaks += sessions;
        add_times(&e->first_us, &e->last_us, m->row);
    }
    e->users = values(b, items, n, offsetof(struct item, user), e->who);
    e->clients = values(b, items, n, offsetof(struct item, client), WHO_COUNT);
    e->programs = values(b, items, n, offsetof(struct item, software), WHO_COUNT);
    e->listeners = values(b, items, n, offsetof(struct item, listener), WHO_COUNT);
    e->user = label(b, &e->users);
    e->user_by_address = e->who == WHO_ADDRESS;
    e->client = label(b, &e->clients);
    e->software = label(b, &e->programs);
    e->listener = label(b, &e->listeners);
    e->name = e->clients.count ? client_name(b, items, n, e->clients.list[0]) : "";
    fill_parts(b, e, items, n, only);
    for (unsigned i = 0; i < e->part_count; i++) {
        e->findings |= e->parts[i].findings;
        if (e->parts[i].would > e->would)
            e->would = e->parts[i].would;
    }
    e->setting = setting(b, e);
}

void build_entries(struct build *b, struct item **items, size_t n, item_order *order,
                   enum finding only, struct report_entry **ret, unsigned *ret_count)
{
    qsort(items, n, sizeof *items, order);
    size_t count = runs(items, n, order), at = 0;
    *ret = build_alloc(b, count * sizeof **ret);
    *ret_count = *ret ? (unsigned)count : 0;
    for (size_t i = 0; i < *ret_count; i++) {
        size_t equal = run(items, n, at, order);
        fill_entry(b, &(*ret)[i], items + at, equal, only);
        if (order == item_order_refused)
            (*ret)[i].finding = (enum finding)items[at]->because;
        at += equal;
    }
}

/* Who loses something if the policy is enforced. */
static bool loses(const struct report_entry *e)
{
    return e->customer ? refuses(e->would) : e->breaks > 0;
}

static int entry_by_weight(const void *pa, const void *pb)
{
    const struct report_entry *a = pa, *b = pb;
    int d = COMPARE(b->customer, a->customer);
    d = d ? d : COMPARE(loses(b), loses(a));
    d = d ? d : COMPARE(a->who, b->who);
    d = d ? d : COMPARE(b->sessions, a->sessions);
    d = d ? d : strcmp(a->user, b->user);
    d = d ? d : strcmp(a->client, b->client);
    d = d ? d : strcmp(a->software, b->software);
    d = d ? d : strcmp(a->listener, b->listener);
    return d ? d : COMPARE(a->finding, b->finding);
}

void sort_entries(struct report_entry *list, unsigned n)
{
    if (n)
        qsort(list, n, sizeof *list, entry_by_weight);
}
