/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_report.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/session.h"
#include "config/config_internal.h"

enum { LINE_WIDTH = 100, LABEL_WIDTH = 12, PORT_WIDTH = 7, VERB_WIDTH = 14 };

/* ---- problems ------------------------------------------------------------ */

static bool in_colour(FILE *out)
{
    const char *no = getenv("NO_COLOR");
    return isatty(fileno(out)) && !(no && *no);
}

static void print_problem(FILE *out, const struct problem *p)
{
    char text[2048];
    struct buf b = BUF(text);
    problem_format(&b, p, true);
    buf_cstr(&b);
    const char *word = p->severity == SEVERITY_ERROR ? ": error:" : ": warning:";
    char *at = strstr(text, word);
    if (!in_colour(out) || !at) {
        fprintf(out, "%s\n", text);
        return;
    }
    at += 2;
    fprintf(out, "%.*s\033[1;%dm%s\033[0m%s\n", (int)(at - text), text,
            p->severity == SEVERITY_ERROR ? 31 : 33, word + 2, at + strlen(word + 2));
}

static void print_count(FILE *out, unsigned count, const char *noun)
{
    fprintf(out, "%u %s%s", count, noun, count == 1 ? "" : "s");
}

/* "2 errors, 1 warning; this configuration cannot be used" */
static void print_result(FILE *out, const char *path, const struct problems *ps, bool usable)
{
    if (ps->dropped) {
        print_count(out, ps->dropped, "further problem");
        fprintf(out, " not shown\n");
    }
    fprintf(out, "%s: ", path);
    if (ps->errors) {
        print_count(out, ps->errors, "error");
        fprintf(out, "%s", ps->warnings ? ", " : "");
    }
    if (ps->warnings)
        print_count(out, ps->warnings, "warning");
    if (!usable)
        fprintf(out, "%sthis configuration cannot be used\n",
                ps->errors || ps->warnings ? "; " : "");
    else if (ps->warnings)
        fprintf(out, "; this configuration can be used\n");
    else
        fprintf(out, "no mistakes found\n");
}

/* ---- a table with a column that wraps -------------------------------------- */

struct wrap {
    FILE *out;
    int indent, at; /* columns */
    bool any;
};

static void wrap_begin(struct wrap *w, FILE *out, int indent)
{
    *w = (struct wrap){out, indent, indent, false};
}

static void wrap_item(struct wrap *w, const char *text)
{
    int n = (int)strlen(text);
    if (w->any) {
        fputs(",", w->out);
        w->at++;
        if (w->at + 1 + n > LINE_WIDTH) {
            fprintf(w->out, "\n%*s", w->indent, "");
            w->at = w->indent;
        } else {
            fputs(" ", w->out);
            w->at++;
        }
    }
    fputs(text, w->out);
    w->at += n;
    w->any = true;
}

static void wrap_end(struct wrap *w, const char *none)
{
    fprintf(w->out, "%s\n", w->any ? "" : none);
}

static void label(FILE *out, const char *text)
{
    fprintf(out, "%-*s", LABEL_WIDTH, text);
}

/* ---- listeners -------------------------------------------------------------- */

static void joined_names(const struct listener *l, char *text, size_t size)
{
    struct buf b = {text, 0, size, false};
    for (unsigned i = 0; i < l->name_count; i++) {
        buf_cstring(&b, i ? ", " : "");
        buf_str(&b, l->names[i]);
    }
    buf_cstr(&b);
}

/* The findings with that action; those that can never be more than logged are a count. */
static void print_findings(FILE *out, const struct listener *l, enum action a, const char *verb,
                           int indent)
{
    struct wrap w;
    unsigned detections = 0;
    bool any = false;
    for (int f = 0; f < FINDING_COUNT; f++)
        any = any || l->action[f] == a;
    if (!any)
        return;
    fprintf(out, "%*s%-*s", indent, "", VERB_WIDTH, verb);
    wrap_begin(&w, out, indent + VERB_WIDTH);
    for (int f = 0; f < FINDING_COUNT; f++) {
        if (l->action[f] == a && findings[f].strictest <= ACTION_LOG)
            detections++;
        else if (l->action[f] == a)
            wrap_item(&w, findings[f].id);
    }
    if (detections) {
        char text[40];
        snprintf(text, sizeof text, "%u detection%s", detections, detections == 1 ? "" : "s");
        wrap_item(&w, text);
    }
    wrap_end(&w, "");
}

static void print_listeners(FILE *out, const struct policy *p)
{
    static const char *const verbs[MODE_COUNT][ACTION_COUNT] = {
        [MODE_AUDIT] = {[ACTION_REJECT] = "would reject",
                        [ACTION_DEFER] = "would defer",
                        [ACTION_LOG] = "logs"},
        [MODE_ENFORCE] =
            {[ACTION_REJECT] = "rejects", [ACTION_DEFER] = "defers", [ACTION_LOG] = "logs"},
    };
    char names[LISTENERS][80];
    int width = (int)strlen("NAMES");
    for (unsigned i = 0; i < p->listener_count; i++) {
        joined_names(p->listeners[i], names[i], sizeof names[i]);
        int n = (int)strlen(names[i]);
        width = n > width ? n : width;
    }
    fprintf(out, "%-5s  %-*s  %-11s  %-7s  %-7s  %s\n", "PORT", width, "NAMES", "ROLE", "MODE",
            "MIN_TLS", "TLS_BY");
    for (unsigned i = 0; i < p->listener_count; i++) {
        const struct listener *l = p->listeners[i];
        fprintf(out, "%-5u  %-*s  %-11s  %-7s  %-7s  %s%s\n", l->port, width, names[i],
                role_names[l->role], mode_names[l->mode], tls_version_name(l->min_tls),
                tls_by_names[l->tls_by], l->role == ROLE_SMTP && !l->public ? ", not public" : "");
        for (int a = ACTION_REJECT; a >= ACTION_LOG; a--)
            print_findings(out, l, (enum action)a, verbs[l->mode][a], PORT_WIDTH);
        if (l->mechanism_count) {
            struct wrap w;
            fprintf(out, "%*s%-*s", PORT_WIDTH, "", VERB_WIDTH, "AUTH only by");
            wrap_begin(&w, out, PORT_WIDTH + VERB_WIDTH);
            for (unsigned k = 0; k < l->mechanism_count; k++)
                wrap_item(&w, l->mechanisms[k].p);
            wrap_end(&w, "");
        }
    }
    bool audit = false;
    for (unsigned i = 0; i < p->listener_count; i++)
        audit = audit || p->listeners[i]->mode == MODE_AUDIT;
    if (audit)
        fprintf(out, "In mode audit nothing is refused; what would have been is recorded.\n");
}

/* ---- the rest ------------------------------------------------------------------ */

static void print_networks(FILE *out, const char *name, const struct prefix_list *list,
                           const struct text_list *certificates)
{
    struct wrap w;
    label(out, name);
    wrap_begin(&w, out, LABEL_WIDTH);
    unsigned shown = 0, more = 0;
    for (; list; list = list->next) {
        char text[64];
        struct buf b = BUF(text);
        prefix_format(&b, &list->prefix);
        if (shown++ < 50)
            wrap_item(&w, buf_cstr(&b));
        else
            more++;
    }
    unsigned count = 0;
    for (; certificates; certificates = certificates->next)
        count++;
    char text[64];
    if (more) {
        snprintf(text, sizeof text, "%u more", more);
        wrap_item(&w, text);
    }
    if (count) {
        snprintf(text, sizeof text, "%u client certificate%s", count, count == 1 ? "" : "s");
        wrap_item(&w, text);
    }
    wrap_end(&w, "nobody");
}

static void print_exceptions(FILE *out, const struct config *c)
{
    const struct exception_counts *n = &c->details->counts;
    char text[40];
    struct buf b = BUF(text);
    label(out, "exceptions");
    fprintf(out, "%zu", n->total);
    if (n->from_file)
        fprintf(out, " (%zu of them in %s)", n->from_file, c->details->exceptions_file);
    if (n->total)
        fprintf(out, ", %zu expired", n->expired);
    if (n->soonest_us) {
        until_format(&b, n->soonest_us);
        fprintf(out, ", the next one ends %s", buf_cstr(&b));
    }
    fputc('\n', out);
}

static void print_sockets(FILE *out, const char *name, const struct program_settings *p)
{
    struct wrap w;
    label(out, name);
    wrap_begin(&w, out, LABEL_WIDTH);
    for (unsigned i = 0; i < p->listen_count; i++) {
        const struct socket_spec *s = &p->listen[i];
        char text[256];
        struct buf b = BUF(text);
        if (s->is_unix) {
            buf_printf(&b, "unix:%s", s->path);
        } else {
            buf_cstring(&b, s->addr.bits == 128 ? "inet:[" : "inet:");
            addr_format(&b, &s->addr);
            buf_printf(&b, "%s:%u", s->addr.bits == 128 ? "]" : "", s->port);
        }
        if (*s->listener)
            buf_printf(&b, " (%s)", s->listener);
        wrap_item(&w, buf_cstr(&b));
    }
    if (p->listen_count && *p->group) {
        char text[80];
        snprintf(text, sizeof text, "group %s", p->group);
        wrap_item(&w, text);
    }
    wrap_end(&w, "no sockets");
}

static void print_tap(FILE *out, const struct tap_settings *t)
{
    label(out, "tap");
    bool any = strcmp(t->interface, "any") == 0;
    fprintf(out, "%s%s", any ? "all interfaces" : "interface ", any ? "" : t->interface);
    for (unsigned i = 0; i < t->proxied_count; i++)
        fprintf(out, "%s%u", i ? ", " : "; PROXY headers are believed on port ",
                (unsigned)t->proxied_ports[i]);
    fputc('\n', out);
}

static void print_journal(FILE *out, const struct config *c)
{
    static const char *const users[] = {"as they are", "hashed", "as their domain"};
    static const char *const addresses[] = {"as they are", "hashed", "as their network"};
    char text[400];
    struct buf b = BUF(text);
    label(out, "journal");
    if (*c->journal.path) {
        buf_printf(&b, "%s, kept ", c->journal.path);
        duration_format(&b, (uint64_t)c->journal.keep_s);
        buf_cstring(&b, ", at most ");
        size_format(&b, c->journal.max_total);
        buf_cstring(&b, " each program, ");
        if (c->journal.min_free_is_percent)
            buf_printf(&b, "%u%%", (unsigned)c->journal.min_free);
        else
            size_format(&b, c->journal.min_free);
        buf_cstring(&b, " of the disk stays free");
    } else {
        buf_cstring(&b, "none");
    }
    fprintf(out, "%s\n", buf_cstr(&b));
    label(out, "privacy");
    fprintf(out, "users %s, addresses %s\n", users[c->privacy.user], addresses[c->privacy.address]);
}

void config_summary(FILE *out, const struct config *c)
{
    print_listeners(out, c->policy);
    fputc('\n', out);
    print_networks(out, "trusted", c->details->trusted, c->details->certificates);
    print_networks(out, "monitors", c->details->monitors, NULL);
    print_exceptions(out, c);
    print_sockets(out, "policyd", &c->policyd);
    print_sockets(out, "milter", &c->milter);
    print_tap(out, &c->tap);
    print_journal(out, c);
    label(out, "help");
    fprintf(out, "%s\n", *c->policy->help_url ? c->policy->help_url : "no page for users");
    label(out, "digest");
    fprintf(out, "%s\n", c->policy->digest);
}

/* ---- check ----------------------------------------------------------------------- */

/* However long it is: a configuration of 1 MiB can need a few more. */
static bool print_whole(FILE *out, const struct config *c)
{
    for (size_t size = 64 * 1024; size <= 64 * 1024 * 1024; size *= 4) {
        char *text = malloc(size);
        if (!text)
            return false;
        struct buf b = {text, 0, size, false};
        config_print(&b, c);
        if (!b.full)
            fwrite(text, 1, b.n, out);
        free(text);
        if (!b.full)
            return true;
    }
    return false;
}

int check_report(const char *path, int flags, FILE *out, FILE *err)
{
    struct problems ps = {0};
    struct config *c = config_load(path, &ps);
    const char *name = path ? path : "(defaults)";
    FILE *to = flags & CHECK_PRINT ? err : out;
    int status = c ? EX_OK : EX_CONFIG;
    for (unsigned i = 0; i < ps.count; i++)
        print_problem(to, &ps.list[i]);
    if (!c || ps.warnings || !(flags & CHECK_PRINT))
        print_result(to, name, &ps, c != NULL);
    if (c && (flags & CHECK_PRINT)) {
        if (!print_whole(out, c))
            status = EX_OSERR;
    } else if (c) {
        fputc('\n', out);
        config_summary(out, c);
    }
    if (c && ps.warnings && (flags & CHECK_STRICT))
        status = 1;
    config_free(c);
    problems_free(&ps);
    return status;
}

int check_print(const char *path, FILE *out)
{
    return check_report(path, 0, out, out);
}
