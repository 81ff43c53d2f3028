/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make a report share. */
#ifndef AUDIT_REPORT_INTERNAL_H
#define AUDIT_REPORT_INTERNAL_H

#include "core/table.h"
#include "audit/report/report.h"

/* A row in which something was found. Texts are those that may be shown; equal ones are the same
 * pointer. */
struct item {
    const struct row *row;
    const struct listener *on;
    const char *user, *client, *software, *listener; /* "": not known */
    finding_set found, likely;
    uint32_t user_number; /* of names.h; 0: nobody is known */
    uint8_t who;          /* enum report_who */
    uint8_t would;        /* enum action */
    uint8_t because;      /* enum finding */
    bool customer;
};

/* A text and how often it is there. */
struct value {
    const char *text;
    uint64_t sessions;
};

/* A report that is being made. */
struct build {
    struct report *r;
    const struct tally *tally;
    const struct report_settings *s;
    struct arena work;    /* what is not needed once the report is made */
    struct table texts;   /* text to the one copy of it */
    struct table advices; /* what to change, by findings, role and software */
    struct item **items;  /* all */
    struct item **sorted; /* room for as many */
    struct value *values; /* likewise, for group.c */
    size_t count;
    bool failed; /* memory has ended */
};

/* Memory that lives as long as the report; NULL, with b->failed set, when memory ends. */
void *build_alloc(struct build *b, size_t n);
/* The one copy of a text, NUL-terminated (a NUL inside becomes "?"); "" when memory ends. */
const char *build_text(struct build *b, struct str s);
/* The same of a number of names.h. */
const char *build_text_of(struct build *b, uint32_t number);

/* What to change for these findings together, and what that is called in the client's software
 * (NULL: not known). `on`: the listener; NULL: unknown. */
const char *build_advice(struct build *b, finding_set found, const struct listener *on,
                         const struct software_info *software);

/* ---- counting: count.c ---------------------------------------------------------- */

/* Who it was. */
struct identity {
    enum report_who who;
    uint32_t user; /* 0 with WHO_NOBODY */
    bool customer;
};

/* One who logged in. */
struct user {
    struct user *next;
    bool change, unknown, refused; /* he has sessions that are */
};

struct cipher_count {
    struct cipher_count *next;
    struct report_count count;
};

enum { TLS_VERSION_COUNT = 1 + TLS_1_3 - SSL_3_0 + 1 }; /* the first: not told */

struct counting {
    struct table users, ciphers; /* by number of names.h */
    struct user *user_list;
    struct cipher_count *cipher_list;
    struct report_count versions[TLS_VERSION_COUNT], software[1 + SOFTWARE_COUNT];
    struct report_listener listeners[LOG_LISTENERS_MAX + 1]; /* the last: found no place */
    struct report_finding findings[FINDING_COUNT];
    uint64_t doubts[DOUBTS];
};

/* A row as it is counted. */
struct judged_row {
    const struct row *row;
    struct judged judged;
    struct identity id;
};

/* Adds a row to the numbers; b->failed when memory ends. */
void count_row(struct build *b, struct counting *n, const struct judged_row *f);
/* Writes the report's small tables, once all rows are counted. */
void list_counted(struct build *b, struct counting *n);

/* ---- entries: group.c ----------------------------------------------------------- */

/* Order of items; equal ones become one entry. */
typedef int item_order(const void *, const void *);
extern item_order *const item_orders[BY_COUNT];
item_order item_order_refused;
item_order item_order_client, item_order_user; /* by the real ones, for counting */

/*
 * Makes entries of n items (and reorders them). `only`: they are about this finding;
 * FINDING_COUNT: about all.
 */
void build_entries(struct build *b, struct item **items, size_t n, item_order *order,
                   enum finding only, struct report_entry **ret, unsigned *ret_count);

/* As they are shown. */
void sort_entries(struct report_entry *list, unsigned n);

#endif
