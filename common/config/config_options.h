/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options: everything that may stand in the configuration file.
 * Reading, "unknown key", "did you mean", the list of what is allowed, and the
 * test that docs/configuration.md is complete all go by it.
 *
 * A new option: a row in config_options.def, a paragraph in
 * docs/configuration.md, and the line that uses values[OPTION_x].
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "core/policy.h"

/* Which map an option stands in. */
enum section {
    IN_ROOT,
    IN_LISTENER,
    IN_TRUSTED,
    IN_EXCEPTION,
    IN_PROGRAM,
    IN_SOCKET,
    IN_TAP,
    IN_JOURNAL,
    IN_PRIVACY,
    SECTION_COUNT
};
extern const char *const section_names[SECTION_COUNT]; /* "a listener", "journal", ... */

enum option_kind {
    KIND_WORD,     /* one of words */
    KIND_BOOL,     /* yes, no, true, false */
    KIND_NUMBER,   /* min to max */
    KIND_TEXT,     /* printable, min to max bytes */
    KIND_NAME,     /* letters, digits, - _ . and the like; or empty */
    KIND_PATH,     /* absolute, min to max bytes */
    KIND_FILE,     /* a path, absolute or not; or empty */
    KIND_URL,      /* http or https, %id in it; or empty */
    KIND_DURATION, /* 7d; min to max seconds */
    KIND_SIZE,     /* 2 GiB; min to max bytes */
    KIND_FREE,     /* 10%, or a size */
    KIND_DATE,     /* 2027-03-31 or 2027-03-31T18:00:00Z */
    KIND_SCALARS,  /* a list of scalars, or one */
    KIND_SOCKETS,  /* a list of scalars and maps, or one */
    KIND_LIST,     /* a list of maps */
    KIND_MAP,
};

struct option {
    enum section in;
    const char *key;
    enum option_kind kind;
    const char *fallback; /* the default as one writes it; NULL: none, or as the root says */
    bool required;
    const char *const *words;
    int word_count;
    uint64_t min, max;
    const char *help; /* one sentence */
};

/* ROW(id, section, key, kind, fallback, help, more designated initialisers) */
enum {
#define ROW(id, ...) OPTION_##id,
#include "config/config_options.def"
#undef ROW
    OPTION_COUNT
};

extern const struct option options[OPTION_COUNT];

/* Minimum TLS versions that one can ask for; the first is TLS_1_0. */
enum { FLOORS = 4 };
extern const char *const floor_names[FLOORS];

#endif
