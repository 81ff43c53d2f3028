/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the plan share. */
#ifndef SETUP_PLAN_INTERNAL_H
#define SETUP_PLAN_INTERNAL_H

#include "core/buf.h"
#include "setup/plan.h"

/* A listener and what we call it. */
struct site {
    struct pf_listener at;
    const struct pf_service *service; /* at.service */
    char name[64];                    /* the listener's name in mailreeve.yaml */
    char variable[80];                /* "mailreeve_submission" */
};

/* ---- plan_steps.c: noting ------------------------------------------------------- */

void plan_say(struct plan *p, enum line_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Text in the plan's arena; "" when memory ends, and that is noted. */
const char *plan_text(struct plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *plan_copy(struct plan *p, struct str s);

/* Each notes a step if it would change something; true: it would. */
bool plan_main(struct plan *p, const char *name, const char *value);
bool plan_main_out(struct plan *p, const char *name);
bool plan_option(struct plan *p, const struct pf_service *s, const char *name, const char *value);
bool plan_option_out(struct plan *p, const struct pf_service *s, const char *name);

/* A service that this plan opens: it is not there yet. */
bool plan_is_new(const struct pf_service *s);

/* What is written: of main.cf, of a service itself; NULL: nothing. */
const char *plan_in_main(const struct plan *p, const char *name);
const char *plan_in_service(const struct pf_service *s, const char *name);

/*
 * A list as it is written (names unexpanded), fit for "-o name=LIST": commas in place of blanks.
 * What has blanks within braces goes into main.cf under the name `variable`, and "$variable" is
 * returned.
 */
const char *plan_list(struct plan *p, const struct pf_service *s, const char *name,
                      const char *variable);

/* "a,b", or the one that is not empty. */
const char *plan_join(struct plan *p, const char *a, const char *b);
/* A list without a word of it; with `argument`, only where that stands behind it, and without both.
 */
const char *plan_without(struct plan *p, const char *list, const char *word, const char *argument);
bool plan_has(const char *list, const char *word);

/* ---- one file each ----------------------------------------------------------------- */

/* plan_ask.c: mailreeve-policyd first on a submission port. */
void plan_ask_policyd(struct plan *p, const struct site *at);
/* plan_smtp.c: port 25. */
void plan_smtp(struct plan *p, const struct site *at);
/* When all ports 25 are planned: what none of them uses any more is taken out of main.cf. */
void plan_smtp_end(struct plan *p, const struct site *at);
/* plan_milter.c */
void plan_ask_milter(struct plan *p, const struct site *at, bool submission);
void plan_drop_milter(struct plan *p, const struct site *at);
/* plan_open.c: services are added to the model. */
int plan_open(struct plan *p, struct err *e);
/* trusted.c */
void plan_trusted(struct plan *p, const struct site *at);

#endif
