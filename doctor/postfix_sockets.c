/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can smtpd connect to what it asks: policy services, milters, the password
 * server? Tried as its user, from its root directory, each socket once.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "doctor/postfix.h"
#include "mta/peer.h"

enum { TRIED = 64 };

struct tried {
    const char *endpoint;
    bool chroot;
};

struct trial {
    struct exam *x;
    struct tried tried[TRIED];
    unsigned count;
};

/* The Mailreeve program that should listen there; NULL: somebody else's. */
static const char *program_of(const char *endpoint)
{
    return !strstr(endpoint, "mailreeve")         ? NULL
           : strstr(endpoint, "mailreeve-gate")   ? "mailreeve-gate"
           : strstr(endpoint, "mailreeve-milter") ? "mailreeve-milter"
                                                  : "mailreeve-policyd";
}

static const char *path_of(const char *endpoint)
{
    return strncmp(endpoint, "unix:", 5) == 0    ? endpoint + 5
           : strncmp(endpoint, "local:", 6) == 0 ? endpoint + 6
           : strncmp(endpoint, "inet", 4) == 0   ? NULL
                                                 : endpoint;
}

static enum fault_id fault_of(enum peer_outcome outcome, bool outside)
{
    switch (outcome) {
    case PEER_ABSENT: return outside ? FAULT_SOCKET_OUTSIDE_CHROOT : FAULT_SOCKET_ABSENT;
    case PEER_DENIED: return FAULT_SOCKET_DENIED;
    default: return FAULT_SOCKET_REFUSED;
    }
}

static void advise(struct fault *f, const char *program, const char *unit)
{
    if (!program)
        return;
    if (f->id == FAULT_SOCKET_DENIED)
        fault_fix(f, "systemd-tmpfiles --create; systemctl restart %s%s", program, unit);
    else
        fault_fix(f, "systemctl enable --now %s%s", program, unit);
}

/* Everybody may put another socket in its place. */
static void check_safe(struct exam *x, const struct pf_listener *l, const char *name,
                       const char *path)
{
    char folder[512];
    struct stat st;
    const char *queue = postfix_text(&x->p, NULL, "queue_directory");
    bool inside = l->service->chroot || *path != '/';
    snprintf(folder, sizeof folder, "%s/%s", inside ? queue : "", path);
    char *slash = strrchr(folder, '/');
    if (slash > folder)
        *slash = '\0';
    if (stat(folder, &st) < 0 || !(st.st_mode & S_IWOTH))
        return;
    struct fault *f = fault_add(x->fs, FAULT_SOCKET_UNSAFE);
    exam_where(x, f, l->service, name);
    exam_evidence(x, f, l->service, name);
    fault_detail(f, "%s has mode %04o.", folder, st.st_mode & 07777);
    fault_fix(f, "chmod o-w %s", folder);
}

static void tell(struct exam *x, const struct pf_listener *l, const char *name,
                 const char *endpoint, enum peer_outcome outcome, const char *why)
{
    const char *path = path_of(endpoint), *program = program_of(endpoint);
    struct stat st;
    bool outside = l->service->chroot && path && *path == '/' && stat(path, &st) == 0;
    struct fault *f = fault_add(x->fs, fault_of(outcome, outside));
    exam_where(x, f, l->service, name);
    exam_evidence(x, f, l->service, name);
    if (f->id == FAULT_SOCKET_OUTSIDE_CHROOT) {
        const char *queue = postfix_text(&x->p, NULL, "queue_directory");
        fault_detail(f, "%s is there, but smtpd sees only what is below %s.", path, queue);
        fault_fix(f,
                  "have it listen below %s, and name it here without a \"/\" in front, relative "
                  "to that directory",
                  queue);
    } else {
        fault_detail(f, "%s.", *why ? why : endpoint);
        advise(f, program, program && strstr(program, "milter") ? "" : ".socket");
    }
}

static void try(struct trial *t, const struct pf_listener *l, const char *name,
                const char *endpoint, bool policy)
{
    struct exam *x = t->x;
    const char *path = path_of(endpoint), *queue = postfix_text(&x->p, NULL, "queue_directory");
    char why[256];
    for (unsigned i = 0; i < t->count; i++)
        if (strcmp(t->tried[i].endpoint, endpoint) == 0 && t->tried[i].chroot == l->service->chroot)
            return;
    if (t->count == TRIED)
        return;
    t->tried[t->count++] = (struct tried){endpoint, l->service->chroot};
    struct peer peer = {.user = postfix_text(&x->p, NULL, "mail_owner"),
                        .root = l->service->chroot ? queue : NULL,
                        .directory = l->service->chroot ? "/" : queue};
    enum peer_outcome outcome = policy && program_of(endpoint)
                                    ? peer_ask_policyd(&peer, endpoint, why)
                                    : peer_connect(&peer, endpoint, why);
    if (outcome == PEER_UNKNOWN)
        faults_unknown(x->fs, "can %s connect to %s? %s", peer.user, endpoint, why);
    else if (outcome != PEER_ANSWERS)
        tell(x, l, name, endpoint, outcome, why);
    else if (path)
        check_safe(x, l, name, path);
}

static void try_all(struct trial *t, const struct pf_listener *l)
{
    static struct pf_restriction list[PF_RESTRICTIONS];
    struct pf_client milters[PF_MILTERS];
    struct exam *x = t->x;
    unsigned n = postfix_restrictions(&x->p, l->service, list);
    for (unsigned i = 0; i < n; i++)
        if (list[i].effect == PF_POLICY && *list[i].client.endpoint)
            try(t, l, list[i].list, list[i].client.endpoint, true);
    n = postfix_milters(&x->p, l->service, milters);
    for (unsigned i = 0; i < n; i++)
        if (*milters[i].endpoint)
            try(t, l, "smtpd_milters", milters[i].endpoint, false);
    const char *sasl = postfix_text(&x->p, l->service, "smtpd_sasl_path");
    if (*sasl && postfix_yes(&x->p, l->service, "smtpd_sasl_auth_enable", false) &&
        strcmp(postfix_text(&x->p, l->service, "smtpd_sasl_type"), "dovecot") == 0)
        try(t, l, "smtpd_sasl_path", sasl, false);
}

void postfix_check_sockets(struct exam *x)
{
    struct trial t = {.x = x};
    if (!x->in->live) {
        if (x->with_mailreeve)
            faults_unknown(x->fs,
                           "the sockets: this is not the configuration of a running Postfix");
        return;
    }
    for (unsigned i = 0; i < x->count; i++)
        try_all(&t, &x->listeners[i]);
}
