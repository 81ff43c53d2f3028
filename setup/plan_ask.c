/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailreeve-policyd is asked first on a submission port.
 *
 * It goes into the first of the relay and recipient restrictions that Postfix
 * evaluates there, never into the client, helo or sender restrictions: the reply would then say
 * "Client host rejected", for which fail2ban's stock filter bans the customer.
 *
 * What refuses in those three before Mailreeve is asked is moved behind it, where that changes
 * nothing for anybody. The proof. A gate is a list "p1, ..., pn, reject" whose p are permits that
 * ask only about the session (below): it passes a client if and only if some p fits, wherever in
 * the order it stands, for with smtpd_delay_reject=yes all lists are evaluated at RCPT. Let L be a
 * gate in the client, helo or sender restrictions, and T the list that Mailreeve goes into, so that
 * a client must pass L and T.
 *   1. T refuses nobody: L and T is L.
 *   2. Every p of L is among the permits with which T begins (before its first other word): who
 *      passes L fits some p, so T permits it. L and T is L.
 *   3. T is a gate, and each of its permits is one of L: who passes T fits one of L's. L and T is
 * T. In 1 and 2, L takes T's place; in 3, T stays; L's own list becomes empty. The list behind T is
 * evaluated for whoever passes, before as after. ETRN is asked of the client, helo and ETRN
 * restrictions only, so the same is done with T = smtpd_etrn_restrictions for L in client or helo
 * (to the sender's list ETRN never comes). In every other case L stays, and the plan says so.
 */
#include "setup/plan_internal.h"

static const char *const session_permits[] = {
    "permit_mynetworks",          "permit_sasl_authenticated", "permit_tls_clientcerts",
    "permit_tls_all_clientcerts", "permit_inet_interfaces",
};
enum { PERMITS = sizeof session_permits / sizeof *session_permits };

enum shape { SHAPE_PASSES, SHAPE_GATE, SHAPE_MORE };

struct list {
    const char *text; /* as it would be written */
    enum shape shape;
    unsigned permits; /* bits: SHAPE_GATE: all; else those that it begins with */
    bool empty;
};

static int permit_of(struct str word)
{
    for (int i = 0; i < PERMITS; i++)
        if (str_eq_nocase(word, str_of(session_permits[i])))
            return i;
    return -1;
}

/* What an expanded list does. `skip`: our own words at its head, which never permit. */
static void describe(const char *expanded, struct list *ret)
{
    struct str rest = str_of(expanded), word;
    ret->shape = SHAPE_PASSES, ret->permits = 0, ret->empty = true;
    while ((word = pf_word(&rest)).n) {
        int permit = permit_of(word);
        ret->empty = false;
        if (permit >= 0) {
            ret->permits |= 1U << permit;
            continue;
        }
        if (str_eq_nocase(word, STR("reject")))
            ret->shape = SHAPE_GATE;
        else if (!str_eq_nocase(word, STR("permit")))
            ret->shape = SHAPE_MORE;
        return;
    }
}

/* The expanded text without our question at its head. */
static const char *without_ours(const char *expanded)
{
    struct str rest = str_of(expanded), word = pf_word(&rest);
    if (!str_eq_nocase(word, STR("check_policy_service")))
        return expanded;
    word = pf_word(&rest);
    return word.n && memmem(word.p, word.n, "mailreeve/policyd", 17) ? (rest.p ? rest.p : "")
                                                                     : expanded;
}

static struct list list_of(struct plan *p, const struct site *at, const char *name,
                           const char *suffix)
{
    struct list l;
    const char *rest = plan_text(p, "%s_%s", at->variable, suffix);
    const char *own = plan_text(p, "$%s", at->variable);
    describe(without_ours(postfix_text(p->postfix, at->service, name)), &l);
    l.text = plan_without(p, plan_list(p, at->service, name, rest), own, NULL);
    return l;
}

/* L and T as one list in T. False: not without changing something. */
static bool join(const struct list *l, struct list *t)
{
    bool first = t->shape == SHAPE_PASSES || (l->permits & ~t->permits) == 0;
    if (first)
        *t = *l;
    return first || (t->shape == SHAPE_GATE && (t->permits & ~l->permits) == 0);
}

static void move_behind(struct plan *p, const struct site *at, const char *const names[5],
                        struct list *target)
{
    static const char *const suffixes[] = {"client", "helo", "sender"};
    struct list etrn = list_of(p, at, "smtpd_etrn_restrictions", "etrn");
    bool etrn_moved = false;
    for (int i = 0; i < 3; i++) {
        struct list l = list_of(p, at, names[i], suffixes[i]), t = *target, e = etrn;
        if (l.shape == SHAPE_PASSES)
            continue;
        if (l.shape == SHAPE_GATE && join(&l, &t) && (i == 2 || join(&l, &e))) {
            *target = t, etrn = e, etrn_moved |= i < 2;
            plan_option(p, at->service, names[i], "");
            plan_say(p, LINE_STEP,
                     "what %s refuses is refused behind Mailreeve, which so hears of it; the same "
                     "clients are let through",
                     names[i]);
        } else {
            plan_say(p, LINE_NOTE,
                     "%s stays as it is; clients that it refuses are not told to Mailreeve",
                     names[i]);
        }
    }
    if (etrn_moved)
        plan_option(p, at->service, "smtpd_etrn_restrictions", etrn.text);
}

void plan_ask_policyd(struct plan *p, const struct site *at)
{
    const char *names[5];
    postfix_restriction_lists(p->postfix, at->service, names);
    const char *name = names[3], *own = plan_text(p, "$%s", at->variable);
    struct list target = list_of(p, at, name, "rest");
    if (target.empty) { /* nothing refuses there: the next one is as good, and often is the one that
                           is used */
        struct list next = list_of(p, at, names[4], "rest");
        if (!next.empty)
            name = names[4], target = next;
    }
    plan_main(p, at->variable,
              plan_text(p,
                        "check_policy_service { unix:mailreeve/policyd.sock, policy_context=%s, "
                        "timeout=2s, { default_action = 451 4.3.5 Try again later } }",
                        at->name));
    if (!postfix_yes(p->postfix, at->service, "smtpd_delay_reject", true)) {
        plan_option(p, at->service, "smtpd_delay_reject", "yes");
        plan_say(p, LINE_STEP,
                 "smtpd_delay_reject becomes yes: without it Mailreeve would answer EHLO, before "
                 "the client can say STARTTLS");
    }
    move_behind(p, at, names, &target);
    if (plan_option(p, at->service, name, plan_join(p, own, target.text)))
        plan_say(
            p, LINE_STEP,
            "mailreeve-policyd is asked first, in %s; when it does not answer, the client is told "
            "to try again (451)",
            name);
}
