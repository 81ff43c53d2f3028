/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the configuration reader share. Only config*.c,
 * problems.c and their tests include this.
 *
 * The way of a configuration: text -> nodes (yaml.c) -> values, checked one by
 * one against the table of options (config_read.c, config_values.c) -> a
 * policy and settings, checked against each other (config_listeners.c,
 * config_access.c, config_exceptions.c, config_programs.c).
 */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include <openssl/evp.h>

#include "core/clock.h"
#include "config/config.h"
#include "config/config_options.h"
#include "config/yaml.h"

/* ---- problems ----------------------------------------------------------- */

/* A text under examination, as people call it. */
struct source {
    const char *file;
    struct str text; /* the lines that problems show; may be empty */
    unsigned before; /* how many lines of the file stand before them */
};

/* Adds a problem. NULL if there are PROBLEMS_MAX already or memory ended: it
 * then only counts. line 0: about the file as a whole. */
struct problem *problem_add(struct problems *ps, enum severity severity, const struct source *at,
                            unsigned line, unsigned column, unsigned width, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/* Sets the help of what problem_add() returned; NULL does nothing. */
void problem_help(struct problem *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Into the order of the lines. */
void problems_sort(struct problems *ps);

/* Text that somebody gave, in quotes, fit for one line of a terminal. */
struct quote {
    char text[100];
};
struct quote quote_of(struct str s);

/* ---- reading ------------------------------------------------------------ */

/* The value of one option. */
struct value {
    const struct yaml_node *node; /* NULL: not given, this is the default */
    bool bad;                     /* given, refused (and told): this is the default */
    bool percent;                 /* KIND_FREE */
    uint64_t number; /* index of the word, 0/1, number, seconds, bytes; µs for a date */
    struct str text;
};

/* Exceptions, counted while they are read. */
struct exception_counts {
    size_t total, from_file, expired, far;
    int64_t soonest_us;              /* when the next one ends; 0: none is in force */
    unsigned expired_line, far_line; /* in the exceptions file: the first ones */
};

struct prefix_list {
    struct prefix_list *next;
    struct prefix prefix;
};

struct text_list {
    struct text_list *next;
    const char *text;
};

struct exception_list {
    struct exception_list *next;
    const struct exception *e;
    const struct str *users;
};

/* What a policy no longer knows, kept for config_print() and the report. */
struct config_details {
    struct prefix_list *trusted, *monitors;
    struct text_list *certificates;
    struct exception_list *exceptions; /* of the configuration file itself */
    const char *exceptions_file;       /* as written; "": none */
    const char *exceptions_path;       /* where that is; NULL: none */
    struct exception_counts counts;
};

/*
 * What is said of a file that open(2) did not open. Owner and mode may allow what a sandbox
 * (edge/sandbox.h) or a security module forbids; access(2) is asked only about the former.
 */
const char *why_unreadable(const char *path, int error);

struct reader {
    struct problems *problems;
    struct source source;
    struct now now;
    struct arena scratch; /* nodes */
    struct config *config;
    struct policy *policy; /* config's */
    EVP_MD_CTX *digest;
    bool out_of_memory; /* told once, at the end */
};

/* A problem at a node; line 0 in a node means that it is built in. */
struct problem *problem_at(struct reader *r, enum severity severity, const struct yaml_node *n,
                           const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* What is wrong with a value: `key: "given" why`, and the help. */
struct complaint;
void bad_value(struct reader *r, const struct yaml_node *n, const char *key, struct str given,
               const struct complaint *c);

/* Memory of the policy's lifetime; NULL, and noted, when there is none. */
void *keep(struct reader *r, size_t n);
const char *keep_text(struct reader *r, struct str s);

/* ---- config_read.c: maps against the table of options -------------------- */

/*
 * Reads one map: every option of `section` gets a value, its own or the
 * default. `map` NULL or empty: all defaults. `what` names the map in problems.
 */
void read_section(struct reader *r, enum section section, const struct yaml_node *map,
                  struct value values[OPTION_COUNT]);

/* The map that stands for an option of KIND_MAP that is not given. */
const struct yaml_node *default_node(struct reader *r, const struct option *o);

/* The nodes of a list: the items of one, a scalar alone as the only item, or
 * none. Iterate with ->next, as long as *ret_count says. */
const struct yaml_node *list_items(const struct value *v, unsigned *ret_count);

/* "did you mean ..." or all that is allowed. */
void help_words(struct problem *p, const char *const *words, int count, struct str given);

/* The word nearest to what was given, if it is near; NULL otherwise. */
const char *suggest(const char *const *words, int count, struct str given);

/* A finding by its id; false, and told, if there is none. */
bool read_finding(struct reader *r, const struct yaml_node *n, enum finding *ret);
/* The same help for ids that stand elsewhere. */
void help_findings(struct problem *p, struct str given);

/* ---- config_values.c: scalars ------------------------------------------- */

/*
 * Reads text as the option's kind. True and *ret; false and what is wrong with
 * it in *why (a clause: "is not a number"), with help or an empty string.
 */
struct complaint {
    char why[160];
    char help[512];
};
bool value_parse(const struct option *o, struct str text, struct value *ret, struct complaint *c);

/* Writes what value_parse() reads to the same again. */
void duration_format(struct buf *b, uint64_t seconds);
void size_format(struct buf *b, uint64_t bytes);

void until_format(struct buf *b, int64_t until_us); /* config_print.c */

/* How many bytes of it are one line of visible UTF-8. */
size_t clean_length(struct str s);

/* ---- the sections -------------------------------------------------------- */

void build_listeners(struct reader *r, const struct value root[OPTION_COUNT]);
void build_trusted(struct reader *r, const struct value root[OPTION_COUNT]);
void build_monitors(struct reader *r, const struct value root[OPTION_COUNT]);
void build_exceptions(struct reader *r, const struct value root[OPTION_COUNT]);
void build_programs(struct reader *r, const struct value root[OPTION_COUNT]);
void build_tap(struct reader *r, const struct value root[OPTION_COUNT]);

/*
 * One network of an exception, monitor or trusted client. PREFIX_BAD if it is
 * none; what is wrong and what would be right in *c.
 */
bool network_parse(struct str text, struct prefix *ret, struct complaint *c);

/* ---- exceptions ---------------------------------------------------------- */

/* Adds a checked exception to the policy and counts it. */
bool keep_exception(struct reader *r, const struct exception *e, const struct str *users);
bool is_far(const struct reader *r, int64_t until_us);

/*
 * The exceptions file, in pieces of any size: key | findings | until | owner |
 * reason. Bounded memory but for what is kept; every bad line is told.
 */
enum { EXCEPTION_LINE_MAX = 4096, RECENT_TEXTS = 256 };

struct exceptions_reader {
    struct reader *r;
    const char *file; /* lives as long as the policy */
    unsigned line;
    size_t n;
    bool too_long;
    const char *recent[RECENT_TEXTS]; /* reasons and owners repeat: each is kept once */
    char text[EXCEPTION_LINE_MAX];
};

void exceptions_begin(struct exceptions_reader *x, struct reader *r, const char *file);
void exceptions_feed(struct exceptions_reader *x, struct str piece);
void exceptions_end(struct exceptions_reader *x);

/* Opens, reads and adds the file that the option names. */
void read_exceptions_file(struct reader *r, const struct value *option);

#endif
