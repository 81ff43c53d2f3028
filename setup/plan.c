/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/plan.h"

#include <ctype.h>
#include <stdio.h>

#include "setup/plan_internal.h"

/* ---- names ------------------------------------------------------------------------- */

static const struct {
    uint16_t port;
    const char *name;
} usual[] = {{25, "smtp"}, {465, "submissions"}, {587, "submission"}, {2525, "alternate"}};

/* What mailreeve.yaml calls the port already, or what is usual, or "submission1587". */
static void name_it(struct site *at, const struct policy *now)
{
    const struct listener *l = now ? policy_listener_on(now, at->at.port) : NULL;
    snprintf(at->name, sizeof at->name, "%s%u", role_names[at->at.role], at->at.port);
    for (unsigned i = 0; i < sizeof usual / sizeof *usual; i++)
        if (usual[i].port == at->at.port)
            snprintf(at->name, sizeof at->name, "%s", usual[i].name);
    if (l)
        snprintf(at->name, sizeof at->name, "%.*s", STR_ARG(l->names[0]));
    snprintf(at->variable, sizeof at->variable, "mailreeve_%s", at->name);
    for (char *c = at->variable; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
}

/* ---- what every submission port gets ---------------------------------------------------- */

/* The log tells the port by syslog_name alone (RFC 6409 5.2). */
static void distinct_syslog_name(struct plan *p, const struct site *list, unsigned count,
                                 const struct site *at)
{
    const char *here = postfix_text(p->postfix, at->service, "syslog_name");
    const char *main = postfix_text(p->postfix, NULL, "syslog_name");
    for (unsigned i = 0; i < count; i++) {
        const char *there = postfix_text(p->postfix, list[i].service, "syslog_name");
        if (list[i].at.port == at->at.port || strcmp(here, there) != 0)
            continue;
        if (plan_option(p, at->service, "syslog_name",
                        plan_text(p, "%s/%s", *main ? main : "postfix", at->name)))
            plan_say(p, LINE_STEP,
                     "a syslog_name of its own, because the log does not tell the port otherwise");
        return;
    }
}

static void passwords_under_tls(struct plan *p, const struct site *at)
{
    const char *level = postfix_text(p->postfix, at->service, "smtpd_tls_security_level");
    if (!at->at.auth || at->at.implicit || strcmp(level, "encrypt") == 0 ||
        postfix_yes(p->postfix, at->service, "smtpd_tls_auth_only", false))
        return;
    if (strcmp(level, "may") != 0) {
        plan_say(p, LINE_WARNING,
                 "passwords are accepted without TLS, and TLS is not offered: set "
                 "smtpd_tls_security_level=may and a certificate");
    } else if (p->options->enforce) {
        plan_option(p, at->service, "smtpd_tls_auth_only", "yes");
        plan_say(p, LINE_STEP,
                 "no password without TLS any more: smtpd_tls_auth_only (RFC 8314 4.1)");
    } else {
        plan_say(p, LINE_NOTE,
                 "passwords are accepted without TLS; --enforce will set smtpd_tls_auth_only");
    }
}

static void notes_on_tls(struct plan *p, const struct site *at)
{
    const char *level = postfix_text(p->postfix, at->service, "smtpd_tls_security_level");
    if (!at->at.implicit && strcmp(level, "encrypt") == 0)
        plan_say(
            p, LINE_NOTE,
            "smtpd_tls_security_level=encrypt: Postfix itself refuses clients without TLS, and "
            "Mailreeve does not hear of them");
}

static void plan_submission(struct plan *p, const struct site *list, unsigned count,
                            const struct site *at)
{
    if (plan_is_new(at->service))
        plan_say(p, LINE_STEP, "the port is opened: %s, then AUTH; nobody may submit mail without",
                 at->at.implicit ? "TLS at once" : "STARTTLS");
    if (p->options->with & WITH_POLICYD)
        plan_ask_policyd(p, at);
    if (p->options->with & WITH_MILTER)
        plan_ask_milter(p, at, true);
    distinct_syslog_name(p, list, count, at);
    passwords_under_tls(p, at);
    notes_on_tls(p, at);
    if (p->options->trust)
        plan_trusted(p, at);
}

/* ---- mailreeve.yaml ------------------------------------------------------------------------ */

static void wish_listener(struct plan *p, const struct site *at)
{
    struct wish *w = &p->wish;
    for (unsigned i = 0; i < w->listener_count; i++)
        if (w->listeners[i].port == at->at.port)
            return;
    if (w->listener_count == LISTENERS) {
        p->failed = true;
        return;
    }
    struct wish_listener *l = &w->listeners[w->listener_count++];
    *l = (struct wish_listener){.port = at->at.port, .role = at->at.role};
    snprintf(l->name, sizeof l->name, "%s", at->name);
}

static void wish_sockets(struct plan *p)
{
    const char *queue = postfix_text(p->postfix, NULL, "queue_directory");
    p->wish.enforce = p->options->enforce;
    if (p->options->with & WITH_POLICYD)
        p->wish.policyd =
            (struct wish_program){.sockets = {plan_text(p, "%s/mailreeve/policyd.sock", queue)},
                                  .count = 1,
                                  .group = p->options->group};
    if (p->options->with & WITH_MILTER)
        p->wish.milter = (struct wish_program){
            .sockets = {plan_text(p, "%s/mailreeve-milter/milter.sock", queue)},
            .count = 1,
            .group = p->options->group};
}

/* ---- the plan -------------------------------------------------------------------------------- */

static int can_be_planned(const struct postfix *m, const struct plan_options *o, struct err *e)
{
    if (!m->asked)
        return err_set(e, "postconf did not answer, so what this Postfix does by itself is not "
                          "known; is Postfix installed, and postconf in the PATH?");
    if (o->with & WITH_POLICYD && m->version < 30100)
        return err_set(e,
                       "Postfix %u.%u takes no policy_context (3.1 and later do); the lines for "
                       "it are in etc/postfix/main.cf.before-3.1, to be put in by hand",
                       m->version / 10000, m->version / 100 % 100);
    if (o->with & WITH_MILTER && m->version < 30000)
        return err_set(e, "Postfix %u.%u takes no smtpd_milters with braces (3.0 and later do)",
                       m->version / 10000, m->version / 100 % 100);
    return 0;
}

static unsigned sites_of(struct plan *p, const struct policy *now, struct site ret[PF_LISTENERS])
{
    struct pf_listener there[PF_LISTENERS];
    unsigned n = postfix_listeners(p->postfix, there), count = 0;
    for (unsigned i = 0; i < n; i++) {
        if (there[i].internal)
            continue;
        if (!there[i].role_known) {
            plan_say(p, LINE_HEADING, "port %u, %s/%s", there[i].port, there[i].front->name,
                     there[i].front->type);
            plan_say(p, LINE_NOTE, "left alone: it is no mail port, and nobody can log in");
            continue;
        }
        ret[count] = (struct site){.at = there[i], .service = there[i].service};
        name_it(&ret[count++], now);
    }
    return count;
}

int plan_make(struct postfix *m, const struct policy *now, const struct plan_options *o,
              struct plan *p, struct err *e)
{
    static struct site sites[PF_LISTENERS];
    *p = (struct plan){.postfix = m, .options = o};
    if (can_be_planned(m, o, e) < 0 || plan_open(p, e) < 0)
        return -1;
    unsigned count = sites_of(p, now, sites), submissions = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct site *at = &sites[i];
        bool behind = at->at.front != at->service;
        plan_say(p, LINE_HEADING, "port %u, %s/%s%s", at->at.port, at->service->name,
                 at->service->type, behind ? " behind postscreen" : "");
        wish_listener(p, at);
        if (at->at.role == ROLE_SMTP)
            plan_smtp(p, at);
        else
            plan_submission(p, sites, count, at), submissions++;
    }
    for (unsigned i = 0; i < count; i++)
        if (sites[i].at.role == ROLE_SMTP)
            plan_smtp_end(p, &sites[i]);
    wish_sockets(p);
    p->idle = submissions == 0 && p->step_count == 0;
    if (submissions == 0 && !p->failed) {
        plan_say(p, LINE_HEADING, "no submission port");
        plan_say(p, LINE_WARNING,
                 "users have no port to submit mail on; to open the two that they "
                 "should have: --open 465 --open 587");
    }
    return p->failed ? err_set(e, "the plan has no room, or memory ended") : 0;
}

void plan_free(struct plan *p)
{
    arena_free(&p->arena);
}
