/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy: what the administrator wants, ready to be asked. Built once by
 * config/config.c, then never changed; shared by counting references, which any
 * thread may do. A reload makes a new one.
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdatomic.h>

#include "core/arena.h"
#include "core/exceptions.h"
#include "core/finding.h"
#include "core/prefix_index.h"

enum tls_by { TLS_BY_MTA, TLS_BY_PROXY, TLS_BY_COUNT };
extern const char *const tls_by_names[TLS_BY_COUNT];

enum { LISTENER_NAMES = 8, LISTENER_MECHANISMS = 16, LISTENERS = 64, HELP_URL_MAX = 120 };

struct listener {
    struct str names[LISTENER_NAMES]; /* at least one; the first is what records say */
    unsigned name_count;
    uint16_t port;
    enum role role;
    enum mode mode;
    enum tls_by tls_by;
    bool public; /* role smtp: other servers must be able to deliver here (RFC 3207 4) */
    bool disconnect_implicit_tls; /* 421 to who speaks TLS at once where STARTTLS is expected */
    unsigned min_tls;             /* enum tls_version */
    struct str mechanisms[LISTENER_MECHANISMS]; /* none: any mechanism will do */
    unsigned mechanism_count;
    enum action action[FINDING_COUNT];
    unsigned action_line[FINDING_COUNT]; /* where the configuration says so; 0: default */
    unsigned line;                       /* where the configuration names it; 0: built in */
};

struct policy {
    atomic_uint refs;
    struct arena arena; /* everything below */
    struct listener *listeners[LISTENERS];
    unsigned listener_count;
    struct prefix_index trusted;       /* values: any pointer but NULL */
    struct table trusted_certificates; /* lower-case fingerprints */
    bool trusts_networks, trusts_certificates;
    struct prefix_index monitors;
    struct exceptions exceptions;
    const char *help_url; /* with %id in it or not; "": none */
    const char *file;     /* the configuration file, for people */
    char digest[17];      /* of everything that was read; hex */
};

/* Empty, with one reference; NULL when memory ends. */
struct policy *policy_new(const struct sipkey *key);
struct policy *policy_ref(struct policy *p);
/* Frees it with the last reference. NULL is allowed. */
void policy_unref(struct policy *p);

/*
 * Adds a listener with the defaults of its role (findings.def), mode audit, TLS
 * by the MTA, public, floor TLSv1.2; the caller then changes what it wants.
 * NULL when memory ends or there are LISTENERS already.
 */
struct listener *policy_add_listener(struct policy *p, enum role role, uint16_t port);

/* By one of its names, by its port; NULL: none. */
const struct listener *policy_listener_named(const struct policy *p, struct str name);
const struct listener *policy_listener_on(const struct policy *p, uint16_t port);

/* True if the client is one whose findings are counted and not told one by one. */
bool policy_is_monitor(const struct policy *p, const struct addr *client);

#endif
