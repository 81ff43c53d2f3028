/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `mailreeve setup sendmail`: what to put where so that a Sendmail asks
 * mailreeve-milter, made for the daemons that its sendmail.cf and sendmail.mc
 * have. It reads, and changes nothing.
 *
 * Thread use: any; no globals.
 */
#ifndef SETUP_SENDMAIL_H
#define SETUP_SENDMAIL_H

#include <stdio.h>

#include "core/err.h"
#include "core/finding.h"

struct setup_sendmail {
    const char *directory; /* of Sendmail's configuration: /etc/mail */
    const char *mc;        /* the .mc file; NULL: sendmail.mc in the directory */
    const char *yaml;      /* where mailreeve.yaml is to be */
    /*
     * MODE_AUDIT: nothing that users do is refused that was not refused before.
     * MODE_ENFORCE: also no AUTH on port 25, and no password without TLS.
     */
    enum mode mode;
    bool snippet_only; /* the lines for the .mc file, and nothing else */
};

/* Prints it. -1 and *e: neither sendmail.cf nor the .mc can be used, or memory ends. */
int setup_sendmail(const struct setup_sendmail *options, FILE *out, struct err *e);

#endif
