/* SPDX-License-Identifier: Apache-2.0 */
/* Mailreeve among Sendmail's filters: who is asked where, and what happens when it does not answer.
 */
#include "doctor/sendmail.h"

#include <strings.h>
#include <sys/stat.h>

#include "mta/peer.h"

/* ---- which one is ours ----------------------------------------------------------- */

/* "inet:10041@127.0.0.1" on a socket of mailreeve.yaml? By the port: a name would have to be looked
 * up. */
static bool is_inet_of(const char *socket, const struct socket_spec *spec)
{
    uint64_t port;
    const char *colon = strncasecmp(socket, "inet", 4) == 0 ? strchr(socket, ':') : NULL;
    struct str rest = str_of(colon ? colon + 1 : "");
    return !spec->is_unix && str_to_u64(str_cut(&rest, "@"), UINT16_MAX, &port) &&
           port == spec->port;
}

bool sm_is_ours(const struct sm_doctor *s, const struct cf_filter *f)
{
    const struct program_settings *m = s->in->config ? &s->in->config->milter : NULL;
    const char *path = cf_socket_path(f);
    for (unsigned i = 0; m && i < m->listen_count; i++) {
        const struct socket_spec *spec = &m->listen[i];
        if (spec->is_unix ? path && strcmp(path, spec->path) == 0 : is_inet_of(f->socket, spec))
            return true;
    }
    return strcasestr(f->name, "mailreeve") || strcasestr(f->socket, "mailreeve");
}

/* ---- mailreeve.yaml and the daemons ---------------------------------------------------- */

void sm_listener(struct sm_doctor *s, const struct sm_port *p)
{
    if (!s->in->config)
        return;
    if (!p->listener) {
        struct fault *f = sm_fault(s, FAULT_LISTENER_UNKNOWN, p);
        fault_fix(f, "in %s, under listeners: - {names: [%s], port: %u, role: %s}",
                  s->in->yaml ? s->in->yaml : "mailreeve.yaml", *p->cf->name ? p->cf->name : "NAME",
                  p->port, role_names[p->role]);
        fault_fix(f, "mailreeve check && systemctl reload mailreeve-milter");
        return;
    }
    enum role should = cf_role(p->cf);
    bool by_proxy = p->listener->tls_by == TLS_BY_PROXY; /* then Sendmail sees no TLS at once */
    if (should == p->listener->role || !sm_says_itself(p) || by_proxy)
        return;
    struct fault *f = sm_fault(s, FAULT_LISTENER_ROLE, p);
    fault_detail(f, "mailreeve.yaml:%u says role %s, by Sendmail it is %s.", p->listener->line,
                 role_names[p->listener->role], role_names[should]);
    fault_fix(f, "in %s, line %u: role: %s", s->in->yaml ? s->in->yaml : "mailreeve.yaml",
              p->listener->line, role_names[should]);
    fault_fix(f, "mailreeve check && systemctl reload mailreeve-milter");
}

/* ---- asked, or not ------------------------------------------------------------------------- */

static bool is_asked(const struct sm_doctor *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->ports[i].ours)
            return true;
    return false;
}

/* The filter of ours for a role, if one is defined: on submission ports the one with F=. */
static const char *our_name(const struct sm_doctor *s, enum role role)
{
    const struct cf_filter *any = NULL;
    for (unsigned i = 0; i < s->cf.filter_count; i++) {
        const struct cf_filter *f = &s->cf.filters[i];
        if (!sm_is_ours(s, f))
            continue;
        if ((*f->flags == 0) == (role == ROLE_SMTP))
            return f->name;
        any = f;
    }
    return any ? any->name : role == ROLE_SMTP ? "mailreeve-smtp" : "mailreeve";
}

/* Ours first, then those that are asked there now. */
static void fix_filters(const struct sm_doctor *s, struct fault *f, const struct sm_port *p)
{
    char text[FAULT_TEXT];
    struct buf b = BUF(text);
    buf_cstring(&b, our_name(s, p->role));
    for (unsigned i = 0; i < p->filter_count; i++)
        if (!sm_is_ours(s, p->filters[i]))
            buf_printf(&b, ";%s", p->filters[i]->name);
    sm_fix_filters(f, p, buf_cstr(&b));
}

void sm_milter_asked(struct sm_doctor *s, const struct sm_port *p)
{
    if (!sm_submits(p) || p->ours || !is_asked(s))
        return;
    struct fault *f = sm_fault(s, FAULT_MILTER_NOT_ASKED, p);
    fault_detail(f, p->cf->filters
                        ? "InputMailFilters= of this daemon does not name it."
                        : "This daemon has no InputMailFilters=, and that of all daemons "
                          "does not name it.");
    fix_filters(s, f, p);
    sm_fix_make(f);
}

/* mailreeve.yaml is there, and no daemon asks. */
void sm_milter_nowhere(struct sm_doctor *s)
{
    if (!s->in->config || is_asked(s))
        return;
    struct fault *f = fault_add(s->fs, FAULT_MILTER_NOT_ASKED);
    fault_where(f, "sendmail.cf");
    fault_detail(f, "No daemon asks it, although there is a mailreeve.yaml.");
    fault_fix(f, "mailreeve setup sendmail");
}

/* ---- when it does not answer --------------------------------------------------------------- */

static struct fault *filter_fault(struct sm_doctor *s, enum fault_id id, const struct cf_filter *x)
{
    struct fault *f = fault_add(s->fs, id);
    fault_where(f, "sendmail.cf:%u", x->line);
    fault_evidence(f, "X%s", x->text);
    return f;
}

void sm_filter_flags(struct sm_doctor *s, const struct sm_port *p)
{
    if (!p->ours)
        return;
    const char *flags = p->ours->flags, *port = *p->cf->name ? p->cf->name : "a daemon";
    bool fails = cf_has(flags, 'R') || cf_has(flags, 'T') || cf_has(flags, '4');
    if (sm_submits(p) && !fails) {
        struct fault *f = filter_fault(s, FAULT_FAILS_OPEN, p->ours);
        fault_detail(
            f, "It has no F=, and %s, port %u, asks it: with F=T clients are told to try again.",
            port, p->port);
        fault_fix(f,
                  "in sendmail.mc: MAIL_FILTER(`mailreeve', `S=%s, F=T, "
                  "T=C:10s;S:10s;R:10s;E:1m')dnl",
                  p->ours->socket);
        sm_fix_filters(f, p, "mailreeve");
        sm_fix_make(f);
    } else if (!sm_submits(p) && fails) {
        struct fault *f = filter_fault(s, FAULT_FAILS_CLOSED, p->ours);
        bool later = !cf_has(flags, 'R'); /* nothing is lost: they try again */
        f->severity = later ? FAULT_WARNING : FAULT_ERROR;
        fault_detail(f, "It has F=%s, and %s, port %u, asks it: %s.", flags, port, p->port,
                     later ? "other servers are told to try again"
                           : "other servers are turned away");
        fault_fix(f,
                  "in sendmail.mc: MAIL_FILTER(`mailreeve-smtp', `S=%s, "
                  "T=C:10s;S:10s;R:10s;E:1m')dnl",
                  p->ours->socket);
        sm_fix_filters(f, p, "mailreeve-smtp");
        sm_fix_make(f);
    }
}

void sm_filters_lost(struct sm_doctor *s, const struct sm_port *p)
{
    if (!p->cf->filters || !p->ours)
        return;
    struct str rest = str_of(cf_value(&s->cf, "InputMailFilters")), name;
    char lost[FAULT_TEXT], all[FAULT_TEXT];
    struct buf l = BUF(lost), a = BUF(all);
    buf_cstring(&a, p->cf->filters);
    while ((name = cf_next_filter(&rest)).n) {
        const struct cf_filter *f = cf_filter(&s->cf, name);
        bool asked = !f || sm_is_ours(s, f);
        for (unsigned i = 0; i < p->filter_count; i++)
            asked |= p->filters[i] == f;
        if (asked)
            continue;
        buf_printf(&l, "%s%.*s", l.n ? ", " : "", STR_ARG(name));
        buf_printf(&a, ";%.*s", STR_ARG(name));
    }
    if (l.n == 0)
        return;
    struct fault *f = sm_fault(s, FAULT_FILTERS_LOST, p);
    fault_detail(f, "Not asked there: %s.", buf_cstr(&l));
    sm_fix_filters(f, p, buf_cstr(&a));
    sm_fix_make(f);
}

/* ---- sockets ------------------------------------------------------------------------------- */

static bool is_unsafe(const struct sm_doctor *s, const char *path, char directory[256])
{
    static const char *const open_to_all[] = {"/tmp", "/var/tmp", "/dev/shm"};
    const char *slash = strrchr(path, '/');
    struct stat st;
    if (!slash || slash == path || slash - path >= 256)
        return false;
    snprintf(directory, 256, "%.*s", (int)(slash - path), path);
    for (size_t i = 0; i < sizeof open_to_all / sizeof *open_to_all; i++)
        if (strcmp(directory, open_to_all[i]) == 0)
            return true;
    return s->in->live && stat(directory, &st) == 0 && st.st_mode & S_IWOTH;
}

static const struct {
    enum fault_id id;
    const char *fix;
} by_outcome[] = {
    [PEER_ABSENT] = {FAULT_SOCKET_ABSENT,
                     "mailreeve check && systemctl enable --now mailreeve-milter"},
    [PEER_DENIED] = {FAULT_SOCKET_DENIED, "let that user in: milter.group in mailreeve.yaml, or "
                                          "another directory"},
    [PEER_REFUSED] = {FAULT_SOCKET_REFUSED,
                      "mailreeve check && systemctl restart mailreeve-milter"},
};

static void try_socket(struct sm_doctor *s, const struct cf_filter *x)
{
    const char *user =
        cf_value(&s->cf, "RunAsUser"); /* "user:group"; without it Sendmail is root */
    char name[64], why[256] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(user, ":."), user);
    struct peer peer = {.user = *name ? name : "root"};
    enum peer_outcome outcome = peer_connect(&peer, x->socket, why);
    if (outcome == PEER_ANSWERS)
        return;
    if (outcome >= sizeof by_outcome / sizeof *by_outcome || !by_outcome[outcome].fix) {
        faults_unknown(s->fs, "whether the socket of the filter %s answers: %s", x->name, why);
        return;
    }
    struct fault *f = filter_fault(s, by_outcome[outcome].id, x);
    fault_detail(f, "%s", why);
    fault_fix(f, "%s", by_outcome[outcome].fix);
}

/* The same socket has a fault once, although it may have two names. */
static bool seen_before(const struct sm_doctor *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(s->cf.filters[i].socket, s->cf.filters[n].socket) == 0)
            return true;
    return false;
}

void sm_sockets(struct sm_doctor *s)
{
    for (unsigned i = 0; i < s->cf.filter_count; i++) {
        const struct cf_filter *x = &s->cf.filters[i];
        const char *path = cf_socket_path(x);
        char directory[256];
        if (!sm_is_ours(s, x) || seen_before(s, i))
            continue;
        if (!path) {
            struct fault *f = filter_fault(s, FAULT_SOCKET_SLOW, x);
            fault_fix(f, "in mailreeve.yaml: milter: {listen: "
                         "[\"unix:/run/mailreeve-milter/milter.sock\"]}");
            fault_fix(f, "in sendmail.mc: S=local:/run/mailreeve-milter/milter.sock");
            sm_fix_make(f);
        } else if (is_unsafe(s, path, directory)) {
            struct fault *f = filter_fault(s, FAULT_SOCKET_UNSAFE, x);
            fault_detail(f, "Everybody may write to %s: Sendmail does not start, or does not ask.",
                         directory);
            fault_fix(f, "in mailreeve.yaml: milter: {listen: "
                         "[\"unix:/run/mailreeve-milter/milter.sock\"]}");
            fault_fix(f, "in sendmail.mc: S=local:/run/mailreeve-milter/milter.sock");
            sm_fix_make(f);
        }
        if (s->in->live)
            try_socket(s, x);
    }
}
