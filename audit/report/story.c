/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of one session, gathered. */
#include <stddef.h>
#include <stdlib.h>

#include "audit/report/story_internal.h"
#include "core/catalogue.h"
#include "edge/log.h"
#include "journal/json.h"

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
