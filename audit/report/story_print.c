/* SPDX-License-Identifier: Apache-2.0 */
/* One session, for people. */
#include <stdlib.h>

#include "audit/report/story_internal.h"
#include "core/clock.h"

/* Of these a session has one value: a second one contradicts the first. */
static const char *const single[] = {"TLS", "TLS mode", "TLS version", "server port", "user"};

static void put_sources(struct buf *b, source_set who)
{
    const char *sep = "";
    for (int i = 0; i < SOURCES; i++) {
        if (who & SOURCE_BIT(i)) {
            buf_printf(b, "%s%s", sep, source_names[i]);
            sep = ", ";
        }
    }
}

static void put_time(struct buf *b, int64_t us, int digits)
{
    size_t at = b->n;
    clock_format(b, us, digits);
    for (; at < b->n; at++)
        if (b->p[at] == 'T')
            b->p[at] = ' ';
    if (b->n && b->p[b->n - 1] == 'Z')
        b->n--;
}

static void put_client(struct buf *b, const struct seen *seen, uint16_t port,
                       struct privacy *privacy)
{
    char address[64], scratch[PRIVACY_TEXT_MAX];
    struct buf a = BUF(address), p = BUF(scratch);
    addr_format(&a, &seen->client);
    struct str shown = a.n ? buf_view(&a) : STR("unknown");
    if (privacy)
        shown = privacy_address(privacy, shown, &seen->client, &p);
    bool brackets = port && memchr(shown.p, ':', shown.n);
    buf_printf(b, brackets ? "[%.*s]" : "%.*s", STR_ARG(shown));
    if (port)
        buf_printf(b, ":%u", (unsigned)port);
}

void story_headline(struct buf *b, const struct seen *seen, int64_t first_us, uint16_t client_port,
                    struct privacy *privacy)
{
    if (first_us)
        put_time(b, first_us, 0);
    else
        buf_cstring(b, "without a time");
    buf_cstring(b, "  ");
    put_client(b, seen, client_port, privacy);
    buf_cstring(b, "  ");
    put_sources(b, seen->sources);
}

static bool same_name(const struct fact_row *a, const struct fact_row *b)
{
    return strcmp(a->name, b->name) == 0;
}

static bool is_contradicted(const struct story *s, const struct fact_row *f)
{
    bool one = false;
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        one |= strcmp(f->name, single[i]) == 0;
    for (unsigned i = 0; one && i < s->fact_count; i++)
        if (&s->facts[i] != f && same_name(&s->facts[i], f))
            return true;
    return false;
}

/* Is it the first of its name? The others are shown with it. */
static bool is_first(const struct story *s, const struct fact_row *f)
{
    for (const struct fact_row *g = s->facts; g < f; g++)
        if (same_name(f, g))
            return false;
    return true;
}

enum { VALUE_WIDE = 50 }; /* a longer value stands out of its column */

static void print_facts(const struct story *s, FILE *to)
{
    const struct fact_row *end = s->facts + s->fact_count;
    int name = 4, value = 5;
    for (const struct fact_row *f = s->facts; f < end; f++) {
        int n = (int)strlen(f->name), v = (int)f->value.n;
        name = n > name ? n : name;
        value = v > value && v <= VALUE_WIDE ? v : value;
    }
    fprintf(to, "\n%-*s  %-*s  SEEN BY\n", name, "FACT", value, "VALUE");
    for (const struct fact_row *f = s->facts; f < end; f++) {
        for (const struct fact_row *g = f; is_first(s, f) && g < end; g++) {
            char text[100];
            struct buf b = BUF(text);
            if (!same_name(f, g))
                continue;
            put_sources(&b, g->who);
            fprintf(to, "%-*s  %-*.*s  %s%s\n", name, g->name, value, STR_ARG(g->value),
                    buf_cstr(&b), is_contradicted(s, g) ? "  <- contradicts" : "");
        }
    }
}

static void print_findings(const struct story *s, FILE *to, const struct judged *j)
{
    fprintf(to, "\nFOUND%s\n", j->found ? "" : ": nothing");
    for (int f = 0; f < FINDING_COUNT; f++) {
        char text[100];
        struct buf b = BUF(text);
        if (!(j->found & FINDING_BIT(f)))
            continue;
        put_sources(&b, s->by_finding[f]);
        fprintf(to, "%s%s: %s\n    seen by: %s\n    to change: %s\n", findings[f].id,
                j->likely & FINDING_BIT(f) ? " (likely)" : "", findings[f].what,
                b.n ? buf_cstr(&b) : "all together", findings[f].fix);
    }
    /* What one saw, and another explains or rules out. */
    for (int f = 0; f < FINDING_COUNT; f++) {
        char text[100];
        struct buf b = BUF(text);
        if (!s->by_finding[f] || j->found & FINDING_BIT(f))
            continue;
        put_sources(&b, s->by_finding[f]);
        fprintf(to, "(%s, by %s: %s)\n", findings[f].id, buf_cstr(&b),
                j->excepted & FINDING_BIT(f)  ? "an exception allows it"
                : j->trusted & FINDING_BIT(f) ? "the client is trusted"
                                              : "what the others saw explains it");
    }
    for (int d = 0; d < DOUBTS; d++)
        if (j->doubts & DOUBT_BIT(d))
            fprintf(to, "not known: %s%s%s\n", doubts[d].what, doubts[d].remedy ? "; " : "",
                    doubts[d].remedy ? doubts[d].remedy : "");
    if (refuses(j->would))
        fprintf(to, "mode: enforce would %s it, because of %s\n", action_names[j->would],
                findings[j->because].id);
}

static int by_time(const void *pa, const void *pb)
{
    const struct moment *a = pa, *b = pb;
    if (a->us != b->us)
        return a->us < b->us ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static void print_moments(struct story *s, FILE *to)
{
    qsort(s->moments, s->moment_count, sizeof *s->moments, by_time);
    fprintf(to, "\nIN ORDER\n");
    for (unsigned i = 0; i < s->moment_count; i++) {
        const struct moment *m = &s->moments[i];
        char text[64];
        struct buf b = BUF(text);
        if (m->us)
            put_time(&b, m->us, m->us % US_PER_S ? 6 : 0);
        fprintf(to, "%-26s  %-7s  %.*s\n", buf_cstr(&b), source_names[m->source], STR_ARG(m->text));
    }
    if (s->moments_left_out)
        fprintf(to, "and %u more\n", s->moments_left_out);
}

int story_print(struct story *s, FILE *to, const struct judge *j, const struct seen *seen,
                int64_t first_us, int64_t last_us, uint16_t client_port)
{
    char text[512];
    struct buf b = BUF(text);
    struct judged judged;
    if (s->failed)
        return -1;
    judge(j, seen, last_us, &judged);
    put_client(&b, seen, client_port, s->privacy);
    fprintf(to, "client    %s\n", buf_cstr(&b));
    b.n = 0;
    if (first_us) {
        put_time(&b, first_us, first_us % US_PER_S ? 6 : 0);
        buf_printf(&b, " UTC, %.1f s", (double)(last_us - first_us) / US_PER_S);
        fprintf(to, "time      %s\n", buf_cstr(&b));
        b.n = 0;
    }
    if (judged.listener)
        fprintf(to, "port      %u (%s), role %s\n", (unsigned)judged.listener->port,
                judged.listener->names[0].p, role_names[judged.listener->role]);
    fprintf(to, "TLS mode  %s\n", tls_mode_names[judged.mode]);
    put_sources(&b, seen->sources);
    fprintf(to, "seen by   %s\n", buf_cstr(&b));
    print_facts(s, to);
    print_findings(s, to, &judged);
    print_moments(s, to);
    return fflush(to) != 0 || ferror(to) ? -1 : 0;
}
