/* SPDX-License-Identifier: Apache-2.0 */
/* Is Mailreeve asked, on every port where mail is submitted, about everybody, in time? */
#include <stdio.h>

#include "doctor/postfix.h"

/* ---- mailreeve.yaml and the ports ------------------------------------------------- */

static void check_policy(struct exam *x, const struct pf_listener *l, const struct asked *a)
{
    if (!x->in->config || !l->role_known || l->internal)
        return;
    if (!l->port) {
        faults_unknown(x->fs, "which port %s/%s is on: the name is in no table", l->front->name,
                       l->front->type);
        return;
    }
    if (a->policy && a->policy->role == l->role)
        return;
    struct fault *f = fault_add(x->fs, a->policy ? FAULT_LISTENER_ROLE : FAULT_LISTENER_UNKNOWN);
    exam_where_service(f, l->front);
    if (a->policy) {
        fault_evidence(f, "port %u is %s in mailreeve.yaml:%u, %s in Postfix", l->port,
                       role_names[a->policy->role], a->policy->line, role_names[l->role]);
        fault_fix(f, "in mailreeve.yaml: {names: [%.*s], port: %u, role: %s}",
                  STR_ARG(a->policy->names[0]), l->port, role_names[l->role]);
    } else {
        fault_evidence(f, "port %u, %s", l->port, role_names[l->role]);
        fault_fix(f, "in mailreeve.yaml, under listeners: {names: [port-%u], port: %u, role: %s}",
                  l->port, l->port, role_names[l->role]);
    }
}

/* ---- asked at all -------------------------------------------------------------------- */

/* The variable of etc/postfix/main.cf for a listener, if main.cf has it: "$mailreeve_submission".
 */
static const char *variable_for(struct exam *x, const struct asked *a, char ret[128])
{
    if (!a->policy)
        return NULL;
    snprintf(ret, 128, "$mailreeve_%.*s", STR_ARG(a->policy->names[0]));
    return postfix_value(&x->p, NULL, ret + 1).source == PF_MAIN ? ret : NULL;
}

/* Puts `first` in front of the list, by a command if the list has no blanks in it. */
static void advise_first(struct exam *x, struct fault *f, const struct pf_listener *l,
                         const char *list, const char *first)
{
    struct pf_value v = postfix_value(&x->p, l->service, list);
    const char *value = first && v.raw ? exam_list_with(x, l->service, v.raw, first) : NULL;
    if (value && v.source != PF_MAIN)
        exam_set(x, f, l->service, list, value);
    else if (value)
        exam_set_main(x, f, list, value);
    else
        exam_setup(x, f);
}

static void check_asked(struct exam *x, const struct pf_listener *l, const struct asked *a)
{
    char name[128];
    bool nobody = !x->uses_policyd && !x->uses_milter;
    if (!exam_is_submission(l))
        return;
    if (!a->policyd && (x->uses_policyd || nobody)) {
        struct fault *f = fault_add(x->fs, FAULT_POLICYD_NOT_ASKED);
        if (a->milter)
            f->severity = FAULT_WARNING;
        exam_where(x, f, l->service, "smtpd_recipient_restrictions");
        exam_evidence(x, f, l->service, "smtpd_recipient_restrictions");
        if (a->milter)
            fault_detail(f, "mailreeve-milter is asked there.");
        advise_first(x, f, l, "smtpd_recipient_restrictions", variable_for(x, a, name));
    }
    if (!a->milter && x->uses_milter) {
        bool ours = postfix_value(&x->p, NULL, "mailreeve_milter").source == PF_MAIN;
        const char *others = postfix_value(&x->p, l->service, "smtpd_milters").raw;
        struct fault *f = fault_add(x->fs, FAULT_MILTER_NOT_ASKED);
        if (a->policyd)
            f->severity = FAULT_WARNING;
        exam_where(x, f, l->service, "smtpd_milters");
        exam_evidence(x, f, l->service, "smtpd_milters");
        if (exam_has_word(postfix_text(&x->p, l->service, "receive_override_options"),
                          "no_milters"))
            fault_detail(f, "receive_override_options has no_milters.");
        else if (ours && others && !strpbrk(others, " \t'"))
            fault_fix(f, "%s -P '%s/%s/smtpd_milters=$mailreeve_milter%s%s'", x->postconf,
                      l->service->name, l->service->type, *others ? "," : "", others);
        else
            exam_setup(x, f);
    }
}

/* ---- in time ---------------------------------------------------------------------------- */

/* What stands in front of Mailreeve, in its own list and in those before. */
struct in_front {
    const struct pf_restriction *ours;   /* NULL: it is in no list */
    const struct pf_restriction *permit; /* the worst permit in front of it, in its own list */
    char rejects[200];
};

static bool permits_customers(const struct pf_restriction *r)
{
    return r->always || strcmp(r->name, "permit_sasl_authenticated") == 0;
}

/* Of several places the first at which it is asked about everybody; without one, the first. */
static void look_in_front(struct exam *x, const struct pf_listener *l,
                          const struct pf_restriction *list, unsigned n, struct in_front *ret)
{
    const struct program_settings *program = x->in->config ? &x->in->config->policyd : NULL;
    const struct pf_restriction *permit = NULL;
    struct buf rejects = BUF(ret->rejects);
    *ret = (struct in_front){0};
    for (unsigned i = 0; i < n; i++) {
        const struct pf_restriction *r = &list[i];
        if (i && strcmp(list[i - 1].list, r->list) != 0)
            permit = NULL;
        if (r->effect == PF_POLICY && exam_is_ours(x, l->service, r->client.endpoint, program)) {
            if (!ret->ours || !permit)
                ret->ours = r, ret->permit = permit;
            if (!permit)
                break;
        }
        if (r->effect == PF_PERMIT && !(permit && permits_customers(permit)))
            permit = r;
        if (r->effect == PF_REJECT)
            buf_printf(&rejects, "%s%s", rejects.n ? ", " : "", r->name);
    }
    buf_cstr(&rejects);
}

/* The word or the two words with which Mailreeve is named in the list, as they are written. */
static const char *as_written(struct exam *x, const struct pf_service *s, const char *list)
{
    const struct program_settings *program = x->in->config ? &x->in->config->policyd : NULL;
    struct str rest = str_of(postfix_value(&x->p, s, list).raw), word;
    while ((word = pf_word(&rest)).n) {
        char text[300];
        struct buf b = BUF(text);
        struct str variable = {word.p + 1, word.n - 1}, after = rest;
        buf_str(&b, word);
        const char *expanded = word.p[0] == '$' ? arena_strdup(&x->p.arena, variable) : NULL;
        struct str value = str_of(expanded ? postfix_text(&x->p, s, expanded) : "");
        struct str head = expanded ? pf_word(&value) : word;
        if (!str_eq_nocase(head, STR("check_policy_service")))
            continue;
        struct str client = pf_word(expanded ? &value : &after);
        if (!expanded)
            buf_char(&b, ','), buf_str(&b, client);
        client = pf_unbrace(client);
        const char *endpoint = arena_strdup(&x->p.arena, pf_word(&client));
        if (endpoint && !b.full && exam_is_ours(x, s, endpoint, program))
            return arena_strdup(&x->p.arena, buf_view(&b));
    }
    return NULL;
}

static void check_in_time(struct exam *x, const struct pf_listener *l)
{
    static struct pf_restriction list[PF_RESTRICTIONS];
    struct in_front front;
    unsigned n = postfix_restrictions(&x->p, l->service, list);
    look_in_front(x, l, list, n, &front);
    if (!exam_is_submission(l) || !front.ours)
        return;
    if (front.permit) {
        struct fault *f = fault_add(x->fs, FAULT_POLICYD_AFTER_PERMIT);
        if (!permits_customers(front.permit))
            f->severity = FAULT_WARNING;
        exam_where(x, f, l->service, front.ours->list);
        exam_evidence(x, f, l->service, front.ours->list);
        fault_detail(f, "%s stands in front of it.", front.permit->name);
        advise_first(x, f, l, front.ours->list, as_written(x, l->service, front.ours->list));
    } else if (*front.rejects) {
        struct fault *f = fault_add(x->fs, FAULT_POLICYD_AFTER_REJECT);
        exam_where(x, f, l->service, front.ours->list);
        exam_evidence(x, f, l->service, front.ours->list);
        fault_detail(f, "In front of it: %s.", front.rejects);
    }
}

void postfix_check_mailreeve(struct exam *x)
{
    for (unsigned i = 0; i < x->count; i++) {
        check_policy(x, &x->listeners[i], &x->asked[i]);
        if (!x->with_mailreeve)
            continue;
        check_asked(x, &x->listeners[i], &x->asked[i]);
        if (x->asked[i].policyd)
            check_in_time(x, &x->listeners[i]);
    }
}
