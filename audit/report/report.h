/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of `mailreeve audit`, as data: everything that is shown, in the order in which it is
 * shown. Text, JSON, CSV and HTML are four ways to write it down; none of them computes.
 *
 * Customers and strangers: a session is a customer's if its user logged in, or tried a name that
 * logged in elsewhere in the same logs, or came from an address from which somebody logged in. All
 * others are strangers: bots mostly; and so is an address that only guesses names, even where it
 * guesses one that exists (tally_guesses()).
 *
 * Names of logins that failed are never shown, unless they are names that logged in elsewhere.
 * Addresses, users and host names pass through edge/privacy.h, and what it makes alike is one: with
 * `address: network` there is one entry for a network. Numbers of users and clients are those of
 * different ones all the same.
 */
#ifndef AUDIT_REPORT_H
#define AUDIT_REPORT_H

#include <stdio.h>

#include "core/arena.h"
#include "core/catalogue.h"
#include "audit/dialect/shape.h"
#include "audit/join/join.h"
#include "audit/join/journals.h"
#include "audit/report/tally.h"

enum report_by { BY_USER, BY_CLIENT, BY_SOFTWARE, BY_LISTENER, BY_FINDING, BY_COUNT };
extern const char *const report_by_names[BY_COUNT]; /* "user", "client", ... */

/* One word each, for programs and narrow columns; known_by_names are for people. */
extern const char *const report_known_by_ids[KNOWN_BY_COUNT];

/* What was read, filled in by who read it. */
struct report_input {
    uint64_t lines, bytes, ours; /* all; of an MTA's that we know */
    uint64_t unknown_ours;       /* ours, and in no table */
    int64_t first_us, last_us;   /* of the log; 0: no line had a time */
    int64_t since_us;            /* --since; 0: not asked for */
    double seconds;              /* how long reading took */
    const struct shapes *shapes;
    const struct sessions_counts *sessions;
    const struct journals_counts *journals; /* NULL: none were read */
    const struct join_counts *join;
    const char *const *sources; /* files, as given; "standard input" */
    unsigned source_count;
    const char *const *problems; /* "mail.log.3.gz: ends early", and so on */
    unsigned problem_count;
};

struct report_count {
    const char *label; /* for people: "implicit TLS", "TLSv1.3", "not logged" */
    const char *id;    /* for programs: "TLSv1.3", "thunderbird"; "" if it was not told */
    uint64_t sessions;
    uint64_t customers; /* of these, sessions of customers */
    uint64_t flagged; /* of these, sessions in which it is a finding: tls-version, tls-cipher... */
    bool told;        /* false: label says that it was not logged */
};

/* One line of a small table by listener. */
struct report_listener {
    const char *name; /* as the log has it */
    const char *host; /* whose log it is; "" if it does not tell */
    const char *what; /* "submission, port 587", "shared by several ports", "unknown" */
    const char *how;  /* how that is known: known_by_names, or "" */
    uint64_t sessions, by_mode[TLS_MODES], logins, customers;
    const struct listener *listener; /* NULL: unknown, or several */
    enum known_by known_by;
    bool shared;
};

struct report_finding {
    enum finding finding;
    uint64_t sessions, likely; /* likely: of these, those that are not certain */
    uint64_t customers;        /* sessions of customers */
    uint32_t users, clients;   /* how many different ones; users: who logged in in them */
};

/* How the user of an entry is known; the surest first. */
enum report_who {
    WHO_LOGGED_IN, /* in these sessions */
    WHO_ADDRESS,   /* not in these; from their address only this user logged in */
    WHO_TRIED,     /* somebody tried that name; it may be a guess */
    WHO_NOBODY,
    WHO_COUNT
};
extern const char *const report_who_names[WHO_COUNT]; /* "login", "address", "tried", "" */

/* Sessions of an entry that are alike in what is to be changed. */
struct report_part {
    finding_set findings;
    finding_set likely; /* of these, what is the likeliest reading, not the only one */
    uint64_t sessions;
    int64_t first_us, last_us;
    const char *listener;                 /* name in the log */
    const struct listener *on;            /* what it stands for; NULL: unknown */
    const struct software_info *software; /* NULL: not recognised */
    const char *version;                  /* of the software; "" */
    unsigned offered;    /* the highest TLS version of its ClientHello, if journals tell; or 0 */
    const char *ja4;     /* the ClientHello's fingerprint; "" */
    enum action would;   /* in enforce */
    const char *setting; /* what to change */
    uint64_t alike;      /* sessions of all parts of the entry with that setting and `would` */
};

/* Different values of the sessions of an entry, most frequent first. */
struct report_values {
    const char *const *list;
    unsigned count;
};

/*
 * One who is told to change something, or would be refused. `user`, `client`, `software` and
 * `listener` are for people: "192.0.2.7 and 3 more"; the lists are for programs.
 */
struct report_entry {
    bool customer;
    enum report_who who;
    const char *user; /* "": none is known */
    bool
        user_by_address; /* the user is not of these sessions: he logged in from the same address */
    const char *client;  /* address; "192.0.2.7 and 3 more" */
    const char *name;    /* its host name; "" */
    const char *software; /* for people, with its version; "" */
    const char *listener; /* name in the log */
    enum finding finding; /* FINDING_COUNT: several, where entries are grouped by something else */
    finding_set findings;
    uint64_t sessions, likely; /* likely: of these, those in which nothing found is certain */
    uint64_t breaks; /* of these, those with mail that was taken, and would be refused in enforce */
    int64_t first_us, last_us;
    enum action would; /* in enforce: the strictest */
    const char *
        setting; /* what to change, in the client's own words where known, else the finding's fix */
    struct report_values users, clients, programs, listeners;
    /* Those that would be refused first, then the most frequent; one setting in one place. */
    struct report_part *parts;
    unsigned part_count;
};

/*
 * How it is with customers. A user has something to change if one of the sessions in which he
 * logged in has; he is fine if all of them are; else it is unknown.
 */
enum report_state { STATE_FINE, STATE_CHANGE, STATE_UNKNOWN, STATE_COUNT };
extern const char *const report_state_names[STATE_COUNT]; /* "fine", "change", "unknown" */

struct report_share {
    uint64_t sessions, users;
};

struct report_doubt {
    enum doubt doubt;
    uint64_t sessions;
};

struct report {
    struct arena arena; /* all texts and lists below */
    const struct report_input *input;
    const char *policy; /* "built in", or the file, and its digest */
    bool policy_given;
    enum report_by by;
    uint64_t sessions, customers, overflow;
    uint64_t
        unknown;    /* sessions with a handshake-unknown or no-tls-seen, or whose mode is unknown */
    uint64_t users; /* who logged in */
    struct report_share share[STATE_COUNT]; /* of customers' sessions, and of `users` */
    uint64_t by_mode[TLS_MODES];
    struct report_listener *listeners;
    unsigned listener_count;
    struct report_count *versions, *ciphers, *software; /* most frequent first */
    unsigned version_count, cipher_count, software_count;
    struct report_finding *findings; /* that were found, in findings.def's order */
    unsigned finding_count;
    /* Grouped by `by`. Customers first; of these, who would be refused first, then whose user is
     * known best; then by sessions. */
    struct report_entry *entries;
    unsigned entry_count;
    struct report_entry
        *refused; /* who would be refused in enforce, by user or client and finding */
    unsigned refused_count;
    uint64_t refused_sessions, refused_customers; /* sessions; users */
    /* Mail without a login that is taken and would be refused: sessions, clients. Devices. */
    uint64_t refused_devices, refused_device_clients;
    uint64_t excepted, trusted;  /* sessions with something that an exception, or trust, allows */
    struct report_doubt *doubts; /* what cannot be said */
    unsigned doubt_count;
};

struct report_settings {
    const struct judge *judge;
    bool policy_given;
    enum report_by by;
    struct privacy *privacy; /* NULL: everything plain */
};

/* NULL when memory ends. What it points to (tally, names, judge, input) must outlive it. */
struct report *report_new(const struct tally *t, const struct report_input *input,
                          const struct report_settings *s);
void report_free(struct report *r);

/* The logs are of more than one machine: then a listener's name alone does not say which it is. */
bool report_several_hosts(const struct report *r);

/* The four ways. Text: aligned for a terminal `width` columns wide (0: no limit), with colours or
 * not. 0, or -1 with errno. */
struct report_style {
    unsigned width;
    bool colour;
    unsigned rows; /* at most so many entries of strangers and of customers each; 0: all */
};
int report_text(FILE *to, const struct report *r, const struct report_style *style);
int report_json(FILE *to, const struct report *r);
int report_csv(FILE *to, const struct report *r);
int report_html(FILE *to, const struct report *r);

#endif
