/* SPDX-License-Identifier: Apache-2.0 */
/* SRV records against what answers: RFC 6186 3, RFC 8314 5.1. */
#include <stdio.h>

#include "probe/judge.h"

static const enum role roles[SRV_SERVICES] = {ROLE_SUBMISSIONS, ROLE_SUBMISSION};
static const uint16_t usual_ports[SRV_SERVICES] = {465, 587};

/* How a port of a client's kind has to begin. */
static bool suits(const struct port_seen *p, enum srv_service service)
{
    return service == SRV_SUBMISSIONS
               ? p->begins == BEGINS_TLS && p->tls_works.is == YES
               : p->begins == BEGINS_CLEAR && p->clear.known && p->clear.starttls;
}

/* A port that such a record could name. */
static const struct port_seen *find_suiting(const struct host_seen *h, enum srv_service service)
{
    const struct port_seen *found = NULL;
    for (unsigned i = 0; i < h->port_count; i++) {
        const struct port_seen *p = &h->ports[i];
        if (p->role == roles[service] && suits(p, service) &&
            (!found || p->port == usual_ports[service]))
            found = p;
    }
    return found;
}

static struct fault *add(struct faults *fs, enum fault_id id, const struct host_seen *h,
                         enum srv_service service)
{
    char where[160];
    snprintf(where, sizeof where, "%s.%.120s", srv_labels[service], h->domain);
    return judge_add_at(fs, id, where);
}

static void put_record(struct fault *f, const struct srv_record *r)
{
    fault_evidence(f, "SRV %u %u %u %s.", r->priority, r->weight, r->port, r->target);
}

static void judge_here(const struct host_seen *h, enum srv_service service,
                       const struct srv_record *r, struct faults *fs)
{
    for (unsigned i = 0; i < h->port_count; i++) {
        const struct port_seen *p = &h->ports[i];
        if (p->port != r->port || suits(p, service) || p->begins == BEGINS_UNKNOWN ||
            (p->begins == BEGINS_CLEAR && !p->clear.known))
            continue;
        struct fault *f = add(fs, FAULT_SRV_WRONG, h, service);
        put_record(f, r);
        fault_detail(f, "At %s that port begins with %s%s.", p->address, begins_words[p->begins],
                     p->begins == BEGINS_CLEAR ? p->clear.starttls ? "" : " and offers no STARTTLS"
                     : p->begins == BEGINS_TLS && p->tls_works.is == NO ? " and the handshake fails"
                                                                        : "");
        fault_fix(f, "Put the port there, or change the record: %s.%s. IN SRV 0 1 %u %s.",
                  srv_labels[service], h->domain, usual_ports[service], r->target);
        return; /* one address is enough to tell */
    }
}

static void judge_record(const struct host_seen *h, enum srv_service service,
                         const struct srv_record *r, struct faults *fs)
{
    const struct port_seen *p;
    struct fault *f;
    switch (r->leads) {
    case SRV_HERE: judge_here(h, service, r, fs); break;
    case SRV_ELSEWHERE:
        faults_unknown(fs, "%s.%s points elsewhere, to %s port %u: not probed", srv_labels[service],
                       h->domain, r->target, r->port);
        break;
    case SRV_NOWHERE:
        f = add(fs, FAULT_SRV_WRONG, h, service);
        put_record(f, r);
        fault_detail(f, "That name has no address.");
        fault_fix(f, "Have the record name a host that has one");
        break;
    case SRV_NOT_OFFERED:
        p = find_suiting(h, service);
        if (!p)
            break;
        f = add(fs, FAULT_SRV_MISSING, h, service);
        put_record(f, r);
        fault_detail(f, "The record says that there is no such service, and %s port %u answers.",
                     p->address, p->port);
        fault_fix(f, "%s.%s. IN SRV 0 1 %u %s.", srv_labels[service], h->domain, p->port, h->host);
        break;
    default:
        faults_unknown(fs, "%s.%s: the address of %s could not be looked up", srv_labels[service],
                       h->domain, r->target);
    }
}

static void judge_service(const struct host_seen *h, enum srv_service service, struct faults *fs)
{
    const struct srv_seen *s = &h->srv[service];
    const struct port_seen *p = find_suiting(h, service);
    if (s->found.is == UNKNOWN)
        faults_unknown(fs, "SRV records: %s", s->found.why);
    if (s->found.is == NO && p) {
        struct fault *f = add(fs, FAULT_SRV_MISSING, h, service);
        fault_detail(f, "%s port %u answers. Few clients ask for the record yet.", p->address,
                     p->port);
        fault_fix(f, "%s.%s. IN SRV %u 1 %u %s.", srv_labels[service], h->domain,
                  service == SRV_SUBMISSIONS ? 0 : 10, p->port,
                  h->name_count ? h->names[0] : h->host);
    }
    for (unsigned i = 0; i < s->count; i++)
        judge_record(h, service, &s->records[i], fs);
    if (s->dropped)
        faults_unknown(fs, "%u more records of %s.%s", s->dropped, srv_labels[service], h->domain);
}

void judge_srv(const struct host_seen *h, struct faults *fs)
{
    const struct srv_seen *tls = &h->srv[SRV_SUBMISSIONS], *starttls = &h->srv[SRV_SUBMISSION];
    if (!*h->domain) {
        faults_unknown(fs, "SRV records: give the domain of the mail addresses with --domain");
        return;
    }
    judge_service(h, SRV_SUBMISSIONS, fs);
    judge_service(h, SRV_SUBMISSION, fs);
    if (!tls->count || !starttls->count || tls->records[0].leads == SRV_NOT_OFFERED ||
        starttls->records[0].leads == SRV_NOT_OFFERED ||
        starttls->records[0].priority >= tls->records[0].priority)
        return;
    struct fault *f = add(fs, FAULT_SRV_ORDER, h, SRV_SUBMISSIONS);
    fault_evidence(f, "%s has priority %u, %s has %u; the lowest number comes first",
                   srv_labels[SRV_SUBMISSION], starttls->records[0].priority,
                   srv_labels[SRV_SUBMISSIONS], tls->records[0].priority);
    fault_fix(f, "Give %s.%s a lower number than %s.%s", srv_labels[SRV_SUBMISSIONS], h->domain,
              srv_labels[SRV_SUBMISSION], h->domain);
}
