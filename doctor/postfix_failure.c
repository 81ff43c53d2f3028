/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when Mailreeve does not answer: a submission port should defer,
 * port 25 should go on without it. A policy service and a milter say so each in its own way.
 */
#include <stdio.h>

#include "doctor/postfix.h"

/* One way in which a listener asks Mailreeve. */
struct asking {
    const struct pf_listener *l;
    const struct pf_client *client;
    const struct pf_setting *variable; /* the line of main.cf with the endpoint; NULL: none */
    const char *action;                /* what is done */
    const char *parameter;             /* whose value that is; NULL: written at the client */
    const char *list;                  /* where the listener names it */
};

/* ---- where it is written ------------------------------------------------------------- */

static const char policy_word[] = "check_policy_service";

static bool is_client(struct str text, const struct pf_client *c)
{
    struct str rest = pf_unbrace(text), word;
    char context[128];
    snprintf(context, sizeof context, "policy_context=%.100s", c->context ? c->context : "");
    bool found = !c->context;
    if (!str_eq(pf_word(&rest), str_of(c->endpoint)))
        return false;
    while ((word = pf_word(&rest)).n)
        found |= str_eq(pf_unbrace(word), str_of(context));
    return found;
}

/* The variable that stands for a policy service or a milter; NULL: it is written out in the list.
 */
static const struct pf_setting *variable_of(struct exam *x, const struct pf_client *c, bool policy)
{
    for (unsigned i = 0; i < x->p.main_count; i++) {
        struct str rest = str_of(x->p.main[i].value);
        bool is_policy = strncmp(x->p.main[i].value, policy_word, sizeof policy_word - 1) == 0;
        if (strncmp(x->p.main[i].name, "smtpd_", 6) == 0 || is_policy != policy)
            continue;
        if (policy)
            pf_word(&rest);
        if (is_client(pf_word(&rest), c))
            return &x->p.main[i];
    }
    return NULL;
}

/* The value of such a variable with another default_action. */
static void with_action(const char *value, const char *action, char ret[FAULT_TEXT])
{
    struct buf b = {ret, 0, FAULT_TEXT, false};
    struct str rest = str_of(value), word, name, option;
    if (strncmp(value, policy_word, sizeof policy_word - 1) == 0) {
        pf_word(&rest);
        buf_printf(&b, "%s ", policy_word);
    }
    struct str inside = pf_unbrace(pf_word(&rest));
    buf_cstring(&b, "{ ");
    while ((word = pf_word(&inside)).n) {
        option = pf_unbrace(word);
        const char *equals = memchr(option.p, '=', option.n);
        name = (struct str){option.p, equals ? (size_t)(equals - option.p) : option.n};
        if (!str_eq(str_trim(name), STR("default_action")))
            buf_printf(&b, "%.*s, ", STR_ARG(word));
    }
    buf_printf(&b, strchr(action, ' ') ? "{ default_action = %s } }" : "default_action=%s }",
               action);
    buf_cstr(&b);
}

/* ---- telling ----------------------------------------------------------------------------- */

static struct fault *tell(struct exam *x, const struct asking *a, enum fault_id id)
{
    struct fault *f = fault_add(x->fs, id);
    if (a->parameter) {
        exam_where(x, f, a->l->service, a->parameter);
        exam_evidence(x, f, a->l->service, a->parameter);
    } else if (a->variable) {
        fault_where(f, "main.cf:%u", a->variable->line);
        fault_evidence(f, "%s = %s", a->variable->name, a->variable->value);
    } else {
        exam_where(x, f, a->l->service, a->list);
        exam_evidence(x, f, a->l->service, a->list);
    }
    return f;
}

static void advise(struct exam *x, struct fault *f, const struct asking *a, const char *action,
                   const char *own_variable)
{
    char value[FAULT_TEXT], old[160], list[FAULT_TEXT] = "";
    if (!a->variable) {
        exam_setup(x, f);
        return;
    }
    with_action(a->variable->value, action, value);
    if (!own_variable || strcmp(own_variable, a->variable->name) == 0) {
        exam_set_main(x, f, a->variable->name, value);
        return;
    }
    /* the other ports go on with theirs */
    exam_set_main(x, f, own_variable, value);
    snprintf(old, sizeof old, "$%.150s", a->variable->name);
    struct str rest = str_of(postfix_value(&x->p, a->l->service, a->list).raw), word;
    struct buf b = BUF(list);
    while ((word = pf_word(&rest)).n)
        buf_printf(&b, "%s%s%.*s", b.n ? "," : "", str_eq(word, str_of(old)) ? "$" : "",
                   STR_ARG(str_eq(word, str_of(old)) ? str_of(own_variable) : word));
    if (!strpbrk(buf_cstr(&b), " \t'"))
        exam_set(x, f, a->l->service, a->list, list);
}

/* ---- policy services --------------------------------------------------------------------- */

static bool passes(const char *action)
{
    static const char *const words[] = {"dunno", "ok", "permit", "info", "warn"};
    struct str rest = str_of(action), word = pf_word(&rest);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(word, str_of(words[i])))
            return true;
    return false;
}

/* Mail from other servers does not depend on what is asked about authenticated clients only. */
static bool asks_about_everybody(const struct pf_restriction *r)
{
    return !r->condition || strcmp(r->condition, "check_sasl_access") != 0;
}

static void judge_policy(struct exam *x, struct asking *a, const struct pf_restriction *r)
{
    static const char global[] = "smtpd_policy_service_default_action";
    a->client = &r->client, a->list = r->list;
    a->variable = variable_of(x, a->client, true);
    a->parameter = r->client.default_action ? NULL : global;
    a->action =
        a->parameter ? postfix_text(&x->p, a->l->service, global) : r->client.default_action;
    if (exam_is_submission(a->l) && passes(a->action))
        advise(x, tell(x, a, FAULT_FAILS_OPEN), a, "451 4.3.5 Try again later", NULL);
    else if (a->l->role_known && a->l->role == ROLE_SMTP && !a->l->loopback && !passes(a->action) &&
             asks_about_everybody(r))
        advise(x, tell(x, a, FAULT_FAILS_CLOSED), a, "DUNNO", "mailreeve_smtp");
}

/* ---- milters ------------------------------------------------------------------------------ */

/* milter_default_action=shutdown came with these, and is the default from there on. */
static bool knows_shutdown(unsigned version)
{
    static const unsigned since[] = {30720, 30815, 30909, 31008};
    for (unsigned i = 0; i < sizeof since / sizeof *since; i++)
        if (version / 100 == since[i] / 100)
            return version >= since[i];
    return version >= 31100;
}

static void judge_action(struct exam *x, const struct asking *a, bool by_default)
{
    bool strict = strcmp(a->action, "accept") != 0 && strcmp(a->action, "quarantine") != 0;
    bool on_25 = a->l->role_known && a->l->role == ROLE_SMTP && !a->l->loopback;
    if (on_25 && strict) {
        advise(x, tell(x, a, FAULT_FAILS_CLOSED), a, "accept", "mailreeve_milter_smtp");
    } else if (exam_is_submission(a->l) && strcmp(a->action, "accept") == 0) {
        advise(x, tell(x, a, FAULT_FAILS_OPEN), a, "tempfail", NULL);
    } else if (exam_is_submission(a->l) && (by_default || (strcmp(a->action, "shutdown") == 0 &&
                                                           !knows_shutdown(x->p.version)))) {
        struct fault *f = tell(x, a, FAULT_MILTER_DEFAULT_ACTION);
        fault_detail(
            f, by_default ? "Nothing is said, and the default is tempfail (451) or shutdown (421, "
                            "the connection ends), as the patch level has it."
                          : "Versions before 3.7.20, 3.8.15, 3.9.9 and 3.10.8 do not know "
                            "shutdown: they answer 451 4.3.5 to everything.");
        advise(x, f, a, "tempfail", NULL);
    }
}

static void judge_milter(struct exam *x, struct asking *a, const struct pf_client *c)
{
    static const char global[] = "milter_default_action";
    a->client = c, a->list = "smtpd_milters";
    a->variable = variable_of(x, c, false);
    a->parameter = c->default_action ? NULL : global;
    a->action = a->parameter ? postfix_text(&x->p, a->l->service, global) : c->default_action;
    judge_action(x, a,
                 a->parameter && postfix_value(&x->p, a->l->service, global).source == PF_DEFAULT);
}

/* ---- all ------------------------------------------------------------------------------------ */

/* What two ports have from one line is told once. */
static void drop_repeated(struct faults *fs, unsigned from)
{
    for (unsigned i = from; i < fs->count; i++)
        for (unsigned j = i + 1; j < fs->count;)
            if (fs->list[i].id == fs->list[j].id &&
                strcmp(fs->list[i].where, fs->list[j].where) == 0 &&
                strcmp(fs->list[i].evidence, fs->list[j].evidence) == 0)
                memmove(&fs->list[j], &fs->list[j + 1], (--fs->count - j) * sizeof *fs->list);
            else
                j++;
}

void postfix_check_failure(struct exam *x)
{
    static struct pf_restriction list[PF_RESTRICTIONS];
    struct pf_client milters[PF_MILTERS];
    const struct config *c = x->in->config;
    unsigned before = x->fs->count;
    for (unsigned i = 0; i < x->count; i++) {
        struct asking a = {.l = &x->listeners[i]};
        unsigned n = x->asked[i].policyd ? postfix_restrictions(&x->p, a.l->service, list) : 0;
        for (unsigned r = 0; r < n; r++)
            if (list[r].effect == PF_POLICY &&
                exam_is_ours(x, a.l->service, list[r].client.endpoint, c ? &c->policyd : NULL))
                judge_policy(x, &a, &list[r]);
        n = x->asked[i].milter ? postfix_milters(&x->p, a.l->service, milters) : 0;
        for (unsigned m = 0; m < n; m++)
            if (exam_is_ours(x, a.l->service, milters[m].endpoint, c ? &c->milter : NULL))
                judge_milter(x, &a, &milters[m]);
    }
    drop_repeated(x->fs, before);
}
