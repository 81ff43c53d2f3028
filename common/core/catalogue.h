/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue of client software (catalogue.def): who sent this, by its own
 * word, and what its setting for TLS is called. For reports and advice only;
 * no rule and no verdict asks it, since anybody can write any name.
 *
 * Mail has no standard for either field. User-Agent is known from netnews (RFC
 * 5536 3.2.13), X-Mailer from habit, and for mail both are optional fields (RFC 5322
 * 3.6.8). The EHLO argument (RFC 5321 4.1.1.1) should be the one that came after
 * STARTTLS (RFC 3207 4.2): some clients send another before it.
 *
 * Unknown is never a guess: a value that several programs write, or that
 * differs from what a program is known to write, gives nothing.
 *
 * Everything here is pure and may be called by any thread at any time. No
 * memory is allocated and nothing can fail but to recognise.
 */
#ifndef CORE_CATALOGUE_H
#define CORE_CATALOGUE_H

#include "core/finding.h"

enum {
    CATALOGUE_LOOKS_AT = 256, /* bytes of a value; what comes later is never read */
    CATALOGUE_VERSION_MAX = 40,
};

enum software_id {
#define SOFTWARE(name, ...) SOFTWARE_##name,
#include "core/catalogue.def"
    SOFTWARE_COUNT
};

enum software_kind { KIND_PROGRAM, KIND_DEVICE, KIND_SERVER, KIND_LIBRARY };

/* Bits: where a program has been seen to name itself. */
enum software_shows {
    SHOWS_NOWHERE = 0, /* known for its setting only */
    SHOWS_USER_AGENT = 1,
    SHOWS_X_MAILER = 2,
    SHOWS_EITHER = SHOWS_USER_AGENT | SHOWS_X_MAILER,
    SHOWS_EHLO = 4,
};

/* Where the name of a setting was read. */
enum evidence {
    EVIDENCE_NONE, /* no setting is known */
    EVIDENCE_SOURCE,
    EVIDENCE_MANUAL,
    EVIDENCE_NOT_CHECKED, /* written from memory: say so where it is shown */
    EVIDENCE_COUNT
};

extern const char *const evidence_names[EVIDENCE_COUNT];

/* All strings are constants, printable ASCII, and live for ever. */
struct software_info {
    const char *id;   /* permanent, lower case with dashes */
    const char *name; /* for people */
    enum software_kind kind;
    enum software_shows shows;
    const char *setting[ROLE_COUNT]; /* see catalogue_setting() */
    enum evidence evidence;
    const char *note; /* what else to look at, or NULL */
};

/* Indexed by enum software_id. */
extern const struct software_info catalogue[SOFTWARE_COUNT];

enum certainty {
    CERTAINTY_NONE,  /* not recognised */
    CERTAINTY_GROUP, /* one of several programs that have the setting in common */
    CERTAINTY_ONE,   /* this program */
};

struct software {
    const struct software_info *info; /* NULL: not recognised */
    struct str version;               /* a view into the value; empty if there is none */
    enum certainty certainty;
};

/*
 * The value of a User-Agent or X-Mailer header, of any length and with any
 * bytes, folded (RFC 5322 2.2.3) or not. True if it names a program; otherwise
 * *ret is all zero. Keep nothing of the value but what is in *ret: the rest can
 * hold what a user typed.
 *
 * The version is of letters, digits, `.`, `+` and `-`, and begins with a digit. One
 * that is longer than CATALOGUE_VERSION_MAX, that goes on behind the bytes looked
 * at, or that has something behind it that belongs to no version, is left out.
 */
bool catalogue_header(struct str value, struct software *ret);

/* The same for an EHLO argument. There is never a version. */
bool catalogue_helo(struct str argument, struct software *ret);

/* NULL if there is no such id. */
const struct software_info *catalogue_by_id(struct str id);

/*
 * The setting to change, with the value it must have to submit on a listener
 * of that role: "Connection security: STARTTLS" for submission, "Connection
 * security: SSL/TLS" for submissions. A text that begins with "none: " says that
 * the program cannot, and why. NULL if it is not known, and always for
 * smtp: there the port is what must change (see the fix of auth-on-smtp-port).
 */
const char *catalogue_setting(const struct software_info *info, enum role role);

#endif
