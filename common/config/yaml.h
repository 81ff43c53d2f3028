/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as far as a configuration needs it: maps, lists and scalars, each with
 * its place in the text. What makes two readers of one file disagree is
 * refused: anchors, aliases, tags, directives, second documents, and
 * everything that is not printable UTF-8. What a scalar means ("no", "0x10")
 * is for the caller to say; here it is text.
 *
 * The only file that knows libyaml is yaml.c.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "core/arena.h"

enum { YAML_TEXT_MAX = 1024 * 1024, YAML_DEPTH_MAX = 32 };

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    bool plain;            /* a scalar without quotes */
    unsigned line, column; /* of its first character, from 1; columns count characters */
    unsigned width;        /* characters of it on that line */
    struct str text;       /* YAML_SCALAR; NUL-terminated too, but holds none itself */
    struct yaml_node *key; /* in a map: the node in front of the colon */
    struct yaml_node *child, *next;
    unsigned count; /* of children */
};

/* One sentence about a place in the text. */
struct yaml_error {
    unsigned line, column, width; /* as above; line 0: the text as a whole */
    char text[256];
    char help[256]; /* may be empty */
};

/*
 * 0 and the root, or NULL in *ret_root if there is nothing but comments. -1 and
 * *e otherwise. The tree lies in the arena and does not refer to `text`.
 */
int yaml_parse(struct str text, struct arena *arena, struct yaml_node **ret_root,
               struct yaml_error *e);

#endif
