/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/reply.h"

#include <stdio.h>

/* ---- one reply ---------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The line that `in` begins with, without its end. BAD as soon as it cannot become one. */
static enum reply_parsed take_line(struct str in, struct str *line, size_t *used, const char **why)
{
    static const char first[] = "2345";
    for (size_t i = 0; i < 3 && i < in.n; i++)
        if (i == 0 ? !memchr(first, in.p[0], 4) : !is_digit(in.p[i]))
            return *why = "it does not begin with a reply code", REPLY_BAD;
    if (in.n > 3 && !memchr(" -\r\n", in.p[3], 4))
        return *why = "there is neither a space nor a hyphen behind the code", REPLY_BAD;
    const char *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
    size_t n = end ? (size_t)(end - in.p) : in.n;
    if (n > REPLY_LINE_MAX)
        return *why = "a line has more than 2048 bytes", REPLY_BAD;
    if (!end)
        return REPLY_MORE;
    *used = n + 1;
    *line = (struct str){in.p, n && in.p[n - 1] == '\r' ? n - 1 : n};
    if (line->n < 3)
        return *why = "a line is shorter than a reply code", REPLY_BAD;
    return REPLY_ITEM;
}

enum reply_parsed reply_parse(struct str in, struct reply *ret, size_t *used, const char **why)
{
    ret->line_count = 0;
    size_t at = 0;
    for (;;) {
        struct str line, rest = {in.p + at, in.n - at};
        size_t n = 0;
        enum reply_parsed parsed = take_line(rest, &line, &n, why);
        if (parsed == REPLY_MORE && in.n >= REPLY_MAX)
            return *why = "a reply has more than 16384 bytes", REPLY_BAD;
        if (parsed != REPLY_ITEM)
            return parsed;
        unsigned code =
            (unsigned)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
        if (ret->line_count > 0 && code != ret->code)
            return *why = "the lines of a reply have different codes", REPLY_BAD;
        if (ret->line_count == REPLY_LINES)
            return *why = "a reply has more than 128 lines", REPLY_BAD;
        if (at + n > REPLY_MAX)
            return *why = "a reply has more than 16384 bytes", REPLY_BAD;
        ret->code = code;
        ret->lines[ret->line_count++] = line;
        at += n;
        if (line.n == 3 || line.p[3] != '-')
            break;
    }
    *used = at;
    return REPLY_ITEM;
}

/* ---- what may be shown ------------------------------------------------------------ */

void said(char to[SAID], struct str text)
{
    while (text.n && memchr("\r\n", text.p[text.n - 1], 2))
        text.n--;
    size_t kept = text.n < SAID ? text.n : SAID - 4;
    for (size_t i = 0; i < kept; i++)
        to[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?';
    snprintf(to + kept, SAID - kept, "%s", kept < text.n ? "..." : "");
}

void reply_said(char to[SAID], const struct reply *r)
{
    struct str last = r->lines[r->line_count - 1], first = r->lines[0];
    said(to, last.n > 4 ? last : first);
}

/* ---- EHLO ----------------------------------------------------------------------------- */

static void add_mechanism(struct capabilities *c, struct str word)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    char name[MECHANISM_N];
    size_t n = 0;
    for (; n < word.n && n < sizeof name - 1; n++) {
        char up = word.p[n] >= 'a' && word.p[n] <= 'z' ? (char)(word.p[n] - 'a' + 'A') : word.p[n];
        if (!memchr(allowed, up, sizeof allowed - 1))
            break;
        name[n] = up;
    }
    name[n] = '\0';
    if (n == word.n && capabilities_have(c, name))
        return;
    if (n < word.n || c->mechanism_count == MECHANISMS)
        c->mechanisms_dropped++;
    else
        memcpy(c->mechanisms[c->mechanism_count++], name, sizeof name);
}

void capabilities_read(const struct reply *r, struct capabilities *ret)
{
    *ret = (struct capabilities){.known = r->code < 400 || r->code >= 500};
    if (r->code >= 300)
        return;
    bool new_form = false;
    for (unsigned i = 1; i < r->line_count; i++) { /* the first line is the server's name */
        struct str rest = r->lines[i];
        if (rest.n <= 4)
            continue;
        rest = (struct str){rest.p + 4, rest.n - 4};
        struct str keyword = str_cut(&rest, " \t=");
        if (str_eq_nocase(keyword, STR("STARTTLS")))
            ret->starttls = true;
        if (!str_eq_nocase(keyword, STR("AUTH")))
            continue;
        ret->auth = true;
        new_form |= keyword.n + 4 == r->lines[i].n || keyword.p[keyword.n] != '=';
        while (rest.p) {
            struct str word = str_cut(&rest, " \t=");
            if (word.n)
                add_mechanism(ret, word);
        }
    }
    ret->auth_is_old = ret->auth && !new_form;
}

bool capabilities_have(const struct capabilities *c, const char *mechanism)
{
    for (unsigned i = 0; i < c->mechanism_count; i++)
        if (strcmp(c->mechanisms[i], mechanism) == 0)
            return true;
    return false;
}

bool capabilities_take_passwords(const struct capabilities *c)
{
    static const char *const plain[] = {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (capabilities_have(c, plain[i]))
            return true;
    return false;
}

/* ---- words of a reply ----------------------------------------------------------------------- */

static bool has_word(struct str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.n; i++)
        if (str_eq_nocase((struct str){text.p + i, n}, (struct str){word, n}))
            return true;
    return false;
}

enum refusal refusal_of(const struct reply *r)
{
    /* the first that is found: Postfix, Sendmail, Exim, Exchange and others say these */
    static const struct {
        const char *word;
        enum refusal means;
    } words[] = {
        {"STARTTLS", REFUSAL_WANTS_TLS},       {" TLS", REFUSAL_WANTS_TLS},
        {"encrypt", REFUSAL_WANTS_TLS},        {"relay", REFUSAL_OTHER},
        {"authenticat", REFUSAL_WANTS_AUTH},   {" AUTH ", REFUSAL_WANTS_AUTH},
        {"log in", REFUSAL_WANTS_AUTH},        {"login", REFUSAL_WANTS_AUTH},
        {"access denied", REFUSAL_WANTS_AUTH},
    };
    if (r->code < 300)
        return REFUSAL_NONE;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (unsigned i = 0; i < r->line_count; i++)
            if (has_word(r->lines[i], words[w].word))
                return words[w].means;
    return r->code == 530 ? REFUSAL_WANTS_AUTH : REFUSAL_OTHER;
}

const char *software_of(struct str greeting)
{
    static const char *const names[] = {
        "Postfix",    "Sendmail",    "Exim",    "OpenSMTPD", "Microsoft",   "Haraka",  "Stalwart",
        "Maddy",      "mox",         "Dovecot", "Zimbra",    "CommuniGate", "Courier", "qmail",
        "MailEnable", "hMailServer", "MDaemon", "Kerio",     "James",       "gsmtp",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has_word(greeting, names[i]))
            return names[i];
    return NULL;
}
