/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the editor of mailreeve.yaml share. */
#ifndef SETUP_WISH_INTERNAL_H
#define SETUP_WISH_INTERNAL_H

#include "config/config_internal.h"
#include "core/buf.h"
#include "setup/wish.h"

enum { EDITS = 8 };

/* Instead of `n` bytes at `at`. */
struct edit {
    size_t at, n;
    struct str text;
};

struct editor {
    struct str old;
    const char *path;
    const struct wish *w;
    struct yaml_node *root;
    const struct config *config; /* of `old` */
    struct edit edits[EDITS];    /* in the order of the text */
    unsigned count;
    struct buf out; /* room for new text */
};

/* ---- wish_blocks.c: each edits one block, if it has to change ---------------------- */

/* Where a line, counted from 1, begins; the end of the text behind the last. */
size_t line_at(struct str text, unsigned line);
/* Notes that what was written since `mark` stands in place of `n` bytes at `at`. */
void edit_replace(struct editor *ed, size_t at, size_t n, size_t mark);
void put_listener(struct buf *b, unsigned indent, const struct wish_listener *l);

void edit_mode(struct editor *ed);
int edit_listeners(struct editor *ed, struct err *e);
int edit_program(struct editor *ed, const char *key, const struct program_settings *now,
                 const struct wish_program *wanted, struct err *e);
void edit_trusted(struct editor *ed);

/* ---- what is there already ----------------------------------------------------------- */

bool listens_on(const struct program_settings *s, const char *path);
/* How many of the wish's networks and certificates are not trusted. */
unsigned not_trusted(const struct config *c, const struct wish *w);

#endif
