/* SPDX-License-Identifier: Apache-2.0 */
/* Clear text in the opening: a client's commands, line by line, up to AUTH or MAIL. */
#include "core/wire/opening_internal.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool delimiter(char c)
{
    return blank(c) || c == '\r' || c == '\n';
}

/* No command begins with it: control characters, and bytes that are not ASCII. */
static bool binary(char c)
{
    return ((unsigned char)c < ' ' && !delimiter(c)) || (unsigned char)c >= 0x7f;
}

static struct str behind(struct str s, size_t n)
{
    return (struct str){s.p + n, s.n - n};
}

/* ---- words ------------------------------------------------------------------------------- */

enum word_kind { WORD_MORE, WORD_UNKNOWN, WORD_VERB, WORD_METHOD };

struct word {
    enum word_kind kind;
    enum smtp_verb verb; /* with WORD_VERB */
    size_t n;
};

/* The first word of a line that begins with one. It is whole if a delimiter follows. */
static struct word first_word(struct str text)
{
    struct word w = {WORD_UNKNOWN, VERBS, 0};
    while (w.n < text.n && w.n <= WORD_MAX && !delimiter(text.p[w.n]))
        w.n++;
    struct str s = {text.p, w.n};
    if (w.n > WORD_MAX)
        return w;
    if (w.n == text.n)
        w.kind = WORD_MORE;
    else if ((w.verb = smtp_verb_of(s)) < VERBS)
        w.kind = WORD_VERB;
    else if (text.p[w.n] == ' ' && is_http_method(s))
        w.kind = WORD_METHOD;
    return w;
}

/* Postfix and Sendmail skip blanks in front of a command. */
static struct str without_blanks(struct str s)
{
    while (s.n && (blank(s.p[0]) || s.p[0] == '\r'))
        s = behind(s, 1);
    return s;
}

/* ---- commands ---------------------------------------------------------------------------- */

static void keep_helo(struct opening *o, struct str argument)
{
    o->helo_n = argument.n <= OPENING_HELO_MAX ? (uint8_t)argument.n : 0;
    if (o->helo_n)
        memcpy(o->helo, argument.p, argument.n);
}

static void await_tls(struct opening *o, struct str argument)
{
    (void)argument;
    o->starttls = true;
    opening_go(o, PHASE_STARTTLS);
}

/* What a whole line does besides being counted. */
static void (*const does[VERBS])(struct opening *, struct str argument) = {
    [VERB_HELO] = keep_helo,
    [VERB_EHLO] = keep_helo,
    [VERB_STARTTLS] = await_tls,
};

/* With these mail begins, or is asked for: what follows is not ours to look at. */
static const bool ends[VERBS] = {
    [VERB_MAIL] = true, [VERB_RCPT] = true, [VERB_DATA] = true,
    [VERB_BDAT] = true, [VERB_VRFY] = true, [VERB_ETRN] = true,
};

static bool count(struct opening *o)
{
    if (++o->commands >= OPENING_COMMANDS)
        opening_over(o);
    return true;
}

static bool count_unknown(struct opening *o)
{
    o->unknown++;
    return count(o);
}

static bool count_verb(struct opening *o, enum smtp_verb verb)
{
    o->seen |= 1u << verb;
    if (o->verb_count < OPENING_VERBS)
        o->verbs[o->verb_count++] = (uint8_t)verb;
    return count(o);
}

static bool garbage(struct opening *o)
{
    if (o->first == FIRST_NOTHING)
        o->first = FIRST_OTHER;
    o->garbage = true;
    return opening_over(o);
}

static bool empty_line(struct opening *o)
{
    switch (o->unread->phase) {
    case PHASE_FIRST: return true; /* is not anything yet */
    case PHASE_STARTTLS: return garbage(o);
    default: return count_unknown(o);
    }
}

/* What is not known is counted, and not kept until its line ends. */
static bool unknown_line(struct opening *o)
{
    opening_go(o, PHASE_REST_OF_LINE);
    return count_unknown(o);
}

/* The line has not ended: more of it may come, or it is too long. */
static bool unended(struct opening *o, struct str bytes)
{
    if (bytes.n < OPENING_LINE)
        return false;
    if (o->first == FIRST_NOTHING)
        o->first = FIRST_OTHER;
    return unknown_line(o);
}

bool opening_rest_of_line(struct opening *o, struct str bytes, size_t *used)
{
    const char *end = memchr(bytes.p, '\n', bytes.n);
    *used = end ? (size_t)(end - bytes.p) + 1 : bytes.n;
    return end ? opening_go(o, PHASE_COMMAND) : true;
}

static bool whole_line(struct opening *o, enum smtp_verb verb, struct str argument)
{
    if (argument.n && argument.p[argument.n - 1] == '\r')
        argument.n--;
    if (does[verb])
        does[verb](o, str_trim(argument));
    return count_verb(o, verb);
}

/* `before`: bytes in front of the verb. */
static bool verb_line(struct opening *o, struct word w, struct str bytes, size_t before,
                      size_t *used)
{
    if (ends[w.verb]) {
        count_verb(o, w.verb);
        return opening_over(o);
    }
    if (w.verb == VERB_AUTH) {
        o->mechanism = "";
        *used = before + w.n;
        opening_go(o, PHASE_MECHANISM);
        return count_verb(o, w.verb);
    }
    const char *end = memchr(bytes.p, '\n', bytes.n < OPENING_LINE ? bytes.n : OPENING_LINE);
    if (!end)
        return unended(o, bytes);
    *used = (size_t)(end - bytes.p) + 1;
    bytes.n = *used - 1;
    return whole_line(o, w.verb, behind(bytes, before + w.n));
}

static bool first_of_client(struct opening *o, struct word w)
{
    static const enum opening_first firsts[] = {
        [WORD_UNKNOWN] = FIRST_OTHER,
        [WORD_VERB] = FIRST_SMTP,
        [WORD_METHOD] = FIRST_HTTP,
    };
    o->first = firsts[w.kind];
    return o->first == FIRST_HTTP ? opening_over(o) : opening_go(o, PHASE_COMMAND);
}

/* In clear text it may be that the server has refused STARTTLS. */
static bool first_after_starttls(struct opening *o, struct word w)
{
    return w.kind == WORD_VERB ? opening_go(o, PHASE_COMMAND) : garbage(o);
}

/* Where a command was due, it is TLS that nobody asked for; or the server has thrown away what the
 * client had sent behind STARTTLS without waiting (RFC 3207 4.2). */
static bool tls_begins(struct opening *o)
{
    if (o->first == FIRST_NOTHING)
        o->first = FIRST_TLS;
    o->unasked = o->unread->phase == PHASE_COMMAND && !o->starttls;
    o->hello_begun = true;
    return opening_go(o, PHASE_HELLO);
}

bool opening_command(struct opening *o, struct str bytes, size_t *used)
{
    enum opening_phase phase = o->unread->phase;
    enum hello_result begins = client_hello_begins(bytes);
    if (begins != HELLO_BAD)
        return begins == HELLO_ITEM && tls_begins(o);
    struct str text = without_blanks(bytes);
    if (text.n == 0)
        return unended(o, bytes);
    if (text.p[0] == '\n') {
        *used = bytes.n - text.n + 1;
        return empty_line(o);
    }
    if (binary(text.p[0]))
        return garbage(o);
    struct word w = first_word(text);
    if (w.kind == WORD_MORE)
        return unended(o, bytes);
    if (phase == PHASE_FIRST)
        return first_of_client(o, w);
    if (phase == PHASE_STARTTLS)
        return first_after_starttls(o, w);
    if (w.kind != WORD_VERB)
        return unknown_line(o);
    return verb_line(o, w, bytes, bytes.n - text.n, used);
}

/* A verb that nothing follows is whole now; of an argument nobody knows that. */
void opening_last_command(struct opening *o, struct str bytes)
{
    struct str text = without_blanks(bytes);
    size_t n = 0;
    while (n < text.n && !delimiter(text.p[n]))
        n++;
    enum smtp_verb verb = smtp_verb_of((struct str){text.p, n});
    bool known = verb < VERBS;
    if (n && o->first == FIRST_NOTHING)
        o->first = known ? FIRST_SMTP : FIRST_OTHER;
    if (!known)
        return;
    if (verb == VERB_AUTH)
        o->mechanism = "";
    if (verb == VERB_STARTTLS)
        o->starttls = true;
    count_verb(o, verb);
}

/* ---- AUTH (RFC 4954 4): only what mechanism, and whether something came with it ----------- */

/* False if there are none. */
static bool skip_blanks(struct str bytes, size_t *used)
{
    while (*used < bytes.n && blank(bytes.p[*used]))
        ++*used;
    return *used > 0;
}

/* A password may stand in its place: what begins no known name is not kept. */
bool opening_mechanism(struct opening *o, struct str bytes, size_t *used)
{
    if (skip_blanks(bytes, used))
        return true;
    struct str word = {bytes.p, 0};
    while (word.n < bytes.n && !delimiter(bytes.p[word.n]))
        word.n++;
    bool whole = word.n < bytes.n;
    if (whole && word.n == 0)
        return opening_over(o);
    if (!whole && is_sasl_mechanism_begun(word))
        return false;
    if (whole) {
        const char *known = sasl_mechanism_of(word);
        o->mechanism = known ? known : "";
    }
    *used = word.n;
    return opening_go(o, whole ? PHASE_RESPONSE : PHASE_NO_MECHANISM);
}

bool opening_no_mechanism(struct opening *o, struct str bytes, size_t *used)
{
    while (*used < bytes.n && !delimiter(bytes.p[*used]))
        ++*used;
    return *used < bytes.n ? opening_go(o, PHASE_RESPONSE) : true;
}

/* "=" says that there is one, and that it is empty. */
bool opening_response(struct opening *o, struct str bytes, size_t *used)
{
    if (skip_blanks(bytes, used))
        return true;
    if (bytes.p[0] == '=') {
        if (bytes.n < 2)
            return false;
        o->initial_response = !delimiter(bytes.p[1]);
    } else {
        o->initial_response = !delimiter(bytes.p[0]);
    }
    return opening_over(o);
}
