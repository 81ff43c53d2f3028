/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verdict.h"

const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_NOT_ASKED] = "not asked", [OUTCOME_NO_DATA] = "no data",   [OUTCOME_HOLDS] = "holds",
    [OUTCOME_TRUSTED] = "trusted",     [OUTCOME_EXCEPTED] = "excepted", [OUTCOME_BROKEN] = "broken",
};

/* What one call of decide() goes by. */
struct question {
    const struct policy *policy;
    const struct session *session;
    const struct now *now;
    bool matched; /* the exceptions are looked up when the first rule is broken */
    struct exception_matches exceptions;
};

/* A broken rule: does the policy let this client break it? */
static enum outcome except(struct question *q, enum finding f, struct answer *a)
{
    const struct session *s = q->session;
    if (!(q->policy->exceptions.any & FINDING_BIT(f)))
        return OUTCOME_BROKEN;
    if (!q->matched)
        exceptions_match(&q->policy->exceptions, &s->client, s->user, &q->exceptions);
    q->matched = true;
    a->exception = exceptions_find(&q->exceptions, f, q->now, &a->expired);
    return a->exception ? OUTCOME_EXCEPTED : OUTCOME_BROKEN;
}

static enum outcome excuse(struct question *q, const struct rule *r, struct answer *a)
{
    const struct session *s = q->session;
    if (r->trusted_excused) {
        if (!session_knows(s, FACT_BIT(FACT_TRUSTED))) {
            a->lacks = FACT_BIT(FACT_TRUSTED);
            return OUTCOME_NO_DATA;
        }
        if (s->trusted)
            return OUTCOME_TRUSTED;
    }
    return except(q, r->finding, a);
}

static enum outcome ask(struct question *q, const struct rule *r, struct answer *a)
{
    const struct session *s = q->session;
    const struct listener *l = s->listener;
    if (!l) {
        a->lacks = FACT_BIT(FACT_LISTENER);
        return OUTCOME_NO_DATA;
    }
    a->action = l->action[r->finding];
    if (!(r->roles & ROLE_BIT(l->role)) || a->action <= ACTION_IGNORE)
        return OUTCOME_NOT_ASKED;
    a->lacks = r->needs & ~s->known;
    if (a->lacks)
        return OUTCOME_NO_DATA;
    return r->check(s, l) ? OUTCOME_HOLDS : excuse(q, r, a);
}

static void count(struct verdict *v, enum finding f, const struct answer *a)
{
    switch (a->outcome) {
    case OUTCOME_NOT_ASKED:
    case OUTCOME_HOLDS: break;
    case OUTCOME_NO_DATA: v->no_data |= FINDING_BIT(f); break;
    case OUTCOME_TRUSTED: v->trusted |= FINDING_BIT(f); break;
    case OUTCOME_EXCEPTED: v->excepted |= FINDING_BIT(f); break;
    default:
        v->broken |= FINDING_BIT(f);
        /* The strictest decides; among equals the first in the table. */
        if (a->action > v->would || (a->action == v->would && f < v->finding)) {
            v->would = a->action;
            v->finding = f;
        }
    }
}

/* Field by field: the list of exceptions is large and not needed as a rule. */
static void begin(struct question *q, const struct policy *p, const struct session *s,
                  const struct now *now, struct verdict *ret)
{
    q->policy = p;
    q->session = s;
    q->now = now;
    q->matched = false;
    *ret = (struct verdict){
        .action = ACTION_IGNORE,
        .would = ACTION_IGNORE,
        .finding = FINDING_COUNT,
    };
}

/* The action is what would be done, unless it is a refusal that something holds back. */
static void hold(struct verdict *v, enum held why)
{
    v->action = v->would;
    if (why == HELD_NOT || !refuses(v->would))
        return;
    v->held = why;
    v->action = ACTION_LOG;
}

void decide(const struct policy *p, const struct session *s, const struct now *now,
            struct verdict *ret, struct answer *answers)
{
    struct question q;
    struct answer one = {0}; /* answers nobody asked for share it */
    begin(&q, p, s, now, ret);
    for (int i = 0; i < RULE_COUNT; i++) {
        struct answer *a = answers ? &answers[i] : &one;
        if (answers)
            *a = (struct answer){0};
        a->outcome = ask(&q, rules[i], a);
        count(ret, rules[i]->finding, a);
    }
    if (!s->listener)
        return;
    /* Two rules of one finding: broken outweighs what the other could not say. */
    ret->no_data &= ~ret->broken;

    hold(ret, s->stage < STAGE_MAIL             ? HELD_BEFORE_MAIL
              : s->listener->mode == MODE_AUDIT ? HELD_AUDIT
                                                : HELD_NOT);
}

void decide_detected(const struct policy *p, const struct session *s, enum finding f,
                     const struct now *now, struct verdict *ret)
{
    struct question q;
    begin(&q, p, s, now, ret);
    if (!s->listener || s->listener->action[f] <= ACTION_IGNORE)
        return;
    bool disconnect =
        f == FINDING_IMPLICIT_TLS_ON_STARTTLS_PORT && s->listener->disconnect_implicit_tls;
    struct answer a = {.action = disconnect ? ACTION_REJECT : ACTION_LOG};
    a.outcome = except(&q, f, &a);
    count(ret, f, &a);
    hold(ret, s->listener->mode == MODE_AUDIT ? HELD_AUDIT : HELD_NOT);
}
