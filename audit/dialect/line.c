/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/dialect/line.h"

#include "audit/dialect/cursor.h"
#include "audit/dialect/stamp.h"

/* ---- what is between the stamp and the text -------------------------------------- */

/* "<22>", the priority of RFC 3164 4.1.1. */
static bool take_priority(struct str *s)
{
    struct str c = *s;
    unsigned v;
    if (!take(&c, '<') || !take_number(&c, 1, 3, &v) || !take(&c, '>'))
        return false;
    *s = c;
    return true;
}

/* "<mail.info>" (FreeBSD), "mail.info" (BusyBox), "mail:info" (AIX). */
static bool is_facility_and_level(struct str word)
{
    static const struct str levels[] = {STR("emerg"), STR("alert"),   STR("crit"),   STR("err"),
                                        STR("error"), STR("warning"), STR("notice"), STR("info"),
                                        STR("debug"), STR("warn")};
    if (take(&word, '<') && word.n && word.p[word.n - 1] == '>')
        word.n--;
    if (!take_str(&word, STR("mail")) && !take_str(&word, STR("daemon")) &&
        !take_str(&word, STR("user")) && !take_str(&word, STR("local")))
        return false;
    if (word.n && is_digit(word.p[0])) /* local0 */
        skip(&word, 1);
    return (take(&word, '.') || take(&word, ':')) && AMONG(word, levels);
}

/* How sure it is that a word in front of ": " is a program's name. */
enum context {
    BARE,    /* the line begins with it */
    STAMPED, /* a stamp is before it */
    HOSTED   /* and a host */
};

/*
 * What tags are made of: 2 in nearly all of them, 1 in those that somebody thought of (syslog_name
 * takes anything), which are believed where a stamp is before them.
 */
static const uint8_t tag_char[256] = {
    ['0' ... '9'] = 2, ['A' ... 'Z'] = 2, ['a' ... 'z'] = 2,   ['/'] = 2,  ['_'] = 2,
    ['-'] = 2,         ['.'] = 2,         ['+'] = 2,           ['!'] = 1,  ['#'] = 1,
    ['$'] = 1,         ['%'] = 1,         ['&'] = 1,           ['\''] = 1, ['('] = 1,
    [')'] = 1,         ['*'] = 1,         [':'] = 1,           ['?'] = 1,  ['@'] = 1,
    ['\\'] = 1,        ['^'] = 1,         ['`'] = 1,           ['{'] = 1,  ['|'] = 1,
    ['}'] = 1,         ['~'] = 1,         [0x80 ... 0xff] = 1,
};

/* Without a process id it may as well be the text that begins: "warning:", a queue id. */
static bool is_name_alone(struct str s, enum context context)
{
    static const struct str labels[] = {STR("warning"), STR("error"), STR("fatal"),
                                        STR("panic"),   STR("info"),  STR("NOQUEUE")};
    bool path = memchr(s.p, '/', s.n);
    if ((context == STAMPED && !path) || AMONG(s, labels))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (tag_char[(unsigned char)s.p[i]] != 2 || (!path && (is_digit(s.p[i]) || s.p[i] == '.')))
            return false;
    return true;
}

/* "postfix/smtpd[123]:" and the blanks behind it, or without the number. */
static bool take_tag(struct str *s, enum context context, struct log_line *ret)
{
    enum { DIGITS_MAX = 10 };
    struct str c = *s;
    size_t n = 0, digits = 0;
    uint64_t pid = 0;
    /* (Without a stamp a colon ends it: a name alone is none then.) */
    while (n < c.n && tag_char[(unsigned char)c.p[n]] > (context == BARE))
        n++;
    struct str name = {c.p, n};
    skip(&c, n);
    if (take(&c, '[')) {
        for (; digits < c.n && digits < DIGITS_MAX && is_digit(c.p[digits]); digits++)
            pid = pid * 10 + (uint64_t)(c.p[digits] - '0');
        skip(&c, digits);
        if (name.n == 0 || digits == 0 || pid > UINT32_MAX || !take(&c, ']') || !take(&c, ':'))
            return false;
    } else if (name.n < 2 || name.p[--name.n] != ':' || !is_name_alone(name, context)) {
        return false;
    }
    if (!take_blanks(&c))
        return false;
    ret->tag = name;
    ret->pid = (uint32_t)pid;
    *s = c;
    return true;
}

/* [facility.level] [host] [facility.level] tag: */
static bool take_origin(struct str *s, bool stamped, struct log_line *ret)
{
    enum context context = stamped ? STAMPED : BARE;
    struct str c = *s, host = {NULL, 0};
    while (!take_tag(&c, context, ret)) {
        struct str word = take_word(&c);
        if (context == BARE || word.n == 0)
            return false;
        if (is_facility_and_level(word))
            continue;
        if (context == HOSTED || word.p[word.n - 1] == ':')
            return false;
        host = word;
        context = HOSTED;
    }
    ret->host = host;
    *s = c;
    return true;
}

/* ---- RFC 5424 ------------------------------------------------------------------------ */

/* "-", or elements "[id name="value" ...]" without anything between them. */
static void take_structured_data(struct str *s)
{
    if (take(s, '-'))
        return;
    struct str c = *s;
    while (take(&c, '[')) {
        bool quoted = false;
        for (; c.n && (quoted || c.p[0] != ']'); skip(&c, 1)) {
            if (quoted && c.p[0] == '\\' && c.n > 1)
                skip(&c, 1);
            else if (c.p[0] == '"')
                quoted = !quoted;
        }
        if (!take(&c, ']'))
            return; /* cut, or none: it is text */
        *s = c;
    }
}

/* VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG], behind the priority,
 * which some leave out. */
static bool take_rfc5424(struct stamps *t, struct str *s, bool priority, struct log_line *ret)
{
    struct str c = *s, field[4];
    if (!take_str(&c, STR("1 ")))
        return false;
    int64_t us = 0;
    if (!take_stamp(t, &c, &us) && !(priority && take_str(&c, STR("- "))))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        field[i] = take_word(&c);
        if (field[i].n == 0)
            return false;
        if (str_eq(field[i], STR("-")))
            field[i].n = 0;
    }
    uint64_t pid = 0;
    str_to_u64(field[2], UINT32_MAX, &pid);
    ret->wall_us = us;
    ret->host = field[0];
    ret->tag = field[1];
    ret->pid = (uint32_t)pid;
    take_structured_data(&c);
    take_blanks(&c);
    take_str(&c, STR("\xef\xbb\xbf"));
    *s = c;
    return true;
}

/* ---- the line ------------------------------------------------------------------------ */

/* What container runtimes put behind their own stamps (CRI: "stdout F "). */
static void take_stream(struct str *s)
{
    struct str c = *s;
    if ((take_str(&c, STR("stdout ")) || take_str(&c, STR("stderr "))) &&
        (take_str(&c, STR("F ")) || take_str(&c, STR("P "))))
        *s = c;
}

/* Everything in front of the text; false if nothing is. */
static bool take_header(struct stamps *t, struct str *s, struct log_line *ret)
{
    bool priority = take_priority(s);
    if (take_rfc5424(t, s, priority, ret))
        return true;
    bool iso = s->n && is_digit(s->p[0]), stamped = take_stamp(t, s, &ret->wall_us);
    if (stamped && iso) {
        /* A container's log has the runtime's stamp, and often the program's own behind it. (Not a
         * host, if it begins with a small letter.) */
        take_stream(s);
        if (s->n && (signed char)s->p[0] < 'a')
            take_stamp(t, s, ret->wall_us ? NULL : &ret->wall_us);
    }
    return take_origin(s, stamped, ret) || stamped || priority;
}

/* "mail-1  | ", of docker compose. */
static bool take_container(struct str *s)
{
    struct str c = *s;
    if (take_word(&c).n == 0 || !take(&c, '|') || !take_blanks(&c))
        return false;
    *s = c;
    return true;
}

/* "[ID 197553 mail.info] ", of Solaris. */
static void take_solaris_id(struct str *s)
{
    struct str c = *s;
    if (!take_str(&c, STR("[ID ")))
        return;
    take_word(&c);
    struct str level = take_word(&c);
    if (level.n && level.p[level.n - 1] == ']')
        *s = c;
}

/* "message repeated 3 times: [ text]", of rsyslog. */
static void take_repetition(struct log_line *l)
{
    struct str c = l->text;
    unsigned times;
    if (!take_str(&c, STR("message repeated ")) || !take_number(&c, 1, 9, &times) || times == 0 ||
        !take_str(&c, STR(" times: [")) || c.n == 0 || c.p[c.n - 1] != ']')
        return;
    c.n--;
    l->times = times;
    l->text = str_trim(c);
}

void line_parse(struct stamps *t, struct str line, struct log_line *ret)
{
    *ret = (struct log_line){.times = 1};
    while (line.n && (is_blank(line.p[line.n - 1]) || line.p[line.n - 1] == '\r'))
        line.n--;
    take_str(&line, STR("\xef\xbb\xbf"));
    struct str behind = line;
    if (take_header(t, &line, ret) || !take_container(&behind) || !take_header(t, &behind, ret))
        ret->text = str_trim(line);
    else
        ret->text = str_trim(behind);

    take_solaris_id(&ret->text);
    take_repetition(ret);
}
