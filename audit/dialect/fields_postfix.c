/* SPDX-License-Identifier: Apache-2.0 */
/* What only Postfix has: the tails of its lines. */
#include "audit/dialect/fields.h"

#include "audit/dialect/cursor.h"

/* "auth=0/1 ", or "quit=1" at the end. */
static bool take_count(struct str *c, struct str *ret_name, struct count *ret)
{
    size_t n = 0;
    while (n < c->n && c->p[n] != '=')
        n++;
    if (n == c->n)
        return false;
    *ret_name = (struct str){c->p, n};
    skip(c, n + 1);
    if (!digits(c, &ret->ok))
        return false;
    ret->all = ret->ok;
    if (take(c, '/') && !digits(c, &ret->all))
        return false;
    return c->n == 0 || take(c, ' ');
}

/* "ehlo=1 auth=0/1 commands=1/2": what is absent is 0, but only if the line was not cut before
 * "commands". */
bool take_counts(struct str *c, const struct stops *stops, struct message *m)
{
    static const struct str names[COUNTS] = {
        [COUNT_HELO] = STR("helo"),         [COUNT_EHLO] = STR("ehlo"),
        [COUNT_STARTTLS] = STR("starttls"), [COUNT_AUTH] = STR("auth"),
        [COUNT_MAIL] = STR("mail"),         [COUNT_RCPT] = STR("rcpt"),
        [COUNT_DATA] = STR("data"),         [COUNT_BDAT] = STR("bdat"),
        [COUNT_QUIT] = STR("quit"),         [COUNT_UNKNOWN] = STR("unknown"),
        [COUNT_COMMANDS] = STR("commands"),
    };
    (void)stops;
    struct str name;
    struct count count;
    while (take_count(c, &name, &count))
        for (unsigned i = 0; i < COUNTS; i++)
            if (name.n == names[i].n && text_starts(name, names[i])) {
                m->counts[i] = count;
                m->counted |= i == COUNT_COMMANDS;
                break;
            }
    skip(c, c->n);
    return true;
}

/* The value behind `key`, up to a stop; false: the key is not there. */
static bool value(struct str s, struct str key, const struct stops *stops, struct str *ret)
{
    const char *p = text_first(s, key);
    if (!p)
        return false;
    s = text_behind(s, p, key.n);
    return take_until(&s, stops, ret);
}

/* ", sasl_method=PLAIN, sasl_username=x, sasl_sender=y": a login, unless only the last is there.
 * Names may have commas and blanks. */
bool take_sasl(struct str *c, const struct stops *stops, struct message *m)
{
    static const struct stops next = {{STR(", sasl_"), STR(", orig_")}, 2, true};
    (void)stops;
    if (c->n && c->p[0] != ',')
        return false;
    bool method = value(*c, STR(", sasl_method="), &next, &m->mechanism);
    if (value(*c, STR(", sasl_username="), &next, &m->user) || method)
        m->kind = MESSAGE_AUTH;
    skip(c, c->n);
    return true;
}

/* "554 5.7.1 text; from=<a> to=<b> proto=ESMTP helo=<c> sasl_username=d" */
bool take_reject(struct str *c, const struct stops *stops, struct message *m)
{
    static const struct stops next = {{STR(" sasl_")}, 1, true};
    (void)stops;
    struct str s = *c;
    unsigned code;
    skip(c, c->n);
    if (digits(&s, &code) && code >= 200 && code <= 599)
        m->reply = code;
    const char *helo = text_last(s, STR(" helo=<")), *close;
    if (!helo)
        return true;
    s = text_behind(s, helo, 7);
    if (!(close = memchr(s.p, '>', s.n)))
        return true; /* cut */
    m->helo = text_before(s, close);
    s = text_behind(s, close, 1);
    value(s, STR(" sasl_method="), &next, &m->mechanism);
    /* A milter's line has <> around the name, the others have not. */
    if (value(s, STR(" sasl_username="), &next, &m->user) && m->user.n > 1 && m->user.p[0] == '<' &&
        m->user.p[m->user.n - 1] == '>')
        m->user = (struct str){m->user.p + 1, m->user.n - 2};
    return true;
}

/* cleanup's "User-Agent: value from name[addr]; from=<...": another header is of no interest. */
bool take_software(struct str *c, const struct stops *stops, struct message *m)
{
    static const struct str names[] = {STR("user-agent"), STR("x-mailer")};
    struct str s = *c, name = str_cut(&s, ":");
    skip(c, c->n);
    m->kind = MESSAGE_CONTEXT;
    const char *tail = text_first(s, STR("; from=<")), *from;
    if (!tail || !(str_eq_nocase(name, names[0]) || str_eq_nocase(name, names[1])))
        return true;
    s = text_before(s, tail);
    if (!(from = text_last(s, STR(" from "))))
        return true;
    struct str client = text_behind(s, from, 6);
    take_client(&client, stops, m); /* "local" is none */
    m->header = str_trim(text_before(s, from));
    m->kind = MESSAGE_SOFTWARE;
    return true;
}
