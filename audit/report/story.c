/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report/story.h"

#include <stddef.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/catalogue.h"
#include "core/clock.h"
#include "edge/log.h"
#include "journal/json.h"

enum { FACTS_MAX = 128, MOMENTS_MAX = 1000 };

struct fact_row {
    const char *name;
    struct str value;
    source_set who;
};

struct moment {
    int64_t us;
    unsigned number; /* in the order in which they were told */
    enum source source;
    struct str text;
};

struct story {
    struct privacy *privacy;
    struct arena arena;
    struct fact_row facts[FACTS_MAX];
    unsigned fact_count;
    struct moment moments[MOMENTS_MAX];
    unsigned moment_count, moments_left_out;
    source_set by_finding[FINDING_COUNT];
    bool failed;
};

/* Of these a session has one value: a second one contradicts the first. */
static const char *const single[] = {"TLS", "TLS mode", "TLS version", "server port", "user"};

struct story *story_new(struct privacy *privacy)
{
    struct story *s = calloc(1, sizeof *s);
    if (s)
        s->privacy = privacy;
    return s;
}

void story_free(struct story *s)
{
    if (s)
        arena_free(&s->arena);
    free(s);
}

/* ---- what is told ------------------------------------------------------------------------ */

/* Printable, in the story's memory. */
static struct str keep(struct story *s, struct str text)
{
    char clean[2 * STORY_TEXT_MAX];
    struct buf b = BUF(clean);
    log_sanitise(&b, text);
    char *copy = arena_strdup(&s->arena, buf_view(&b));
    s->failed |= !copy;
    return (struct str){copy, copy ? b.n : 0};
}

static void add_fact(struct story *s, const char *name, struct str value, enum source who)
{
    if (value.n == 0)
        return;
    struct str text = keep(s, value);
    for (unsigned i = 0; i < s->fact_count; i++) {
        if (strcmp(s->facts[i].name, name) == 0 && str_eq(s->facts[i].value, text)) {
            s->facts[i].who |= SOURCE_BIT(who);
            return;
        }
    }
    if (s->fact_count < FACTS_MAX)
        s->facts[s->fact_count++] = (struct fact_row){name, text, SOURCE_BIT(who)};
}

static void add_number(struct story *s, const char *name, const char *unit, int64_t v,
                       enum source who)
{
    char text[64];
    struct buf b = BUF(text);
    buf_printf(&b, "%lld%s", (long long)v, unit);
    if (v)
        add_fact(s, name, buf_view(&b), who);
}

static void add_list(struct story *s, const char *name, struct str raw, enum source who)
{
    char text[STORY_TEXT_MAX];
    struct buf b = BUF(text);
    struct str one;
    while (json_next_string(&raw, &one)) {
        if (b.n)
            buf_char(&b, ' ');
        buf_str(&b, one);
    }
    add_fact(s, name, buf_view(&b), who);
}

static struct str yes_or_no(enum told told)
{
    return told == TOLD_YES ? STR("yes") : told == TOLD_NO ? STR("no") : STR("");
}

void story_moment(struct story *s, int64_t us, enum source source, struct str text)
{
    if (s->moment_count == MOMENTS_MAX) {
        s->moments_left_out++;
        return;
    }
    s->moments[s->moment_count] = (struct moment){us, s->moment_count, source, keep(s, text)};
    s->moment_count++;
}

static void put_findings(struct buf *b, finding_set found, finding_set likely)
{
    for (int f = 0; f < FINDING_COUNT; f++)
        if (found & FINDING_BIT(f))
            buf_printf(b, " %s%s", findings[f].id, likely & FINDING_BIT(f) ? " (likely)" : "");
}

static void event_moment(struct story *s, const struct event *e, struct str word)
{
    char text[STORY_TEXT_MAX];
    struct buf b = BUF(text);
    buf_str(&b, word);
    if (e->stage.n)
        buf_printf(&b, " at %.*s", STR_ARG(e->stage));
    if (e->action.n)
        buf_printf(&b, ": %.*s", STR_ARG(e->action));
    if (e->would.n && !str_eq(e->would, e->action))
        buf_printf(&b, ", would %.*s", STR_ARG(e->would));
    put_findings(&b, e->found, e->likely);
    story_moment(s, e->wall_us, e->source, buf_view(&b));
}

/* Texts of an event that are facts of the session, in the order in which they are shown. */
static const struct {
    const char *name;
    size_t at;
} texts[] = {
    {"listener", offsetof(struct event, listener)},
    {"first bytes", offsetof(struct event, first_bytes)},
    {"client spoke", offsetof(struct event, tls_mode)},
    {"TLS version", offsetof(struct event, tls_version)},
    {"TLS cipher", offsetof(struct event, cipher)},
    {"highest TLS version offered", offsetof(struct event, offered_highest)},
    {"TLS server name", offsetof(struct event, tls_sni)},
    {"TLS ALPN", offsetof(struct event, tls_alpn)},
    {"JA4", offsetof(struct event, ja4)},
    {"ClientHello was", offsetof(struct event, handshake)},
    {"EHLO name", offsetof(struct event, helo)},
    {"SASL mechanism", offsetof(struct event, mechanism)},
    {"queue id", offsetof(struct event, queue_id)},
    {"connected from proxy", offsetof(struct event, proxy)},
};

void story_event(struct story *s, const struct event *e, struct str word)
{
    enum source who = e->source;
    bool tls = e->tls == TOLD_YES || str_eq(e->handshake, STR("answered"));
    add_number(s, "server port", "", e->server_port, who);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add_fact(s, texts[i].name, *(const struct str *)((const char *)e + texts[i].at), who);
    add_list(s, "TLS versions offered", e->offered, who);
    add_number(s, "TLS alert", "", e->alert, who);
    add_list(s, "commands in clear text", e->commands, who);
    add_number(s, "lines that are no command", "", e->unknown_commands, who);
    add_number(s, "silent for", " ms", e->kind == EVENT_SESSION ? e->silent_ms : 0, who);
    add_fact(s, "TLS", tls ? STR("yes") : yes_or_no(e->tls), who);
    if (e->kind == EVENT_AUTH_REFUSED)
        add_fact(s, "tried to log in as", e->user, who);
    else
        add_fact(s, "user", e->user, who);
    const struct software_info *info = catalogue_by_id(e->software);
    add_fact(s, "program", info ? str_of(info->name) : STR(""), who);
    add_fact(s, "its version", e->software_version, who);
    add_number(s, "MTA process", "", event_pid(e), who);
    for (int f = 0; f < FINDING_COUNT; f++)
        if (e->found & FINDING_BIT(f))
            s->by_finding[f] |= SOURCE_BIT(who);
    event_moment(s, e, word);
}

void story_log(struct story *s, const struct judge *j, const struct seen *seen, int64_t at_us)
{
    char scratch[PRIVACY_TEXT_MAX];
    struct buf b = BUF(scratch);
    struct judged judged;
    struct str user = names_text(j->names, seen->user);
    judge(j, seen, at_us, &judged);
    if (judged.listener)
        add_number(s, "server port", "", judged.listener->port, SOURCE_LOG);
    add_fact(s, "name in the log", names_text(j->names, seen->listener), SOURCE_LOG);
    if (judged.mode)
        add_fact(s, "TLS mode", str_of(tls_mode_names[judged.mode]), SOURCE_LOG);
    if (seen->flags & SEEN_TLS)
        add_fact(s, "TLS", STR("yes"), SOURCE_LOG);
    else if (judged.mode == TLS_MODE_CLEARTEXT && seen->flags & SEEN_MAIL)
        add_fact(s, "TLS", STR("no"), SOURCE_LOG);
    add_fact(s, "TLS version", str_of(tls_version_name(seen->tls_version)), SOURCE_LOG);
    add_fact(s, "TLS cipher", names_text(j->names, seen->cipher), SOURCE_LOG);
    add_fact(s, "user", s->privacy ? privacy_user(s->privacy, user, &b) : user, SOURCE_LOG);
    add_fact(s, "SASL mechanism", names_text(j->names, seen->mechanism), SOURCE_LOG);
    if (seen->software)
        add_fact(s, "program", str_of(catalogue[seen->software - 1].name), SOURCE_LOG);
    add_fact(s, "its version", names_text(j->names, seen->software_version), SOURCE_LOG);
    add_fact(s, "handshake failed, in OpenSSL's words", str_of(sessions_reason(seen->reason)),
             SOURCE_LOG);
    for (int f = 0; f < FINDING_COUNT; f++)
        if (judged.found & FINDING_BIT(f))
            s->by_finding[f] |= SOURCE_BIT(SOURCE_LOG);
}

/* ---- printing ---------------------------------------------------------------------------- */

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

static bool is_contradicted(const struct story *s, const struct fact_row *f)
{
    bool one = false;
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        one |= strcmp(f->name, single[i]) == 0;
    for (unsigned i = 0; one && i < s->fact_count; i++)
        if (&s->facts[i] != f && strcmp(s->facts[i].name, f->name) == 0)
            return true;
    return false;
}

static int by_name(const void *pa, const void *pb)
{
    const struct fact_row *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

static void print_facts(struct story *s, FILE *to)
{
    int name = 4, value = 5;
    /* Those of one name follow each other. */
    for (unsigned i = 0; i < s->fact_count; i++)
        for (unsigned k = i + 1; k < s->fact_count; k++)
            if (by_name(&s->facts[i], &s->facts[k]) == 0 && k > i + 1) {
                struct fact_row moved = s->facts[k];
                memmove(&s->facts[i + 2], &s->facts[i + 1], (k - i - 1) * sizeof moved);
                s->facts[i + 1] = moved;
                break;
            }
    for (unsigned i = 0; i < s->fact_count; i++) {
        int n = (int)strlen(s->facts[i].name), v = (int)s->facts[i].value.n;
        name = n > name ? n : name;
        value = v > value && v <= 50 ? v : value;
    }
    fprintf(to, "\n%-*s  %-*s  SEEN BY\n", name, "FACT", value, "VALUE");
    for (unsigned i = 0; i < s->fact_count; i++) {
        const struct fact_row *f = &s->facts[i];
        char text[100];
        struct buf b = BUF(text);
        put_sources(&b, f->who);
        fprintf(to, "%-*s  %-*.*s  %s%s\n", name, f->name, value, STR_ARG(f->value), buf_cstr(&b),
                is_contradicted(s, f) ? "  <- contradicts" : "");
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
