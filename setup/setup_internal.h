/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a setup share. */
#ifndef SETUP_INTERNAL_H
#define SETUP_INTERNAL_H

#include "mta/child.h"
#include "mta/peer.h"
#include "setup/setup.h"
#include "setup/store.h"

enum { MAIN_CF, MASTER_CF, YAML, FILES };
enum { COMMAND_S = 60 };

/* A program of ours that is to answer. */
struct daemon_site {
    const char *program;  /* "mailreeve-policyd"; also its unit and its user */
    const char *folder;   /* in the queue directory: "mailreeve" */
    const char *endpoint; /* as Postfix names it: "unix:mailreeve/policyd.sock" */
    int reload;           /* signal */
    mode_t mode;          /* of the folder, as etc/tmpfiles.d/mailreeve.conf has it */
    unsigned with;        /* WITH_... */
    enum peer_outcome (*ask)(const struct peer *, const char *, char why[256]);
};
enum { DAEMONS = 2 };
extern const struct daemon_site daemons[DAEMONS];

struct setup {
    const struct setup_options *o;
    struct plan_options options;
    FILE *out, *err;
    struct arena arena;
    char directory[512];
    struct postfix postfix;
    struct config *config; /* mailreeve.yaml as it is; NULL: there is none */
    struct config *wanted; /* as it will be */
    struct plan *plan;
    const char *paths[FILES];
    struct file_image now[FILES], then[FILES];
    char stage[64];        /* the copy of the directory; "": none */
    struct manifest makes; /* what is going to be made */
    struct store store;
};

/* The file's name for people and tools: "main.cf", "mailreeve.yaml". */
const char *setup_file(int which);
void setup_say(const struct setup *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* On `err`, with the command's name in front; returns `code`. */
int setup_fail(const struct setup *s, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* setup.c: found out for both directions. -1 and *e; NULL and *e. */
int find_directory(struct setup *s, struct err *e);
struct config *load_config(struct str text, const char *path, struct err *e);
/* "y" on a terminal. */
bool agreed(struct setup *s);
void clean_up(struct setup *s);

/* stage.c: the copy on which the commands are tried. */
int stage_make(struct setup *s, struct err *e);
void stage_remove(struct setup *s);
/* The postconf commands of the plan on a directory; `after` is called behind each (may be NULL). */
int stage_commands(struct setup *s, const char *directory,
                   int (*after)(struct setup *s, struct err *e), struct err *e);

/* agree.c: does postconf read the files as we do? */
int agree_with_postconf(struct setup *s, struct err *e);
int agree_on_newlines(struct setup *s, struct err *e);
/* Did postconf write into the copy what was planned? */
int agree_with_stage(struct setup *s, struct err *e);

/* show.c */
void show_plan(const struct setup *s);
int show_diff(struct setup *s, const struct file_image *from, const struct file_image *to,
              const char *path, struct err *e);
int show_diffs(struct setup *s, struct err *e);
void show_next(const struct setup *s);
void show_ansible(struct setup *s);

/* look.c: what has to be there before. 0, or the exit code, told. */
int look_first(struct setup *s);

/* daemon.c. 0, or the exit code, told. */
int daemons_bring(struct setup *s);
/* All sockets, as Postfix would ask. */
int daemons_ask(struct setup *s, struct err *e);
/* With the configuration that is there again: stops what we started, reloads the rest. */
void daemons_take_back(struct setup *s);
bool has_systemd(void);
void systemctl(struct setup *s, const char *verb, const char *unit, const char *now);

/* apply.c */
int apply(struct setup *s);
/* Everything as the manifest says that it was; true: it is so. */
bool put_back(struct setup *s);
bool postfix_runs(struct setup *s);
int postfix_command(struct setup *s, const char *verb, struct err *e);

/* verify.c: does each port greet? */
int verify_ports(struct setup *s, struct err *e);

#endif
