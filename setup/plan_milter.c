/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailreeve-milter, per service, in front of the milters that are there: -o
 * smtpd_milters takes the place of main.cf's, so those are written out ("$smtpd_milters" in it
 * would refer to itself).
 */
#include "setup/plan_internal.h"

static const char *variable_of(bool submission)
{
    return submission ? "mailreeve_milter" : "mailreeve_milter_smtp";
}

void plan_ask_milter(struct plan *p, const struct site *at, bool submission)
{
    const char *own = plan_text(p, "$%s", variable_of(submission));
    const char *others = plan_without(
        p, plan_list(p, at->service, "smtpd_milters", plan_text(p, "%s_milters", at->variable)),
        own, NULL);
    struct pf_value name = postfix_value(p->postfix, at->service, "milter_macro_daemon_name");
    p->asked_on_25 |= submission ? 0 : WITH_MILTER;
    plan_main(
        p, variable_of(submission),
        plan_text(p,
                  "{ unix:mailreeve-milter/milter.sock, default_action=%s, connect_timeout=5s, "
                  "command_timeout=5s, content_timeout=10s }",
                  submission ? "tempfail" : "accept"));
    if (plan_option(p, at->service, "smtpd_milters", plan_join(p, own, others)))
        plan_say(p, LINE_STEP, "mailreeve-milter is asked%s; when it does not answer, %s",
                 *others ? ", in front of the milters that are there" : "",
                 submission ? "the client is told to try again (451)" : "mail goes on");
    if (name.source == PF_DEFAULT && !*others)
        plan_option(p, at->service, "milter_macro_daemon_name", at->name);
    else if (!name.text || strcmp(name.text, at->name) != 0)
        plan_say(p, LINE_NOTE,
                 "milter_macro_daemon_name stays \"%s\": other milters (DKIM) may go by it; "
                 "Mailreeve goes by the port",
                 name.text ? name.text : "");
}

void plan_drop_milter(struct plan *p, const struct site *at)
{
    const char *own = "$mailreeve_milter_smtp";
    const char *here = plan_in_service(at->service, "smtpd_milters");
    const char *main =
        plan_list(p, NULL, "smtpd_milters", plan_text(p, "%s_milters", at->variable));
    const char *named = plan_in_service(at->service, "milter_macro_daemon_name");
    if (!here || !plan_has(here, own))
        return;
    const char *others = plan_without(p, here, own, NULL);
    if (strcmp(others, main) == 0)
        plan_option_out(p, at->service, "smtpd_milters");
    else
        plan_option(p, at->service, "smtpd_milters", others);
    if (named && strcmp(named, at->name) == 0)
        plan_option_out(p, at->service, "milter_macro_daemon_name");
    plan_say(p, LINE_STEP, "so mailreeve-milter need not be asked here any more");
}
