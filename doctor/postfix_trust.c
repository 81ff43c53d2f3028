/* SPDX-License-Identifier: Apache-2.0 */
/* Networks from which Postfix takes submitted mail without a login. */
#include "doctor/networks.h"
#include "doctor/postfix.h"

static const char *const lists[] = {
    "smtpd_client_restrictions", "smtpd_helo_restrictions",      "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",  "smtpd_recipient_restrictions",
};
enum { LISTS = sizeof lists / sizeof *lists };

static const char word[] = "permit_mynetworks";

/* The list without permit_mynetworks; NULL: it has blanks that must stay. */
static const char *without(struct exam *x, const char *text)
{
    char list[FAULT_TEXT];
    struct buf b = BUF(list);
    struct str rest = str_of(text), one;
    while ((one = pf_word(&rest)).n)
        if (!str_eq_nocase(one, STR("permit_mynetworks")))
            buf_printf(&b, "%s%.*s", b.n ? "," : "", STR_ARG(one));
    const char *s = b.full ? NULL : buf_cstr(&b);
    return s && !strpbrk(s, " \t'") ? arena_strdup(&x->p.arena, str_of(s)) : NULL;
}

/* The list as it is written, if the word itself is written there: variables stay. */
static const char *list_of(struct exam *x, const struct pf_listener *l, const char *name)
{
    struct pf_value v = postfix_value(&x->p, l->service, name);
    return v.raw && exam_has_word(v.raw, word) ? v.raw : v.text ? v.text : "";
}

/* One list that refuses all who are left is enough; without one, all lists must lose the word. */
static void advise(struct exam *x, struct fault *f, const struct pf_listener *l)
{
    bool closed = false;
    for (int closing = 1; closing >= 0 && !closed; closing--) {
        for (unsigned i = 0; i < LISTS && !closed; i++) {
            const char *text = list_of(x, l, lists[i]);
            const char *value = exam_has_word(text, word) ? without(x, text) : NULL;
            bool elsewhere =
                strcmp(lists[i], "smtpd_relay_restrictions") == 0 &&
                exam_strangers(x, l) != STRANGERS_REFUSED; /* submission-open tells it */
            if (!value || elsewhere || (closing && !exam_has_word(value, "reject")))
                continue;
            exam_set(x, f, l->service, lists[i], value);
            closed = closing;
        }
    }
}

static bool permits_networks(struct exam *x, const struct pf_listener *l)
{
    for (unsigned i = 0; i < LISTS; i++)
        if (exam_has_word(postfix_text(&x->p, l->service, lists[i]), word))
            return true;
    return false;
}

/* What is dangerous in mynetworks. */
struct danger {
    enum network_danger worst;
    char why[200];      /* of the worst */
    char networks[300]; /* all of them */
};

static void judge_networks(struct exam *x, const struct pf_listener *l, struct danger *ret)
{
    struct pf_value v = postfix_value(&x->p, l->service, "mynetworks");
    struct str rest = str_of(v.text ? v.text : ""), one;
    struct buf b = BUF(ret->networks);
    *ret = (struct danger){.worst = NETWORK_SAFE};
    while (v.source != PF_DEFAULT && (one = pf_word(&rest)).n) {
        struct prefix p;
        char why[200];
        if (one.p[0] == '!' || !network_read(one, &p)) {
            if (memchr(one.p, '/', one.n) && one.p[0] != '[' && one.p[0] != '!')
                faults_unknown(x->fs, "the networks in %.*s (mynetworks)", STR_ARG(one));
            continue;
        }
        enum network_danger danger = network_judge(&p, x->in->live, why);
        if (danger == NETWORK_SAFE)
            continue;
        buf_printf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(one));
        if (danger > ret->worst) {
            ret->worst = danger;
            memcpy(ret->why, why, sizeof why);
        }
    }
    buf_cstr(&b);
}

bool exam_networks_are_safe(struct exam *x, const struct pf_listener *l)
{
    struct danger d;
    judge_networks(x, l, &d);
    return d.worst == NETWORK_SAFE;
}

/* The i-th, and those that have the same networks from the same place. */
static void check_networks(struct exam *x, unsigned i, uint64_t *told)
{
    const struct pf_listener *l = &x->listeners[i];
    struct danger d;
    uint64_t members = 0;
    judge_networks(x, l, &d);
    if (d.worst == NETWORK_SAFE)
        return;
    struct fault *f = fault_add(x->fs, FAULT_TRUSTED_PROXY);
    if (d.worst == NETWORK_DOUBTFUL)
        f->severity = FAULT_WARNING;
    for (unsigned j = i; j < x->count; j++) {
        const struct pf_listener *m = &x->listeners[j];
        if (!exam_is_submission(m) || !permits_networks(x, m) ||
            postfix_value(&x->p, m->service, "mynetworks").raw !=
                postfix_value(&x->p, l->service, "mynetworks").raw)
            continue;
        members |= (uint64_t)1 << j;
        advise(x, f, m);
    }
    exam_where(x, f, l->service, "mynetworks");
    fault_evidence(f, "mynetworks has %s", d.networks);
    fault_detail(f, "%s is in %s. %s", word, exam_services(x, members), d.why);
    *told |= members;
}

/* A proxy that may say who the client is (XCLIENT) is itself trusted, should it once not say it. */
static void check_xclient(struct exam *x, const struct pf_listener *l)
{
    struct str rest = str_of(postfix_text(&x->p, l->service, "smtpd_authorized_xclient_hosts")),
               one;
    const struct config *c = x->in->config;
    while (c && (one = pf_word(&rest)).n) {
        struct prefix p;
        unsigned at = 0;
        if (!network_read(one, &p) || p.addr.b[0] == 127 ||
            !prefix_index_next(&c->policy->trusted, &p.addr, &at))
            continue;
        struct fault *f = fault_add(x->fs, FAULT_TRUSTED_PROXY);
        f->severity = FAULT_WARNING;
        exam_where(x, f, l->service, "smtpd_authorized_xclient_hosts");
        exam_evidence(x, f, l->service, "smtpd_authorized_xclient_hosts");
        fault_detail(f,
                     "%.*s is in trusted.networks of mailreeve.yaml, too: a client for which it "
                     "does not send XCLIENT need not log in.",
                     STR_ARG(one));
        fault_fix(f, "Take it out of trusted.networks");
        return;
    }
}

void postfix_check_trust(struct exam *x)
{
    const char *told_xclient = NULL;
    uint64_t told = 0;
    networks_check_trusted(x->in, x->fs);
    for (unsigned i = 0; i < x->count; i++) {
        const struct pf_listener *l = &x->listeners[i];
        if (!exam_is_submission(l))
            continue;
        if (permits_networks(x, l) && !(told >> i & 1))
            check_networks(x, i, &told);
        const char *raw = postfix_value(&x->p, l->service, "smtpd_authorized_xclient_hosts").raw;
        if (raw != told_xclient)
            check_xclient(x, l);
        told_xclient = raw;
    }
}
