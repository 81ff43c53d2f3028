/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded logs (tests/audit/traces/NAME.log) against tables written by hand
 * (expected-NAME.txt): what is said of each session. What a row is, the first of the tables says.
 * Each "# CASE" of a recording is a log of its own; what a listener's name stands for is asked of
 * the whole recording.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/config.h"
#include "core/now.h"
#include "audit/session/judge.h"
#include "audit/session/sessions.h"

enum { ROWS_MAX = 600, SESSIONS_MAX = 600, CASE_MAX = 80 };

struct row {
    char cases[160], mode[16], findings[160], user[40], decides[8];
    unsigned line, used;
};

struct session_of_case {
    char name[CASE_MAX]; /* "stdutf8/465.proper_auth_send#2" */
    struct seen seen;
    uint64_t number;
};

static struct {
    struct row rows[ROWS_MAX];
    unsigned row_count;
    struct session_of_case sessions[SESSIONS_MAX];
    unsigned session_count, first_of_case;
    char name[CASE_MAX];
    struct names *names;
    struct log_listeners listeners;
    unsigned all, wrong, decided, undecided;
} t;

static const struct sipkey key = {1, 2};

/* ---- the table ---------------------------------------------------------------- */

static FILE *open_file(const char *name, const char *form)
{
    char file[64], path[512];
    const char *dir = getenv("SRCDIR");
    snprintf(file, sizeof file, form, name);
    snprintf(path, sizeof path, "%s/tests/audit/traces/%s", dir ? dir : ".", file);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    return f;
}

static void read_rows(const char *name)
{
    char line[1024];
    unsigned n = 0;
    FILE *f = open_file(name, "expected-%s.txt");
    while (fgets(line, sizeof line, f)) {
        struct row r = {.line = ++n};
        if (line[0] == '\n' || line[0] == '#')
            continue;
        if (sscanf(line, "%159s %15s %159s %39s %7s", r.cases, r.mode, r.findings, r.user,
                   r.decides) != 5)
            fail_msg("expected-%s.txt:%u: not five columns", name, n);
        assert_true(t.row_count < ROWS_MAX);
        t.rows[t.row_count++] = r;
    }
    fclose(f);
}

/* "a,b" has "b". */
static bool list_has(struct str list, struct str word)
{
    while (list.p)
        if (str_eq(str_cut(&list, ","), word))
            return true;
    return false;
}

/* "stdutf8,lax/25,587.plain_wait_banner" fits "lax/587.plain_wait_banner"; without a dot or a slash
 * it is the name. */
static bool fits(const char *pattern, const char *name)
{
    struct str p = str_of(pattern), n = str_of(name);
    struct str p_profile = str_cut(&p, "/"), n_profile = str_cut(&n, "/");
    if (!memchr(pattern, '.', strlen(pattern)))
        return str_eq(p_profile, n_profile) && str_eq(p, n);
    struct str p_port = str_cut(&p, "."), n_port = str_cut(&n, ".");
    return list_has(p_profile, n_profile) && list_has(p_port, n_port) && str_eq(p, n);
}

static struct row *row_of(const char *name)
{
    struct row *found = NULL;
    for (unsigned i = 0; i < t.row_count; i++) {
        if (!fits(t.rows[i].cases, name))
            continue;
        if (found)
            fail_msg("%s: in lines %u and %u", name, found->line, t.rows[i].line);
        found = &t.rows[i];
    }
    return found;
}

/* ---- the recording ------------------------------------------------------------- */

static void take(void *context, const struct closed_session *c)
{
    (void)context;
    assert_true(t.session_count < SESSIONS_MAX);
    struct session_of_case *s = &t.sessions[t.session_count++];
    memcpy(&s->seen, c->seen, sizeof s->seen);
    s->number = c->number;
    log_listeners_add(&t.listeners, c->seen);
}

static struct sessions *begin_case(const char *name)
{
    struct sessions *s = sessions_new(t.names, &key, &(struct sessions_settings){.closed = take});
    assert_non_null(s);
    snprintf(t.name, sizeof t.name, "%.79s", name);
    t.first_of_case = t.session_count;
    return s;
}

/* Names its sessions in the order in which they began. */
static void end_case(struct sessions *s)
{
    sessions_end(s);
    sessions_free(s);
    for (unsigned i = t.first_of_case; i < t.session_count; i++) {
        unsigned before = 0;
        for (unsigned k = t.first_of_case; k < t.session_count; k++)
            before += t.sessions[k].number < t.sessions[i].number;
        snprintf(t.sessions[i].name, CASE_MAX, before ? "%.70s#%u" : "%.70s", t.name, before + 1);
    }
    struct row *r = row_of(t.name);
    if (t.session_count == t.first_of_case && r && strcmp(r->mode, "none") == 0)
        r->used++;
}

static void read_log(const char *name)
{
    static char line[128 * 1024];
    static const char sign[] = "# CASE ";
    struct stamps stamps;
    struct sessions *s = NULL;
    FILE *f = open_file(name, "%s.log");
    stamps_init(&stamps, clock_now().wall_us);
    while (fgets(line, sizeof line, f)) {
        struct log_line l;
        struct message m;
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, sign, sizeof sign - 1) == 0) {
            if (s)
                end_case(s);
            s = begin_case(line + sizeof sign - 1);
            continue;
        }
        line_parse(&stamps, str_of(line), &l);
        if (message_parse(&l, &m))
            sessions_line(s, &l, &m, 0);
    }
    fclose(f);
    end_case(s);
}

/* ---- the comparison -------------------------------------------------------------- */

static void format_findings(finding_set set, char *text, size_t size)
{
    struct buf b = {text, 0, size - 1, false};
    for (int f = 0; f < FINDING_COUNT; f++)
        if (set & FINDING_BIT(f)) {
            if (b.n)
                buf_char(&b, ',');
            buf_str(&b, str_of(findings[f].id));
        }
    if (b.n == 0)
        buf_char(&b, '-');
    text[b.n] = '\0';
}

/* In the table's order, whatever the row's is. */
static finding_set findings_of_row(const struct row *r)
{
    finding_set set = 0;
    struct str rest = str_of(r->findings);
    while (rest.p && strcmp(r->findings, "-") != 0) {
        enum finding f = finding_of(str_cut(&rest, ","));
        if (f == FINDING_COUNT)
            fail_msg("line %u: no such finding", r->line);
        set |= FINDING_BIT(f);
    }
    return set;
}

static void compare(const struct session_of_case *s, const struct judge *j)
{
    const finding_set open =
        FINDING_BIT(FINDING_HANDSHAKE_UNKNOWN) | FINDING_BIT(FINDING_NO_TLS_SEEN);
    struct judged is;
    char found[512], expected[512];
    struct row *r = row_of(s->name);
    judge(j, &s->seen, 0, &is);
    struct str user = s->seen.user ? names_text(t.names, s->seen.user) : STR("-");
    const char *mode = tls_mode_names[is.mode];
    format_findings(is.found, found, sizeof found);
    if (!r) {
        print_error("%s: not in the table; %s %s %.*s\n", s->name, mode, found, STR_ARG(user));
        t.wrong++;
        return;
    }
    r->used++;
    format_findings(findings_of_row(r), expected, sizeof expected);
    if (strcmp(mode, r->mode) != 0 || strcmp(found, expected) != 0 ||
        !str_eq(user, str_of(r->user))) {
        print_error("%s: is %s %s %.*s, line %u has %s %s %s\n", s->name, mode, found,
                    STR_ARG(user), r->line, r->mode, expected, r->user);
        t.wrong++;
    }
    if (strcmp(r->decides, "yes") == 0) {
        t.decided++;
        t.undecided += is.mode == TLS_MODE_UNKNOWN || (is.found & open) != 0;
    }
}

/* A recording is one machine's log: what names stand for is asked of each by itself. */
static void run_log(const char *log, const struct listener_option *options, unsigned count)
{
    struct problems problems = {0};
    struct err err = {0};
    struct config *c = config_load(NULL, &problems);
    struct ciphers *ciphers = ciphers_new(&err);
    t.names = names_new(&key, 1000);
    t.listeners = (struct log_listeners){0};
    t.session_count = 0;
    assert_true(c && ciphers && t.names);
    read_log(log);
    log_listeners_resolve(&t.listeners, t.names, c->policy, false, options, count);
    struct judge j = {c->policy, &t.listeners, t.names, ciphers};
    for (unsigned i = 0; i < t.session_count; i++)
        compare(&t.sessions[i], &j);
    t.all += t.session_count;
    names_free(t.names);
    ciphers_free(ciphers);
    config_free(c);
    problems_free(&problems);
}

static void check_table(const char *name)
{
    for (unsigned i = 0; i < t.row_count; i++)
        if (!t.rows[i].used) {
            print_error("line %u: %s: no such session\n", t.rows[i].line, t.rows[i].cases);
            t.wrong++;
        }
    printf("#| %s: %u recorded sessions; of %u that the log decides, %u are unknown\n", name, t.all,
           t.decided, t.undecided);
    assert_int_equal(t.wrong, 0);
    assert_true(t.decided > 0 && t.undecided * 20 <= t.decided);
}

static void test_postfix(void **state)
{
    (void)state;
    static const char *const logs[] = {"postfix-stdutf8", "postfix-utf8311",
                                       "postfix-lax",     "postfix-nodelay",
                                       "postfix-ccert",   "postfix-special-ipv6"};
    memset(&t, 0, sizeof t);
    read_rows("postfix");
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++)
        run_log(logs[i], NULL, 0);
    check_table("postfix");
}

static void test_sendmail(void **state)
{
    (void)state;
    static const struct listener_option options[] = {{{"MSAplain", 8}, 587},
                                                     {{"MTAnoauth", 9}, 25}};
    memset(&t, 0, sizeof t);
    read_rows("sendmail");
    run_log("sendmail", options, 2);
    check_table("sendmail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_postfix),
        cmocka_unit_test(test_sendmail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
