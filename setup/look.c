/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be there before anything is changed: rights, users, and for a new port SASL and a
 * certificate. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "setup/setup_internal.h"

static int look_at_rights(struct setup *s)
{
    if (geteuid() != 0)
        return setup_fail(s, EX_NOPERM,
                          "only root may change Postfix's configuration; --dry-run shows what "
                          "would be done");
    if (access(s->directory, W_OK) < 0)
        return setup_fail(s, EX_CANTCREAT, "%s cannot be written to: %s; nothing was changed",
                          s->directory, strerror(errno));
    for (int i = 0; i < DAEMONS; i++)
        if (s->options.with & daemons[i].with && !getpwnam(daemons[i].program))
            return setup_fail(s, EX_UNAVAILABLE,
                              "there is no user %s: install Mailreeve first (README.md, "
                              "\"Install\": make install, systemd-sysusers, systemd-tmpfiles)",
                              daemons[i].program);
    return 0;
}

/* ---- a new port --------------------------------------------------------------------- */

static int look_at_sasl(struct setup *s, const struct pf_service *service)
{
    const char *type = postfix_text(&s->postfix, service, "smtpd_sasl_type");
    const char *path = postfix_text(&s->postfix, service, "smtpd_sasl_path");
    const char *queue = postfix_text(&s->postfix, NULL, "queue_directory");
    char why[256];
    if (strcmp(type, "dovecot") == 0) {
        struct peer p = {.user = postfix_text(&s->postfix, NULL, "mail_owner"),
                         .root = service->chroot ? queue : NULL,
                         .directory = service->chroot ? "/" : queue};
        if (peer_connect(&p, path, why) == PEER_ANSWERS)
            return 0;
        return setup_fail(s, EX_UNAVAILABLE,
                          "--open: nobody could log in there: smtpd_sasl_path = %s: %s; have "
                          "Dovecot listen there (service auth, unix_listener)",
                          path, why);
    }
    if (strcmp(type, "cyrus") == 0 && (access("/etc/postfix/sasl/smtpd.conf", R_OK) == 0 ||
                                       access("/etc/sasl2/smtpd.conf", R_OK) == 0 ||
                                       access("/usr/lib/sasl2/smtpd.conf", R_OK) == 0))
        return 0;
    return setup_fail(s, EX_UNAVAILABLE,
                      "--open: nobody could log in there: smtpd_sasl_type is \"%s\" and nothing is "
                      "set up for it. With Dovecot: let its auth server listen on "
                      "%s/private/auth, then postconf -e smtpd_sasl_type=dovecot "
                      "smtpd_sasl_path=private/auth",
                      type, queue);
}

static int look_at_certificate(struct setup *s, const struct pf_service *service)
{
    const char *chain = postfix_text(&s->postfix, service, "smtpd_tls_chain_files");
    const char *file = postfix_text(&s->postfix, service, "smtpd_tls_cert_file");
    struct str rest = str_of(*chain ? chain : file), first = pf_word(&rest);
    char path[512];
    snprintf(path, sizeof path, "%.*s", STR_ARG(first));
    if (first.n && access(path, R_OK) == 0)
        return 0;
    return setup_fail(s, EX_UNAVAILABLE,
                      "--open: there is no certificate%s%s; get one for the name that clients use, "
                      "and set smtpd_tls_chain_files to its key and chain",
                      first.n ? ": " : "", first.n ? path : "");
}

int look_first(struct setup *s)
{
    int code = look_at_rights(s);
    for (unsigned i = 0; !code && i < s->plan->step_count; i++) {
        const struct step *step = &s->plan->steps[i];
        if (step->kind != STEP_SERVICE)
            continue;
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(step->service, "/"), step->service);
        const struct pf_service *service = postfix_service(&s->postfix, name, "inet");
        code = service ? look_at_sasl(s, service) : 0;
        if (!code && service)
            code = look_at_certificate(s, service);
    }
    return code;
}
