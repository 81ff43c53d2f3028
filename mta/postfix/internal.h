/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of mta/postfix/ share. */
#ifndef MTA_POSTFIX_INTERNAL_H
#define MTA_POSTFIX_INTERNAL_H

#include "core/buf.h"
#include "mta/postfix/postfix.h"

/*
 * The next logical line: continuation lines (they begin with white space) joined,
 * comments and empty lines left out, as Postfix's readlline does it. False at
 * the end, or when memory ends (then *rest is not empty).
 */
bool pf_logical_line(struct arena *a, struct str *rest, unsigned *line_no, struct str *ret,
                     unsigned *ret_line);

/* Each reads a file's text into the model. -1 and *e. */
int pf_read_main(struct postfix *p, struct str text, struct err *e);
int pf_read_master(struct postfix *p, struct str text, struct err *e);

/* `text` with every $name expanded as `service` sees it; NULL: it cannot be. */
const char *pf_expand(struct postfix *p, const struct pf_service *service, const char *text);

/* What is written for a name, unexpanded; text is NULL. */
struct pf_value pf_written(struct postfix *p, const struct pf_service *service, struct str name);

/* Splits "name = value". False: there is no "=" or no name. */
bool pf_split(struct str text, struct str *ret_name, struct str *ret_value);

/* A list in the arena that grows; `*list` moves. NULL: memory ended. */
void *pf_grow(struct arena *a, void *list, unsigned count, size_t size);

#endif
