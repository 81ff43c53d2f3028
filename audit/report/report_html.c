/* SPDX-License-Identifier: Apache-2.0 */
/* The report as one page that needs nothing else: no script, no font, no other file. */
#include <errno.h>
#include <openssl/evp.h>

#include "audit/report/charts.h"
#include "audit/report/page.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char style[] =
#include "audit/report/style.css.def"
    ;

/* ---- small parts ------------------------------------------------------------ */

void page_finding(struct page *p, enum finding f)
{
    p->linked |= FINDING_BIT(f);
    html_put(p->to, "<a href=\"#f-");
    html_cstring(p->to, findings[f].id);
    html_put(p->to, "\"><code>");
    html_cstring(p->to, findings[f].id);
    html_put(p->to, "</code></a>");
}

void page_more(struct page *p, uint64_t all, uint64_t shown, const char *where)
{
    if (all <= shown)
        return;
    html_put(p->to, "<p class=\"soft\">And ");
    html_number(p->to, all - shown);
    html_put(p->to, " more");
    if (where) {
        html_put(p->to, ": see ");
        html_cstring(p->to, where);
    }
    html_put(p->to, ".</p>\n");
}

void page_codes(struct page *p, const char *const *list, unsigned count, unsigned most)
{
    html_put(p->to, "<ul>\n");
    for (unsigned i = 0; i < count && i < most; i++) {
        html_put(p->to, "<li><code>");
        html_cstring(p->to, list[i]);
        html_put(p->to, "</code></li>\n");
    }
    html_put(p->to, "</ul>\n");
    page_more(p, count, most, NULL);
}

/* ---- headline --------------------------------------------------------------- */

static void period(struct page *p)
{
    const struct report_input *in = p->r->input;
    if (in->first_us == 0) {
        html_put(p->to, "no line has a time");
        return;
    }
    html_time(p->to, in->first_us);
    html_put(p->to, " to ");
    html_time(p->to, in->last_us);
    if (in->since_us) {
        html_put(p->to, "; counted are sessions since ");
        html_time(p->to, in->since_us);
    }
}

static void what_was_read(struct page *p)
{
    const struct report_input *in = p->r->input;
    html_put(p->to, "<p>");
    html_count(p->to, p->r->sessions, "session", "sessions");
    html_put(p->to, " in ");
    html_count(p->to, in->lines, "line", "lines");
    html_put(p->to, " of ");
    if (in->source_count == 1) {
        html_put(p->to, "<code>");
        html_cstring(p->to, in->sources[0]);
        html_put(p->to, "</code>");
    } else {
        html_count(p->to, in->source_count, "log", "logs");
    }
    html_put(p->to, ", ");
    period(p);
    html_put(p->to, ". ");
    html_count(p->to, in->ours, "line is", "lines are");
    html_put(p->to, " of Postfix or Sendmail.");
    if (in->join) {
        html_put(p->to, " ");
        html_count(p->to, in->journals->events, "event", "events");
        html_put(p->to, " of Mailreeve's journals: ");
        html_count(p->to, in->join->joined, "session of the log is", "sessions of the log are");
        html_put(p->to, " in them, ");
        html_count(p->to, in->join->alone, "is", "are");
        html_put(p->to, " in them alone.");
    }
    if (in->problem_count)
        html_put(p->to, " <a href=\"#problems\">Not everything could be read.</a>");
    html_put(p->to, "</p>\n");
    if (in->source_count > 1) {
        html_put(p->to, "<details><summary>The logs</summary>\n");
        page_codes(p, in->sources, in->source_count, PAGE_SOURCES);
        html_put(p->to, "</details>\n");
    }
}

static void share(struct page *p, const struct chart_part *part, enum report_state state,
                  const char *what)
{
    const struct report_share *s = &p->r->share[state];
    html_put(p->to, "<li><strong>");
    html_number(p->to, s->users);
    html_put(p->to, "</strong> ");
    html_cstring(p->to, part->label);
    html_put(p->to, "<span class=\"note\">");
    html_cstring(p->to, what);
    html_put(p->to, "; ");
    html_count(p->to, s->sessions, "session", "sessions");
    html_put(p->to, "</span></li>\n");
}

static void nothing(struct page *p)
{
    const struct report_input *in = p->r->input;
    html_put(p->to, "<p class=\"lead\">");
    if (in->lines == 0 && in->problem_count)
        html_put(p->to, "Nothing could be read: see the problems.");
    else if (in->lines == 0)
        html_put(p->to, "There is nothing in it.");
    else if (in->ours == 0)
        html_put(p->to, "No line of Postfix's smtpd or of Sendmail is in it. Is this the mail log? "
                        "Often it is <code>/var/log/mail.log</code> or "
                        "<code>/var/log/maillog</code>, or, with systemd's journal: "
                        "<code>journalctl -o json | mailreeve audit -</code>");
    else if (in->since_us)
        html_put(p->to, "No session ended after the date of <code>--since</code>.");
    else
        html_put(p->to, "No session of a client is in it. Is this the log of the server that takes "
                        "mail from clients?");
    html_put(p->to, "</p>\n");
}

static void customers(struct page *p)
{
    const struct report *r = p->r;
    const struct chart_part parts[] = {
        {"fine", SHADE_GOOD, r->share[STATE_FINE].users},
        {"with something to change", SHADE_BAD, r->share[STATE_CHANGE].users},
        {"unknown", SHADE_NONE, r->share[STATE_UNKNOWN].users},
    };
    html_put(p->to, "<p class=\"lead\">");
    html_count(p->to, r->users, "user", "users");
    html_put(p->to, " logged in; ");
    html_count(p->to, r->share[STATE_CHANGE].users, "has", "have");
    html_put(p->to, " <a href=\"#customers\">something to change</a>, and ");
    html_number(p->to, r->refused_customers);
    html_put(p->to, " would be <a href=\"#refused\">refused</a> if the policy were "
                    "enforced.</p>\n");
    chart_bar(p->to, "Users who logged in", parts, COUNT(parts), r->users);
    chart_legend(p->to, parts, COUNT(parts));
    html_put(p->to, "<ul class=\"tiles\">\n");
    share(p, &parts[0], STATE_FINE, "nothing to change was found");
    share(p, &parts[1], STATE_CHANGE, "a setting is wrong, or a program is too old");
    share(p, &parts[2], STATE_UNKNOWN, "the logs do not tell enough");
    html_put(p->to, "</ul>\n");
}

static void summary(struct page *p)
{
    const struct report *r = p->r;
    what_was_read(p);
    if (r->sessions == 0) {
        nothing(p);
    } else if (r->customers == 0) {
        html_put(p->to, "<p class=\"lead\">Nobody logged in during this time, so who is a "
                        "customer cannot be said. Logs of more days may tell.</p>\n");
    } else if (r->users == 0) {
        html_put(p->to, "<p class=\"lead\">");
        html_count(p->to, r->customers, "session is", "sessions are");
        html_put(p->to, " of customers, but the logs do not tell who logged in.</p>\n");
    } else {
        customers(p);
    }
}

/* Written last: it explains what the page has named. */
static void explanations(struct page *p)
{
    html_put(p->to, "<dl>\n");
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (!(p->linked & FINDING_BIT(f)))
            continue;
        html_put(p->to, "<dt id=\"f-");
        html_cstring(p->to, findings[f].id);
        html_put(p->to, "\"><code>");
        html_cstring(p->to, findings[f].id);
        html_put(p->to, "</code></dt>\n<dd>What was seen: ");
        html_cstring(p->to, findings[f].what);
        html_put(p->to, ".<br>What to do: ");
        html_cstring(p->to, findings[f].fix);
        html_put(p->to, ".</dd>\n");
    }
    html_put(p->to, "</dl>\n");
    if (!p->linked)
        html_put(p->to, "<p>Nothing was found.</p>\n");
}

/* ---- the page --------------------------------------------------------------- */

static bool has_sessions(const struct report *r)
{
    return r->sessions;
}

static const struct section {
    const char *id, *heading;
    void (*write)(struct page *p);
    bool (*wanted)(const struct report *r); /* NULL: always */
} sections[] = {
    {"summary", "In short", summary, NULL},
    {"findings", "What was found", page_found, has_sessions},
    {"customers", "Customers to write to", page_customers, has_sessions},
    {"refused", "Who would be refused", page_refused, has_sessions},
    {"strangers", "Strangers", page_strangers, page_has_strangers},
    {"sessions", "Listeners and TLS modes", page_listeners, has_sessions},
    {"versions", "TLS versions", page_versions, has_sessions},
    {"ciphers", "Ciphers", page_ciphers, has_sessions},
    {"software", "Client software", page_software, has_sessions},
    {"unknown", "What cannot be said", page_unknown, has_sessions},
    {"drift", "Lines that are not understood", page_drift, page_has_drift},
    {"problems", "What could not be read", page_problems, page_has_problems},
    {"explanations", "What the findings mean", explanations, has_sessions},
};

/* The hash of the one style sheet is all that the page may load or run. */
static int head(FILE *to)
{
    unsigned char digest[EVP_MAX_MD_SIZE], base64[2 * EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!EVP_Digest(style, sizeof style - 1, digest, &n, EVP_sha256(), NULL)) {
        errno = ENOTSUP;
        return -1;
    }
    EVP_EncodeBlock(base64, digest, (int)n);
    fprintf(to,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "style-src 'sha256-%s'; img-src 'none'; font-src 'none'; base-uri 'none'; "
            "form-action 'none'\">\n",
            (const char *)base64);
    html_put(to, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<meta name=\"color-scheme\" content=\"light dark\">\n"
                 "<meta name=\"referrer\" content=\"no-referrer\">\n"
                 "<title>Mailreeve audit: ports and TLS modes of mail clients</title>\n<style>");
    fputs(style, to);
    html_put(to, "</style>\n</head>\n<body>\n");
    return 0;
}

static void contents(struct page *p)
{
    html_put(p->to, "<header>\n<h1>Ports and TLS modes of mail clients</h1>\n"
                    "<nav aria-label=\"Contents\"><ul>\n");
    for (size_t i = 0; i < COUNT(sections); i++) {
        if (sections[i].wanted && !sections[i].wanted(p->r))
            continue;
        html_put(p->to, "<li><a href=\"#");
        html_cstring(p->to, sections[i].id);
        html_put(p->to, "\">");
        html_cstring(p->to, sections[i].heading);
        html_put(p->to, "</a></li>\n");
    }
    html_put(p->to, "</ul></nav>\n</header>\n");
}

static void write_section(struct page *p, const struct section *s)
{
    if (s->wanted && !s->wanted(p->r))
        return;
    html_put(p->to, "<section id=\"");
    html_cstring(p->to, s->id);
    html_put(p->to, "\">\n<h2>");
    html_cstring(p->to, s->heading);
    html_put(p->to, "</h2>\n");
    s->write(p);
    html_put(p->to, "</section>\n");
}

int report_html(FILE *to, const struct report *r)
{
    struct page p = {.to = to, .r = r};
    if (head(to) < 0)
        return -1;
    chart_patterns(to);
    contents(&p);
    html_put(to, "<main>\n");
    for (size_t i = 0; i < COUNT(sections); i++)
        write_section(&p, &sections[i]);
    html_put(to, "</main>\n<footer><p>Written by <code>mailreeve audit</code> " MAILREEVE_VERSION
                 " under the policy: ");
    html_cstring(to, r->policy);
    html_put(to, ".</p></footer>\n</body>\n</html>\n");
    return fflush(to) != 0 || ferror(to) ? -1 : 0;
}
