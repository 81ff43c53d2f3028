/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/report_help.h"

void world_open(struct world *w, const char *policy, uint32_t max_rows)
{
    struct problems ps = {0};
    struct err e;
    *w = (struct world){.key = {1, 2}};
    w->config = config_parse(str_of(policy), "test.yaml", &ps);
    assert_non_null(w->config);
    problems_free(&ps);
    w->ciphers = ciphers_new(&e);
    assert_non_null(w->ciphers);
    w->names = names_new(&w->key, 1000 * 1000);
    assert_non_null(w->names);
    w->tally = tally_new(w->names, &w->key, max_rows);
    assert_non_null(w->tally);
    w->judge = (struct judge){w->config->policy, &w->listeners, w->names, w->ciphers};
    w->settings = (struct report_settings){.judge = &w->judge, .policy_given = *policy != '\0'};
    static const char *const sources[] = {"mail.log.1", "mail.log"};
    w->input = (struct report_input){.sources = sources,
                                     .source_count = 2,
                                     .lines = 128412,
                                     .bytes = 20000000,
                                     .ours = 41020,
                                     .unknown_ours = 12,
                                     .first_us = NOON - 86400 * US_PER_S,
                                     .last_us = NOON + 3600 * US_PER_S,
                                     .seconds = 0.4};
}

void world_close(struct world *w)
{
    report_free(w->report);
    tally_free(w->tally);
    names_free(w->names);
    ciphers_free(w->ciphers);
    config_free(w->config);
}

struct seen session_on(struct world *w, const char *listener, const char *client)
{
    struct seen s;
    memset(&s, 0, sizeof s);
    s.flags = SEEN_CONNECT | SEEN_END | SEEN_COUNTS | SEEN_HELO | SEEN_QUIT;
    if (strchr(listener, '/') == NULL)
        s.flags |= SEEN_BARE;
    s.mta = MTA_POSTFIX;
    s.listener = names_id(w->names, str_of(listener));
    s.host = names_id(w->names, STR("mx"));
    assert_true(addr_parse(str_of(client), &s.client));
    return s;
}

struct seen tls_on(struct world *w, const char *listener, const char *client, unsigned version,
                   const char *cipher)
{
    struct seen s = session_on(w, listener, client);
    bool implicit = strstr(listener, "smtps") != NULL;
    s.flags |= SEEN_TLS | (implicit ? 0 : SEEN_STARTTLS);
    s.mode = implicit ? TLS_MODE_IMPLICIT : TLS_MODE_STARTTLS;
    if (version) {
        s.flags |= SEEN_TLS_LINE;
        s.tls_version = (uint16_t)version;
        s.cipher = names_id(w->names, str_of(cipher));
        s.bits = 256;
    }
    return s;
}

struct seen mail_of(struct world *w, struct seen s, const char *user)
{
    s.flags |= SEEN_AUTH | SEEN_MAIL | SEEN_MAIL_TAKEN;
    s.user = names_id(w->names, str_of(user));
    s.mechanism = names_id(w->names, STR("PLAIN"));
    return s;
}

struct seen failed_as(struct world *w, struct seen s, const char *user)
{
    s.flags |= SEEN_AUTH_FAILED;
    s.failed_user = sessions_user_hash(&w->key, str_of(user));
    return s;
}

void see(struct world *w, struct seen s, unsigned count, int64_t first_s, int64_t last_s)
{
    struct closed_session c = {
        .seen = &s, .first_us = NOON + first_s * US_PER_S, .last_us = NOON + last_s * US_PER_S};
    while (count--) {
        log_listeners_add(&w->listeners, &s);
        tally_add(w->tally, &c);
    }
}

const struct report *make_report(struct world *w, enum report_by by)
{
    log_listeners_resolve(&w->listeners, w->names, w->config->policy, w->settings.policy_given,
                          NULL, 0);
    report_free(w->report);
    w->settings.by = by;
    w->report = report_new(w->tally, &w->input, &w->settings);
    assert_non_null(w->report);
    return w->report;
}

char *text_of(const struct report *r, unsigned width, unsigned rows, bool colour)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    assert_int_equal(report_text(f, r, &(struct report_style){width, colour, rows}), 0);
    fclose(f);
    return text;
}

char *written(int (*write)(FILE *, const struct report *), const struct report *r)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    assert_int_equal(write(f, r), 0);
    fclose(f);
    return text;
}

/* The file, with the program's version where it says @VERSION@. */
static char *read_expected(const char *path)
{
    char *text = NULL, line[8000];
    size_t n;
    FILE *f = fopen(path, "rb"), *to = open_memstream(&text, &n);
    assert_non_null(to);
    while (f && fgets(line, sizeof line, f)) {
        char *at = strstr(line, "@VERSION@");
        if (at)
            fprintf(to, "%.*s%s%s", (int)(at - line), line, MAILREEVE_VERSION, at + 9);
        else
            fputs(line, to);
    }
    if (f)
        fclose(f);
    fclose(to);
    return text;
}

void expect_file(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "tests/audit/report/%s", name);
    char *expected = read_expected(path);
    bool same = strcmp(expected, text) == 0;
    free(expected);
    if (same)
        return;
    fprintf(stderr, "%s", text);
    fail_msg("what stands above differs from %s", path);
}
