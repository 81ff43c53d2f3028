/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The macros of the milter protocol: which we ask for, and what their absence
 * means (macros.def). Pure, except macros_request() and macros_fetch(), which
 * are the only two that touch libmilter.
 */
#ifndef MILTER_MACROS_H
#define MILTER_MACROS_H

#include <libmilter/mfapi.h>

#include "core/str.h"

/* The stages at which we ask, in order. */
enum macro_stage { AT_CONNECT, AT_HELO, AT_MAIL, AT_EOH, MACRO_STAGES };

enum macro {
#define MACRO(stage, name, ...) MACRO_##name,
#include "milter/macros.def"
#undef MACRO
    MACRO_COUNT
};

enum mta { MTA_UNKNOWN, MTA_POSTFIX, MTA_SENDMAIL, MTA_COUNT };

/* What is known from a macro. */
enum known { KNOWN_NOTHING, KNOWN_NO, KNOWN_VALUE };

/*
 * What the MTA tells at one stage. Values are views into libmilter's memory and
 * live as long as the callback.
 */
struct told {
    enum macro_stage stage; /* values are those of its rows */
    enum mta mta;
    bool our_lists;                /* the MTA takes our lists, so absence means something */
    struct str value[MACRO_COUNT]; /* p == NULL: absent */
};

/* Which MTA calls itself so: the value of `v`. */
enum mta macros_mta(struct str v);

/* What a macro says; its value is t->value[m] if the result is KNOWN_VALUE. */
enum known macros_know(const struct told *t, enum macro m);

/* The value where there is one, else empty. */
struct str macros_value(const struct told *t, enum macro m);

/* The list for a stage, as smfi_setsymlist() wants it: "i {tls_version} ...". */
void macros_list(enum macro_stage stage, char *ret, size_t size);

/* In xxfi_negotiate: asks for all lists. False: libmilter or the MTA (its
 * `actions` say so) does not let us, and the MTA's own configuration decides. */
bool macros_request(SMFICTX *ctx, unsigned long actions);

/* In a callback: what the MTA tells at that stage. `mta` is what ret->mta was at
 * CONNECT, where it is found out. */
void macros_fetch(SMFICTX *ctx, enum macro_stage stage, bool our_lists, enum mta mta,
                  struct told *ret);

#endif
