/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between versions of Postfix, and what it writes to the log that it should not. */
#include <stdio.h>
#include <unistd.h>

#include "doctor/postfix.h"

/* A port on which STARTTLS is expected. */
static const struct pf_listener *starttls_port(const struct exam *x)
{
    for (unsigned i = 0; i < x->count; i++)
        if (exam_is_submission(&x->listeners[i]) && !x->listeners[i].implicit)
            return &x->listeners[i];
    return NULL;
}

/* mailreeve-tap writes its journal here: it sees what Postfix does not say. */
static bool has_tap(const struct exam *x)
{
    char path[300];
    const struct config *c = x->in->config;
    return c && *c->journal.path &&
           snprintf(path, sizeof path, "%s/mailreeve-tap", c->journal.path) < (int)sizeof path &&
           access(path, F_OK) == 0;
}

/* Postfix before 3.9 with SMTPUTF8 answers a ClientHello with "500 bad UTF-8", and logs nothing. */
static void check_unseen(struct exam *x)
{
    const struct pf_listener *l = starttls_port(x);
    if (!x->with_mailreeve || !l || !x->p.version || x->p.version >= 30900 || has_tap(x) ||
        !postfix_yes(&x->p, l->service, "smtputf8_enable", false))
        return;
    struct fault *f = fault_add(x->fs, FAULT_TLS_UNSEEN);
    exam_where(x, f, l->service, "smtputf8_enable");
    exam_evidence(x, f, l->service, "smtputf8_enable");
    fault_detail(f, "Before Postfix 3.9 it shows only when the client is faster than the greeting. "
                    "mailreeve-tap sees it always.");
    fault_fix(f, "systemctl enable --now mailreeve-tap");
}

static void check_early_talkers(struct exam *x)
{
    const struct pf_listener *l = starttls_port(x);
    if (!x->uses_milter || !l || x->p.version < 30900 ||
        !postfix_yes(&x->p, l->service, "smtpd_forbid_unauth_pipelining", true))
        return;
    struct fault *f = fault_add(x->fs, FAULT_EARLY_TALKERS);
    exam_where(x, f, l->service, "smtpd_forbid_unauth_pipelining");
    exam_evidence(x, f, l->service, "smtpd_forbid_unauth_pipelining");
    fault_detail(f, "The log tells them: \"improper command pipelining after CONNECT\".");
}

/* With -v, and for those in debug_peer_list, smtpd logs each line of a client: AUTH, too. */
static void check_passwords_in_log(struct exam *x)
{
    for (unsigned i = 0; i < x->count; i++) {
        const struct pf_listener *l = &x->listeners[i];
        bool listed = *postfix_text(&x->p, l->service, "debug_peer_list");
        if (!l->auth || !(l->service->verbose || listed))
            continue;
        struct fault *f = fault_add(x->fs, FAULT_PASSWORDS_IN_LOG);
        if (l->service->verbose) {
            exam_where_service(f, l->service);
            fault_evidence(f, "smtpd -v");
            fault_fix(f, "take -v out of %s/%s in master.cf", l->service->name, l->service->type);
            continue;
        }
        f->severity = FAULT_WARNING;
        exam_where(x, f, l->service, "debug_peer_list");
        exam_evidence(x, f, l->service, "debug_peer_list");
        fault_detail(f, "All that these clients send is logged.");
        fault_fix(f, "%s -X debug_peer_list", x->postconf);
        return;
    }
}

void postfix_check_versions(struct exam *x)
{
    check_unseen(x);
    check_early_talkers(x);
    check_passwords_in_log(x);
}
