/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/visit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "core/now.h"
#include "core/session.h"
#include "probe/dialogue.h"

/* One visit; `d` is the connection that it has just now. */
struct visit {
    const struct visit_rules *rules;
    struct port_seen *p;
    union endpoint to;
    int64_t until_us;
    struct dialogue d;
    struct reply r; /* the last one */
};

static void set(struct answer *a, enum known is, const char *why)
{
    a->is = is;
    snprintf(a->why, sizeof a->why, "%s", why);
}

/* ---- steps ------------------------------------------------------------------------- */

static int open_connection(struct visit *v)
{
    return dialogue_open(&v->d, &v->to, v->rules->step_us, v->until_us);
}

static enum step command(struct visit *v, const char *line)
{
    return dialogue_command(&v->d, line, &v->r);
}

/* Where a session breaks off: the first place counts. */
static void breaks_off(struct visit *v, const char *where)
{
    if (!*v->p->broken)
        snprintf(v->p->broken, sizeof v->p->broken, "%s: %.160s", where, v->d.why);
}

/* The name to say in EHLO: an address literal is always right (RFC 5321 4.1.4). */
static void our_name(struct visit *v, char name[280])
{
    union endpoint here = {0};
    socklen_t n = sizeof here;
    char text[INET6_ADDRSTRLEN] = "127.0.0.1";
    if (v->rules->helo) {
        snprintf(name, 280, "%s", v->rules->helo);
        return;
    }
    getsockname(v->d.fd, &here.any, &n);
    bool v6 = here.any.sa_family == AF_INET6;
    inet_ntop(here.any.sa_family, v6 ? (void *)&here.in6.sin6_addr : (void *)&here.in4.sin_addr,
              text, sizeof text);
    snprintf(name, 280, "[%s%s]", v6 ? "IPv6:" : "", text);
}

/* EHLO, and HELO for a server that does not know it. */
static enum step ehlo(struct visit *v, struct capabilities *ret)
{
    char name[280], line[300];
    our_name(v, name);
    snprintf(line, sizeof line, "EHLO %s", name);
    enum step step = command(v, line);
    if (step != STEP_DONE)
        return step;
    capabilities_read(&v->r, ret);
    if (!ret->known)
        reply_said(v->d.why, &v->r);
    if (v->r.code < 500)
        return step;
    snprintf(line, sizeof line, "HELO %s", name);
    return command(v, line);
}

/* A further connection, until EHLO has been answered in clear text. */
static bool meet(struct visit *v, struct capabilities *caps, char why[SAID])
{
    bool met = open_connection(v) == 0 && dialogue_reply(&v->d, &v->r) == STEP_DONE;
    if (met && v->r.code != 220) {
        reply_said(v->d.why, &v->r);
        met = false;
    }
    met = met && ehlo(v, caps) == STEP_DONE;
    if (!met)
        snprintf(why, SAID, "%s", v->d.why);
    return met;
}

/* ---- under TLS ------------------------------------------------------------------------ */

static void take_certificate(struct visit *v)
{
    struct err e;
    v->p->has_certificate =
        certificate_of_chain(SSL_get_peer_cert_chain(v->d.ssl), v->rules->ca_file, v->rules->now_s,
                             &v->p->certificate, &e) == 0;
    if (!v->p->has_certificate)
        said(v->p->certificate_why, str_of(e.text));
}

static void transaction(struct visit *v, struct transaction *t)
{
    char lines[2][300] = {"MAIL FROM:<>"};
    snprintf(lines[1], sizeof lines[1], "RCPT TO:<%s>", v->rules->recipient);
    unsigned steps =
        v->p->role == ROLE_SMTP ? 1 : 2; /* who may deliver to 25 is not our question */
    for (unsigned i = 0; i < steps; i++) {
        char reply[SAID];
        if (command(v, lines[i]) != STEP_DONE) {
            t->refusal = REFUSAL_UNKNOWN;
            snprintf(t->said, sizeof t->said, "%.60s: %.130s", lines[i], v->d.why);
            return;
        }
        t->refusal = refusal_of(&v->r);
        reply_said(reply, &v->r);
        snprintf(t->said, sizeof t->said, "%.60s: %.130s", lines[i], reply);
        if (t->refusal != REFUSAL_NONE)
            break;
    }
    command(v, "RSET");
}

/* The rest of the first session, once there is TLS. */
static void go_on_under_tls(struct visit *v)
{
    struct port_seen *p = v->p;
    int version = SSL_version(v->d.ssl);
    set(&p->tls_works, YES, SSL_get_cipher_name(v->d.ssl));
    if (version >= TLS1_VERSION && version <= TLS1_3_VERSION)
        set(&p->version[version - TLS1_VERSION], YES, SSL_get_cipher_name(v->d.ssl));
    take_certificate(v);
    if (p->begins == BEGINS_TLS) {
        if (dialogue_reply(&v->d, &v->r) != STEP_DONE) {
            breaks_off(v, "greeting under TLS");
            return;
        }
        reply_said(p->greeting, &v->r);
        p->software = software_of(v->r.lines[0]);
        if (v->r.code != 220) {
            reply_said(p->refused, &v->r);
            return;
        }
    }
    if (ehlo(v, &p->tls) != STEP_DONE || !p->tls.known)
        breaks_off(v, "EHLO under TLS");
    else if (v->rules->recipient)
        transaction(v, &p->mail_tls);
}

/* ---- the first session ------------------------------------------------------------------- */

/* What no connection says of a port. True if it was had. */
static bool connect_first(struct visit *v)
{
    int error = open_connection(v);
    if (!error)
        return true;
    bool closed = error == ECONNREFUSED || error == ETIMEDOUT;
    v->p->begins = closed ? BEGINS_CLOSED : BEGINS_UNKNOWN;
    snprintf(v->p->begins_why, sizeof v->p->begins_why, "%s", v->d.why);
    return false;
}

/* TLS at once: true if that is what is spoken there. */
static bool first_at_once(struct visit *v)
{
    struct port_seen *p = v->p;
    SSL_CTX *context = tls_context(OFFER_ANY);
    if (!connect_first(v)) {
        SSL_CTX_free(context);
        dialogue_close(&v->d, false);
        return false;
    }
    enum handshake outcome =
        context ? dialogue_tls(&v->d, context, v->rules->sni) : HANDSHAKE_UNABLE;
    SSL_CTX_free(context);
    bool fails = outcome == HANDSHAKE_ALERT || outcome == HANDSHAKE_STALLS;
    bool spoken = outcome == HANDSHAKE_DONE || fails;
    if (spoken) {
        p->begins = BEGINS_TLS;
        p->begins_why[0] = '\0';
    }
    if (outcome == HANDSHAKE_DONE)
        go_on_under_tls(v);
    else if (fails)
        set(&p->tls_works, NO, v->d.why);
    dialogue_close(&v->d, outcome == HANDSHAKE_DONE && !*p->broken);
    return spoken;
}

static void starttls_first(struct visit *v)
{
    struct port_seen *p = v->p;
    if (command(v, "STARTTLS") != STEP_DONE) {
        set(&p->tls_works, NO, v->d.why);
        return;
    }
    char why[SAID];
    reply_said(why, &v->r);
    SSL_CTX *context = tls_context(OFFER_ANY);
    if (v->r.code != 220) {
        set(&p->tls_works, NO, why);
    } else if (!context) {
        set(&p->tls_works, UNKNOWN, "our OpenSSL cannot be used");
    } else {
        enum handshake outcome = dialogue_tls(&v->d, context, v->rules->sni);
        if (outcome == HANDSHAKE_DONE)
            go_on_under_tls(v);
        else
            set(&p->tls_works, outcome == HANDSHAKE_UNABLE ? UNKNOWN : NO, v->d.why);
    }
    SSL_CTX_free(context);
}

/* A server that begins in clear text, from the greeting on. */
static void go_on_in_clear(struct visit *v)
{
    struct port_seen *p = v->p;
    p->begins = BEGINS_CLEAR;
    p->begins_why[0] = '\0';
    reply_said(p->greeting, &v->r);
    p->software = software_of(v->r.lines[0]);
    if (v->r.code != 220)
        reply_said(p->refused, &v->r);
    else if (ehlo(v, &p->clear) != STEP_DONE || !p->clear.known)
        breaks_off(v, "EHLO");
    else if (p->clear.starttls)
        starttls_first(v);
}

static void first_in_clear(struct visit *v)
{
    struct port_seen *p = v->p;
    if (!connect_first(v)) {
        dialogue_close(&v->d, false);
        return;
    }
    enum step step = dialogue_reply(&v->d, &v->r);
    if (step == STEP_DONE) {
        go_on_in_clear(v);
    } else {
        p->begins = step == STEP_BAD ? BEGINS_OTHER : BEGINS_SILENT;
        snprintf(p->begins_why, sizeof p->begins_why, "%s", v->d.why);
    }
    dialogue_close(&v->d, p->begins == BEGINS_CLEAR && !*p->broken);
}

/* ---- further connections ----------------------------------------------------------------------
 */

/* Up to the point where the handshake is due, in either way. */
static bool before_handshake(struct visit *v, char why[SAID])
{
    struct capabilities caps;
    if (v->p->begins == BEGINS_TLS) {
        bool open = open_connection(v) == 0;
        if (!open)
            snprintf(why, SAID, "%s", v->d.why);
        return open;
    }
    if (!meet(v, &caps, why))
        return false;
    bool ready = command(v, "STARTTLS") == STEP_DONE;
    if (ready && v->r.code != 220) {
        reply_said(v->d.why, &v->r);
        ready = false;
    }
    if (!ready)
        snprintf(why, SAID, "%s", v->d.why);
    return ready;
}

static void try_offer(struct visit *v, enum tls_offer offer, struct answer *a)
{
    char why[SAID];
    SSL_CTX *context = a->is == UNKNOWN ? tls_context(offer) : NULL;
    if (!context) {
        if (a->is == UNKNOWN)
            set(a, UNKNOWN, "our OpenSSL cannot offer it");
        return;
    }
    bool done = false;
    if (!before_handshake(v, why)) {
        set(a, UNKNOWN, why);
    } else {
        enum handshake outcome = dialogue_tls(&v->d, context, v->rules->sni);
        done = outcome == HANDSHAKE_DONE;
        if (done)
            set(a, YES, SSL_get_cipher_name(v->d.ssl));
        else
            set(a, outcome == HANDSHAKE_ALERT || outcome == HANDSHAKE_REFUSED ? NO : UNKNOWN,
                v->d.why);
    }
    SSL_CTX_free(context);
    if (done && v->p->begins == BEGINS_TLS) /* its greeting comes before our QUIT */
        done = dialogue_reply(&v->d, &v->r) == STEP_DONE;
    dialogue_close(&v->d, done);
}

/*
 * RFC 3207 6, CVE-2011-0411: what was sent behind STARTTLS in clear text must be
 * forgotten. NOOP goes there, QUIT under TLS: a server that obeys both answers twice.
 */
static void answer_injection(struct visit *v, struct answer *a)
{
    char first[SAID];
    SSL_CTX *context = tls_context(OFFER_ANY);
    enum handshake outcome =
        context ? dialogue_tls(&v->d, context, v->rules->sni) : HANDSHAKE_UNABLE;
    SSL_CTX_free(context);
    if (outcome != HANDSHAKE_DONE) {
        set(a, outcome == HANDSHAKE_ALERT || outcome == HANDSHAKE_REFUSED ? NO : UNKNOWN, v->d.why);
        return;
    }
    if (command(v, "QUIT") != STEP_DONE) {
        set(a, NO, v->d.why);
        return;
    }
    reply_said(first, &v->r);
    bool twice = v->r.code != 221 && dialogue_reply(&v->d, &v->r) == STEP_DONE;
    set(a, twice ? YES : NO, first);
}

static void try_injection(struct visit *v, struct answer *a)
{
    struct capabilities caps;
    char why[SAID];
    if (!meet(v, &caps, why)) {
        set(a, UNKNOWN, why);
    } else if (dialogue_send(&v->d, STR("STARTTLS\r\nNOOP\r\n")) != STEP_DONE ||
               dialogue_reply(&v->d, &v->r) != STEP_DONE) {
        set(a, NO, v->d.why); /* it does not go on with who does that */
    } else if (v->r.code != 220) {
        reply_said(why, &v->r);
        set(a, NO, why);
    } else {
        answer_injection(v, a);
    }
    dialogue_close(&v->d, false);
}

static void try_mail_in_clear(struct visit *v)
{
    struct capabilities caps;
    char why[SAID];
    bool met = meet(v, &caps, why);
    if (met)
        transaction(v, &v->p->mail_clear);
    else
        snprintf(v->p->mail_clear.said, SAID, "%s", why);
    dialogue_close(&v->d, met);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------ */

void visit_port(const struct visit_rules *rules, struct port_seen *p)
{
    struct visit v = {.rules = rules, .p = p};
    v.until_us = clock_us(CLOCK_MONOTONIC) + rules->budget_us;
    if (!endpoint_of(p->address, p->port, &v.to))
        return;
    bool at_once = p->role == ROLE_SUBMISSIONS && first_at_once(&v);
    if (!at_once && p->begins == BEGINS_UNKNOWN && !*p->begins_why) {
        first_in_clear(&v);
        if ((p->begins == BEGINS_SILENT || p->begins == BEGINS_OTHER) &&
            p->role != ROLE_SUBMISSIONS) {
            char why[SAID];
            enum begins begins = p->begins;
            snprintf(why, sizeof why, "%s", p->begins_why);
            if (!first_at_once(&v)) {
                p->begins = begins;
                snprintf(p->begins_why, sizeof p->begins_why, "%s", why);
            }
        }
    }
    if (p->begins == BEGINS_CLEAR && p->clear.known && rules->recipient)
        try_mail_in_clear(&v);
    if (p->tls_works.is != YES || *p->refused)
        return;
    for (int i = 0; i < TLS_VERSIONS; i++)
        try_offer(&v, (enum tls_offer)(OFFER_TLS_1_0 + i), &p->version[i]);
    if (p->role != ROLE_SMTP) { /* there any cipher is better than none */
        try_offer(&v, OFFER_NULL, &p->null_cipher);
        try_offer(&v, OFFER_ANONYMOUS, &p->anonymous_cipher);
    }
    if (p->begins == BEGINS_CLEAR)
        try_injection(&v, &p->injected);
}
