/* SPDX-License-Identifier: Apache-2.0 */
/* The examination of a Postfix: what there is, then one check after the other. */
#include "doctor/postfix.h"

#include <stdio.h>
#include <stdlib.h>

static void (*const checks[])(struct exam *x) = {
    postfix_check_settings,  postfix_check_mixups,   postfix_check_certificates,
    postfix_check_mailreeve, postfix_check_failure,  postfix_check_sockets,
    postfix_check_trust,     postfix_check_versions,
};

/* ---- small questions -------------------------------------------------------------- */

bool exam_has_word(const char *list, const char *word)
{
    struct str rest = str_of(list), one;
    while ((one = pf_word(&rest)).n)
        if (str_eq_nocase(one, str_of(word)))
            return true;
    return false;
}

/* As smtpd's pre_jail_init() does it: wrappermode beats the level, the level beats the older two.
 */
enum tls_use exam_tls(struct exam *x, const struct pf_listener *l)
{
    const struct pf_service *s = l->service;
    const char *level = postfix_text(&x->p, s, "smtpd_tls_security_level");
    if (l->implicit)
        return TLS_DEMANDED;
    if (exam_has_word(postfix_text(&x->p, s, "smtpd_discard_ehlo_keywords"), "starttls"))
        return TLS_NOT;
    if (*level)
        return strcmp(level, "none") == 0  ? TLS_NOT
               : strcmp(level, "may") == 0 ? TLS_OFFERED
                                           : TLS_DEMANDED;
    if (postfix_yes(&x->p, s, "smtpd_enforce_tls", false))
        return TLS_DEMANDED;
    return postfix_yes(&x->p, s, "smtpd_use_tls", false) ? TLS_OFFERED : TLS_NOT;
}

bool exam_is_submission(const struct pf_listener *l)
{
    return l->role_known && l->role != ROLE_SMTP && !l->loopback;
}

bool exam_refuses(const struct exam *x, const struct pf_listener *l, enum finding finding)
{
    const struct asked *a = &x->asked[l - x->listeners];
    return (a->policyd || a->milter) && a->policy && a->policy->mode == MODE_ENFORCE &&
           refuses(a->policy->action[finding]);
}

/* ---- what there is ---------------------------------------------------------------------- */

/* postscreen on several addresses has one smtpd behind it: it is looked at once. */
static void drop_repeated(struct exam *x)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < x->count; i++) {
        bool repeated = false;
        for (unsigned j = 0; j < kept; j++)
            repeated |= x->listeners[j].service == x->listeners[i].service &&
                        x->listeners[j].port == x->listeners[i].port;
        if (!repeated)
            x->listeners[kept++] = x->listeners[i];
    }
    x->count = kept;
}

static void set_postconf(struct exam *x)
{
    static const char *const usual[] = {"/etc/postfix", "/usr/local/etc/postfix"};
    const char *d = x->in->directory;
    snprintf(x->postconf, sizeof x->postconf, "postconf");
    for (unsigned i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcmp(d, usual[i]) == 0)
            return;
    bool plain =
        d[strspn(d, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")] == '\0';
    snprintf(x->postconf, sizeof x->postconf, plain ? "postconf -c %s" : "postconf -c '%s'", d);
}

static const char *tls_word(struct exam *x, const struct pf_listener *l)
{
    static const char *const words[] = {
        [TLS_NOT] = "none", [TLS_OFFERED] = "STARTTLS", [TLS_DEMANDED] = "STARTTLS required"};
    return l->implicit ? "at once" : words[exam_tls(x, l)];
}

static const char *asks_word(const struct asked *a)
{
    return a->policyd && a->milter ? "policyd and milter"
           : a->policyd            ? "policyd"
           : a->milter             ? "milter"
                                   : "nobody";
}

static void fill_view(struct exam *x, struct doctor_view *v)
{
    snprintf(v->version, sizeof v->version, "%s",
             x->p.version ? postfix_text(&x->p, NULL, "mail_version") : "");
    snprintf(v->known_from, sizeof v->known_from, "%s",
             !x->p.version  ? "there is no postconf here: defaults are taken to be those of 3.7"
             : !x->in->live ? "the version of this machine's postconf"
                            : "");
    v->count = 0;
    for (unsigned i = 0; i < x->count && v->count < DOCTOR_LISTENERS; i++) {
        struct pf_listener *l = &x->listeners[i];
        struct doctor_listener *d = &v->listeners[v->count++];
        const struct pf_service *s = l->front;
        bool secret = exam_tls(x, l) == TLS_DEMANDED ||
                      postfix_yes(&x->p, l->service, "smtpd_tls_auth_only", false);
        snprintf(d->service, sizeof d->service, "%.40s/%.12s", s->name, s->type);
        d->port = l->port;
        d->role = l->internal ? "internal" : l->role_known ? role_names[l->role] : "";
        d->tls = tls_word(x, l);
        d->auth = !l->auth ? "no" : secret ? "under TLS" : "yes";
        d->asks = asks_word(&x->asked[i]);
        d->policy = x->asked[i].policy ? mode_names[x->asked[i].policy->mode] : "";
    }
}

static void note_other_instances(struct exam *x)
{
    const char *others = postfix_text(&x->p, NULL, "multi_instance_directories");
    if (*others)
        faults_unknown(x->fs, "other instances of Postfix: %s; look at each with --directory",
                       others);
}

void exam_all(struct exam *x)
{
    set_postconf(x);
    x->count = postfix_listeners(&x->p, x->listeners);
    if (x->count == PF_LISTENERS)
        faults_unknown(x->fs, "the ports behind the first %d of master.cf", PF_LISTENERS);
    drop_repeated(x);
    exam_look_for_mailreeve(x);
    if (x->in->view)
        fill_view(x, x->in->view);
    for (unsigned i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](x);
    note_other_instances(x);
}

int doctor_postfix(const struct doctor_input *in, struct faults *fs, struct err *e)
{
    struct exam *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(e, "out of memory");
    x->in = in, x->fs = fs;
    if (postfix_load(in->directory, &x->p, e) < 0) {
        free(x);
        return -1;
    }
    exam_all(x);
    postfix_free(&x->p);
    free(x);
    return 0;
}
