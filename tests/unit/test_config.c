/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: every mistake's exact message (tests/config/bad and
 * warned: NAME.yaml and NAME.err), files that are right (tests/config/good),
 * and what they come to. CONFIG_UPDATE=1 writes the .err files anew; read the
 * difference before you keep it.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/session.h"
#include "config/config_internal.h"
#include "config/config_report.h"

/* 2026-11-21T12:00:00Z */
static const struct now today = {.wall_us = INT64_C(1795262400) * US_PER_S};

enum { TEXT_MAX = 128 * 1024 };

static const char *source_dir(void)
{
    const char *dir = getenv("SRCDIR");
    return dir && *dir ? dir : ".";
}

static struct str read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return (struct str){NULL, 0};
    char *text = malloc(TEXT_MAX);
    size_t n = fread(text, 1, TEXT_MAX, f);
    fclose(f);
    return (struct str){text, n};
}

/* The names in a directory that end in .yaml, sorted. */
static int files_in(const char *dir, struct dirent ***ret)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tests/config/%s", source_dir(), dir);
    return scandir(path, ret, NULL, alphasort);
}

static bool is_yaml(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

static struct config *parse(const char *text, struct problems *ps)
{
    return config_parse_at(str_of(text), "test.yaml", &today, ps);
}

/* Without the directory, which is another one everywhere. */
static void format_problems(struct buf *b, const struct problems *ps, const char *dir)
{
    for (unsigned i = 0; i < ps->count; i++) {
        char text[2048];
        struct buf one = BUF(text);
        problem_format(&one, &ps->list[i], true);
        const char *rest = buf_cstr(&one), *at;
        assert_false(one.full);
        while ((at = strstr(rest, dir))) {
            buf_put(b, rest, (size_t)(at - rest));
            rest = at + strlen(dir);
        }
        buf_cstring(b, rest);
        buf_char(b, '\n');
    }
}

/* ---- messages ------------------------------------------------------------- */

static void check_messages(const char *dir, const char *name, bool usable)
{
    char directory[512], path[1024], expected_path[1024];
    snprintf(directory, sizeof directory, "%s/tests/config/%s/", source_dir(), dir);
    snprintf(path, sizeof path, "%s%s", directory, name);
    snprintf(expected_path, sizeof expected_path, "%s%.*s.err", directory, (int)strlen(name) - 5,
             name);

    struct problems ps = {0};
    struct str text = read_file(path);
    struct config *c = config_parse_at(text, path, &today, &ps);
    char *given = malloc(TEXT_MAX);
    struct buf b = {given, 0, TEXT_MAX, false};
    format_problems(&b, &ps, directory);
    if (getenv("CONFIG_UPDATE")) {
        FILE *f = fopen(expected_path, "wb");
        fwrite(b.p, 1, b.n, f);
        fclose(f);
    }
    struct str expected = read_file(expected_path);
    if (!str_eq(buf_view(&b), expected))
        fail_msg("%s: expected\n%.*sgot\n%.*s", name, STR_ARG(expected), STR_ARG(buf_view(&b)));
    if ((c != NULL) != usable || b.n == 0)
        fail_msg("%s: %s", name, c ? "was accepted" : "was refused");
    free((void *)expected.p);
    free((void *)text.p);
    free(given);
    config_free(c);
    problems_free(&ps);
}

static int check_directory(const char *dir, bool usable)
{
    struct dirent **list;
    int n = files_in(dir, &list), checked = 0;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        if (is_yaml(list[i]->d_name)) {
            check_messages(dir, list[i]->d_name, usable);
            checked++;
        }
        free(list[i]);
    }
    free(list);
    return checked;
}

static void mistakes_have_their_messages(void **state)
{
    (void)state;
    assert_true(check_directory("bad", false) >= 90);
}

static void doubts_have_their_messages(void **state)
{
    (void)state;
    assert_true(check_directory("warned", true) >= 7);
}

/* ---- good files ------------------------------------------------------------ */

static char *printed(const struct config *c)
{
    char *text = malloc(TEXT_MAX);
    struct buf b = {text, 0, TEXT_MAX, false};
    config_print(&b, c);
    assert_false(b.full);
    buf_cstr(&b);
    return text;
}

static void check_round_trip(const char *path)
{
    struct problems ps = {0};
    struct str text = read_file(path);
    assert_non_null(text.p);
    struct config *c = config_parse_at(text, path, &today, &ps);
    for (unsigned i = 0; i < ps.count; i++)
        print_error("%s:%u: %s\n", path, ps.list[i].line, ps.list[i].text);
    assert_int_equal(ps.count, 0);
    assert_non_null(c);
    char *first = printed(c);
    struct config *again = config_parse_at(str_of(first), path, &today, &ps);
    for (unsigned i = 0; i < ps.count; i++)
        print_error("%s, printed:%u: %s\n", path, ps.list[i].line, ps.list[i].text);
    assert_non_null(again);
    char *second = printed(again);
    assert_string_equal(first, second);
    free(first);
    free(second);
    free((void *)text.p);
    config_free(c);
    config_free(again);
    problems_free(&ps);
}

static void good_files_round_trip(void **state)
{
    (void)state;
    struct dirent **list;
    int n = files_in("good", &list), checked = 0;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/tests/config/good/%s", source_dir(), list[i]->d_name);
        if (is_yaml(list[i]->d_name)) {
            check_round_trip(path);
            checked++;
        }
        free(list[i]);
    }
    free(list);
    assert_true(checked >= 6);
}

static void shipped_example_is_right(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/etc/mailreeve.yaml", source_dir());
    check_round_trip(path);
}

/* So are the lines of it that are switched off: "#key: ..." and "#  - ...". */
static void switched_off_lines_are_right(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/etc/mailreeve.yaml", source_dir());
    struct str file = read_file(path), rest = file;
    assert_non_null(file.p);
    char *text = malloc(TEXT_MAX);
    struct buf b = {text, 0, TEXT_MAX, false};
    unsigned switched_on = 0;
    while (rest.p) {
        struct str line = str_cut(&rest, "\n");
        bool off = line.n > 2 && line.p[0] == '#' && (line.p[1] != ' ' || line.p[2] == ' ');
        switched_on += off;
        buf_str(&b, off ? (struct str){line.p + 1, line.n - 1} : line);
        buf_char(&b, '\n');
    }
    assert_true(switched_on > 20);
    struct problems ps = {0};
    struct config *c = config_parse_at(buf_view(&b), path, &today, &ps);
    for (unsigned i = 0; i < ps.count; i++)
        print_error("%s:%u: %s\n", path, ps.list[i].line, ps.list[i].text);
    assert_non_null(c);
    assert_int_equal(ps.count, 0);
    config_free(c);
    problems_free(&ps);
    free(text);
    free((void *)file.p);
}

/* The file in DESIGN.md shows the defaults: it comes to the same as an empty one. */
static void defaults_are_as_documented(void **state)
{
    (void)state;
    char path[512];
    struct problems ps = {0};
    snprintf(path, sizeof path, "%s/tests/config/good/design.yaml", source_dir());
    struct str text = read_file(path);
    struct config *shown = config_parse_at(text, path, &today, &ps), *empty = parse("", &ps);
    char *a = printed(shown), *b = printed(empty);
    assert_string_equal(a, b);
    assert_string_not_equal(shown->policy->digest, empty->policy->digest);
    assert_int_equal(empty->policy->listeners[0]->line, 0);
    assert_int_equal(shown->policy->listeners[0]->line, 5);
    free(a);
    free(b);
    free((void *)text.p);
    config_free(shown);
    config_free(empty);
    problems_free(&ps);
}

/* ---- what it comes to -------------------------------------------------------- */

static void actions_reach_their_listeners(void **state)
{
    (void)state;
    struct problems ps = {0};
    struct config *c = parse("mode: enforce\n"
                             "actions: {tls-required: defer, auth-on-smtp-port: log}\n"
                             "listeners:\n"
                             "  - {names: [mx], port: 25, role: smtp}\n"
                             "  - {names: [a], port: 587, role: submission}\n"
                             "  - {names: [b], port: 588, role: submission,"
                             "     actions: {tls-required: reject}, mode: audit}\n"
                             "  - {names: [c], port: 26, role: smtp, public: no}\n",
                             &ps);
    assert_non_null(c);
    struct listener **l = c->policy->listeners;
    assert_int_equal(l[0]->action[FINDING_TLS_REQUIRED], ACTION_IGNORE); /* RFC 3207 4 */
    assert_int_equal(l[0]->action[FINDING_AUTH_ON_SMTP_PORT], ACTION_LOG);
    assert_int_equal(l[1]->action[FINDING_TLS_REQUIRED], ACTION_DEFER);
    assert_int_equal(l[1]->action[FINDING_AUTH_ON_SMTP_PORT], ACTION_NONE);
    assert_int_equal(l[2]->action[FINDING_TLS_REQUIRED], ACTION_REJECT);
    assert_int_equal(l[3]->action[FINDING_TLS_REQUIRED], ACTION_DEFER);
    assert_int_equal(l[1]->mode, MODE_ENFORCE);
    assert_int_equal(l[2]->mode, MODE_AUDIT);
    assert_int_equal(ps.count, 0);
    config_free(c);
    problems_free(&ps);
}

static const struct exception *find_exception(const struct exceptions *x, enum finding f,
                                              const struct addr *client, struct str user,
                                              const struct now *now,
                                              const struct exception **ret_expired)
{
    struct exception_matches m;
    const struct exception *expired;
    exceptions_match(x, client, user, &m);
    return exceptions_find(&m, f, now, ret_expired ? ret_expired : &expired);
}

static void values_come_through(void **state)
{
    (void)state;
    char path[512];
    struct problems ps = {0};
    snprintf(path, sizeof path, "%s/tests/config/good/full.yaml", source_dir());
    struct str text = read_file(path);
    struct config *c = config_parse_at(text, path, &today, &ps);
    assert_non_null(c);
    const struct policy *p = c->policy;
    assert_int_equal(p->listener_count, 4);
    assert_int_equal(policy_listener_on(p, 465)->tls_by, TLS_BY_PROXY);
    assert_int_equal(policy_listener_on(p, 465)->min_tls, TLS_1_3);
    assert_int_equal(policy_listener_on(p, 465)->mechanism_count, 3);
    assert_true(str_eq(policy_listener_on(p, 465)->mechanisms[0], STR("PLAIN")));
    assert_int_equal(policy_listener_on(p, 25)->mechanism_count, 0);
    assert_false(policy_listener_on(p, 26)->public);
    assert_ptr_equal(policy_listener_named(p, STR("[::1]:587")), policy_listener_on(p, 587));
    assert_non_null(
        table_get(&p->trusted_certificates, "0123456789abcdef0123456789abcdef01234567", 40));
    assert_true(p->trusts_networks && p->trusts_certificates);
    assert_string_equal(p->exceptions.any ? "some" : "none", "some");
    assert_int_equal(p->exceptions.count, 3);

    struct addr client;
    addr_parse(STR("192.0.2.200"), &client);
    assert_true(policy_is_monitor(p, &client));
    addr_parse(STR("192.0.2.17"), &client);
    const struct exception *e =
        find_exception(&p->exceptions, FINDING_TLS_REQUIRED, &client, STR(""), &today, NULL);
    assert_non_null(e);
    assert_string_equal(e->reason, "copier \"B\" \\ floor 3");
    assert_string_equal(e->file, path);
    assert_int_equal(e->line, 29);
    assert_non_null(find_exception(&p->exceptions, FINDING_AUTH_MECHANISM, &client,
                                   STR("anna@EXAMPLE.com"), &today, NULL));

    assert_int_equal(c->policyd.listen_count, 5);
    assert_string_equal(c->policyd.listen[3].path, "/run/mail reeve/sub.sock");
    assert_string_equal(c->policyd.listen[3].listener, "submission");
    assert_int_equal(c->policyd.listen[2].port, 10040);
    assert_int_equal(c->policyd.listen[2].addr.bits, 128);
    assert_string_equal(c->policyd.group, "postfix");
    assert_int_equal(c->milter.listen_count, 0);
    assert_string_equal(c->journal.path, "");
    assert_int_equal(c->journal.keep_s, 36 * 3600);
    assert_int_equal(c->journal.max_total, 500000000);
    assert_int_equal(c->journal.min_free, UINT64_C(1536) << 20);
    assert_int_equal(c->privacy.user, USER_DOMAIN);
    assert_int_equal(c->privacy.address, ADDRESS_NETWORK);
    free((void *)text.p);
    config_free(c);
    problems_free(&ps);
}

static void exceptions_file_is_read(void **state)
{
    (void)state;
    char path[512];
    struct problems ps = {0};
    snprintf(path, sizeof path, "%s/tests/config/good/exceptions-file.yaml", source_dir());
    struct config *c = config_load(path, &ps);
    assert_non_null(c);
    const struct exceptions *x = &c->policy->exceptions;
    assert_int_equal(x->count, 5);
    struct addr client, other;
    addr_parse(STR("192.0.2.17"), &client);
    addr_parse(STR("192.0.2.1"), &other);
    const struct exception *e =
        find_exception(x, FINDING_TLS_REQUIRED, &client, STR(""), &today, NULL);
    assert_non_null(e);
    assert_string_equal(e->reason, "copier on floor 3");
    assert_string_equal(e->owner, "help desk");
    assert_int_equal(e->line, 2);
    assert_non_null(strstr(e->file, "good/exceptions-file.txt"));
    assert_null(find_exception(x, FINDING_TLS_REQUIRED, &other, STR(""), &today, NULL));
    assert_non_null(
        find_exception(x, FINDING_TLS_REQUIRED, &other, STR("192.0.2.1"), &today, NULL));
    e = find_exception(x, FINDING_TLS_VERSION, &other, STR("anna@example.com"), &today, NULL);
    assert_non_null(e);
    assert_string_equal(e->owner, "B\xc3\xbcro");
    addr_parse(STR("2001:db8:17::5"), &client);
    e = find_exception(x, FINDING_AUTH_REQUIRED, &client, STR(""), &today, NULL);
    assert_non_null(e);
    assert_string_equal(e->reason, "a | in a reason");
    config_free(c);
    problems_free(&ps);
}

/* ---- the table of options ------------------------------------------------------- */

static void every_option_is_complete(void **state)
{
    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        struct value v = {0};
        struct complaint c = {0};
        assert_true(o->key && *o->key && o->help && *o->help);
        assert_true((o->kind == KIND_WORD) == (o->word_count > 0));
        if (o->fallback && o->kind < KIND_SCALARS && !value_parse(o, str_of(o->fallback), &v, &c))
            fail_msg("%s: the default %s %s", o->key, o->fallback, c.why);
        assert_false(o->required && o->fallback);
        for (int k = 0; k < i; k++)
            assert_false(options[k].in == o->in && strcmp(options[k].key, o->key) == 0);
    }
}

/* A row "| `key` | ... `default` ..." of a table in the documentation. */
static bool is_documented(const char *text, const struct option *o)
{
    char row[80], standard[80];
    snprintf(row, sizeof row, "\n| `%s` |", o->key);
    snprintf(standard, sizeof standard, "`%s`", o->fallback ? o->fallback : "");
    bool needs_default = o->kind < KIND_SCALARS && o->fallback && *o->fallback;
    for (const char *at = text; (at = strstr(at, row)); at++) {
        const char *found = strstr(at, standard), *end = strchr(at + 1, '\n');
        if (!needs_default || (found && found < end))
            return true;
    }
    return false;
}

static void every_option_is_documented(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/docs/configuration.md", source_dir());
    struct str file = read_file(path);
    assert_non_null(file.p);
    assert_true(file.n < TEXT_MAX);
    char *text = strndup(file.p, file.n);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (!is_documented(text, &options[i]))
            fail_msg("docs/configuration.md lacks \"%s\" or its default", options[i].key);
    for (int f = 0; f < FINDING_COUNT; f++) {
        char id[80];
        snprintf(id, sizeof id, "`%s`", findings[f].id);
        if (!strstr(text, id))
            fail_msg("docs/configuration.md does not mention %s", findings[f].id);
    }
    free(text);
    free((void *)file.p);
}

/* Each ```yaml block there is a configuration that can be used as it stands. */
static void documented_examples_are_right(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/docs/configuration.md", source_dir());
    struct str file = read_file(path);
    assert_non_null(file.p);
    char *text = strndup(file.p, file.n);
    unsigned blocks = 0;
    for (char *at = text; (at = strstr(at, "```yaml\n")); blocks++) {
        at += strlen("```yaml\n");
        char *end = strstr(at, "```");
        assert_non_null(end);
        struct problems ps = {0};
        struct str block = {at, (size_t)(end - at)};
        struct config *c = config_parse_at(block, path, &today, &ps);
        for (unsigned i = 0; i < ps.count; i++)
            print_error("example %u:%u: %s\n", blocks, ps.list[i].line, ps.list[i].text);
        assert_non_null(c);
        assert_int_equal(ps.count, 0);
        config_free(c);
        problems_free(&ps);
        at = end;
    }
    assert_true(blocks >= 4);
    free(text);
    free((void *)file.p);
}

/* ---- limits and accidents ---------------------------------------------------------- */

static void too_large_is_refused(void **state)
{
    (void)state;
    struct problems ps = {0};
    char *text = malloc(YAML_TEXT_MAX + 1);
    memset(text, '\n', YAML_TEXT_MAX + 1);
    struct config *c = config_parse_at((struct str){text, YAML_TEXT_MAX}, "t", &today, &ps);
    assert_non_null(c);
    config_free(c);
    assert_null(config_parse_at((struct str){text, YAML_TEXT_MAX + 1}, "t", &today, &ps));
    assert_string_equal(ps.list[0].text, "the file is larger than 1 MiB");
    free(text);
    problems_free(&ps);
}

static void unreadable_is_told(void **state)
{
    (void)state;
    struct problems ps = {0};
    assert_null(config_load("/no/such/file.yaml", &ps));
    assert_null(config_load("/", &ps));
    assert_int_equal(ps.errors, 2);
    char text[256];
    struct buf b = BUF(text);
    problem_format(&b, &ps.list[0], true);
    assert_string_equal(buf_cstr(&b), "/no/such/file.yaml: error: the configuration cannot be "
                                      "read: No such file or directory");
    assert_non_null(strstr(ps.list[1].text, "Is a directory"));
    problems_free(&ps);
}

static void the_worst_problems_are_kept(void **state)
{
    (void)state;
    struct problems ps = {0};
    struct source at = {.file = "t"};
    for (int i = 0; i < PROBLEMS_MAX + 5; i++)
        problem_add(&ps, SEVERITY_WARNING, &at, 0, 0, 0, "warning");
    problem_add(&ps, SEVERITY_ERROR, &at, 0, 0, 0, "error");
    assert_int_equal(ps.count, PROBLEMS_MAX);
    assert_int_equal(ps.dropped, 6);
    assert_int_equal(ps.errors, 1);
    assert_string_equal(ps.list[PROBLEMS_MAX - 1].text, "error");
    problems_free(&ps);
}

static void open_directory_is_doubted(void **state)
{
    (void)state;
    char dir[] = "/tmp/mailreeve-test-XXXXXX", text[128], expected[128];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0777), 0);
    snprintf(text, sizeof text, "policyd: {listen: [\"unix:%s/s\"]}\n", dir);
    snprintf(expected, sizeof expected, "everyone may write to \"%s\"", dir);
    struct problems ps = {0};
    struct config *c = parse(text, &ps);
    assert_non_null(c);
    assert_int_equal(ps.warnings, 1);
    assert_string_equal(ps.list[0].text, expected);
    config_free(c);
    problems_free(&ps);
    assert_int_equal(chmod(dir, 01777), 0);
    c = parse(text, &ps);
    assert_int_equal(ps.warnings, 0);
    config_free(c);
    problems_free(&ps);
    rmdir(dir);
}

/* ---- the exceptions file in pieces --------------------------------------------------- */

/* Whatever the size of the pieces in which it comes, it is the same file. */
static void pieces_do_not_matter(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/tests/config/bad/exceptions-file-lines.txt", source_dir());
    struct str text = read_file(path);
    assert_non_null(text.p);
    static const size_t sizes[] = {1, 2, 7, 4096, TEXT_MAX};
    char *first = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct problems ps = {0};
        struct config *c = parse("", &ps);
        struct reader r = {
            .problems = &ps, .now = today, .config = c, .policy = c->policy, .source = {"t", text}};
        struct exceptions_reader x;
        exceptions_begin(&x, &r, "t");
        for (size_t k = 0; k < text.n; k += sizes[i])
            exceptions_feed(
                &x, (struct str){text.p + k, text.n - k < sizes[i] ? text.n - k : sizes[i]});
        exceptions_end(&x);
        char *given = malloc(TEXT_MAX);
        struct buf b = {given, 0, TEXT_MAX, false};
        format_problems(&b, &ps, "/");
        buf_cstr(&b);
        assert_int_equal(ps.errors, 17);
        if (first)
            assert_string_equal(first, given);
        else
            first = given;
        if (first != given)
            free(given);
        config_free(c);
        problems_free(&ps);
    }
    free(first);
    free((void *)text.p);
}

/* ---- check ------------------------------------------------------------------------------ */

static int report_of(const char *file, int flags, char **ret)
{
    char path[512];
    size_t n;
    snprintf(path, sizeof path, "%s/tests/config/%s", source_dir(), file);
    FILE *out = open_memstream(ret, &n);
    int status = check_report(path, flags, out, out);
    fclose(out);
    return status;
}

static void check_has_its_exit_codes(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        int flags, status;
        const char *says;
    } rows[] = {
        {"good/full.yaml", 0, 0, "no mistakes found"},
        {"good/full.yaml", CHECK_STRICT, 0, "digest "},
        {"good/full.yaml", CHECK_PRINT, 0, "listeners:\n"},
        {"warned/min-tls.yaml", 0, 0, "2 warnings; this configuration can be used"},
        {"warned/min-tls.yaml", CHECK_STRICT, 1, "RFC 8996"},
        {"bad/mode-word.yaml", 0, 78, "1 error; this configuration cannot be used"},
        {"bad/mode-word.yaml", CHECK_STRICT | CHECK_PRINT, 78, "did you mean \"enforce\"?"},
        {"no-such-file.yaml", 0, 78, "cannot be read"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text;
        int status = report_of(rows[i].file, rows[i].flags, &text);
        if (status != rows[i].status || !strstr(text, rows[i].says))
            fail_msg("%s: exit code %d and\n%s", rows[i].file, status, text);
        assert_null(strchr(text, '\033'));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_have_their_messages),
        cmocka_unit_test(doubts_have_their_messages),
        cmocka_unit_test(good_files_round_trip),
        cmocka_unit_test(shipped_example_is_right),
        cmocka_unit_test(switched_off_lines_are_right),
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test(actions_reach_their_listeners),
        cmocka_unit_test(values_come_through),
        cmocka_unit_test(exceptions_file_is_read),
        cmocka_unit_test(every_option_is_complete),
        cmocka_unit_test(every_option_is_documented),
        cmocka_unit_test(documented_examples_are_right),
        cmocka_unit_test(too_large_is_refused),
        cmocka_unit_test(unreadable_is_told),
        cmocka_unit_test(the_worst_problems_are_kept),
        cmocka_unit_test(open_directory_is_doubted),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(check_has_its_exit_codes),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
