/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One parameter of a listener that has the wrong value: a table of questions.
 * What several listeners have from one place (a line of main.cf, a default) is told once.
 */
#include <stdio.h>

#include "core/session.h"
#include "doctor/postfix.h"
#include "doctor/tls_versions.h"

/* What is wrong with a listener. */
struct wrong {
    const char *name;   /* the parameter */
    const char *right;  /* the value that it should have */
    const char *detail; /* NULL: nothing to add */
    bool milder;        /* than the fault usually is */
};

static bool no_tls_needed(struct exam *x, const struct pf_listener *l)
{
    return !l->implicit && exam_tls(x, l) != TLS_DEMANDED;
}

/* ---- the questions: true, and *w, if something is wrong ----------------------------- */

static bool auth_on_25(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    const struct asked *a = &x->asked[l - x->listeners];
    if (l->role != ROLE_SMTP || !l->auth || l->loopback)
        return false;
    *w = (struct wrong){"smtpd_sasl_auth_enable", "no", NULL, false};
    if ((a->policyd || a->milter) && a->policy) {
        w->milder = true;
        w->detail = exam_refuses(x, l, FINDING_AUTH_ON_SMTP_PORT)
                        ? "Mailreeve refuses the mail, but by then the password has been sent."
                        : "Mailreeve writes down who does it.";
    }
    return true;
}

static bool auth_without_tls(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    *w = (struct wrong){"smtpd_tls_auth_only", "yes", NULL, false};
    return l->auth && !l->loopback && l->port != 465 && no_tls_needed(x, l) &&
           !(l->role != ROLE_SMTP && exam_tls(x, l) == TLS_NOT) && /* a fault of its own */
           !postfix_yes(&x->p, l->service, "smtpd_tls_auth_only", false) &&
           !exam_has_word(postfix_text(&x->p, l->service, "smtpd_sasl_security_options"),
                          "noplaintext");
}

static bool tls_required_on_25(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    const struct listener *policy = x->asked[l - x->listeners].policy;
    bool by_level = *postfix_text(&x->p, l->service, "smtpd_tls_security_level");
    *w = (struct wrong){
        by_level ? "smtpd_tls_security_level" : "smtpd_enforce_tls", by_level ? "may" : "no",
        "If it is not a public port, say \"public: false\" in mailreeve.yaml.", false};
    return l->role == ROLE_SMTP && !l->implicit && !l->loopback && exam_tls(x, l) == TLS_DEMANDED &&
           (!policy || policy->public);
}

static bool cleartext_on_465(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    (void)x;
    *w = (struct wrong){"smtpd_tls_wrappermode", "yes", NULL, false};
    return l->port == 465 && !l->implicit;
}

static bool tls_at_once(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    (void)x;
    *w = (struct wrong){"smtpd_tls_wrappermode", "no", NULL, false};
    return l->implicit && (l->port == 25 || l->port == 587);
}

static bool submission_without_tls(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    const struct listener *policy = x->asked[l - x->listeners].policy;
    bool hidden =
        exam_has_word(postfix_text(&x->p, l->service, "smtpd_discard_ehlo_keywords"), "starttls");
    *w = hidden ? (struct wrong){"smtpd_discard_ehlo_keywords", "", "STARTTLS is not announced.",
                                 false}
                : (struct wrong){"smtpd_tls_security_level", "encrypt", NULL, false};
    return exam_is_submission(l) && l->port != 465 && exam_tls(x, l) == TLS_NOT &&
           !(policy && policy->tls_by == TLS_BY_PROXY);
}

static bool has_certificate_login(struct exam *x, const struct pf_listener *l)
{
    static const char *const lists[] = {"smtpd_client_restrictions", "smtpd_relay_restrictions",
                                        "smtpd_recipient_restrictions"};
    for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *text = postfix_text(&x->p, l->service, lists[i]);
        if (exam_has_word(text, "permit_tls_clientcerts") ||
            exam_has_word(text, "permit_tls_all_clientcerts"))
            return true;
    }
    return false;
}

static bool submission_without_auth(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    bool hidden =
        exam_has_word(postfix_text(&x->p, l->service, "smtpd_discard_ehlo_keywords"), "auth") &&
        postfix_yes(&x->p, l->service, "smtpd_sasl_auth_enable", false);
    *w = hidden ? (struct wrong){"smtpd_discard_ehlo_keywords", "", "AUTH is not announced.", false}
                : (struct wrong){"smtpd_sasl_auth_enable", "yes", NULL, false};
    return exam_is_submission(l) && (l->port == 465 || l->port == 587) && !l->auth &&
           !has_certificate_login(x, l);
}

static bool submission_open(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    enum strangers s = exam_is_submission(l) ? exam_strangers(x, l) : STRANGERS_REFUSED;
    bool networks = exam_has_word(postfix_text(&x->p, l->service, "smtpd_relay_restrictions"),
                                  "permit_mynetworks") &&
                    exam_networks_are_safe(x, l);
    *w = (struct wrong){
        "smtpd_relay_restrictions",
        networks ? "permit_mynetworks,permit_sasl_authenticated,reject"
                 : "permit_sasl_authenticated,reject",
        "No list ends with \"reject\": mail for your own users is taken from anybody.",
        s == STRANGERS_MAYBE};
    if (w->milder)
        w->detail = "No list ends with \"reject\": mail for your own users is taken from anybody "
                    "whom no table and no policy service refuses.";
    return s != STRANGERS_REFUSED;
}

static bool tls_not_required(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    struct wrong other;
    *w = (struct wrong){"smtpd_tls_security_level", "encrypt", NULL, false};
    return exam_is_submission(l) && l->auth && l->port != 465 && exam_tls(x, l) == TLS_OFFERED &&
           !postfix_yes(&x->p, l->service, "smtpd_tls_auth_only", false) &&
           !auth_without_tls(x, l, &other) && !exam_refuses(x, l, FINDING_TLS_REQUIRED);
}

static const char *protocols_of(struct exam *x, const struct pf_listener *l)
{
    bool demanded = exam_tls(x, l) == TLS_DEMANDED || l->port == 465; /* as it should be */
    return demanded ? "smtpd_tls_mandatory_protocols" : "smtpd_tls_protocols";
}

static bool tls_old_versions(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    const struct listener *policy = x->asked[l - x->listeners].policy;
    unsigned allowed;
    *w = (struct wrong){protocols_of(x, l), ">=TLSv1.2", NULL, false};
    if (!exam_is_submission(l) || exam_tls(x, l) == TLS_NOT || !l->auth)
        return false;
    const char *list = postfix_text(&x->p, l->service, w->name);
    if (!tls_versions(str_of(list), &allowed))
        return false; /* told by protocols_wrong() */
    if (exam_refuses(x, l, FINDING_TLS_VERSION) && policy->min_tls >= TLS_1_2) {
        w->milder = true;
        w->detail = "Mailreeve refuses them after the handshake, with a sentence for the user.";
    }
    return allowed & TLS_VERSIONS_OLD && allowed & ~TLS_VERSIONS_OLD;
}

static bool tls_12_missing(struct exam *x, const struct pf_listener *l, struct wrong *w)
{
    unsigned allowed;
    *w = (struct wrong){protocols_of(x, l), l->role == ROLE_SMTP ? ">=TLSv1" : ">=TLSv1.2", NULL,
                        false};
    if (!l->role_known || l->internal || exam_tls(x, l) == TLS_NOT)
        return false;
    if (tls_versions(str_of(postfix_text(&x->p, l->service, w->name)), &allowed))
        return !(allowed & ~TLS_VERSIONS_OLD);
    w->detail = "A word in it is no TLS version: Postfix then does no TLS at all.";
    return true;
}

/* ---- the table ------------------------------------------------------------------------ */

static void advise_wrappermode(struct exam *x, struct fault *f);

static const struct question {
    enum fault_id id;
    bool (*wrong)(struct exam *x, const struct pf_listener *l, struct wrong *w);
    bool everywhere; /* the right value is right for all ports: main.cf may have it */
    /* What to do about a value in main.cf that is wrong for some ports; NULL: master.cf overrides
     * it. */
    void (*advise)(struct exam *x, struct fault *f);
} questions[] = {
    {FAULT_AUTH_ON_25, auth_on_25, false, NULL},
    {FAULT_AUTH_WITHOUT_TLS, auth_without_tls, true, NULL},
    {FAULT_TLS_REQUIRED_ON_25, tls_required_on_25, false, NULL},
    {FAULT_CLEARTEXT_ON_SUBMISSIONS, cleartext_on_465, false, NULL},
    {FAULT_TLS_AT_ONCE_ON_STARTTLS, tls_at_once, false, advise_wrappermode},
    {FAULT_SUBMISSION_WITHOUT_TLS, submission_without_tls, false, NULL},
    {FAULT_SUBMISSION_WITHOUT_AUTH, submission_without_auth, false, NULL},
    {FAULT_SUBMISSION_OPEN, submission_open, false, NULL},
    {FAULT_TLS_NOT_REQUIRED, tls_not_required, false, NULL},
    {FAULT_TLS_12_MISSING, tls_12_missing, false, NULL},
    {FAULT_TLS_OLD_VERSIONS, tls_old_versions, false, NULL},
};

/* smtp_x stands there instead of smtpd_x: that is the fault, and postfix_mixups.c tells it. */
static bool is_mixed_up(const struct pf_service *s, const char *name)
{
    for (unsigned i = 0; strncmp(name, "smtpd_", 6) == 0 && i < s->option_count; i++)
        if (strncmp(s->options[i].name, "smtp_", 5) == 0 &&
            strcmp(s->options[i].name + 5, name + 6) == 0)
            return true;
    return false;
}

/* wrappermode in main.cf: it is on for every port, and often smtp_tls_wrappermode was meant. */
static void advise_wrappermode(struct exam *x, struct fault *f)
{
    const char *relay = postfix_text(&x->p, NULL, "relayhost");
    fault_fix(f, "%s -X smtpd_tls_wrappermode", x->postconf);
    for (unsigned i = 0; i < x->count; i++)
        if (x->listeners[i].port == 465 &&
            postfix_value(&x->p, x->listeners[i].service, "smtpd_tls_wrappermode").source ==
                PF_MAIN)
            exam_set(x, f, x->listeners[i].service, "smtpd_tls_wrappermode", "yes");
    if (strstr(relay, ":465") || strstr(relay, ":smtps") || strstr(relay, ":submissions")) {
        fault_detail(f,
                     "In main.cf it is on for every port. To send through %s, Postfix's client "
                     "needs smtp_tls_wrappermode.",
                     relay);
        exam_set_main(x, f, "smtp_tls_wrappermode", "yes");
        exam_set_main(x, f, "smtp_tls_security_level", "encrypt");
    } else {
        fault_detail(f, "In main.cf it is on for every port; it belongs to the service on 465.");
    }
}

/* May one fault tell both? */
static bool same_place(struct exam *x, const struct pf_listener *a, const struct wrong *wa,
                       const struct pf_listener *b, const struct wrong *wb)
{
    struct pf_value va = postfix_value(&x->p, a->service, wa->name);
    struct pf_value vb = postfix_value(&x->p, b->service, wb->name);
    return a->service == b->service ||
           (strcmp(wa->name, wb->name) == 0 && strcmp(wa->right, wb->right) == 0 &&
            wa->detail == wb->detail && wa->milder == wb->milder && va.source != PF_MASTER &&
            va.source == vb.source && va.line == vb.line);
}

static void tell(struct exam *x, const struct question *q, const struct pf_listener *l,
                 const struct wrong *w, uint64_t members)
{
    struct fault *f = fault_add(x->fs, q->id);
    struct pf_value v = postfix_value(&x->p, l->service, w->name);
    const char *services = exam_services(x, members);
    bool several = members & (members - 1);
    exam_where(x, f, l->service, w->name);
    exam_evidence(x, f, l->service, w->name);
    if (w->milder)
        f->severity = f->severity == FAULT_ERROR ? FAULT_WARNING : FAULT_NOTE;
    if (v.source == PF_MAIN || several)
        fault_detail(f, "It counts on %s.%s%s", services, w->detail ? " " : "",
                     w->detail ? w->detail : "");
    else if (w->detail)
        fault_detail(f, "%s", w->detail);
    if (v.source != PF_MASTER && q->advise) {
        q->advise(x, f);
    } else if (v.source != PF_MASTER && (q->everywhere || strstr(w->name, "mandatory"))) {
        exam_set_main(x, f, w->name, w->right);
    } else {
        for (unsigned i = 0; i < x->count; i++)
            if (members >> i & 1)
                exam_set(x, f, x->listeners[i].service, w->name, w->right);
    }
}

static void ask(struct exam *x, const struct question *q)
{
    struct wrong wrong[PF_LISTENERS];
    uint64_t open = 0;
    for (unsigned i = 0; i < x->count; i++)
        if (q->wrong(x, &x->listeners[i], &wrong[i]) &&
            !is_mixed_up(x->listeners[i].service, wrong[i].name))
            open |= (uint64_t)1 << i;
    for (unsigned i = 0; i < x->count; i++) {
        uint64_t members = 0;
        for (unsigned j = i; open >> i & 1 && j < x->count; j++)
            if (open >> j & 1 &&
                same_place(x, &x->listeners[i], &wrong[i], &x->listeners[j], &wrong[j]))
                members |= (uint64_t)1 << j;
        if (members)
            tell(x, q, &x->listeners[i], &wrong[i], members);
        open &= ~members;
    }
}

/* ---- ports that are not there ------------------------------------------------------------ */

static const struct pf_listener *on_port(const struct exam *x, uint16_t port)
{
    for (unsigned i = 0; i < x->count; i++)
        if (x->listeners[i].port == port)
            return &x->listeners[i];
    return NULL;
}

/* A whole service as one line for postconf -M. */
static void tell_absent(struct exam *x, enum fault_id id, const char *name, const char *mode,
                        const struct pf_listener *like)
{
    struct fault *f = fault_add(x->fs, id);
    exam_where_service(f, like->service);
    fault_evidence(f, "AUTH is on in %s/%s", like->service->name, like->service->type);
    fault_fix(f,
              "%s -M '%s/inet=%s inet n - %c - - smtpd -o syslog_name=postfix/%s -o %s "
              "-o smtpd_tls_auth_only=yes -o smtpd_sasl_auth_enable=yes "
              "-o smtpd_relay_restrictions=permit_sasl_authenticated,reject'",
              x->postconf, name, name, like->service->chroot ? 'y' : 'n', name, mode);
    if (x->with_mailreeve)
        exam_setup(x, f);
}

static void check_absent(struct exam *x)
{
    const struct pf_listener *like = NULL;
    for (unsigned i = 0; i < x->count; i++)
        if (x->listeners[i].auth && !x->listeners[i].loopback && (!like || like->role == ROLE_SMTP))
            like = &x->listeners[i];
    if (!like)
        return;
    if (!on_port(x, 465))
        tell_absent(x, FAULT_NO_SUBMISSIONS_PORT, "submissions", "smtpd_tls_wrappermode=yes", like);
    if (!on_port(x, 587))
        tell_absent(x, FAULT_NO_SUBMISSION_PORT, "submission", "smtpd_tls_security_level=encrypt",
                    like);
}

void postfix_check_settings(struct exam *x)
{
    for (unsigned i = 0; i < sizeof questions / sizeof *questions; i++)
        ask(x, &questions[i]);
    check_absent(x);
}
