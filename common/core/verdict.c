/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verdict.h"

const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_NOT_ASKED] = "not asked", [OUTCOME_NO_DATA] = "no data",
    [OUTCOME_HOLDS] = "holds",         [OUTCOME_TRUSTED] = "trusted",
    [OUTCOME_EXCEPTED] = "excepted",   [OUTCOME_BROKEN] = "broken",
};

/* A broken rule: does the policy let this client break it? */
static void excuse(const struct policy *p, const struct session *s, const struct rule *r,
                   const struct now *now, struct answer *a)
{
    a->outcome = OUTCOME_BROKEN;
    if (r->trusted_excused) {
        if (!session_knows(s, FACT_BIT(FACT_TRUSTED))) {
            a->outcome = OUTCOME_NO_DATA;
            a->lacks = FACT_BIT(FACT_TRUSTED);
            return;
        }
        if (s->trusted) {
            a->outcome = OUTCOME_TRUSTED;
            return;
        }
    }
    a->exception = exceptions_find(&p->exceptions, r->finding, &s->client, s->user, now,
                                   &a->expired);
    if (a->exception)
        a->outcome = OUTCOME_EXCEPTED;
}

static struct answer ask(const struct policy *p, const struct session *s, const struct rule *r,
                         const struct now *now)
{
    struct answer a = {.outcome = OUTCOME_NOT_ASKED};
    const struct listener *l = s->listener;
    a.action = l->action[r->finding];
    if (!(r->roles & ROLE_BIT(l->role)) || a.action <= ACTION_IGNORE)
        return a;
    a.lacks = r->needs & ~s->known;
    if (a.lacks)
        a.outcome = OUTCOME_NO_DATA;
    else if (r->check(s, l))
        a.outcome = OUTCOME_HOLDS;
    else
        excuse(p, s, r, now, &a);
    return a;
}

static void count(struct verdict *v, enum finding f, const struct answer *a)
{
    finding_set *const sets[OUTCOME_COUNT] = {
        [OUTCOME_NO_DATA] = &v->no_data,
        [OUTCOME_TRUSTED] = &v->trusted,
        [OUTCOME_EXCEPTED] = &v->excepted,
        [OUTCOME_BROKEN] = &v->broken,
    };
    if (sets[a->outcome])
        *sets[a->outcome] |= FINDING_BIT(f);
    if (a->outcome != OUTCOME_BROKEN)
        return;
    /* The strictest decides; among equals the first in the table. */
    if (a->action > v->would || (a->action == v->would && f < v->finding)) {
        v->would = a->action;
        v->finding = f;
    }
}

void decide(const struct policy *p, const struct session *s, const struct now *now,
            struct verdict *ret, struct answer *answers)
{
    *ret = (struct verdict){
        .action = ACTION_IGNORE,
        .would = ACTION_IGNORE,
        .finding = FINDING_COUNT,
    };
    for (int i = 0; i < RULE_COUNT; i++) {
        struct answer a = {.outcome = OUTCOME_NO_DATA, .lacks = FACT_BIT(FACT_LISTENER)};
        if (s->listener) {
            a = ask(p, s, rules[i], now);
            count(ret, rules[i]->finding, &a);
        }
        if (answers)
            answers[i] = a;
    }
    /* Two rules of one finding: broken outweighs what the other could not say. */
    ret->no_data &= ~ret->broken;

    ret->action = ret->would;
    if (!refuses(ret->would))
        return;
    if (s->stage < STAGE_MAIL)
        ret->held = HELD_BEFORE_MAIL;
    else if (s->listener->mode == MODE_AUDIT)
        ret->held = HELD_AUDIT;
    if (ret->held)
        ret->action = ACTION_LOG;
}
