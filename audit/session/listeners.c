/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/session/listeners.h"

#include "core/session.h"

const char *const known_by_names[KNOWN_BY_COUNT] = {
    [KNOWN_BY_NOTHING] = "",
    [KNOWN_BY_OPTION] = "told",
    [KNOWN_BY_POLICY] = "by the policy",
    [KNOWN_BY_CUSTOM] = "by custom",
    [KNOWN_BY_ASSUMPTION] = "assumed",
};

/*
 * Names that packages, manuals and books give to a port. Postfix: master.cf's services and what is
 * set as their syslog_name. Sendmail: cf/README, Debian's and FreeBSD's .mc files. A name that
 * stands for different ports in different places is not here.
 */
static const struct custom {
    uint8_t mta;
    const char *name;
    uint16_t port;
} customs[] = {
    {MTA_POSTFIX, "smtp", 25},         {MTA_POSTFIX, "smtpd", 25},
    {MTA_POSTFIX, "mx", 25},           {MTA_POSTFIX, "submission", 587},
    {MTA_POSTFIX, "msa", 587},         {MTA_POSTFIX, "smtps", 465},
    {MTA_POSTFIX, "ssmtp", 465},       {MTA_POSTFIX, "submissions", 465},
    {MTA_POSTFIX, "urd", 465},         {MTA_SENDMAIL, "MTA", 25},
    {MTA_SENDMAIL, "MTA-v4", 25},      {MTA_SENDMAIL, "MTA-v6", 25},
    {MTA_SENDMAIL, "IPv4", 25},        {MTA_SENDMAIL, "IPv6", 25},
    {MTA_SENDMAIL, "MSA", 587},        {MTA_SENDMAIL, "MSA-v4", 587},
    {MTA_SENDMAIL, "MSA-v6", 587},     {MTA_SENDMAIL, "MSP-v4", 587},
    {MTA_SENDMAIL, "MSP-v6", 587},     {MTA_SENDMAIL, "TLSMTA", 465},
    {MTA_SENDMAIL, "TLSMTA-v4", 465},  {MTA_SENDMAIL, "TLSMTA-v6", 465},
    {MTA_SENDMAIL, "TLSMSA", 465},     {MTA_SENDMAIL, "SMTPS", 465},
    {MTA_SENDMAIL, "submission", 587}, {MTA_SENDMAIL, "submissions", 465},
};

static uint16_t custom_port(uint8_t mta, struct str name)
{
    for (size_t i = 0; i < sizeof customs / sizeof *customs; i++)
        if (customs[i].mta == mta && str_eq_nocase(name, str_of(customs[i].name)))
            return customs[i].port;
    return 0;
}

/* What stands behind the last slash. */
static struct str last_part(struct str name)
{
    for (size_t i = name.n; i > 0; i--)
        if (name.p[i - 1] == '/')
            return (struct str){name.p + i, name.n - i};
    return name;
}

/* "postfix-submission": some give it to -o syslog_name whole. */
static struct str without_prefix(struct str part)
{
    struct str prefix = STR("postfix-");
    bool has = part.n > prefix.n && str_eq_nocase((struct str){part.p, prefix.n}, prefix);
    return has ? (struct str){part.p + prefix.n, part.n - prefix.n} : part;
}

/*
 * "2525", "p2525", "port-2525"; and "MSA2525", whose number then has to be a port of the policy: it
 * may count daemons.
 */
static uint16_t port_in_name(const struct policy *p, uint8_t mta, struct str part)
{
    uint64_t port = 0;
    size_t at = part.n;
    while (at > 0 && part.p[at - 1] >= '0' && part.p[at - 1] <= '9')
        at--;
    if (!str_to_u64((struct str){part.p + at, part.n - at}, UINT16_MAX, &port))
        return 0;
    while (at > 0 && (part.p[at - 1] == '-' || part.p[at - 1] == '_'))
        at--;
    struct str word = {part.p, at};
    if (word.n == 0 || str_eq_nocase(word, STR("p")) || str_eq_nocase(word, STR("port")))
        return (uint16_t)port;
    return custom_port(mta, word) && policy_listener_on(p, (uint16_t)port) ? (uint16_t)port : 0;
}

static uint16_t port_by_custom(const struct policy *p, uint8_t mta, struct str name)
{
    struct str part = without_prefix(last_part(name));
    uint16_t port = custom_port(mta, part);
    return port ? port : port_in_name(p, mta, part);
}

static uint16_t port_by_option(const struct listener_option *options, unsigned count,
                               struct str name)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(options[i].name, name) || str_eq(options[i].name, last_part(name)))
            return options[i].port;
    return 0;
}

/* ---- what was seen ---------------------------------------------------------- */

static struct log_listener *find(struct log_listeners *l, const struct seen *s)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->list[i].name == s->listener && l->list[i].host == s->host &&
            l->list[i].mta == s->mta)
            return &l->list[i];
    return NULL;
}

const struct log_listener *log_listeners_find(const struct log_listeners *l, const struct seen *s)
{
    return find((struct log_listeners *)l, s);
}

void log_listeners_add(struct log_listeners *l, const struct seen *s)
{
    struct log_listener *at = find(l, s);
    if (!at && l->count < LOG_LISTENERS_MAX) {
        at = &l->list[l->count++];
        *at = (struct log_listener){.name = s->listener, .host = s->host, .mta = s->mta};
    }
    if (!at) {
        l->overflow++;
        return;
    }
    at->bare |= (s->flags & SEEN_BARE) != 0;
    at->sessions++;
    at->by_mode[s->mode]++;
    at->tls_lines += (s->flags & SEEN_TLS_LINE) != 0;
    at->logins += (s->flags & SEEN_AUTH) != 0;
}

/* ---- what follows ----------------------------------------------------------- */

static bool began_in_clear(const struct log_listener *at)
{
    return at->by_mode[TLS_MODE_STARTTLS] || at->by_mode[TLS_MODE_CLEARTEXT];
}

/* What a person said is not asked again of the log. */
static bool said_by_a_person(const struct log_listener *at, bool given)
{
    return at->known_by == KNOWN_BY_OPTION || (at->known_by == KNOWN_BY_POLICY && given);
}

static void by_name(struct log_listener *at, struct str name, const struct policy *p,
                    const struct listener_option *options, unsigned option_count)
{
    uint16_t port = port_by_option(options, option_count, name);
    at->known_by = port ? KNOWN_BY_OPTION : KNOWN_BY_NOTHING;
    if (!port) {
        at->listener = policy_listener_named(p, name);
        if (!at->listener)
            at->listener = policy_listener_named(p, last_part(name));
        at->known_by = at->listener ? KNOWN_BY_POLICY : KNOWN_BY_NOTHING;
    }
    /* The name of all services that have none says nothing by itself. */
    if (at->known_by == KNOWN_BY_NOTHING && !at->bare) {
        port = port_by_custom(p, at->mta, name);
        at->known_by = port ? KNOWN_BY_CUSTOM : KNOWN_BY_NOTHING;
    }
    if (port)
        at->listener = policy_listener_on(p, port);
}

static bool has_role(const struct log_listeners *l, uint32_t host, enum role role)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct log_listener *at = &l->list[i];
        if (at->mta == MTA_POSTFIX && at->host == host && at->listener &&
            at->listener->role == role)
            return true;
    }
    return false;
}

/*
 * With submission and submissions named, port 25 is left for the name of those without one; under
 * implicit TLS it is not port 25, and where only submissions is named, logins may be port 587's.
 */
static void assume(const struct log_listeners *l, struct log_listener *at, const struct policy *p)
{
    if (at->mta != MTA_POSTFIX || !at->bare || at->known_by != KNOWN_BY_NOTHING ||
        at->by_mode[TLS_MODE_IMPLICIT])
        return;
    if (has_role(l, at->host, ROLE_SUBMISSION) ||
        (has_role(l, at->host, ROLE_SUBMISSIONS) && !at->logins)) {
        at->listener = policy_listener_on(p, 25);
        at->known_by = KNOWN_BY_ASSUMPTION;
    }
}

void log_listeners_resolve(struct log_listeners *l, const struct names *names,
                           const struct policy *p, bool given,
                           const struct listener_option *options, unsigned option_count)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct log_listener *at = &l->list[i];
        at->listener = NULL;
        by_name(at, names_text(names, at->name), p, options, option_count);
        at->shared =
            !said_by_a_person(at, given) && at->by_mode[TLS_MODE_IMPLICIT] && began_in_clear(at);
    }
    for (unsigned i = 0; i < l->count; i++)
        assume(l, &l->list[i], p);
}
