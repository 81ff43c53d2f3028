/* SPDX-License-Identifier: Apache-2.0 */
/* --open: a submission port is added to master.cf, as etc/postfix/master.cf has it. */
#include <stdio.h>
#include <unistd.h>

#include "setup/plan_internal.h"

static const struct {
    uint16_t port;
    enum role role;
    const char *service, *syslog_name;
} known[] = {
    {465, ROLE_SUBMISSIONS, "submissions", "postfix/submissions"},
    {587, ROLE_SUBMISSION, "submission", "postfix/submission"},
    {2525, ROLE_SUBMISSION, "2525", "postfix/alternate"},
};

bool plan_can_open(uint16_t port, enum role *ret_role)
{
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].port == port) {
            *ret_role = known[i].role;
            return true;
        }
    return false;
}

static const struct pf_setting common[] = {
    {"smtpd_tls_auth_only", "yes", 0},
    {"smtpd_sasl_auth_enable", "yes", 0},
    {"smtpd_client_restrictions", "", 0},
    {"smtpd_helo_restrictions", "", 0},
    {"smtpd_sender_restrictions", "", 0},
    {"smtpd_relay_restrictions", "", 0},
    {"smtpd_recipient_restrictions", "permit_sasl_authenticated,reject", 0},
};
enum { COMMON = sizeof common / sizeof *common };

/* The service as the model would have read it. */
static void add(struct plan *p, const char *name, enum role role, const char *syslog_name)
{
    struct postfix *m = p->postfix;
    struct pf_service *list = arena_alloc(&p->arena, (m->service_count + 1) * sizeof *list);
    struct pf_setting *options = arena_alloc(&p->arena, (COMMON + 2) * sizeof *options);
    if (!list || !options) {
        p->failed = true;
        return;
    }
    options[0] = (struct pf_setting){"syslog_name", syslog_name, 0};
    options[1] = role == ROLE_SUBMISSIONS
                     ? (struct pf_setting){"smtpd_tls_wrappermode", "yes", 0}
                     : (struct pf_setting){"smtpd_tls_security_level", "may", 0};
    memcpy(options + 2, common, sizeof common);
    if (m->service_count)
        memcpy(list, m->services, m->service_count * sizeof *list);
    list[m->service_count] = (struct pf_service){
        .name = name,
        .type = "inet",
        .chroot = true,
        .command = "smtpd",
        .options = options,
        .option_count = COMMON + 2,
    };
    m->services = list, m->service_count++;
    const char *entry = plan_text(p, "%s inet n - y - - smtpd", name);
    for (unsigned i = 0; i < COMMON + 2; i++)
        entry = plan_text(p, "%s -o %s=%s", entry, options[i].name, options[i].value);
    if (p->step_count == PLAN_STEPS)
        p->failed = true;
    else
        p->steps[p->step_count++] =
            (struct step){STEP_SERVICE, plan_text(p, "%s/inet", name), NULL, entry, NULL};
}

int plan_open(struct plan *p, struct err *e)
{
    struct pf_listener there[PF_LISTENERS];
    for (unsigned i = 0; i < p->options->open_count; i++) {
        uint16_t port = p->options->open[i].port;
        enum role role = p->options->open[i].role;
        const char *name = plan_text(p, "%u", port);
        const char *tag = plan_text(p, "postfix/submission%u", port);
        unsigned n = postfix_listeners(p->postfix, there), k = 0;
        while (k < n && there[k].port != port)
            k++;
        if (k < n) {
            if (there[k].role != role || !there[k].role_known)
                return err_set(
                    e, "--open %u: master.cf has this port already, as something else (%s/%s)",
                    port, there[k].front->name, there[k].front->type);
            continue;
        }
        for (unsigned j = 0; j < sizeof known / sizeof *known; j++)
            if (known[j].port == port && known[j].role == role)
                name = known[j].service, tag = known[j].syslog_name;
        add(p, name, role, tag);
    }
    return 0;
}
