/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `mailreeve setup postfix`: from a stock Postfix to one that asks Mailreeve, verified, and back.
 * docs/setup.md says what it does in which order, and what it never touches.
 *
 * Thread use: one thread; children are forked.
 */
#ifndef SETUP_H
#define SETUP_H

#include <stdio.h>

#include "setup/plan.h"

#define SETUP_STATE "/var/lib/mailreeve/setup"

enum setup_how {
    SETUP_ASK,     /* shows, and asks on a terminal */
    SETUP_YES,     /* shows, and does it */
    SETUP_DRY_RUN, /* only shows */
    SETUP_PRINT    /* Ansible tasks */
};

struct setup_options {
    const char *directory; /* of main.cf and master.cf; NULL: what postconf says */
    const char *yaml;      /* mailreeve.yaml */
    const char *state;
    struct plan_options plan; /* `group` and `bridges` are found out */
    enum setup_how how;
};

/* What it did, tells on `out` and `err`, and returns as exit code (sysexits):
 * 0 done, or nothing to do; 1 shown and not done, or undo would lose something; 64 usage; 65 this
 * Postfix cannot be set up so; 69 a socket did not answer, everything was put back; 75 do what is
 * said and run it again; 77 not root; 78 mailreeve.yaml cannot be used; 74 files. */
int setup_postfix(const struct setup_options *o, FILE *out, FILE *err);
int setup_postfix_undo(const struct setup_options *o, FILE *out, FILE *err);

#endif
