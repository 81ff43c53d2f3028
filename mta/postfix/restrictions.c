/* SPDX-License-Identifier: Apache-2.0 */
/* smtpd_*_restrictions and smtpd_milters: what is asked, and in which order. */
#include "mta/postfix/internal.h"

enum { CLASSES_DEEP = 8 };

/* What a word does; the longest name that fits wins by standing first. */
static const struct word {
    const char *name;
    bool prefix; /* every word that begins so */
    bool takes;  /* an argument follows */
    enum pf_effect effect;
    bool always;
} words[] = {
    {"check_policy_service", false, true, PF_POLICY, false},
    {"permit", false, false, PF_PERMIT, true},
    {"permit_dnswl_client", false, true, PF_PERMIT, false},
    {"permit_rhswl_client", false, true, PF_PERMIT, false},
    {"permit_", true, false, PF_PERMIT, false},
    {"reject", false, false, PF_REJECT, true},
    {"defer", false, false, PF_REJECT, true},
    {"reject_rbl_client", false, true, PF_REJECT, false},
    {"reject_rhsbl_", true, true, PF_REJECT, false},
    {"reject_", true, false, PF_REJECT, false},
    {"defer_", true, false, PF_REJECT, false},
    {"check_", true, true, PF_ACCESS, false},
    {"sleep", false, true, PF_OTHER, false},
};

static const struct word *word_of(struct str text)
{
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        struct str name = str_of(words[i].name);
        struct str head = {text.p, words[i].prefix && text.n > name.n ? name.n : text.n};
        if (str_eq_nocase(head, name))
            return &words[i];
    }
    return NULL;
}

/* ---- policy services and milters --------------------------------------------------- */

static const char *copy(struct postfix *p, struct str s)
{
    const char *text = arena_strdup(&p->arena, s);
    return text ? text : "";
}

/* "unix:x", or { unix:x, name=value, { name = value with blanks } }. */
static struct pf_client client_of(struct postfix *p, struct str text)
{
    struct pf_client c = {0};
    const struct {
        const char *name;
        const char **to;
    } known[] = {{"default_action", &c.default_action},
                 {"policy_context", &c.context},
                 {"timeout", &c.timeout}};
    struct str rest = pf_unbrace(text), word, name, value;
    c.endpoint = copy(p, pf_word(&rest));
    while ((word = pf_word(&rest)).n) {
        if (!pf_split(pf_unbrace(word), &name, &value))
            continue;
        for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
            if (str_eq(name, str_of(known[i].name)))
                *known[i].to = copy(p, pf_unbrace(value));
    }
    return c;
}

unsigned postfix_milters(struct postfix *p, const struct pf_service *service,
                         struct pf_client ret[PF_MILTERS])
{
    struct str rest = str_of(postfix_text(p, service, "smtpd_milters")), word;
    unsigned n = 0;
    while (n < PF_MILTERS && (word = pf_word(&rest)).n)
        ret[n++] = client_of(p, word);
    return n;
}

/* ---- lists -------------------------------------------------------------------------- */

struct reading {
    struct postfix *p;
    const struct pf_service *service;
    const char *list;
    struct pf_restriction *ret;
    unsigned n, deep;
};

static bool is_class(struct reading *r, struct str name)
{
    struct str rest = str_of(postfix_text(r->p, r->service, "smtpd_restriction_classes")), word;
    while ((word = pf_word(&rest)).n)
        if (str_eq(word, name))
            return true;
    return false;
}

static void read_list(struct reading *r, struct str text, const char *condition);

static void read_class(struct reading *r, struct str name, const char *condition)
{
    if (r->deep >= CLASSES_DEEP)
        return;
    r->deep++;
    read_list(r, str_of(postfix_text(r->p, r->service, copy(r->p, name))), condition);
    r->deep--;
}

static void read_list(struct reading *r, struct str text, const char *condition)
{
    struct str word;
    while (r->n < PF_RESTRICTIONS && (word = pf_word(&text)).n) {
        if (is_class(r, word)) {
            read_class(r, word, condition);
            continue;
        }
        const struct word *known = word_of(word);
        struct pf_restriction *one = &r->ret[r->n++];
        *one = (struct pf_restriction){
            .name = copy(r->p, word), .condition = condition, .list = r->list};
        if (!known)
            continue;
        one->effect = known->effect;
        one->always = known->always && !condition;
        if (!known->takes)
            continue;
        struct str argument = pf_word(&text);
        one->argument = copy(r->p, argument);
        if (one->effect == PF_POLICY)
            one->client = client_of(r->p, argument);
        struct str head = {argument.p, argument.n < 7 ? argument.n : 7},
                   class = {argument.p + head.n, argument.n - head.n};
        if (one->effect == PF_ACCESS && str_eq_nocase(head, STR("static:")) && is_class(r, class))
            read_class(r, class, one->name);
    }
}

void postfix_restriction_lists(struct postfix *p, const struct pf_service *service,
                               const char *ret[5])
{
    bool relay_first = postfix_yes(p, service, "smtpd_relay_before_recipient_restrictions", false);
    ret[0] = "smtpd_client_restrictions";
    ret[1] = "smtpd_helo_restrictions";
    ret[2] = "smtpd_sender_restrictions";
    ret[3] = relay_first ? "smtpd_relay_restrictions" : "smtpd_recipient_restrictions";
    ret[4] = relay_first ? "smtpd_recipient_restrictions" : "smtpd_relay_restrictions";
}

unsigned postfix_restrictions(struct postfix *p, const struct pf_service *service,
                              struct pf_restriction ret[PF_RESTRICTIONS])
{
    struct reading r = {.p = p, .service = service, .ret = ret};
    const char *lists[5];
    postfix_restriction_lists(p, service, lists);
    for (int i = 0; i < 5; i++) {
        r.list = lists[i];
        read_list(&r, str_of(postfix_text(p, service, lists[i])), NULL);
    }
    return r.n;
}
