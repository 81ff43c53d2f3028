/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/dialect/message.h"

#include <stdlib.h>

#include "audit/dialect/cursor.h"
#include "audit/dialect/template.h"

const char *const message_words[MESSAGE_KINDS] = {
    "",
#define MESSAGE_KIND(name, word) word,
#include "audit/dialect/message_kinds.def"
#undef MESSAGE_KIND
};

enum program { SMTPD, POSTSCREEN, CLEANUP, SENDMAIL, PROGRAMS, NOT_OURS = PROGRAMS };

static const struct {
    enum program program;
    enum message_kind kind;
    const char *template;
} messages[] = {
#define MESSAGE(program, kind, template) {program, MESSAGE_##kind, template},
#include "audit/dialect/messages.def"
#undef MESSAGE
};

enum { ROWS = sizeof messages / sizeof *messages, STEPS_MAX = ROWS * 12, ANY = 0 };

/* Rows by program and the first byte of their text (ANY: they begin with a field), in the table's
 * order. Row numbers are from 1; 0 ends a list. */
static const struct step *compiled[ROWS + 1];
static uint16_t first_row[PROGRAMS][128], next_row[ROWS + 1];

/* Before main(): nothing is written later. A template that is wrong is seen by every test. */
__attribute__((constructor)) static void compile(void)
{
    static struct step steps[STEPS_MAX];
    unsigned used = 0;
    for (unsigned i = 1; i <= ROWS; i++) {
        compiled[i] = template_compile(messages[i - 1].template, steps, STEPS_MAX, &used);
        if (!compiled[i])
            abort();
    }
    for (unsigned i = ROWS; i > 0; i--) {
        const struct step *s = compiled[i];
        unsigned char b = s->what == STEP_TEXT ? (unsigned char)s->text.p[0] : ANY;
        uint16_t *list = &first_row[messages[i - 1].program][b];
        next_row[i] = *list;
        *list = (uint16_t)i;
    }
}

/* ---- whose line it is ---------------------------------------------------------- */

/* Postfix: "syslog_name/program"; a program alone is another product's (OpenSMTPD's smtpd). */
static enum program program_of(struct str tag, struct str *ret_listener)
{
    static const struct {
        struct str name;
        enum program program;
    } postfix[] = {
        {STR("smtpd"), SMTPD}, {STR("cleanup"), CLEANUP}, {STR("postscreen"), POSTSCREEN}};
    const char *slash = memrchr(tag.p ? tag.p : "", '/', tag.n);
    if (!slash) {
        bool sendmail =
            str_eq(tag, STR("sendmail")) || str_eq(tag, STR("mta")) || text_starts(tag, STR("sm-"));
        return sendmail ? SENDMAIL : NOT_OURS;
    }
    struct str last = {slash + 1, (size_t)(tag.p + tag.n - slash) - 1};
    *ret_listener = (struct str){tag.p, (size_t)(slash - tag.p)};
    for (unsigned i = 0; i < sizeof postfix / sizeof *postfix; i++)
        if (str_eq(last, postfix[i].name))
            return postfix[i].program;
    return NOT_OURS;
}

/* ---- what stands in front of the text -------------------------------------------- */

/*
 * Letters and digits. By chance an id may have no digit: Postfix's short ids are hexadecimal, and
 * its long ones have no vowels (enable_long_queue_ids, 2.9 and later), which no word of ours is.
 */
static bool is_queue_id(struct str s)
{
    bool digit = false, lower = true, hex = true;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!is_digit(c) && !is_letter(c))
            return false;
        digit |= is_digit(c);
        lower &= c >= 'a';
        hex &= c <= 'F';
    }
    if (digit || hex)
        return true;
    for (size_t i = 0; i < s.n; i++)
        if (memchr("aeiouAEIOU", s.p[i], 10))
            return false;
    return !lower && s.n > 9;
}

/* "4104E3D: ", "3r4C9S5SrvzbbYr: ", "s1GNXHYB005133: ", "NOQUEUE: " */
static struct str skip_queue_id(struct str text, struct str *ret_id)
{
    const char *colon = memchr(text.p ? text.p : "", ':', text.n < 26 ? text.n : 26);
    struct str id = {text.p, colon ? (size_t)(colon - text.p) : 0};
    if (id.n < 5 || id.n + 1 >= text.n || colon[1] != ' ')
        return text;
    if (is_queue_id(id))
        *ret_id = id;
    else if (!str_eq(id, STR("NOQUEUE")))
        return text;
    return (struct str){colon + 2, text.n - id.n - 2};
}

/* Postfix's own words for how bad it is. */
static struct str skip_level(struct str text)
{
    static const struct str levels[] = {STR("warning: "), STR("fatal: "), STR("error: "),
                                        STR("panic: ")};
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
        if (text.n && *text.p == *levels[i].p && take_str(&text, levels[i]))
            break;
    return text;
}

/* ---- the table ----------------------------------------------------------------- */

static bool list_matches(unsigned row, struct str text, struct message *m)
{
    for (; row; row = next_row[row]) {
        const struct step *s = compiled[row];
        if (s->what == STEP_TEXT && !text_starts(text, s->text))
            continue;
        m->kind = messages[row - 1].kind;
        if (template_match(s, text, m))
            return true;
        *m = (struct message){0}; /* fields of a row that began to match */
    }
    return false;
}

/* True if one of the program's rows matches; kind and fields are then set. */
static bool look_up(enum program program, struct str text, struct message *m)
{
    unsigned char b = text.n ? (unsigned char)text.p[0] : ANY;
    return (b != ANY && b < 128 && list_matches(first_row[program][b], text, m)) ||
           list_matches(first_row[program][ANY], text, m);
}

/* A line that was pasted without its tag is ours if it says something that only ours say. */
static enum program look_up_all(struct str text, struct message *m)
{
    static const enum program tried[] = {SMTPD, POSTSCREEN, SENDMAIL};
    for (unsigned i = 0; i < sizeof tried / sizeof *tried; i++) {
        if (look_up(tried[i], text, m) &&
            (m->kind != MESSAGE_CONTEXT || m->client.bits || m->client_name.n))
            return tried[i];
        *m = (struct message){0};
    }
    return NOT_OURS;
}

/* Of cleanup's lines only those of header_checks are ours, and one in a thousand is one. */
static bool has_header(struct str text)
{
    return memmem(text.p ? text.p : "", text.n < 64 ? text.n : 64, ": header ", 9);
}

bool message_parse(const struct log_line *l, struct message *ret)
{
    struct str listener = {NULL, 0}, id = {NULL, 0};
    enum program program = program_of(l->tag, &listener);
    ret->kind = MESSAGE_NONE;
    if ((program == NOT_OURS && l->tag.n) || (program == CLEANUP && !has_header(l->text)))
        return false;
    *ret = (struct message){0};
    struct str text = skip_level(skip_queue_id(l->text, &id));
    if (program != NOT_OURS)
        look_up(program, text, ret);
    else if ((program = look_up_all(text, ret)) == NOT_OURS)
        return false;
    ret->mta = program == SENDMAIL ? MTA_SENDMAIL : MTA_POSTFIX;
    ret->postscreen = program == POSTSCREEN;
    ret->queue_id = id;
    if (listener.n) {
        ret->listener = listener;
        ret->listener_bare = str_eq(listener, STR("postfix"));
    }
    return true;
}
