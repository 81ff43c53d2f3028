/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `mailreeve setup postfix` would do, as a value: the changes to main.cf
 * and master.cf in the order in which postconf makes them, what mailreeve.yaml
 * is to say, and the reasons, for people. A pure function of the model, the present policy
 * and the options; nothing is asked of the system but tables that mynetworks names.
 *
 * Everything lives in the plan until plan_free(). Thread use: one thread.
 */
#ifndef SETUP_PLAN_H
#define SETUP_PLAN_H

#include "core/err.h"
#include "mta/postfix/postfix.h"
#include "setup/wish.h"

enum { WITH_POLICYD = 1, WITH_MILTER = 2, PLAN_OPEN = 8, PLAN_STEPS = 256, PLAN_LINES = 256 };

/* An address of this machine on a network of containers or virtual machines: who comes from it may
 * be anybody, behind its gateway. */
struct bridge {
    char interface[32];
    struct addr address;
};

enum { BRIDGES_MAX = 32 };
/* This machine's, by the names that Docker, Podman, CNI and libvirt give. How many. */
unsigned bridges_here(struct bridge ret[BRIDGES_MAX]);

struct plan_options {
    unsigned with; /* WITH_... */
    bool enforce, keep_auth_on_25, trust;
    struct {
        uint16_t port;
        enum role role;
    } open[PLAN_OPEN];
    unsigned open_count;
    const char *group; /* smtpd's, which is to get at the sockets */
    const struct bridge *bridges;
    unsigned bridge_count;
};

/* In the order in which they are made: what is referred to is there before, and goes after. */
enum step_kind {
    STEP_MAIN,       /* postconf -e name=value */
    STEP_SERVICE,    /* postconf -M service=value */
    STEP_OPTION,     /* postconf -P service/name=value */
    STEP_OPTION_OUT, /* postconf -PX service/name */
    STEP_MAIN_OUT,   /* postconf -X name */
    STEP_KINDS
};

struct step {
    enum step_kind kind;
    const char *service; /* "submission/inet"; NULL: main.cf */
    const char *name;    /* the parameter; NULL: STEP_SERVICE */
    const char *value;   /* without blanks outside main.cf: postconf -P takes none */
    const char *before;  /* what is written there now; NULL: nothing */
};

enum line_kind { LINE_HEADING, LINE_STEP, LINE_NOTE, LINE_WARNING };

struct line {
    enum line_kind kind;
    const char *text;
};

struct plan {
    struct arena arena;
    struct postfix *postfix;
    const struct plan_options *options;
    struct step steps[PLAN_STEPS];
    unsigned step_count;
    struct line lines[PLAN_LINES];
    unsigned line_count;
    struct wish wish;
    unsigned asked_on_25; /* WITH_...: about clients that log in there */
    bool idle;            /* there is no port on which Mailreeve would be asked anything */
    bool failed;          /* memory ended, or a table was full */
};

/*
 * `now`: what mailreeve.yaml says (names of ports that it knows are kept); NULL: there is none.
 * With ports to open, services are added to the model. -1 and *e, with what to do: this cannot be
 * done to this Postfix. The plan must be freed in either case.
 */
int plan_make(struct postfix *p, const struct policy *now, const struct plan_options *o,
              struct plan *ret, struct err *e);
void plan_free(struct plan *p);

/* The role of a port that --open knows by number alone; false: it has to be said. */
bool plan_can_open(uint16_t port, enum role *ret_role);

/*
 * The postconf command that makes a step: an argv in the arena, NULL at its end. One for each step:
 * of several new parameters in one command postconf chooses the order by itself. NULL: memory
 * ended.
 */
const char **plan_command(struct plan *p, const struct step *s, const char *directory);

/* The command that takes only this step back, for people. */
const char *plan_reverse(struct plan *p, const struct step *s, const char *directory);

#endif
