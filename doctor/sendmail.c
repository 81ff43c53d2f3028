/* SPDX-License-Identifier: Apache-2.0 */
/* Sendmail's configuration: what each of its ports comes to, and the tables of checks. */
#include "doctor/sendmail.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- texts -------------------------------------------------------------------- */

struct fault *sm_fault(struct sm_doctor *s, enum fault_id id, const struct sm_port *p)
{
    struct fault *f = fault_add(s->fs, id);
    const char *name = *p->cf->name ? p->cf->name : "a daemon without a name";
    if (p->cf->line)
        fault_where(f, "sendmail.cf:%u, %s, port %u", p->cf->line, name, p->port);
    else
        fault_where(f, "sendmail.cf, port %u", p->port);
    fault_evidence(f, "%s%s", p->cf->line ? "O DaemonPortOptions=" : "no O DaemonPortOptions",
                   p->cf->text);
    return f;
}

struct fault *sm_option_fault(struct sm_doctor *s, enum fault_id id, const char *option)
{
    const struct cf_option *o = cf_option(&s->cf, option);
    struct fault *f = fault_add(s->fs, id);
    if (o) {
        fault_where(f, "sendmail.cf:%u", o->line);
        fault_evidence(f, "O %s=%s", o->name, o->value);
    } else {
        fault_where(f, "sendmail.cf");
        fault_evidence(f, "no O %s", option);
    }
    return f;
}

void sm_fix_make(struct fault *f)
{
    fault_fix(f, "make -C /etc/mail && systemctl restart sendmail");
}

static void fix_daemon(struct fault *f, const struct sm_port *p, const char *key, const char *value)
{
    char text[FAULT_TEXT];
    struct buf b = BUF(text);
    cf_put_with(&b, p->cf, key, value);
    fault_fix(f, "in sendmail.mc: DAEMON_OPTIONS(`%s')dnl", buf_cstr(&b));
}

void sm_fix_modifiers(struct fault *f, const struct sm_port *p, const char *more, const char *less)
{
    char letters[64];
    struct buf b = BUF(letters);
    cf_put_modifiers(&b, p->cf, more, less);
    fix_daemon(f, p, "M", buf_cstr(&b));
}

void sm_fix_filters(struct fault *f, const struct sm_port *p, const char *filters)
{
    fix_daemon(f, p, "InputMailFilters", filters);
}

/* ---- what a port comes to -------------------------------------------------------- */

/* No mechanism is set and nothing else of AUTH: what is offered depends on the SASL library. */
static bool auth_is_set_up(const struct cf *c)
{
    return c->trusts || cf_option(c, "AuthMechanisms") || cf_option(c, "AuthOptions") ||
           cf_option(c, "AuthRealm");
}

static const char *const passwords[] = {"PLAIN", "LOGIN"};
static const char *const challenges[] = {"CRAM-MD5",    "DIGEST-MD5",    "NTLM",
                                         "SCRAM-SHA-1", "SCRAM-SHA-256", "OTP"};

static bool has_one(const char *list, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cf_lists(list, names[i]))
            return true;
    return false;
}

static void judge_auth(const struct cf *c, struct sm_port *p)
{
    const struct cf_option *mechanisms = cf_option(c, "AuthMechanisms");
    const char *letters = p->features.letters;
    if (cf_has(p->cf->modifiers, 'A') || cf_has(letters, 'A') ||
        (mechanisms && !*mechanisms->value))
        p->auth = IMPOSSIBLE;
    else if (p->features.unknown || !auth_is_set_up(c))
        p->auth = UNSURE;
    else
        p->auth = POSSIBLE;
    /* Sendmail's own list, if none is set, has no PLAIN and no LOGIN. */
    const char *list = mechanisms ? mechanisms->value : "EXTERNAL GSSAPI DIGEST-MD5 CRAM-MD5";
    bool tls_first = cf_has(cf_value(c, "AuthOptions"), 'p') || cf_has(letters, 'c');
    bool open = p->auth == POSSIBLE && !p->at_once;
    p->clear_passwords =
        open && !tls_first && has_one(list, passwords, sizeof passwords / sizeof *passwords);
    p->clear_challenges = open && has_one(list, challenges, sizeof challenges / sizeof *challenges);
}

bool sm_says_itself(const struct sm_port *p)
{
    return p->port == 25 || p->port == 465 || p->port == 587 || p->at_once;
}

static void look_at_port(struct sm_doctor *s, const struct cf_daemon *d)
{
    struct sm_port *p = &s->ports[s->count++];
    const struct policy *policy = s->in->config ? s->in->config->policy : NULL;
    *p = (struct sm_port){.cf = d, .port = cf_port(d), .local = cf_is_local(d)};
    p->at_once = cf_has(d->modifiers, 's');
    if (policy)
        p->listener = policy_listener_named(policy, str_of(d->name));
    if (policy && !p->listener && p->port)
        p->listener = policy_listener_on(policy, p->port);
    p->role = p->listener && !sm_says_itself(p) ? p->listener->role : cf_role(d);
    p->features = srv_features(&s->cf, &s->access, d);
    judge_auth(&s->cf, p);
    p->filter_count = cf_daemon_filters(&s->cf, d, p->filters);
    for (unsigned i = 0; i < p->filter_count && !p->ours; i++)
        p->ours = sm_is_ours(s, p->filters[i]) ? p->filters[i] : NULL;
    if (!p->port && !p->local)
        faults_unknown(s->fs,
                       "sendmail.cf:%u: the port \"%s\" is not known; write its number instead",
                       d->line, d->port);
}

bool sm_enforces(const struct sm_port *p, enum finding f)
{
    return p->ours && p->listener && p->listener->mode == MODE_ENFORCE &&
           refuses(p->listener->action[f]);
}

/* ---- the files ----------------------------------------------------------------------- */

/* 1: the first file of the directory is newer than the second; 0: it is not, or one is absent. */
static bool is_newer(const char *directory, const char *first, const char *second)
{
    struct stat st[2];
    const char *const names[] = {first, second};
    for (int i = 0; i < 2; i++) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", directory, names[i]) >= (int)sizeof path ||
            stat(path, &st[i]) < 0)
            return false;
    }
    const struct timespec *a = &st[0].st_mtim, *b = &st[1].st_mtim;
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static void stale_files(struct sm_doctor *s)
{
    static const struct {
        const char *source, *made, *what;
    } pairs[] = {
        {"sendmail.mc", "sendmail.cf", "what follows is about sendmail.cf, which Sendmail reads"},
        {"access", "access.db", "what follows is about access; Sendmail reads access.db"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if ((i == 0 || *s->cf.access) &&
            is_newer(s->in->directory, pairs[i].source, pairs[i].made)) {
            struct fault *f = fault_add(s->fs, FAULT_SENDMAIL_STALE);
            fault_where(f, "%s", pairs[i].made);
            fault_detail(f, "%s is newer than %s; %s.", pairs[i].source, pairs[i].made,
                         pairs[i].what);
            sm_fix_make(f);
        }
}

static int read_files(struct sm_doctor *s, struct err *e)
{
    char path[4096];
    struct err why;
    if (snprintf(path, sizeof path, "%s/sendmail.cf", s->in->directory) >= (int)sizeof path)
        return err_set(e, "%s: the path is too long", s->in->directory);
    if (cf_read(path, &s->cf, e))
        return -1;
    const char *name = strrchr(s->cf.access, '/'); /* a copy of the directory has its own */
    if (!name || snprintf(path, sizeof path, "%s%s", s->in->directory, name) >= (int)sizeof path)
        return 0; /* without FEATURE(`access_db') nobody asks it */
    struct stat st;
    if (stat(path, &st) == 0 && access_read(path, &s->access, &why))
        faults_unknown(s->fs, "what the access map says of TLS and AUTH: %s", why.text);
    return 0;
}

/* ---- the tables -------------------------------------------------------------------------- */

/* Asked of each port that others than this machine can reach. */
static sm_port_check *const port_checks[] = {
    sm_auth_on_25,
    sm_auth_without_tls,
    sm_auth_unsure,
    sm_submission_without_auth,
    sm_submission_open,
    sm_tls_mode,
    sm_submission_without_tls,
    sm_tls_not_required,
    sm_listener,
    sm_milter_asked,
    sm_filter_flags,
    sm_filters_lost,
};

static sm_check *const checks[] = {
    stale_files,     sm_ports_missing,    sm_tls_required_on_25, sm_tls_versions,
    sm_certificates, sm_passwords_in_log, sm_milter_nowhere,     sm_sockets,
};

/* What the ports come to, in words. */
static void fill_view(const struct sm_doctor *s, struct doctor_view *v)
{
    const struct cf *c = &s->cf;
    *v = (struct doctor_view){.version = ""};
    snprintf(v->version, sizeof v->version, "%.*s", (int)strcspn(c->version, "/"), c->version);
    snprintf(v->known_from, sizeof v->known_from, "%s",
             *c->version ? "as sendmail.cf says" : "sendmail.cf does not say its version");
    for (unsigned i = 0; i < s->count && v->count < DOCTOR_LISTENERS; i++) {
        const struct sm_port *p = &s->ports[i];
        struct doctor_listener *l = &v->listeners[v->count++];
        bool open = p->clear_passwords || p->clear_challenges;
        snprintf(l->service, sizeof l->service, "%s", *p->cf->name ? p->cf->name : "(no name)");
        l->port = p->port;
        l->role = p->local ? "internal" : role_names[p->role];
        l->tls = !sm_offers_tls(s, p) ? "none" : p->at_once ? "at once" : "STARTTLS";
        l->auth = p->auth == IMPOSSIBLE ? "no"
                  : p->auth == UNSURE   ? "not known"
                  : open                ? "yes"
                                        : "under TLS";
        l->asks = p->ours ? "milter" : "nobody";
        l->policy = p->listener ? mode_names[p->listener->mode] : "";
    }
}

int doctor_sendmail(const struct doctor_input *in, struct faults *fs, struct err *e)
{
    struct sm_doctor *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, "out of memory");
    s->in = in, s->fs = fs;
    int failed = read_files(s, e);
    for (unsigned i = 0; !failed && i < s->cf.daemon_count; i++)
        look_at_port(s, &s->cf.daemons[i]);
    if (!failed && in->view)
        fill_view(s, in->view);
    for (unsigned i = 0; i < s->count; i++)
        for (size_t c = 0; c < sizeof port_checks / sizeof *port_checks; c++)
            if (!s->ports[i].local && s->ports[i].port)
                port_checks[c](s, &s->ports[i]);
    for (size_t c = 0; !failed && c < sizeof checks / sizeof *checks; c++)
        checks[c](s);
    cf_clear(&s->cf);
    access_clear(&s->access);
    free(s);
    return failed;
}
