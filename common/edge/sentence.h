/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon does, in a sentence: "4 listeners, 12 connections, 3,214 requests, 2 refused,
 * journal ok". `systemctl status` shows it.
 *
 * Thread use: any.
 */
#ifndef EDGE_SENTENCE_H
#define EDGE_SENTENCE_H

#include "journal/status.h"

/* A number of it, and what it counts. */
struct sentence_part {
    const char *one, *many; /* "request", "requests" */
    const char *counter;    /* its name; "*-rejected": all whose names end so */
};

/* The parts, up to one whose `one` is NULL, each with ", " behind it. */
void sentence_put(struct buf *b, const struct sentence_part *parts,
                  const struct status_counter *list, size_t count);

/* The end of it. */
void sentence_put_journal(struct buf *b, const struct journal_state *state);

#endif
