/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session, told: each fact with who saw it, what was found, and all that happened in its
 * order. What contradicts another's word is marked.
 *
 * One thread at a time. A story keeps copies of all it is given; when memory ends it says so.
 */
#ifndef AUDIT_REPORT_STORY_H
#define AUDIT_REPORT_STORY_H

#include <stdio.h>

#include "edge/privacy.h"
#include "audit/join/event.h"
#include "audit/session/judge.h"
#include "audit/session/sessions.h"

struct story;

enum { STORY_TEXT_MAX = 1024 };

/* `privacy` NULL: everything plain. NULL when memory ends. */
struct story *story_new(struct privacy *privacy);
void story_free(struct story *s);

/* An event of a journal; `word`: its name there. */
void story_event(struct story *s, const struct event *e, struct str word);
/* What the log alone says of the session. */
void story_log(struct story *s, const struct judge *j, const struct seen *seen, int64_t at_us);
/* A line of the log, in words. `us` 0: it has no time, and goes first. */
void story_moment(struct story *s, int64_t us, enum source source, struct str text);

/* All of it. `seen`, `j`: joined. 0; -1: memory ended while it was gathered, or with errno. */
int story_print(struct story *s, FILE *to, const struct judge *j, const struct seen *seen,
                int64_t first_us, int64_t last_us, uint16_t client_port);

/* "2026-11-30 22:01:05  192.0.2.7:40222  submission". */
void story_headline(struct buf *b, const struct seen *seen, int64_t first_us, uint16_t client_port,
                    struct privacy *privacy);

#endif
