/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/seen.h"

#include <stdio.h>

const char *const begins_words[BEGINS_COUNT] = {
    [BEGINS_UNKNOWN] = "?", [BEGINS_CLOSED] = "closed",  [BEGINS_CLEAR] = "clear text",
    [BEGINS_TLS] = "TLS",   [BEGINS_SILENT] = "nothing", [BEGINS_OTHER] = "not SMTP",
};

static const char *const known_words[] = {[UNKNOWN] = "?", [NO] = "no", [YES] = "yes"};

/* ---- what follows from what was seen ------------------------------------------- */

enum known seen_demands_tls(const struct port_seen *p)
{
    if (p->begins == BEGINS_TLS)
        return YES;
    switch (p->mail_clear.refusal) {
    case REFUSAL_NONE: return NO;
    case REFUSAL_WANTS_TLS: return YES;
    case REFUSAL_WANTS_AUTH: /* and where can one log in? */
        return p->clear.auth ? NO : p->tls.auth ? YES : UNKNOWN;
    default: return UNKNOWN;
    }
}

enum known seen_demands_auth(const struct port_seen *p)
{
    const struct transaction *t = p->tls_works.is == YES ? &p->mail_tls : &p->mail_clear;
    if (p->mail_clear.refusal == REFUSAL_NONE || t->refusal == REFUSAL_NONE)
        return NO;
    return t->refusal == REFUSAL_WANTS_AUTH ? YES : UNKNOWN;
}

/* ---- cells ------------------------------------------------------------------------- */

static void put(char cell[CELL], const char *text)
{
    snprintf(cell, CELL, "%s", text);
}

static bool talks(const struct port_seen *p)
{
    return p->begins == BEGINS_CLEAR || p->begins == BEGINS_TLS;
}

static void show_port(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    snprintf(cell, CELL, "%u", p->port);
}

static void show_role(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    put(cell, role_names[p->role]);
}

static void show_begins(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    put(cell, begins_words[p->begins]);
}

static void show_software(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    put(cell, p->software ? p->software : talks(p) ? "?" : "-");
}

static void show_starttls(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    if (p->begins != BEGINS_CLEAR)
        put(cell, "-");
    else if (!p->clear.known)
        put(cell, "?");
    else if (!p->clear.starttls)
        put(cell, "no");
    else
        put(cell, p->tls_works.is == NO ? "fails" : "yes");
}

static void show_versions(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    static const char *const names[TLS_VERSIONS] = {"1.0", "1.1", "1.2", "1.3"};
    (void)now_s;
    size_t n = 0;
    cell[0] = '\0';
    for (int i = 0; i < TLS_VERSIONS; i++)
        if (p->version[i].is != NO && p->tls_works.is == YES)
            n += (size_t)snprintf(cell + n, CELL - n, "%s%s%s", n ? " " : "", names[i],
                                  p->version[i].is == UNKNOWN ? "?" : "");
    if (n == 0)
        put(cell, !talks(p) ? "-" : p->tls_works.is == NO ? "fails" : p->clear.known ? "no" : "?");
}

static void show_auth(const struct capabilities *c, char cell[CELL])
{
    size_t n = 0;
    if (!c->known || !c->auth) {
        put(cell, c->known ? "no" : "?");
        return;
    }
    cell[0] = '\0';
    for (unsigned i = 0; i < c->mechanism_count && n < CELL - 12; i++)
        n += (size_t)snprintf(cell + n, CELL - n, "%s%s", i ? " " : "", c->mechanisms[i]);
    if (n == 0)
        put(cell, "yes");
    else if (n >= CELL - 12)
        memcpy(cell + CELL - 4, "...", 4);
}

static void show_auth_clear(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    if (p->begins == BEGINS_CLEAR)
        show_auth(&p->clear, cell);
    else
        put(cell, "-");
}

static void show_auth_tls(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    if (p->tls_works.is == YES)
        show_auth(&p->tls, cell);
    else
        put(cell, "-");
}

static void show_demands_tls(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    put(cell, talks(p) ? known_words[seen_demands_tls(p)] : "-");
}

static void show_demands_auth(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    (void)now_s;
    bool asked = talks(p) && p->role != ROLE_SMTP;
    put(cell, asked ? known_words[seen_demands_auth(p)] : "-");
}

static void show_certificate(const struct port_seen *p, int64_t now_s, char cell[CELL])
{
    static const char *const states[] = {
        [CHAIN_TRUSTED] = "good",
        [CHAIN_SELF_SIGNED] = "self-signed",
        [CHAIN_INCOMPLETE] = "chain incomplete",
        [CHAIN_UNTRUSTED] = "not trusted",
    };
    const struct certificate *c = &p->certificate;
    if (!p->has_certificate)
        put(cell, p->tls_works.is == YES ? "?" : "-");
    else if (now_s < c->not_before_s || now_s > c->not_after_s)
        put(cell, now_s < c->not_before_s ? "not yet valid" : "expired");
    else
        snprintf(cell, CELL, "%s, %lld days left", states[c->chain],
                 (long long)((c->not_after_s - now_s) / 86400));
}

const struct column columns[COLUMNS] = {
    {"port", show_port, false},
    {"role", show_role, false},
    {"begins with", show_begins, true},
    {"software", show_software, true},
    {"STARTTLS", show_starttls, true},
    {"TLS", show_versions, true},
    {"AUTH in clear", show_auth_clear, true},
    {"AUTH under TLS", show_auth_tls, true},
    {"needs TLS", show_demands_tls, true},
    {"needs AUTH", show_demands_auth, true},
    {"certificate", show_certificate, true},
};
