/* SPDX-License-Identifier: Apache-2.0 */
/* Restriction lists: who gets through them, and where Mailreeve stands in them. */
#include <stdio.h>

#include "doctor/postfix.h"

/* ---- strangers ------------------------------------------------------------------- */

/* A list that refuses all who were not permitted before: "permit_sasl_authenticated, reject". */
enum strangers exam_strangers(struct exam *x, const struct pf_listener *l)
{
    static struct pf_restriction list[PF_RESTRICTIONS];
    unsigned n = postfix_restrictions(&x->p, l->service, list);
    const char *permitted_by = NULL; /* the list that ended with "permit" */
    bool tables = n == PF_RESTRICTIONS;
    for (unsigned i = 0; i < n; i++) {
        const struct pf_restriction *r = &list[i];
        bool ours =
            r->effect == PF_POLICY && exam_is_ours(x, l->service, r->client.endpoint,
                                                   x->in->config ? &x->in->config->policyd : NULL);
        bool in_vain = i && strcmp(list[i - 1].name, "warn_if_reject") == 0;
        tables |= r->effect == PF_ACCESS || (r->effect == PF_POLICY && !ours);
        if (!r->always || in_vain || (permitted_by && strcmp(permitted_by, r->list) == 0))
            continue;
        if (r->effect == PF_REJECT)
            return STRANGERS_REFUSED;
        if (r->effect == PF_PERMIT)
            permitted_by = r->list;
    }
    if (exam_refuses(x, l, FINDING_AUTH_REQUIRED))
        return STRANGERS_REFUSED;
    return tables ? STRANGERS_MAYBE : STRANGERS_WELCOME;
}

/* ---- Mailreeve --------------------------------------------------------------------- */

/* The path of an endpoint as the machine sees it; false: it is none. */
static bool path_of(struct exam *x, const struct pf_service *s, const char *endpoint, char ret[256])
{
    const char *queue = postfix_text(&x->p, NULL, "queue_directory");
    const char *path = strncmp(endpoint, "unix:", 5) == 0    ? endpoint + 5
                       : strncmp(endpoint, "local:", 6) == 0 ? endpoint + 6
                                                             : NULL;
    if (!path)
        return false;
    bool inside = s->chroot || *path != '/';
    return snprintf(ret, 256, "%s%s%s", inside ? queue : "", inside && *path != '/' ? "/" : "",
                    path) < 256;
}

static bool is_spec(struct exam *x, const struct pf_service *s, const char *endpoint,
                    const struct socket_spec *spec)
{
    char path[256], end[16];
    if (spec->is_unix)
        return path_of(x, s, endpoint, path) && strcmp(path, spec->path) == 0;
    if (strncmp(endpoint, "inet:", 5) != 0)
        return false;
    char host[64];
    struct buf b = BUF(host);
    addr_format(&b, &spec->addr);
    snprintf(end, sizeof end, ":%u", spec->port);
    const char *colon = strrchr(endpoint, ':');
    struct str name = {endpoint + 5, colon > endpoint + 5 ? (size_t)(colon - endpoint - 5) : 0};
    struct addr given;
    return strcmp(colon, end) == 0 && (str_eq(name, STR("localhost")) ||
                                       (addr_parse(name, &given) && addr_eq(&given, &spec->addr)));
}

bool exam_is_ours(struct exam *x, const struct pf_service *s, const char *endpoint,
                  const struct program_settings *program)
{
    if (*endpoint == '\0')
        return false;
    if (strstr(endpoint, "mailreeve"))
        return true;
    for (unsigned i = 0; i < x->p.main_count;
         i++) /* mailreeve_submission = check_policy_service inet:... */
        if (strstr(x->p.main[i].name, "mailreeve") && strstr(x->p.main[i].value, endpoint))
            return true;
    for (unsigned i = 0; program && i < program->listen_count; i++)
        if (is_spec(x, s, endpoint, &program->listen[i]))
            return true;
    return false;
}

/* Lists of later stages: Mailreeve is asked there, if late. */
static bool in_later_lists(struct exam *x, const struct pf_service *s)
{
    return strstr(postfix_text(&x->p, s, "smtpd_data_restrictions"), "mailreeve") ||
           strstr(postfix_text(&x->p, s, "smtpd_end_of_data_restrictions"), "mailreeve");
}

static bool asks_policyd(struct exam *x, const struct pf_service *s)
{
    static struct pf_restriction list[PF_RESTRICTIONS];
    unsigned n = postfix_restrictions(&x->p, s, list);
    for (unsigned i = 0; i < n; i++)
        if (list[i].effect == PF_POLICY &&
            exam_is_ours(x, s, list[i].client.endpoint,
                         x->in->config ? &x->in->config->policyd : NULL))
            return true;
    return in_later_lists(x, s);
}

static bool asks_milter(struct exam *x, const struct pf_service *s)
{
    struct pf_client milters[PF_MILTERS];
    unsigned n = postfix_milters(&x->p, s, milters);
    if (exam_has_word(postfix_text(&x->p, s, "receive_override_options"), "no_milters"))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (exam_is_ours(x, s, milters[i].endpoint, x->in->config ? &x->in->config->milter : NULL))
            return true;
    return false;
}

void exam_look_for_mailreeve(struct exam *x)
{
    const struct config *c = x->in->config;
    for (unsigned i = 0; i < x->count; i++) {
        struct asked *a = &x->asked[i];
        a->policyd = asks_policyd(x, x->listeners[i].service);
        a->milter = asks_milter(x, x->listeners[i].service);
        a->policy = c ? policy_listener_on(c->policy, x->listeners[i].port) : NULL;
        x->uses_policyd |= a->policyd;
        x->uses_milter |= a->milter;
    }
    x->with_mailreeve = x->in->yaml || x->uses_policyd || x->uses_milter;
}

/* ---- writing a list -------------------------------------------------------------------- */

/* Does a word, or the variable that it is, name Mailreeve's policy service? */
static bool names_ours(struct exam *x, const struct pf_service *s, struct str word)
{
    const struct program_settings *program = x->in->config ? &x->in->config->policyd : NULL;
    if (word.n > 1 && word.p[0] == '$') {
        size_t skip = word.p[1] == '{' || word.p[1] == '(' ? 2 : 1;
        struct str name = {word.p + skip, word.n - skip - (skip == 2)};
        const char *variable = arena_strdup(&x->p.arena, name);
        struct str rest = str_of(variable ? postfix_text(&x->p, s, variable) : "");
        return str_eq_nocase(pf_word(&rest), STR("check_policy_service")) &&
               names_ours(x, s, pf_word(&rest));
    }
    struct str inside = pf_unbrace(word);
    const char *endpoint = arena_strdup(&x->p.arena, pf_word(&inside));
    return endpoint && exam_is_ours(x, s, endpoint, program);
}

const char *exam_list_with(struct exam *x, const struct pf_service *s, const char *raw,
                           const char *first)
{
    char text[FAULT_TEXT];
    struct buf b = BUF(text);
    struct str rest = str_of(raw), word;
    if (first)
        buf_cstring(&b, first);
    while ((word = pf_word(&rest)).n) {
        struct str after = rest, argument = {NULL, 0};
        if (str_eq_nocase(word, STR("check_policy_service")))
            argument = pf_word(&after);
        if (first && names_ours(x, s, argument.n ? argument : word)) {
            rest = argument.n ? after : rest;
            continue;
        }
        if (b.n)
            buf_char(&b, ',');
        buf_str(&b, word);
    }
    const char *list = b.full ? NULL : buf_cstr(&b);
    return list && !strpbrk(list, " \t'") ? arena_strdup(&x->p.arena, str_of(list)) : NULL;
}
