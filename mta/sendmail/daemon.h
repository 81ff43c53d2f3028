/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon of sendmail.cf is: its port, its role, who can reach it; and
 * its DAEMON_OPTIONS with something changed.
 *
 * Thread use: any; nothing is kept.
 */
#ifndef MTA_SENDMAIL_DAEMON_H
#define MTA_SENDMAIL_DAEMON_H

#include "core/buf.h"
#include "core/finding.h"
#include "mta/sendmail/cf.h"

/* Its port; 0: the name of a service that is not known here. */
uint16_t cf_port(const struct cf_daemon *d);

/* Only this machine can reach it: loopback, or a unix socket. */
bool cf_is_local(const struct cf_daemon *d);

/*
 * s in M=, or port 465: submissions. Port 25 without a in M=: smtp; with it, and
 * any other port: submission (RFC 6409 3.1).
 */
enum role cf_role(const struct cf_daemon *d);

/* Its text with a key's value replaced, or with the key behind it if it is not there. Of a key it
 * is the first letter that counts. */
void cf_put_with(struct buf *b, const struct cf_daemon *d, const char *key, const char *value);

/* Its M= with some letters more (which are not doubled) and some less. */
void cf_put_modifiers(struct buf *b, const struct cf_daemon *d, const char *more, const char *less);

/* "/run/x.sock" of S=local:, S=unix: or a bare path; NULL: a socket of another kind. */
const char *cf_socket_path(const struct cf_filter *f);

#endif
