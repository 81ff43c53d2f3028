/* SPDX-License-Identifier: Apache-2.0 */
#include "session_help.h"

const struct sipkey given_key = {1, 2};

/* Friday 2026-11-20 22:13:20 UTC: after all stamps in the tests. */
static const int64_t reference_us = INT64_C(1795212800) * US_PER_S;

static void take(void *context, const struct closed_session *c)
{
    struct given *g = context;
    assert_true(g->count < GIVEN_MAX);
    memcpy(&g->list[g->count].seen, c->seen, sizeof *c->seen);
    g->list[g->count].number = c->number;
    g->list[g->count].first_position = c->first_position;
    g->list[g->count].first_us = c->first_us;
    g->list[g->count].last_us = c->last_us;
    assert_true(c->queue_id.n < sizeof g->list->queue_id);
    snprintf(g->list[g->count].queue_id, sizeof g->list->queue_id, "%.*s", STR_ARG(c->queue_id));
    g->count++;
}

void given_open(struct given *g, unsigned max_open, int64_t idle_us)
{
    struct sessions_settings s = {max_open, idle_us, take, g};
    memset(g, 0, sizeof *g);
    g->names = names_new(&given_key, 10000);
    g->sessions = sessions_new(g->names, &given_key, &s);
    assert_true(g->names && g->sessions);
    setenv("TZ", "UTC", 1);
    stamps_init(&g->stamps, reference_us);
}

void given_close(struct given *g)
{
    sessions_free(g->sessions);
    names_free(g->names);
}

static uint64_t give_str(struct given *g, struct str line)
{
    struct log_line l;
    struct message m;
    /* A copy of just that size, so that a sanitizer sees a byte too far. */
    char *copy = malloc(line.n ? line.n : 1);
    assert_non_null(copy);
    memcpy(copy, line.p, line.n);
    line_parse(&g->stamps, (struct str){copy, line.n}, &l);
    g->position++;
    uint64_t number = message_parse(&l, &m) ? sessions_line(g->sessions, &l, &m, g->position) : 0;
    free(copy);
    return number;
}

uint64_t give(struct given *g, const char *line)
{
    return give_str(g, str_of(line));
}

uint64_t given_say(struct given *g, const char *time, const char *tag, unsigned pid,
                   const char *message)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "Nov 20 10:%s mx %s[%u]: %s", time, tag, pid, message);
    assert_true(n > 0 && (size_t)n < sizeof line);
    return give(g, line);
}

uint64_t given_smtpd(struct given *g, const char *time, unsigned pid, const char *message)
{
    return given_say(g, time, "postfix/submission/smtpd", pid, message);
}

struct str given_text(const struct given *g, uint32_t id)
{
    return names_text(g->names, id);
}

void assert_seen(const struct given *g, unsigned i, uint32_t are, uint32_t are_not)
{
    assert_int_equal(g->list[i].seen.flags & are, are);
    assert_int_equal(g->list[i].seen.flags & are_not, 0);
}

void give_log(struct given *g, const char *text)
{
    struct str rest = str_of(text);
    while (rest.n)
        give_str(g, str_cut(&rest, "\n"));
    sessions_end(g->sessions);
}

void court_open(struct court *c, const char *yaml, const char *log,
                const struct listener_option *options, unsigned option_count)
{
    struct problems problems = {0};
    struct err err = {0};
    given_open(&c->given, 0, 0);
    give_log(&c->given, log);
    c->config =
        yaml ? config_parse(str_of(yaml), "test.yaml", &problems) : config_load(NULL, &problems);
    c->ciphers = ciphers_new(&err);
    assert_true(c->config && c->ciphers);
    problems_free(&problems);
    memset(&c->listeners, 0, sizeof c->listeners);
    for (unsigned i = 0; i < c->given.count; i++)
        log_listeners_add(&c->listeners, &c->given.list[i].seen);
    log_listeners_resolve(&c->listeners, c->given.names, c->config->policy, yaml != NULL, options,
                          option_count);
    c->judge = (struct judge){c->config->policy, &c->listeners, c->given.names, c->ciphers};
}

void court_close(struct court *c)
{
    given_close(&c->given);
    ciphers_free(c->ciphers);
    config_free(c->config);
}

struct judged judged(const struct court *c, unsigned i)
{
    struct judged is;
    assert_true(i < c->given.count);
    judge(&c->judge, &c->given.list[i].seen, reference_us, &is);
    return is;
}

const char *sentence(const struct court *c, unsigned i)
{
    static char text[512];
    struct buf b = {text, 0, sizeof text - 1, false};
    struct judged is = judged(c, i);
    buf_str(&b, str_of(tls_mode_names[is.mode]));
    for (int f = 0; f < FINDING_COUNT; f++)
        if (is.found & FINDING_BIT(f)) {
            buf_char(&b, ' ');
            buf_str(&b, str_of(findings[f].id));
        }
    if (!is.found)
        buf_str(&b, STR(" -"));
    text[b.n] = '\0';
    return text;
}
