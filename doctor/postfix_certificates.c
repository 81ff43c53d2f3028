/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates that smtpd shows: are they there, do they belong to their
 * keys, and will a mail program believe them? Each file is looked at once, however many ports use
 * it.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/postfix.h"
#include "mta/certificate.h"

/* Postfix's three older pairs; smtpd_tls_chain_files takes the place of all. */
static const struct {
    const char *certificate, *key;
} pairs[] = {
    {"smtpd_tls_cert_file", "smtpd_tls_key_file"},
    {"smtpd_tls_eccert_file", "smtpd_tls_eckey_file"},
};

enum { SEEN = 32, NAMES = 64 };

struct look {
    struct exam *x;
    const struct pf_listener *l;
    const char *name; /* of the parameter */
    const char *seen[SEEN];
    unsigned seen_count;
    const char *names[NAMES];
    unsigned name_count;
};

static bool first_time(struct look *k, const char *path)
{
    for (unsigned i = 0; i < k->seen_count; i++)
        if (strcmp(k->seen[i], path) == 0)
            return false;
    if (k->seen_count == SEEN)
        return false;
    k->seen[k->seen_count++] = path;
    return true;
}

static struct fault *add(struct look *k, enum fault_id id)
{
    struct fault *f = fault_add(k->x->fs, id);
    exam_where(k->x, f, k->l->service, k->name);
    exam_evidence(k->x, f, k->l->service, k->name);
    return f;
}

/* Can it be looked at? If not, it is told: as a fault if Postfix cannot read it either. */
static bool readable(struct look *k, const char *path)
{
    if (access(path, R_OK) == 0)
        return true;
    int error = errno;
    if (!k->x->in->live || error == EACCES || error == EPERM) {
        faults_unknown(k->x->fs, "the certificate or key %s: %s%s", path, strerror(error),
                       error == EACCES ? " (as root it can be looked at)" : "");
        return false;
    }
    struct fault *f = add(k, FAULT_CERTIFICATE_UNREADABLE);
    fault_detail(f, "%s: %s.", path, strerror(error));
    fault_fix(f, "Put the file there, or name the right one: %s -e '%s = FILE'", k->x->postconf,
              k->name);
    return false;
}

static void judge(struct look *k, const struct certificate *c)
{
    struct pf_value v = postfix_value(&k->x->p, k->l->service, k->name);
    char evidence[FAULT_TEXT];
    snprintf(evidence, sizeof evidence, v.source == PF_MASTER ? "-o %s=%s" : "%s = %s", k->name,
             v.raw);
    certificate_judge(c, k->names, k->name_count, k->x->in->now_s,
                      postfix_where(&k->x->p, k->l->service, v), evidence, k->x->fs);
}

/* `key`: the file that holds the key; NULL: it was not found. */
static void examine(struct look *k, const char *path, const char *key, bool thorough)
{
    struct certificate c;
    struct err e;
    if (!readable(k, path))
        return;
    if (certificate_of_file(path, k->x->in->ca_file, k->x->in->now_s, &c, &e) < 0) {
        struct fault *f = add(k, FAULT_CERTIFICATE_UNREADABLE);
        fault_detail(f, "%s.", e.text);
        certificate_clear(&c);
        return;
    }
    if (key && readable(k, key)) {
        int same = certificate_matches_key(&c, key, &e);
        struct fault *f =
            same == 1 ? NULL : add(k, same ? FAULT_CERTIFICATE_UNREADABLE : FAULT_CERTIFICATE_KEY);
        if (f)
            fault_detail(f, same ? "%s." : "The key is %s.", same ? e.text : key);
    }
    if (thorough)
        judge(k, &c);
    certificate_clear(&c);
}

/* ---- what a listener names -------------------------------------------------------------- */

/* True if the file has a PEM block whose label ends so. */
static bool holds(const char *path, const char *label)
{
    char line[256];
    bool found = false;
    struct stat st;
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
    for (unsigned n = 0; f && !found && n < 100000 && fgets(line, sizeof line, f); n++)
        found = strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, label);
    if (f)
        fclose(f);
    return found;
}

/* smtpd_tls_chain_files: each key stands before its certificate, perhaps in the file before. */
static void examine_chain_files(struct look *k, const char *list, bool thorough)
{
    struct str rest = str_of(list), word;
    const char *key = NULL;
    k->name = "smtpd_tls_chain_files";
    while ((word = pf_word(&rest)).n) {
        const char *path = arena_strdup(&k->x->p.arena, word);
        if (!path)
            return;
        if (access(path, F_OK) < 0 && first_time(k, path)) {
            readable(k, path);
            continue;
        }
        if (holds(path, "PRIVATE KEY-----"))
            key = path;
        if (key == path && !holds(path, " CERTIFICATE-----"))
            continue;
        if (first_time(k, path))
            examine(k, path, key, thorough);
    }
}

static void examine_pairs(struct look *k, bool thorough)
{
    struct exam *x = k->x;
    bool any = false;
    for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *path = postfix_text(&x->p, k->l->service, pairs[i].certificate);
        const char *key = postfix_text(&x->p, k->l->service, pairs[i].key);
        any |= *path;
        k->name = pairs[i].certificate;
        if (*path && strcmp(path, "none") != 0 && first_time(k, path))
            examine(k, path, *key ? key : path, thorough);
    }
    if (any || !first_time(k, ""))
        return;
    k->name = "smtpd_tls_cert_file";
    struct fault *f = add(k, FAULT_CERTIFICATE_MISSING);
    fault_detail(f, "TLS is switched on, but no certificate is named: Postfix then does no TLS.");
    fault_fix(f, "Get one, for example: certbot certonly");
    fault_fix(f, "%s -e 'smtpd_tls_chain_files = KEY, FULLCHAIN'", x->postconf);
}

/* myhostname, if it is that of the machine whose configuration this is, and what --name says. */
static void collect_names(struct look *k)
{
    struct exam *x = k->x;
    struct pf_value v = postfix_value(&x->p, NULL, "myhostname");
    bool known = v.text && *v.text && (v.source != PF_DEFAULT || x->in->live);
    if (known)
        k->names[k->name_count++] = v.text;
    for (unsigned i = 0; i < x->in->name_count && k->name_count < NAMES; i++)
        if (!known || strcmp(x->in->names[i], v.text) != 0)
            k->names[k->name_count++] = x->in->names[i];
    if (*postfix_text(&x->p, NULL, "tls_server_sni_maps")) {
        k->name_count = 0;
        faults_unknown(x->fs, "the certificates of tls_server_sni_maps, and so which names are "
                              "held (mailreeve probe asks the server itself)");
    } else if (!k->name_count) {
        faults_unknown(x->fs, "which names the certificate should hold: give them with --name");
    }
}

void postfix_check_certificates(struct exam *x)
{
    struct look k = {.x = x};
    bool collected = false;
    /* submission first: what it tells of a file need not be told again for port 25 */
    for (int thorough = 1; thorough >= 0; thorough--) {
        for (unsigned i = 0; i < x->count; i++) {
            k.l = &x->listeners[i];
            if (k.l->internal || !k.l->role_known || (k.l->implicit && k.l->port == 25) ||
                exam_tls(x, k.l) == TLS_NOT || (thorough == 1) != exam_is_submission(k.l))
                continue;
            if (thorough && !collected)
                collect_names(&k), collected = true;
            const char *chain = postfix_text(&x->p, k.l->service, "smtpd_tls_chain_files");
            if (*chain)
                examine_chain_files(&k, chain, thorough);
            else
                examine_pairs(&k, thorough);
        }
    }
}
