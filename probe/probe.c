/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/probe.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sysexits.h>

#include "core/now.h"
#include "core/session.h"
#include "probe/visit.h"

/* ---- which ports ------------------------------------------------------------------ */

struct plan {
    struct probe_port ports[PORTS_MAX];
    bool named[PORTS_MAX];
    unsigned count;
};

static enum role usual_role(uint16_t port)
{
    return port == 25 ? ROLE_SMTP : port == 465 ? ROLE_SUBMISSIONS : ROLE_SUBMISSION;
}

static void add_port(struct plan *plan, struct probe_port port, bool named)
{
    for (unsigned i = 0; i < plan->count; i++)
        if (plan->ports[i].port == port.port) {
            plan->named[i] |= named;
            return;
        }
    if (plan->count == PORTS_MAX)
        return;
    plan->named[plan->count] = named;
    plan->ports[plan->count++] = port;
}

static void make_plan(const struct probe_options *o, const struct host_seen *h, struct plan *plan)
{
    static const enum role roles[SRV_SERVICES] = {ROLE_SUBMISSIONS, ROLE_SUBMISSION};
    for (unsigned i = 0; i < o->port_count; i++) {
        struct probe_port port = o->ports[i];
        const struct listener *l = policy_listener_on(o->policy, port.port);
        if (!port.has_role)
            port.role = l ? l->role : usual_role(port.port);
        add_port(plan, port, true);
    }
    for (unsigned i = 0; i < o->policy->listener_count && !o->port_count; i++) {
        const struct listener *l = o->policy->listeners[i];
        add_port(plan, (struct probe_port){l->port, l->role, true}, l->line > 0);
    }
    for (int s = 0; s < SRV_SERVICES; s++)
        for (unsigned i = 0; i < h->srv[s].count; i++) {
            const struct srv_record *r = &h->srv[s].records[i];
            if (r->leads == SRV_HERE)
                add_port(plan, (struct probe_port){r->port, roles[s], true}, true);
        }
}

/* One for each port at each address. */
static bool lay_out(const struct probe_options *o, const struct plan *plan, struct host_seen *h)
{
    h->port_count = plan->count * h->address_count;
    h->ports = calloc(h->port_count ? h->port_count : 1, sizeof *h->ports);
    if (!h->ports)
        return false;
    for (unsigned i = 0; i < h->port_count; i++) {
        struct port_seen *p = &h->ports[i];
        const struct probe_port *port = &plan->ports[i % plan->count];
        const struct listener *l = policy_listener_on(o->policy, port->port);
        memcpy(p->address, h->addresses[i / plan->count], sizeof p->address);
        p->port = port->port;
        p->role = port->role;
        p->named = plan->named[i % plan->count];
        p->min_tls = l ? l->min_tls : TLS_1_2;
        p->public = l ? l->public : true;
    }
    return true;
}

/* ---- DNS ------------------------------------------------------------------------------ */

static void add_name(struct host_seen *h, const char *name)
{
    for (unsigned i = 0; i < h->name_count; i++)
        if (strcasecmp(h->names[i], name) == 0)
            return;
    if (h->name_count < sizeof h->names / sizeof *h->names)
        h->names[h->name_count++] = name;
}

static bool is_here(const struct host_seen *h, const struct addresses *a)
{
    for (unsigned i = 0; i < a->count; i++)
        for (unsigned k = 0; k < h->address_count; k++)
            if (strcmp(a->text[i], h->addresses[k]) == 0)
                return true;
    return false;
}

static void follow(const struct probe_options *o, struct host_seen *h, struct srv_record *r)
{
    struct addresses a;
    struct answer found;
    if (r->leads == SRV_NOT_OFFERED)
        return;
    if (strcasecmp(r->target, h->host) == 0) {
        r->leads = SRV_HERE;
    } else {
        dns_addresses(&o->resolver, r->target, &a, &found);
        r->leads = found.is == UNKNOWN ? SRV_UNKNOWN
                   : found.is == NO    ? SRV_NOWHERE
                   : is_here(h, &a)    ? SRV_HERE
                                       : SRV_ELSEWHERE;
    }
    if (r->leads == SRV_HERE)
        add_name(h, r->target);
}

/* Both services of a domain. True if there are records, or it is not known. */
static bool ask_srv(const struct probe_options *o, const char *domain, struct host_seen *h)
{
    bool more = false;
    snprintf(h->domain, sizeof h->domain, "%s", domain);
    for (int s = 0; s < SRV_SERVICES; s++) {
        char name[300];
        snprintf(name, sizeof name, "%s.%s", srv_labels[s], domain);
        dns_srv(&o->resolver, name, &h->srv[s]);
        more |= h->srv[s].found.is != NO;
    }
    return more;
}

static void look_up_srv(const struct probe_options *o, bool is_name, struct host_seen *h)
{
    const char *dot = strchr(o->host, '.');
    if (o->domain)
        ask_srv(o, o->domain, h);
    else if (is_name && dot && !ask_srv(o, o->host, h) && strchr(dot + 1, '.'))
        ask_srv(o, dot + 1, h);
    for (int s = 0; s < SRV_SERVICES; s++)
        for (unsigned i = 0; i < h->srv[s].count; i++)
            follow(o, h, &h->srv[s].records[i]);
}

/* ---- the visits ------------------------------------------------------------------------- */

struct crew {
    const struct visit_rules *rules;
    struct host_seen *h;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned next, done; /* under the lock */
};

static void *work(void *arg)
{
    struct crew *c = arg;
    pthread_mutex_lock(&c->lock);
    while (c->next < c->h->port_count) {
        struct port_seen *p = &c->h->ports[c->next++];
        pthread_mutex_unlock(&c->lock);
        visit_port(c->rules, p);
        pthread_mutex_lock(&c->lock);
        c->done++;
        pthread_cond_signal(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void watch(struct crew *c, FILE *progress, int64_t began_us)
{
    bool told = false;
    pthread_mutex_lock(&c->lock);
    while (c->done < c->h->port_count) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_sec++;
        pthread_cond_timedwait(&c->changed, &c->lock, &soon);
        if (c->done == c->h->port_count || clock_us(CLOCK_MONOTONIC) - began_us < US_PER_S)
            continue;
        fprintf(progress, "\rprobing %.100s: %u of %u ports done", c->h->host, c->done,
                c->h->port_count);
        fflush(progress);
        told = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (told)
        fprintf(progress, "\r\033[K");
}

static int visit_all(const struct visit_rules *rules, struct host_seen *h, FILE *progress,
                     int64_t began_us, struct err *e)
{
    struct crew c = {.rules = rules, .h = h};
    pthread_t threads[WORKERS];
    unsigned count = 0;
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.changed, NULL);
    while (count < WORKERS && count < h->port_count &&
           pthread_create(&threads[count], NULL, work, &c) == 0)
        count++;
    if (count && progress)
        watch(&c, progress, began_us);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&c.changed);
    pthread_mutex_destroy(&c.lock);
    return count || !h->port_count ? 0 : (err_set(e, "no thread can be started"), EX_OSERR);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int find_addresses(const struct probe_options *o, struct host_seen *h, struct err *e)
{
    struct addresses a;
    struct answer found;
    dns_addresses(&o->resolver, o->host, &a, &found);
    if (found.is != YES) {
        char shown[SAID];
        said(shown, str_of(o->host));
        err_set(e,
                found.is == NO ? "\"%s\" has no address: %s" : "\"%s\" could not be looked up: %s",
                shown, *found.why ? found.why : "there is no such host");
        return EX_NOHOST;
    }
    for (unsigned i = 0; i < a.count; i++)
        memcpy(h->addresses[h->address_count++], a.text[i], sizeof a.text[i]);
    h->addresses_dropped = a.dropped;
    return 0;
}

int probe_run(const struct probe_options *o, struct host_seen *ret, struct err *e)
{
    int64_t began_us = clock_us(CLOCK_MONOTONIC);
    union endpoint numeric;
    bool is_name = !endpoint_of(o->host, 0, &numeric);
    *ret = (struct host_seen){.host = o->host, .mail_tried = o->mail};
    int failed = find_addresses(o, ret, e);
    if (failed)
        return failed;
    if (is_name)
        add_name(ret, o->host);
    for (unsigned i = 0; i < o->name_count; i++)
        add_name(ret, o->names[i]);
    look_up_srv(o, is_name, ret);
    struct plan plan = {.count = 0};
    make_plan(o, ret, &plan);
    if (!lay_out(o, &plan, ret))
        return err_set(e, "out of memory"), EX_OSERR;
    char recipient[300];
    const char *name = is_name ? o->host : o->name_count ? o->names[0] : NULL;
    snprintf(recipient, sizeof recipient, "postmaster%s%s", name ? "@" : "", name ? name : "");
    struct visit_rules rules = {
        .sni = name,
        .helo = o->helo,
        .recipient = o->mail ? recipient : NULL,
        .ca_file = o->ca_file,
        .now_s = clock_us(CLOCK_REALTIME) / US_PER_S,
        .step_us = o->step_s * US_PER_S,
        .budget_us = o->step_s * US_PER_S * STEPS_A_VISIT,
    };
    return visit_all(&rules, ret, o->progress, began_us, e);
}

bool probe_answered(const struct host_seen *h)
{
    for (unsigned i = 0; i < h->port_count; i++)
        if (h->ports[i].begins > BEGINS_CLOSED)
            return true;
    return false;
}

void probe_free(struct host_seen *h)
{
    for (unsigned i = 0; i < h->port_count && h->ports; i++)
        certificate_clear(&h->ports[i].certificate);
    free(h->ports);
    *h = (struct host_seen){0};
}
