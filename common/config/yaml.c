/* SPDX-License-Identifier: Apache-2.0 */
#include "config/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "config/utf8.h"

struct parser {
    yaml_parser_t yaml;
    struct arena *arena;
    struct str text;
    struct yaml_error *e;
    struct yaml_node *open[YAML_DEPTH_MAX]; /* the collections that are not closed yet */
    unsigned depth;
    struct yaml_node *last[YAML_DEPTH_MAX]; /* the latest child of each */
    struct yaml_node *key[YAML_DEPTH_MAX];  /* in a map: the key that waits for its value */
    struct yaml_node *root;
    bool had_document;
};

static int fail(struct yaml_error *e, unsigned line, unsigned column, const char *help,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static int fail(struct yaml_error *e, unsigned line, unsigned column, const char *help,
                const char *fmt, ...)
{
    *e = (struct yaml_error){.line = line, .column = column, .width = 1};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    snprintf(e->help, sizeof e->help, "%s", help);
    return -1;
}

static int fail_at(struct parser *p, yaml_mark_t at, const char *help, const char *text)
{
    return fail(p->e, (unsigned)at.line + 1, (unsigned)at.column + 1, help, "%s", text);
}

static int fail_memory(struct parser *p)
{
    return fail(p->e, 0, 0, "", "out of memory");
}

/* ---- characters --------------------------------------------------------- */

/* The same test as libyaml's, which would tell only a byte offset. */
static int check_characters(struct str text, struct yaml_error *e)
{
    unsigned line = 1, column = 1;
    while (text.n) {
        uint32_t c;
        size_t n = utf8_next(text, &c);
        if (n == 0)
            return fail(e, line, column, "save the file as UTF-8",
                        "the byte 0x%02x is not UTF-8 here", (unsigned char)text.p[0]);
        if (c == 0)
            return fail(e, line, column, "", "a NUL byte is not text");
        if (!utf8_visible(c))
            return fail(e, line, column, "delete it",
                        "the invisible character U+%04X is not allowed", (unsigned)c);
        bool crlf = c == '\r' && text.n > 1 && text.p[1] == '\n';
        if (c == '\n' || (c == '\r' && !crlf))
            line++, column = 1;
        else
            column++;
        text.p += n, text.n -= n;
    }
    return 0;
}

/* ---- libyaml's errors in words for administrators ------------------------ */

static const struct wording {
    const char *problem; /* how libyaml's begins */
    const char *context; /* and how its context begins; NULL: whatever it is */
    bool at_context;     /* the place to show is where the thing began */
    const char *text, *help;
} wordings[] = {
    {"found character that cannot start", NULL, false, "this character cannot begin a value",
     "put the value in quotes if it begins with @, ` or %"},
    {"found a tab character", NULL, false, "a tab where spaces are needed",
     "indent with spaces, not with tabs"},
    {"found unexpected ':'", NULL, false, "a colon cannot stand here",
     "text with a colon and brackets, such as \"inet:[::1]:10040\", needs quotes"},
    {"mapping values are not allowed", NULL, false, "a colon cannot stand here",
     "check the indentation of this line and the one above; a value with \": \" in it needs "
     "quotes"},
    {"block sequence entries", NULL, false, "a list item cannot begin here",
     "put the \"- \" on a line of its own, indented with spaces"},
    {"mapping keys are not allowed", NULL, false, "a key cannot begin here",
     "check the indentation of this line"},
    {"could not find expected ':'", NULL, true, "a key without a colon",
     "write \"key: value\", with a space behind the colon"},
    {"found unexpected end of stream", "while scanning a quoted", true,
     "the quote that begins here is never closed", ""},
    {"found unexpected document", "while scanning a quoted", true,
     "the quote that begins here is never closed", ""},
    {"found unknown escape", NULL, false, "an unknown \\ escape in double quotes",
     "use single quotes around text with backslashes"},
    {"did not find expected hexdecimal", NULL, false, "an incomplete \\ escape in double quotes",
     "use single quotes around text with backslashes"},
    {"did not find expected ',' or ']'", NULL, true,
     "the list that begins here has no closing \"]\"",
     "items stand between commas; an item with one of [ ] { } , in it needs quotes"},
    {"did not find expected ',' or '}'", NULL, true,
     "the map that begins here has no closing \"}\"",
     "entries stand between commas; a value with one of [ ] { } , in it needs quotes"},
    {"did not find expected node content", NULL, false, "a value is missing here",
     "a value that begins with one of [ ] { } , : needs quotes"},
    {"did not find expected key", NULL, false, "this is not part of the map above it",
     "check its indentation, and that quotes and brackets stand around whole values"},
    {"did not find expected '-'", NULL, false, "this is not part of the list above it",
     "check its indentation, and that quotes and brackets stand around whole values"},
    {"did not find expected <document start>", NULL, false,
     "the text goes on after the end of the configuration",
     "check its indentation, and whether a \"...\" above ends the configuration too early"},
};

static uint32_t character_at(struct str text, size_t index)
{
    uint32_t c = 0;
    for (size_t n; (n = utf8_next(text, &c)) > 0 && index > 0; index--)
        text.p += n, text.n -= n;
    return text.n ? c : 0;
}

static int fail_syntax(struct parser *p)
{
    const yaml_parser_t *y = &p->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return fail_memory(p);
    const char *problem = y->problem ? y->problem : "this is not YAML";
    if (character_at(p->text, y->problem_mark.index) == '\t')
        problem = "found a tab character";
    for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++) {
        const struct wording *w = &wordings[i];
        if (strncmp(problem, w->problem, strlen(w->problem)) != 0)
            continue;
        if (w->context && (!y->context || strncmp(y->context, w->context, strlen(w->context)) != 0))
            continue;
        bool at_context = w->at_context && y->context;
        return fail_at(p, at_context ? y->context_mark : y->problem_mark, w->help, w->text);
    }
    return fail_at(p, y->problem_mark, "", problem);
}

/* ---- the tree ----------------------------------------------------------- */

static struct yaml_node *new_node(struct parser *p, enum yaml_kind kind, const yaml_event_t *event)
{
    struct yaml_node *n = arena_alloc(p->arena, sizeof *n);
    if (!n)
        return NULL;
    n->kind = kind;
    n->line = (unsigned)event->start_mark.line + 1;
    n->column = (unsigned)event->start_mark.column + 1;
    n->width = 1;
    if (event->end_mark.line == event->start_mark.line &&
        event->end_mark.column > event->start_mark.column)
        n->width = (unsigned)(event->end_mark.column - event->start_mark.column);
    return n;
}

/* Puts a node where the text has it: root, item, key, or the value behind a key. */
static void attach(struct parser *p, struct yaml_node *n)
{
    if (p->depth == 0) {
        p->root = n;
        return;
    }
    unsigned at = p->depth - 1;
    struct yaml_node *parent = p->open[at];
    if (parent->kind == YAML_MAP && !p->key[at]) {
        p->key[at] = n;
        return;
    }
    n->key = p->key[at];
    p->key[at] = NULL;
    if (p->last[at])
        p->last[at]->next = n;
    else
        parent->child = n;
    p->last[at] = n;
    parent->count++;
}

static int on_scalar(struct parser *p, const yaml_event_t *event)
{
    struct yaml_node *n = new_node(p, YAML_SCALAR, event);
    const char *value = (const char *)event->data.scalar.value;
    struct str text = {value, event->data.scalar.length};
    if (text.n && memchr(text.p, '\0', text.n))
        return fail_at(p, event->start_mark, "", "a NUL byte is not text");
    char *copy = n ? arena_strdup(p->arena, text) : NULL;
    if (!copy)
        return fail_memory(p);
    n->text = (struct str){copy, text.n};
    n->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    attach(p, n);
    return 0;
}

static int on_open(struct parser *p, enum yaml_kind kind, const yaml_event_t *event)
{
    if (p->depth == YAML_DEPTH_MAX) {
        fail_at(p, event->start_mark, "", "");
        snprintf(p->e->text, sizeof p->e->text, "lists and maps are nested more than %d deep",
                 YAML_DEPTH_MAX);
        return -1;
    }
    struct yaml_node *n = new_node(p, kind, event);
    if (!n)
        return fail_memory(p);
    attach(p, n);
    p->open[p->depth] = n;
    p->last[p->depth] = p->key[p->depth] = NULL;
    p->depth++;
    return 0;
}

static int on_document(struct parser *p, const yaml_event_t *event)
{
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
        return fail_at(p, event->start_mark, "delete the line that begins with %",
                       "YAML directives are not allowed");
    if (p->had_document)
        return fail_at(p, event->start_mark, "one file is one configuration; delete the \"---\"",
                       "a second document is not allowed");
    p->had_document = true;
    return 0;
}

static int on_event(struct parser *p, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT: return on_document(p, event);
    case YAML_ALIAS_EVENT:
        return fail_at(p, event->start_mark,
                       "write the value out; text that begins with * needs quotes",
                       "aliases (*name) are not allowed");
    case YAML_SCALAR_EVENT: anchor = event->data.scalar.anchor, tag = event->data.scalar.tag; break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor, tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor, tag = event->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: p->depth--; return 0;
    default: return 0;
    }
    if (anchor)
        return fail_at(p, event->start_mark,
                       "write the value out where it is used; text that begins with & needs quotes",
                       "anchors (&name) are not allowed");
    if (tag)
        return fail_at(p, event->start_mark, "delete it; text that begins with ! needs quotes",
                       "tags (!name) are not allowed");
    if (event->type == YAML_SCALAR_EVENT)
        return on_scalar(p, event);
    return on_open(p, event->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST, event);
}

static int read_events(struct parser *p)
{
    for (bool end = false; !end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&p->yaml, &event))
            return fail_syntax(p);
        end = event.type == YAML_STREAM_END_EVENT;
        int r = on_event(p, &event);
        yaml_event_delete(&event);
        if (r < 0)
            return -1;
    }
    return 0;
}

int yaml_parse(struct str text, struct arena *arena, struct yaml_node **ret_root,
               struct yaml_error *e)
{
    if (text.n > YAML_TEXT_MAX)
        return fail(e, 0, 0, "many exceptions belong in a file of their own, see exceptions_file",
                    "the file is larger than 1 MiB");
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text.p += 3, text.n -= 3; /* a byte order mark, as some editors write */
    if (check_characters(text, e) < 0)
        return -1;

    struct parser p = {.arena = arena, .text = text, .e = e};
    if (!yaml_parser_initialize(&p.yaml))
        return fail_memory(&p);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)(text.p ? text.p : ""), text.n);
    int r = read_events(&p);
    yaml_parser_delete(&p.yaml);
    if (r == 0)
        *ret_root = p.root;
    return r;
}
