/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server's certificate says and what a client will think of it, whether
 * it came from a file (doctor) or over the wire (probe). RFC 8314 4.4, 7817, 6125.
 *
 * Thread use: any; nothing is kept.
 */
#ifndef MTA_CERTIFICATE_H
#define MTA_CERTIFICATE_H

#include <openssl/x509.h>

#include "core/err.h"
#include "mta/fault.h"

enum { CERTIFICATE_NAMES = 64, CERTIFICATE_SOON_S = 14 * 86400 };

enum chain_state {
    CHAIN_TRUSTED,
    CHAIN_SELF_SIGNED, /* the leaf is its own issuer */
    CHAIN_INCOMPLETE,  /* an issuer is neither sent along nor in the store */
    CHAIN_UNTRUSTED,   /* anything else; `chain_why` is OpenSSL's reason */
};

struct certificate {
    char subject[256], issuer[256];
    char names[CERTIFICATE_NAMES][256]; /* DNS names of the subjectAltName; sanitised */
    unsigned name_count, names_dropped;
    int64_t not_before_s, not_after_s; /* seconds since 1970 */
    enum chain_state chain;
    char chain_why[128];
    X509 *leaf; /* owned */
};

/*
 * From the PEM file of Postfix's smtpd_tls_chain_files / smtpd_tls_cert_file or
 * Sendmail's ServerCertFile: the first certificate is the leaf, the others are the
 * chain; keys in between are skipped. The chain is verified against the
 * system's store, or `ca_file` if it is not NULL, as that of a TLS server, at
 * time `now_s` but without regard to the dates of the leaf (they have faults of
 * their own). -1 and *e if it cannot be read or has none; *ret is then empty.
 */
int certificate_of_file(const char *path, const char *ca_file, int64_t now_s,
                        struct certificate *ret, struct err *e);

/* The same from what a server has sent: leaf first, as SSL_get_peer_cert_chain() gives it. */
int certificate_of_chain(STACK_OF(X509) * chain, const char *ca_file, int64_t now_s,
                         struct certificate *ret, struct err *e);

/* Does it hold this host name? A wildcard stands for one whole left label only (RFC 7817 3). */
bool certificate_covers(const struct certificate *c, const char *name);

/* 1: the private key in key_path (PEM) belongs to it; 0: it does not; -1 and *e: it cannot be read.
 */
int certificate_matches_key(const struct certificate *c, const char *key_path, struct err *e);

/*
 * Adds the faults of certificate-expired, -expires-soon, -self-signed, -chain,
 * and -name for each of `names` it does not hold. `where` and `evidence` (a
 * file and line, or a port) go into each of them.
 */
void certificate_judge(const struct certificate *c, const char *const names[], unsigned name_count,
                       int64_t now_s, const char *where, const char *evidence, struct faults *fs);

/* Frees what it holds; it may be zeroed or half-built. */
void certificate_clear(struct certificate *c);

#endif
