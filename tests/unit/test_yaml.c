/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node tree: kinds, places, text. What is refused is tested with its whole
 * message in tests/config/bad/syntax-*; here are the limits themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/utf8.h"
#include "config/yaml.h"

static int parse(struct arena *a, struct str text, struct yaml_node **root, struct yaml_error *e)
{
    *root = NULL;
    *e = (struct yaml_error){0};
    return yaml_parse(text, a, root, e);
}

static void expect_error(struct str text, unsigned line, unsigned column, const char *says)
{
    struct arena a = {0};
    struct yaml_node *root;
    struct yaml_error e;
    if (parse(&a, text, &root, &e) == 0)
        fail_msg("accepted: %.*s", STR_ARG(text));
    assert_string_equal(e.text, says);
    assert_int_equal(e.line, line);
    assert_int_equal(e.column, column);
    assert_null(root);
    arena_free(&a);
}

static void assert_scalar(const struct yaml_node *n, const char *text, unsigned line,
                          unsigned column, unsigned width)
{
    assert_non_null(n);
    assert_int_equal(n->kind, YAML_SCALAR);
    assert_string_equal(n->text.p, text);
    assert_int_equal(n->text.n, strlen(text));
    assert_int_equal(n->line, line);
    assert_int_equal(n->column, column);
    assert_int_equal(n->width, width);
}

/* ---- the tree -------------------------------------------------------------- */

static void nodes_know_their_places(void **state)
{
    (void)state;
    struct arena a = {0};
    struct yaml_node *root;
    struct yaml_error e;
    assert_int_equal(parse(&a,
                           STR("# first\n"
                               "mode: audit\n"
                               "list:\n"
                               "  - {k: \"v w\", 'q': 2}\n"
                               "  - \xc3\xbc: \xc3\xa4\xc3\xb6\n"
                               "empty:\n"),
                           &root, &e),
                     0);
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 3);
    assert_int_equal(root->line, 2);

    struct yaml_node *n = root->child;
    assert_scalar(n->key, "mode", 2, 1, 4);
    assert_scalar(n, "audit", 2, 7, 5);
    assert_true(n->plain);

    n = n->next;
    assert_scalar(n->key, "list", 3, 1, 4);
    assert_int_equal(n->kind, YAML_LIST);
    assert_int_equal(n->count, 2);
    struct yaml_node *first = n->child, *second = first->next;
    assert_int_equal(first->kind, YAML_MAP);
    assert_int_equal(first->line, 4);
    assert_int_equal(first->column, 5);
    assert_null(first->key);
    assert_scalar(first->child, "v w", 4, 9, 5);
    assert_false(first->child->plain);
    assert_scalar(first->child->next->key, "q", 4, 16, 3);
    assert_scalar(second->child->key, "\xc3\xbc", 5, 5, 1);
    assert_scalar(second->child, "\xc3\xa4\xc3\xb6", 5, 8, 2); /* columns are characters */
    assert_null(second->next);

    n = n->next;
    assert_scalar(n, "", 6, 7, 1);
    assert_true(n->plain);
    assert_null(n->next);
    arena_free(&a);
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    static const struct str texts[] = {
        {"", 0}, {"\n\n", 2}, {"# only\n# comments", 17}, {"\xef\xbb\xbf", 3}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct arena a = {0};
        struct yaml_node *root;
        struct yaml_error e;
        assert_int_equal(parse(&a, texts[i], &root, &e), 0);
        assert_null(root);
        arena_free(&a);
    }
}

static void scalars_are_text(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *text;
    } rows[] = {
        {"no", "no"},
        {"0x10", "0x10"},
        {"~", "~"},
        {"'it''s'", "it's"},
        {"\"tab\\there\"", "tab\there"},
        {"\"\\u00fc\"", "\xc3\xbc"},
        {"|\n  two\n  lines\n", "two\nlines\n"},
        {">-\n  one\n  line\n", "one line"},
        {"a b # comment", "a b"},
        {"a#b", "a#b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct yaml_node *root;
        struct yaml_error e;
        assert_int_equal(parse(&a, str_of(rows[i].yaml), &root, &e), 0);
        assert_string_equal(root->text.p, rows[i].text);
        arena_free(&a);
    }
}

/* ---- limits ------------------------------------------------------------------ */

static void depth_has_a_limit(void **state)
{
    (void)state;
    static const char *const shapes[] = {"[", "- ", "{a: ", "? "};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char text[4 * 5000 + 1] = "";
        size_t n = strlen(shapes[i]);
        for (unsigned k = 0; k < 5000; k++)
            memcpy(text + k * n, shapes[i], n);
        expect_error((struct str){text, 5000 * n}, 1, YAML_DEPTH_MAX * (unsigned)n + 1,
                     "lists and maps are nested more than 32 deep");
    }
    char right[2 * YAML_DEPTH_MAX];
    memset(right, '[', YAML_DEPTH_MAX);
    memset(right + YAML_DEPTH_MAX, ']', YAML_DEPTH_MAX);
    struct arena a = {0};
    struct yaml_node *root;
    struct yaml_error e;
    assert_int_equal(parse(&a, (struct str){right, sizeof right}, &root, &e), 0);
    arena_free(&a);
}

static void size_has_a_limit(void **state)
{
    (void)state;
    char *text = malloc(YAML_TEXT_MAX + 1);
    memset(text, '#', YAML_TEXT_MAX + 1);
    expect_error((struct str){text, YAML_TEXT_MAX + 1}, 0, 0, "the file is larger than 1 MiB");
    free(text);
}

static void bytes_must_be_text(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        unsigned line, column;
        const char *says;
    } rows[] = {
        {{"a: \xff", 4}, 1, 4, "the byte 0xff is not UTF-8 here"},
        {{"# \xc0\xaf", 4}, 1, 3, "the byte 0xc0 is not UTF-8 here"},         /* overlong */
        {{"# \xed\xa0\x80", 5}, 1, 3, "the byte 0xed is not UTF-8 here"},     /* surrogate */
        {{"# \xf4\x90\x80\x80", 6}, 1, 3, "the byte 0xf4 is not UTF-8 here"}, /* too large */
        {{"\xc3\xbc\n\xc3", 4}, 2, 1, "the byte 0xc3 is not UTF-8 here"},     /* cut */
        {{"\r\n\r\n\x01", 5}, 3, 1, "the invisible character U+0001 is not allowed"},
        {{"a\r b\x7f", 5}, 2, 3, "the invisible character U+007F is not allowed"},
        {{"\xff\xfe"
          "a\0",
          4},
         1,
         1,
         "the byte 0xff is not UTF-8 here"}, /* UTF-16 */
        {{"m\0o\0", 4}, 1, 2, "a NUL byte is not text"},
        {{"a: \"\\0\"", 7}, 1, 4, "a NUL byte is not text"},
        {{"a: b\xef\xbb\xbf", 7}, 1, 5, "the invisible character U+FEFF is not allowed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_error(rows[i].text, rows[i].line, rows[i].column, rows[i].says);
}

static void tricks_are_refused(void **state)
{
    (void)state;
    expect_error(STR("a: &x b\n"), 1, 4, "anchors (&name) are not allowed");
    expect_error(STR("a: &x [b]\n"), 1, 4, "anchors (&name) are not allowed");
    expect_error(STR("a: &x {b: c}\n"), 1, 4, "anchors (&name) are not allowed");
    expect_error(STR("a: *x\n"), 1, 4, "aliases (*name) are not allowed");
    expect_error(STR("*x : a\n"), 1, 1, "aliases (*name) are not allowed");
    expect_error(STR("a: ! b\n"), 1, 4, "tags (!name) are not allowed");
    expect_error(STR("a: !!map {}\n"), 1, 4, "tags (!name) are not allowed");
    expect_error(STR("a: !<tag:yaml.org,2002:str> b\n"), 1, 4, "tags (!name) are not allowed");
    expect_error(STR("%TAG ! tag:x,2000:\n---\na: b\n"), 1, 1, "YAML directives are not allowed");
    expect_error(STR("a: b\n---\n"), 2, 1, "a second document is not allowed");
    expect_error(STR("--- a\n--- b\n"), 2, 1, "a second document is not allowed");
}

/* However the text is cut, there is an answer, and no byte behind the end is read. */
static void every_beginning_has_an_answer(void **state)
{
    (void)state;
    static const char text[] = "listeners:\n"
                               "  - {names: [a, 'b'], port: 25}\n"
                               "t: \"\\u00fc\xc3\xbc\" # \xe2\x82\xac\n"
                               "? x\n: |\n  y\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct arena a = {0};
        struct yaml_node *root;
        struct yaml_error e;
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        if (parse(&a, (struct str){copy, n}, &root, &e) < 0)
            assert_true(e.text[0] && e.line > 0);
        free(copy);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_places), cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(scalars_are_text),        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(size_has_a_limit),        cmocka_unit_test(bytes_must_be_text),
        cmocka_unit_test(tricks_are_refused),      cmocka_unit_test(every_beginning_has_an_answer),
    };
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
