/* SPDX-License-Identifier: Apache-2.0 */
/* A log in a private directory, what happens to logs, and a follower whose lines are kept. */
#ifndef FOLLOW_HELP_H
#define FOLLOW_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/input/follow.h"

extern char log_dir[128];

int follow_set_up(void **state);
int follow_tear_down(void **state);

/* "mail.log" to its path; in a ring of a few. */
const char *at(const char *name);

/* ---- what happens to logs ---------------------------------------------------------- */

/* One line of a log that says its number. */
size_t numbered(char *p, size_t size, unsigned number);
/* Numbered lines, first to last, behind what is there. */
void lines(const char *name, unsigned first, unsigned last);
void bytes(const char *name, const char *p, size_t n);
void text(const char *name, const char *s);
void move(const char *from, const char *to);
void copy(const char *from, const char *to);
void empty(const char *name);
void gone(const char *name);
/* As gzip and xz do it: the times stay, the file goes. (gzip only stores: a cut one ends in known
 * text.) */
void gzip(const char *name);
void xz(const char *name);

/* ---- a follower -------------------------------------------------------------------- */

struct got {
    unsigned count;        /* lines that were given without `again` */
    unsigned number[4096]; /* of those; 0: it is no numbered one */
    unsigned again_count, again[4096];
    size_t text_n;     /* of the last line */
    char text[256];    /* its first bytes */
    uint64_t position; /* of the last line */
    uint64_t after;    /* the least that the next may have */
    uint64_t needed;   /* for idle() to return */
    unsigned idle;     /* calls */
    unsigned stop_at, stop_again;
    void (*at_idle)(unsigned call);
    unsigned notes;
    char note[1024]; /* the last one */
};
extern struct got got;

struct follow_settings ordinary(void); /* without a checkpoint, from the start */
struct follow_settings kept(void);     /* with "place" */
struct follow *opened(const struct follow_settings *s);
/* What must fail, and with which words. */
void refused_with(const struct follow_settings *s, const char *words);

/* Until there are this many in all; fails after 20 s. */
void until(struct follow *f, unsigned count);
void until_again(struct follow *f, unsigned count);
/* All that is there now. */
void rest(struct follow *f);
void run_for(struct follow *f, int64_t us);
/* Until a note has these words. */
void until_noted(struct follow *f, const char *words);

/* Exactly those, each once, in order. */
void expect(unsigned first, unsigned last);

#endif
