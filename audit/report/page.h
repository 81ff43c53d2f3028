/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write the page share. */
#ifndef AUDIT_PAGE_H
#define AUDIT_PAGE_H

#include "audit/report/html.h"
#include "audit/report/report.h"

/* How much of a list is shown; the rest is counted. */
enum {
    PAGE_CUSTOMERS = 500,
    PAGE_REFUSED = 500,
    PAGE_STRANGERS = 50,
    PAGE_COUNTS = 20,
    PAGE_FLAGGED = 100,
    PAGE_SOURCES = 20
};

struct page {
    FILE *to;
    const struct report *r;
    finding_set linked; /* findings that were named, and so need an explanation */
};

/* The finding's id as a link to its explanation. */
void page_finding(struct page *p, enum finding f);
/* "and 5 more ...", if there are more than are shown. `where` to see them; NULL: nowhere. */
void page_more(struct page *p, uint64_t all, uint64_t shown, const char *where);

/* A list of texts of the log; of many, `most`. */
void page_codes(struct page *p, const char *const *list, unsigned count, unsigned most);

/* Sections; see report_html.c. */
void page_listeners(struct page *p);
void page_versions(struct page *p);
void page_ciphers(struct page *p);
void page_software(struct page *p);
void page_found(struct page *p);
void page_customers(struct page *p);
void page_refused(struct page *p);
void page_strangers(struct page *p);
bool page_has_strangers(const struct report *r);
void page_unknown(struct page *p);
void page_drift(struct page *p);
bool page_has_drift(const struct report *r);
void page_problems(struct page *p);
bool page_has_problems(const struct report *r);

#endif
