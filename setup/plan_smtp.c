/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port 25. Where nobody can log in there is nothing to ask. Where AUTH is
 * possible, mailreeve-policyd is asked about those alone who have logged in, so that mail from
 * other servers does not depend on it; --enforce switches AUTH off there, and then the
 * question goes, too: Postfix would warn of check_sasl_access for every recipient.
 */
#include "setup/plan_internal.h"

/* The list that the question stands in, or is to stand in. */
static const char *list_name(struct plan *p, const struct site *at)
{
    const char *names[5];
    postfix_restriction_lists(p->postfix, at->service, names);
    bool empty = *postfix_text(p->postfix, at->service, names[3]) == '\0';
    return empty && *postfix_text(p->postfix, at->service, names[4]) ? names[4] : names[3];
}

static void set_classes(struct plan *p, const struct site *at, const char *classes)
{
    if (plan_in_service(at->service, "smtpd_restriction_classes"))
        plan_option(p, at->service, "smtpd_restriction_classes", classes);
    else if (*classes)
        plan_main(p, "smtpd_restriction_classes", classes);
    else
        plan_main_out(p, "smtpd_restriction_classes");
}

static const char *classes_of(struct plan *p, const struct site *at)
{
    struct pf_value v = postfix_value(p->postfix, at->service, "smtpd_restriction_classes");
    return v.raw ? v.raw : "";
}

static void ask(struct plan *p, const struct site *at)
{
    const char *name = list_name(p, at), *classes = classes_of(p, at);
    const char *rest = plan_text(p, "%s_rest", at->variable);
    const char *word = plan_text(p, "static:%s", at->variable);
    const char *list = plan_list(p, at->service, name, rest);
    plan_main(p, at->variable,
              plan_text(p,
                        "check_policy_service { unix:mailreeve/policyd.sock, policy_context=%s, "
                        "timeout=2s, default_action=DUNNO }",
                        at->name));
    if (!plan_has(classes, at->variable))
        set_classes(p, at, *classes ? plan_text(p, "%s, %s", classes, at->variable) : at->variable);
    p->asked_on_25 |= WITH_POLICYD;
    if (plan_has(list, word))
        list = plan_without(p, list, "check_sasl_access", word);
    if (plan_option(p, at->service, name,
                    plan_join(p, plan_text(p, "check_sasl_access,%s", word), list)))
        plan_say(p, LINE_STEP,
                 "AUTH is possible here: mailreeve-policyd is asked about clients that have logged "
                 "in, in %s, and about nobody else; when it does not answer, mail goes on",
                 name);
}

/* What ask() made of a service, taken out again. */
static void ask_no_more(struct plan *p, const struct site *at)
{
    const char *name = list_name(p, at);
    const char *word = plan_text(p, "static:%s", at->variable);
    const char *own = plan_in_service(at->service, name);
    if (!own || !plan_has(own, word))
        return;
    const char *left = plan_without(p, own, "check_sasl_access", word);
    const char *general = plan_list(p, NULL, name, plan_text(p, "%s_rest", at->variable));
    if (strcmp(left, general) == 0)
        plan_option_out(p, at->service, name);
    else
        plan_option(p, at->service, name, left);
    plan_say(p, LINE_STEP, "so mailreeve-policyd need not be asked here any more");
}

void plan_smtp_end(struct plan *p, const struct site *at)
{
    const char *classes = classes_of(p, at), *rest = plan_text(p, "%s_rest", at->variable);
    bool used = false;
    if (!(p->asked_on_25 & WITH_MILTER))
        plan_main_out(p, "mailreeve_milter_smtp");
    if (p->asked_on_25 & WITH_POLICYD)
        return;
    if (plan_has(classes, at->variable))
        set_classes(p, at, plan_without(p, classes, at->variable, NULL));
    plan_main_out(p, at->variable);
    for (unsigned i = 0; i < p->step_count; i++)
        used |= p->steps[i].kind == STEP_OPTION &&
                plan_has(p->steps[i].value, plan_text(p, "$%s", rest));
    if (!used)
        plan_main_out(p, rest);
}

void plan_smtp(struct plan *p, const struct site *at)
{
    const struct plan_options *o = p->options;
    if (!at->at.auth) {
        ask_no_more(p, at);
        plan_say(p, LINE_NOTE, "nothing to do: nobody can log in here");
        return;
    }
    if (o->enforce && !o->keep_auth_on_25) {
        plan_option(p, at->service, "smtpd_sasl_auth_enable", "no");
        plan_say(
            p, LINE_STEP,
            "AUTH is switched off here (RFC 8314 4): this port is for mail from other servers; "
            "--keep-auth-on-25 keeps it on");
        ask_no_more(p, at);
        plan_drop_milter(p, at);
        return;
    }
    if (o->with & WITH_POLICYD)
        ask(p, at);
    if (o->with & WITH_MILTER)
        plan_ask_milter(p, at, false);
    if (!o->keep_auth_on_25)
        plan_say(p, LINE_NOTE, "--enforce will switch AUTH off here");
}
