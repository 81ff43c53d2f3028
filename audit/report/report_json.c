/* SPDX-License-Identifier: Apache-2.0 */
/* The report as JSON; docs/audit.md has the schema. What is not known is left out. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "audit/report/report.h"
#include "journal/json.h"

struct json {
    FILE *to;
    bool begun;  /* something stands in this object or array already */
    int depth;   /* of objects and arrays */
    bool failed; /* memory has ended */
};

/* ---- pieces --------------------------------------------------------------------- */

static void put_string(struct json *j, const char *s)
{
    char small[JSON_STRING_MAX(400)];
    size_t n = strlen(s);
    struct buf b = BUF(small);
    char *large = NULL;
    if (n > 400) {
        large = malloc(JSON_STRING_MAX(n));
        b = (struct buf){large, 0, large ? JSON_STRING_MAX(n) : 0, false};
    }
    json_put_string(&b, (struct str){s, n});
    j->failed |= b.full;
    fwrite(b.p, 1, b.n, j->to);
    free(large);
}

static void next(struct json *j)
{
    if (j->begun)
        fputs(j->depth == 1 ? ",\n" : ",", j->to);
    j->begun = true;
}

/* `name` NULL: in an array. */
static void name(struct json *j, const char *name)
{
    next(j);
    if (name)
        fprintf(j->to, "\"%s\":", name);
}

static void begin(struct json *j, const char *as, char bracket)
{
    name(j, as);
    fputc(bracket, j->to);
    j->begun = false;
    j->depth++;
}

static void end(struct json *j, char bracket)
{
    fputc(bracket, j->to);
    j->begun = true;
    j->depth--;
}

/* An element of a list, in a line of its own. */
static void begin_element(struct json *j)
{
    next(j);
    fputs("\n {", j->to);
    j->begun = false;
    j->depth++;
}

static void number(struct json *j, const char *as, uint64_t v)
{
    name(j, as);
    fprintf(j->to, "%" PRIu64, v);
}

static void boolean(struct json *j, const char *as, bool v)
{
    name(j, as);
    fputs(v ? "true" : "false", j->to);
}

/* NULL and "" are left out. */
static void string(struct json *j, const char *as, const char *s)
{
    if (!s || !*s)
        return;
    name(j, as);
    put_string(j, s);
}

/* 0 is left out. */
static void when(struct json *j, const char *as, int64_t us)
{
    char text[40];
    struct buf b = BUF(text);
    if (us == 0)
        return;
    clock_format(&b, us, 6);
    string(j, as, buf_cstr(&b));
}

static void strings(struct json *j, const char *as, const char *const *list, size_t n)
{
    begin(j, as, '[');
    for (size_t i = 0; i < n; i++) {
        next(j);
        put_string(j, list[i]);
    }
    end(j, ']');
}

static void ids(struct json *j, const char *as, finding_set set)
{
    const char *list[FINDING_COUNT];
    size_t n = 0;
    for (int f = 0; f < FINDING_COUNT; f++)
        if (set & FINDING_BIT(f))
            list[n++] = findings[f].id;
    strings(j, as, list, n);
}

static void modes(struct json *j, const uint64_t by_mode[TLS_MODES])
{
    begin(j, "modes", '{');
    for (int m = 0; m < TLS_MODES; m++)
        number(j, tls_mode_names[m], by_mode[m]);
    end(j, '}');
}

/* The journal's words. */
static const char *const felt[ACTION_COUNT] = {
    [ACTION_NONE] = "pass",   [ACTION_IGNORE] = "pass",   [ACTION_LOG] = "pass",
    [ACTION_DEFER] = "defer", [ACTION_REJECT] = "reject",
};

/* ---- sections ------------------------------------------------------------------- */

static void put_input(struct json *j, const struct report_input *in)
{
    begin(j, "input", '{');
    strings(j, "sources", in->sources, in->source_count);
    number(j, "lines", in->lines);
    number(j, "bytes", in->bytes);
    number(j, "mta_lines", in->ours);
    number(j, "unknown_lines", in->unknown_ours);
    when(j, "first", in->first_us);
    when(j, "last", in->last_us);
    when(j, "since", in->since_us);
    name(j, "seconds");
    fprintf(j->to, "%.3f", in->seconds);
    if (in->sessions) {
        number(j, "incomplete_sessions", in->sessions->incomplete);
        number(j, "evicted_sessions", in->sessions->evicted);
        number(j, "homeless_lines", in->sessions->homeless);
    }
    if (in->join) {
        begin(j, "journals", '{');
        number(j, "events", in->journals->events);
        number(j, "bad_lines", in->journals->bad);
        number(j, "missing_lines", in->journals->missing);
        number(j, "joined_sessions", in->join->joined);
        number(j, "alone_sessions", in->join->alone);
        number(j, "ambiguous_sessions", in->join->ambiguous);
        number(j, "events_left_out", in->join->overflow);
        end(j, '}');
    }
    end(j, '}');
}

static void put_totals(struct json *j, const struct report *r)
{
    begin(j, "sessions", '{');
    number(j, "count", r->sessions);
    number(j, "customers", r->customers);
    number(j, "strangers", r->sessions - r->customers);
    number(j, "unknown", r->unknown);
    number(j, "excepted", r->excepted);
    number(j, "trusted", r->trusted);
    number(j, "not_counted", r->overflow);
    modes(j, r->by_mode);
    end(j, '}');
    begin(j, "customers", '{');
    number(j, "users", r->users);
    for (int s = 0; s < STATE_COUNT; s++) {
        begin(j, report_state_names[s], '{');
        number(j, "sessions", r->share[s].sessions);
        number(j, "users", r->share[s].users);
        end(j, '}');
    }
    end(j, '}');
}

static void put_listener(struct json *j, const struct listener *l)
{
    if (!l)
        return;
    number(j, "server_port", l->port);
    string(j, "role", role_names[l->role]);
}

static void put_listeners(struct json *j, const struct report *r)
{
    begin(j, "listeners", '[');
    for (unsigned i = 0; i < r->listener_count; i++) {
        const struct report_listener *l = &r->listeners[i];
        begin_element(j);
        string(j, "listener", l->name);
        string(j, "host", l->host);
        put_listener(j, l->listener);
        boolean(j, "shared", l->shared);
        string(j, "known_by", report_known_by_ids[l->known_by]);
        number(j, "sessions", l->sessions);
        number(j, "customers", l->customers);
        number(j, "logins", l->logins);
        modes(j, l->by_mode);
        end(j, '}');
    }
    end(j, ']');
}

static void put_counts(struct json *j, const char *as, const char *id,
                       const struct report_count *list, unsigned count)
{
    begin(j, as, '[');
    for (unsigned i = 0; i < count; i++) {
        begin_element(j);
        string(j, id, list[i].id);
        number(j, "sessions", list[i].sessions);
        number(j, "customers", list[i].customers);
        number(j, "flagged", list[i].flagged);
        end(j, '}');
    }
    end(j, ']');
}

static void put_findings(struct json *j, const struct report *r)
{
    begin(j, "findings", '[');
    for (unsigned i = 0; i < r->finding_count; i++) {
        const struct report_finding *f = &r->findings[i];
        begin_element(j);
        string(j, "finding", findings[f->finding].id);
        string(j, "what", findings[f->finding].what);
        string(j, "fix", findings[f->finding].fix);
        number(j, "sessions", f->sessions);
        number(j, "likely", f->likely);
        number(j, "customers", f->customers);
        number(j, "users", f->users);
        number(j, "clients", f->clients);
        end(j, '}');
    }
    end(j, ']');
}

static void put_part(struct json *j, const struct report_part *p)
{
    begin(j, NULL, '{');
    ids(j, "findings", p->findings);
    ids(j, "likely", p->likely);
    number(j, "sessions", p->sessions);
    when(j, "first", p->first_us);
    when(j, "last", p->last_us);
    string(j, "listener", p->listener);
    put_listener(j, p->on);
    if (p->software)
        string(j, "client_software", p->software->id);
    string(j, "client_version", p->version);
    if (p->offered)
        string(j, "tls_offered_highest", tls_version_name(p->offered));
    string(j, "ja4", p->ja4);
    string(j, "would", felt[p->would]);
    string(j, "setting", p->setting);
    end(j, '}');
}

static void put_entries(struct json *j, const struct report_entry *list, unsigned count)
{
    begin(j, "entries", '[');
    for (unsigned i = 0; i < count; i++) {
        const struct report_entry *e = &list[i];
        begin_element(j);
        boolean(j, "customer", e->customer);
        strings(j, "sasl_usernames", e->users.list, e->users.count);
        string(j, "user_known_by", report_who_names[e->who]);
        strings(j, "client_addresses", e->clients.list, e->clients.count);
        string(j, "client_name", e->name);
        if (e->finding < FINDING_COUNT)
            string(j, "finding", findings[e->finding].id);
        ids(j, "findings", e->findings);
        number(j, "sessions", e->sessions);
        number(j, "likely", e->likely);
        number(j, "breaks", e->breaks);
        when(j, "first", e->first_us);
        when(j, "last", e->last_us);
        string(j, "would", felt[e->would]);
        string(j, "setting", e->setting);
        begin(j, "parts", '[');
        for (unsigned k = 0; k < e->part_count; k++)
            put_part(j, &e->parts[k]);
        end(j, ']');
        end(j, '}');
    }
    end(j, ']');
}

static void put_refused(struct json *j, const struct report *r)
{
    begin(j, "refused", '{');
    number(j, "sessions", r->refused_sessions);
    number(j, "users", r->refused_customers);
    number(j, "device_sessions", r->refused_devices);
    number(j, "device_clients", r->refused_device_clients);
    put_entries(j, r->refused, r->refused_count);
    end(j, '}');
}

static void put_doubts(struct json *j, const struct report *r)
{
    begin(j, "doubts", '[');
    for (unsigned i = 0; i < r->doubt_count; i++) {
        const struct doubt_info *d = &doubts[r->doubts[i].doubt];
        begin_element(j);
        string(j, "doubt", d->id);
        string(j, "what", d->what);
        string(j, "remedy", d->remedy);
        number(j, "sessions", r->doubts[i].sessions);
        end(j, '}');
    }
    end(j, ']');
}

static void put_drift(struct json *j, const struct shapes *s)
{
    begin(j, "drift", '{');
    number(j, "lines", s ? s->lines : 0);
    number(j, "other_lines", s ? s->overflow : 0);
    begin(j, "shapes", '[');
    for (unsigned i = 0; s && i < s->count; i++) {
        begin_element(j);
        string(j, "shape", s->list[i].text);
        number(j, "lines", s->list[i].count);
        number(j, "first_line", s->list[i].first_line);
        end(j, '}');
    }
    end(j, ']');
    end(j, '}');
}

int report_json(FILE *to, const struct report *r)
{
    struct json j = {.to = to};
    begin(&j, NULL, '{');
    string(&j, "schema", "mailreeve-audit");
    number(&j, "v", 1);
    string(&j, "version", MAILREEVE_VERSION);
    string(&j, "by", report_by_names[r->by]);
    string(&j, "policy", r->policy);
    boolean(&j, "policy_given", r->policy_given);
    put_input(&j, r->input);
    put_totals(&j, r);
    put_listeners(&j, r);
    put_counts(&j, "tls_versions", "encryption_protocol", r->versions, r->version_count);
    put_counts(&j, "ciphers", "encryption_cipher", r->ciphers, r->cipher_count);
    put_counts(&j, "software", "client_software", r->software, r->software_count);
    put_findings(&j, r);
    put_entries(&j, r->entries, r->entry_count);
    put_refused(&j, r);
    put_doubts(&j, r);
    put_drift(&j, r->input->shapes);
    strings(&j, "problems", r->input->problems, r->input->problem_count);
    end(&j, '}');
    fputc('\n', to);
    if (j.failed)
        errno = ENOMEM;
    return j.failed || fflush(to) != 0 || ferror(to) ? -1 : 0;
}
