/* SPDX-License-Identifier: Apache-2.0 */
/* Names that were mixed up or misspelt: smtp_ and smtpd_, syslog_name, what postconf warns of. */
#include <stdio.h>

#include "doctor/postfix.h"

/* ---- smtp_ and smtpd_ --------------------------------------------------------------- */

/* Parameters that both have and that people mean when they write one of them here. */
static const char *const twins[] = {
    "tls_wrappermode", "tls_security_level", "sasl_auth_enable",        "enforce_tls",
    "use_tls",         "tls_protocols",      "tls_mandatory_protocols", "tls_cert_file",
    "tls_key_file",    "tls_chain_files",    "tls_eccert_file",         "tls_eckey_file",
    "sasl_path",       "sasl_type",          "sasl_security_options",   "tls_mandatory_ciphers",
    "tls_ciphers",     "tls_loglevel",
};

static bool has_twin(const char *name)
{
    for (unsigned i = 0; i < sizeof twins / sizeof *twins; i++)
        if (strcmp(name, twins[i]) == 0)
            return true;
    return false;
}

static bool has_option(const struct pf_service *s, const char *name)
{
    for (unsigned i = 0; i < s->option_count; i++)
        if (strcmp(s->options[i].name, name) == 0)
            return true;
    return false;
}

static void mixed_up(struct exam *x, const struct pf_service *s, const struct pf_setting *o,
                     bool server)
{
    const char *rest = o->name + (server ? 5 : 6);
    char right[128];
    snprintf(right, sizeof right, "%s%.100s", server ? "smtpd_" : "smtp_", rest);
    if (!has_twin(rest))
        return;
    /* -o smtp_tls_security_level=none on a content filter's way back asks for nothing */
    if (server && (strcmp(o->value, "no") == 0 || strcmp(o->value, "none") == 0))
        return;
    struct fault *f = fault_add(x->fs, FAULT_CLIENT_OPTION_ON_SERVER);
    if (has_option(s, right)) /* a remnant */
        f->severity = FAULT_WARNING;
    fault_where(f, "master.cf:%u, %s/%s", o->line, s->name, s->type);
    fault_evidence(f, "-o %s=%s", o->name, o->value);
    fault_detail(f, "This service is Postfix's %s, which does not look at it; its own is %s.",
                 server ? "server" : "client", right);
    if (!has_option(s, right) && !strpbrk(o->value, " \t"))
        exam_set(x, f, s, right, o->value);
    fault_fix(f, "%s -PX '%s/%s/%s'", x->postconf, s->name, s->type, o->name);
}

static void check_mixed_up(struct exam *x)
{
    for (unsigned i = 0; i < x->p.service_count; i++) {
        const struct pf_service *s = &x->p.services[i];
        bool server = strcmp(s->command, "smtpd") == 0;
        bool client = strcmp(s->command, "smtp") == 0 || strcmp(s->command, "lmtp") == 0;
        for (unsigned n = 0; n < s->option_count; n++)
            if ((server && strncmp(s->options[n].name, "smtp_", 5) == 0) ||
                (client && strncmp(s->options[n].name, "smtpd_", 6) == 0))
                mixed_up(x, s, &s->options[n], server);
    }
}

/* ---- syslog_name ---------------------------------------------------------------------- */

/* What to call a service in the log: its name, without the address. */
static void own_name(const struct pf_listener *l, char ret[80])
{
    const char *colon = strrchr(l->service->name, ':');
    const char *name = colon ? colon + 1 : l->service->name;
    if (l->port == 587)
        name = "submission";
    else if (l->port == 465)
        name = "submissions";
    snprintf(ret, 80, "postfix/%.60s", name);
}

static bool taken(struct exam *x, const char *name)
{
    for (unsigned i = 0; i < x->count; i++)
        if (strcmp(postfix_text(&x->p, x->listeners[i].service, "syslog_name"), name) == 0)
            return true;
    return false;
}

static bool is_named_port(const struct pf_listener *l)
{
    return l->role_known && !l->loopback;
}

/* All that share the name of the i-th, but not its port. */
static uint64_t sharers(struct exam *x, unsigned i, const char *name)
{
    uint64_t members = 0;
    for (unsigned j = 0; j < x->count; j++) {
        const struct pf_listener *l = &x->listeners[j];
        if (is_named_port(l) && l->port != x->listeners[i].port &&
            strcmp(postfix_text(&x->p, l->service, "syslog_name"), name) == 0)
            members |= (uint64_t)1 << j;
    }
    return members;
}

static void check_syslog_names(struct exam *x)
{
    uint64_t told = 0;
    for (unsigned i = 0; i < x->count; i++) {
        const struct pf_listener *l = &x->listeners[i];
        const char *name = postfix_text(&x->p, l->service, "syslog_name");
        uint64_t others = is_named_port(l) && !(told >> i & 1) ? sharers(x, i, name) : 0;
        if (!others)
            continue;
        uint64_t all = others | (uint64_t)1 << i;
        unsigned second = (unsigned)__builtin_ctzll(others);
        struct fault *f = fault_add(x->fs, FAULT_SHARED_SYSLOG_NAME);
        exam_where(x, f, x->listeners[second].service, "syslog_name");
        exam_evidence(x, f, x->listeners[second].service, "syslog_name");
        fault_detail(f, "%s have it.", exam_services(x, all));
        for (unsigned j = 0; j < x->count; j++) {
            char own[80];
            own_name(&x->listeners[j], own);
            bool keeps = strcmp(own, name) == 0 || x->listeners[j].port == 25;
            if (all >> j & 1 && !keeps && !taken(x, own))
                exam_set(x, f, x->listeners[j].service, "syslog_name", own);
        }
        told |= all;
    }
}

/* ---- what postconf says ------------------------------------------------------------------- */

static const struct pf_setting *written(const struct pf_setting *list, unsigned count,
                                        struct str name)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(str_of(list[i].name), name))
            return &list[i];
    return NULL;
}

/* "postconf: warning: FILE: unused parameter: name=value": where it stands, and how to take it out.
 */
static void place_unused(struct exam *x, struct fault *f, struct str name)
{
    const struct pf_setting *o = written(x->p.main, x->p.main_count, name);
    if (o) {
        fault_where(f, "main.cf:%u", o->line);
        fault_fix(f, "%s -X '%s'", x->postconf, o->name);
        return;
    }
    for (unsigned i = 0; i < x->p.service_count; i++) {
        const struct pf_service *s = &x->p.services[i];
        if (!(o = written(s->options, s->option_count, name)))
            continue;
        fault_where(f, "master.cf:%u, %s/%s", o->line, s->name, s->type);
        fault_fix(f, "%s -PX '%s/%s/%s'", x->postconf, s->name, s->type, o->name);
        return;
    }
}

static void check_warnings(struct exam *x)
{
    static const char unused[] = "unused parameter: ", prefix[] = "warning: ";
    struct str rest = str_of(x->p.warnings);
    while (rest.n) {
        struct str line = str_cut(&rest, "\n");
        const char *at = line.n ? memmem(line.p, line.n, prefix, sizeof prefix - 1) : NULL;
        if (!at) /* not a warning: postconf itself, its tables, its version */
            continue;
        struct str text = {at + sizeof prefix - 1, 0};
        text.n = line.n - (size_t)(text.p - line.p);
        const char *name = memmem(text.p, text.n, unused, sizeof unused - 1);
        /* our own variables: that Mailreeve is not asked has faults of its own */
        if (name && strncmp(name + sizeof unused - 1, "mailreeve_", 10) == 0)
            continue;
        struct fault *f = fault_add(x->fs, FAULT_POSTCONF_WARNS);
        fault_evidence(f, "%.*s", STR_ARG(text));
        if (!name)
            continue;
        struct str left = {name + sizeof unused - 1, 0};
        left.n = text.n - (size_t)(left.p - text.p);
        struct str word = str_trim(str_cut(&left, "="));
        fault_evidence(f, "unused parameter: %.*s=%.*s", STR_ARG(word), STR_ARG(left));
        fault_detail(f, "Nothing looks at it. Is the name misspelt?");
        place_unused(x, f, word);
    }
}

void postfix_check_mixups(struct exam *x)
{
    check_mixed_up(x);
    check_syslog_names(x);
    check_warnings(x);
}
