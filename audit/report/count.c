/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to numbers. */
#include <stdlib.h>

#include "audit/report/report_internal.h"

/* Findings that say no more than that something went wrong. */
static const finding_set cannot_tell =
    FINDING_BIT(FINDING_HANDSHAKE_UNKNOWN) | FINDING_BIT(FINDING_NO_TLS_SEEN);

/* ---- one row -------------------------------------------------------------------- */

static void count_in(struct report_count *c, const struct judged_row *f, finding_set flags)
{
    c->sessions += f->row->count;
    if (f->id.customer)
        c->customers += f->row->count;
    if (f->judged.found & flags)
        c->flagged += f->row->count;
}

static void count_tls(struct build *b, struct counting *n, const struct judged_row *f)
{
    const struct seen *s = &f->row->seen;
    if (!(s->flags & SEEN_TLS))
        return;
    bool told = s->tls_version >= SSL_3_0 && s->tls_version <= TLS_1_3;
    count_in(&n->versions[told ? 1 + s->tls_version - SSL_3_0 : 0], f,
             FINDING_BIT(FINDING_TLS_VERSION));
    struct cipher_count *c = table_get(&n->ciphers, &s->cipher, sizeof s->cipher);
    if (!c) {
        c = arena_alloc(&b->work, sizeof *c);
        if (!c || !table_put(&n->ciphers, &s->cipher, sizeof s->cipher, c)) {
            b->failed = true;
            return;
        }
        c->count.id = build_text_of(b, s->cipher);
        c->count.label = s->cipher ? c->count.id : "not logged";
        c->next = n->cipher_list;
        n->cipher_list = c;
    }
    count_in(&c->count, f, FINDING_BIT(FINDING_TLS_CIPHER) | FINDING_BIT(FINDING_TLS_CIPHER_WEAK));
}

static void count_listener(struct build *b, struct counting *n, const struct judged_row *f)
{
    const struct log_listeners *all = b->s->judge->listeners;
    const struct log_listener *l = log_listeners_find(all, &f->row->seen);
    struct report_listener *c = &n->listeners[l ? l - all->list : LOG_LISTENERS_MAX];
    uint64_t sessions = f->row->count;
    c->sessions += sessions;
    c->by_mode[f->judged.mode] += sessions;
    if (f->row->seen.flags & SEEN_AUTH)
        c->logins += sessions;
    if (f->id.customer)
        c->customers += sessions;
}

static void count_findings(struct counting *n, const struct judged_row *f)
{
    for (int i = 0; i < FINDING_COUNT; i++) {
        if (!(f->judged.found & FINDING_BIT(i)))
            continue;
        n->findings[i].sessions += f->row->count;
        if (f->judged.likely & FINDING_BIT(i))
            n->findings[i].likely += f->row->count;
        if (f->id.customer)
            n->findings[i].customers += f->row->count;
    }
}

static enum report_state state_of(const struct judged *j)
{
    if (j->found & ~cannot_tell)
        return STATE_CHANGE;
    bool unknown = j->found || j->mode == TLS_MODE_UNKNOWN || !j->listener;
    return unknown ? STATE_UNKNOWN : STATE_FINE;
}

static void count_customer(struct build *b, struct counting *n, const struct judged_row *f)
{
    enum report_state state = state_of(&f->judged);
    uint32_t number = f->id.user;
    b->r->customers += f->row->count;
    b->r->share[state].sessions += f->row->count;
    if (f->id.who != WHO_LOGGED_IN)
        return;
    struct user *u = table_get(&n->users, &number, sizeof number);
    if (!u) {
        u = arena_alloc(&b->work, sizeof *u);
        if (!u || !table_put(&n->users, &number, sizeof number, u)) {
            b->failed = true;
            return;
        }
        u->next = n->user_list;
        n->user_list = u;
    }
    u->change |= state == STATE_CHANGE;
    u->unknown |= state == STATE_UNKNOWN;
    u->refused |= refuses(f->judged.would);
}

void count_row(struct build *b, struct counting *n, const struct judged_row *f)
{
    struct report *r = b->r;
    const struct judged *j = &f->judged;
    uint64_t sessions = f->row->count;
    r->sessions += sessions;
    r->by_mode[j->mode] += sessions;
    if (j->found & cannot_tell || j->mode == TLS_MODE_UNKNOWN)
        r->unknown += sessions;
    if (j->excepted)
        r->excepted += sessions;
    if (j->trusted)
        r->trusted += sessions;
    if (refuses(j->would))
        r->refused_sessions += sessions;
    for (int d = 0; d < DOUBTS; d++)
        if (j->doubts & DOUBT_BIT(d))
            n->doubts[d] += sessions;
    if (f->id.customer) {
        count_customer(b, n, f);
        count_in(&n->software[f->row->seen.software], f, 0);
    }
    count_tls(b, n, f);
    count_listener(b, n, f);
    count_findings(n, f);
}

/* ---- lists of counts ------------------------------------------------------------ */

static int count_by_sessions(const void *pa, const void *pb)
{
    const struct report_count *a = pa, *b = pb;
    if (a->sessions != b->sessions)
        return a->sessions < b->sessions ? 1 : -1;
    return strcmp(a->label, b->label);
}

/* Those of n that are not zero, most frequent first. */
static unsigned list_counts(struct build *b, const struct report_count *from, size_t n,
                            struct report_count **ret)
{
    unsigned count = 0;
    *ret = build_alloc(b, (n + 1) * sizeof **ret);
    for (size_t i = 0; *ret && i < n; i++)
        if (from[i].sessions)
            (*ret)[count++] = from[i];
    if (count)
        qsort(*ret, count, sizeof **ret, count_by_sessions);
    return count;
}

static void list_tls(struct build *b, struct counting *n)
{
    struct report *r = b->r;
    n->versions[0].id = "";
    n->versions[0].label = "not logged";
    for (unsigned v = SSL_3_0; v <= TLS_1_3; v++) {
        struct report_count *c = &n->versions[1 + v - SSL_3_0];
        c->id = c->label = tls_version_name(v);
    }
    r->version_count = list_counts(b, n->versions, TLS_VERSION_COUNT, &r->versions);

    size_t count = 0;
    struct report_count *ciphers =
        arena_alloc(&b->work, (table_count(&n->ciphers) + 1) * sizeof *ciphers);
    if (!ciphers) {
        b->failed = true;
        return;
    }
    for (const struct cipher_count *c = n->cipher_list; c; c = c->next)
        ciphers[count++] = c->count;
    r->cipher_count = list_counts(b, ciphers, count, &r->ciphers);
}

static void list_software(struct build *b, struct counting *n)
{
    n->software[0].id = "";
    n->software[0].label = "not recognised";
    for (int i = 0; i < SOFTWARE_COUNT; i++) {
        n->software[1 + i].id = catalogue[i].id;
        n->software[1 + i].label = catalogue[i].name;
    }
    b->r->software_count = list_counts(b, n->software, 1 + SOFTWARE_COUNT, &b->r->software);
}

static int listener_by_sessions(const void *pa, const void *pb)
{
    const struct report_listener *a = pa, *b = pb;
    if (a->sessions != b->sessions)
        return a->sessions < b->sessions ? 1 : -1;
    int d = strcmp(a->name, b->name);
    return d ? d : strcmp(a->host, b->host);
}

static void describe_listener(struct build *b, struct report_listener *c,
                              const struct log_listener *l)
{
    char scratch[300];
    struct buf t = BUF(scratch);
    c->name = l ? build_text_of(b, l->name) : build_text_of(b, NAMES_MORE);
    c->host = l ? build_text_of(b, l->host) : "";
    c->what = "unknown";
    c->how = "";
    if (!l)
        return;
    c->shared = l->shared;
    c->known_by = l->known_by;
    c->how = known_by_names[l->known_by];
    if (l->shared) {
        c->what = "shared by several ports";
    } else if (l->listener) {
        c->listener = l->listener;
        buf_printf(&t, "%.*s, port %u", STR_ARG(l->listener->names[0]), l->listener->port);
        c->what = build_text(b, buf_view(&t));
    }
}

static void list_listeners(struct build *b, struct counting *n)
{
    const struct log_listeners *all = b->s->judge->listeners;
    struct report *r = b->r;
    r->listeners = build_alloc(b, sizeof n->listeners);
    for (unsigned i = 0; r->listeners && i <= LOG_LISTENERS_MAX; i++) {
        if (n->listeners[i].sessions == 0)
            continue;
        struct report_listener *c = &r->listeners[r->listener_count++];
        *c = n->listeners[i];
        describe_listener(b, c, i < all->count ? &all->list[i] : NULL);
    }
    if (r->listener_count)
        qsort(r->listeners, r->listener_count, sizeof *r->listeners, listener_by_sessions);
}

static void list_users(struct report *r, const struct counting *n)
{
    for (const struct user *u = n->user_list; u; u = u->next) {
        enum report_state state = u->change    ? STATE_CHANGE
                                  : u->unknown ? STATE_UNKNOWN
                                               : STATE_FINE;
        r->users++;
        r->share[state].users++;
        r->refused_customers += u->refused;
    }
}

static void list_rest(struct build *b, const struct counting *n)
{
    struct report *r = b->r;
    r->findings = build_alloc(b, FINDING_COUNT * sizeof *r->findings);
    for (int f = 0; r->findings && f < FINDING_COUNT; f++) {
        if (n->findings[f].sessions == 0)
            continue;
        r->findings[r->finding_count] = n->findings[f];
        r->findings[r->finding_count++].finding = (enum finding)f;
    }
    r->doubts = build_alloc(b, DOUBTS * sizeof *r->doubts);
    for (int d = 0; r->doubts && d < DOUBTS; d++)
        if (n->doubts[d])
            r->doubts[r->doubt_count++] = (struct report_doubt){(enum doubt)d, n->doubts[d]};
}

void list_counted(struct build *b, struct counting *n)
{
    list_tls(b, n);
    list_software(b, n);
    list_listeners(b, n);
    list_users(b->r, n);
    list_rest(b, n);
}
