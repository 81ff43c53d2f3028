/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/dialect/reason.h"

#include "audit/dialect/template.h"

const char *const handshake_words[HANDSHAKES] = {
    [HANDSHAKE_NOT_TOLD] = "not told",
    [HANDSHAKE_CLEARTEXT] = "clear text",
    [HANDSHAKE_HTTP] = "HTTP",
    [HANDSHAKE_VERSION] = "no TLS version in common",
    [HANDSHAKE_CIPHER] = "no cipher in common",
    [HANDSHAKE_CERTIFICATE] = "our certificate was rejected",
    [HANDSHAKE_GONE] = "the client went away",
    [HANDSHAKE_TIMEOUT] = "the client was silent",
    [HANDSHAKE_SERVER] = "a fault of the server",
    [HANDSHAKE_OTHER] = "something else",
};

const char *const handshake_ids[HANDSHAKES] = {
    [HANDSHAKE_NOT_TOLD] = "",     [HANDSHAKE_CLEARTEXT] = "cleartext",
    [HANDSHAKE_HTTP] = "http",     [HANDSHAKE_VERSION] = "version",
    [HANDSHAKE_CIPHER] = "cipher", [HANDSHAKE_CERTIFICATE] = "certificate",
    [HANDSHAKE_GONE] = "gone",     [HANDSHAKE_TIMEOUT] = "timeout",
    [HANDSHAKE_SERVER] = "server", [HANDSHAKE_OTHER] = "other",
};

enum row_kind { ROW_REASON, ROW_ALERT, ROW_ACCEPT };

static const struct row {
    enum row_kind kind;
    enum handshake handshake;
    unsigned alert;
    struct str where, words;
} rows[] = {
#define REASON(handshake, where, words)                                                            \
    {ROW_REASON, HANDSHAKE_##handshake, 0, STR(where), STR(words)},
#define ALERT(number, handshake, words)                                                            \
    {ROW_ALERT, HANDSHAKE_##handshake, number, STR(""), STR(words)},
#define ACCEPT(handshake, words) {ROW_ACCEPT, HANDSHAKE_##handshake, 0, STR(""), STR(words)},
#include "audit/dialect/reasons.def"
#undef REASON
#undef ALERT
#undef ACCEPT
};

enum { ROWS = sizeof rows / sizeof *rows, PREFIX_MIN = 5 };
_Static_assert(ROWS < UINT8_MAX, "an index is a byte");

static const struct reason other = {HANDSHAKE_OTHER, NULL};

static struct reason row_reason(const struct row *r)
{
    return (struct reason){r->handshake, r->handshake == HANDSHAKE_NOT_TOLD ? NULL : r->words.p};
}

uint8_t reason_index(struct reason r)
{
    for (unsigned i = 0; r.text && i < ROWS; i++)
        if (rows[i].words.p == r.text && rows[i].handshake == r.handshake)
            return (uint8_t)(i + 1);
    return 0;
}

struct reason reason_at(uint8_t index)
{
    return index == 0 || index > ROWS ? (struct reason){0} : row_reason(&rows[index - 1]);
}

/* ---- OpenSSL's words ------------------------------------------------------------- */

/* A line of the error queue, taken apart at its colons:
 * error:CODE:library:function:words:file:line:more */
struct error {
    struct str code, words;
    struct str before, behind; /* library and function; file, line and what OpenSSL adds */
    bool cut;                  /* nothing stands behind the words: they may be cut off */
};

static bool error_parse(struct str s, struct error *ret)
{
    const char *begin = text_first(s, STR("error:"));
    if (!begin)
        return false;
    struct str rest = {begin + 6, s.n - (size_t)(begin - s.p) - 6};
    ret->code = str_cut(&rest, ":");
    ret->before.p = rest.p;
    str_cut(&rest, ":");
    str_cut(&rest, ":");
    ret->before.n = rest.p ? (size_t)(rest.p - ret->before.p) : 0;
    ret->words = rest.p ? str_cut(&rest, ":") : (struct str){NULL, 0};
    ret->cut = !rest.p;
    ret->behind = rest;
    return ret->words.n > 0;
}

/* "SSL alert number 48" is what OpenSSL adds when the words come from an alert. */
static unsigned alert_number(struct str s)
{
    const char *p = text_first(s, STR("SSL alert number "));
    uint64_t v;
    if (!p)
        return 0;
    struct str rest = {p + 17, s.n - (size_t)(p - s.p) - 17};
    return str_to_u64(str_cut(&rest, ":"), 255, &v) ? (unsigned)v : 0;
}

/* "tlsv1 alert unknown ca" is "alert unknown ca"; other words stay as they are. */
static struct str without_version(struct str words)
{
    const char *alert = text_first(words, STR("alert "));
    if (!alert || alert == words.p || alert[-1] != ' ')
        return words;
    return (struct str){alert, words.n - (size_t)(alert - words.p)};
}

static bool fits(const struct row *r, const struct error *e)
{
    return r->where.n == 0 || text_first(e->before, r->where) || text_first(e->behind, r->where);
}

static struct reason of_error(const struct error *e)
{
    unsigned number = alert_number(e->behind);
    struct str words = without_version(e->words);
    const struct row *found = NULL;
    if (e->cut && words.n && words.p[words.n - 1] == '$') /* an editor's sign for "it goes on" */
        words.n--;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        if (r->kind == ROW_ACCEPT || !fits(r, e))
            continue;
        if (number ? r->alert == number : str_eq_nocase(r->words, words))
            return row_reason(r);
    }
    if (number || !e->cut || words.n < PREFIX_MIN)
        return other;
    /* Cut off in the middle: it counts if everything that begins so means the same. */
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        if (r->kind == ROW_ACCEPT || !fits(r, e) || r->words.n < words.n ||
            !str_eq_nocase((struct str){r->words.p, words.n}, words))
            continue;
        if (found && str_eq(found->words, r->words))
            continue; /* a later row for the same words does not count */
        if (found && found->handshake != r->handshake)
            return (struct reason){HANDSHAKE_NOT_TOLD, NULL};
        found = found ? found : r;
    }
    return found ? row_reason(found) : other;
}

struct reason reason_of_error(struct str error)
{
    struct error e = {0};
    uint64_t zero;
    if (!error_parse(error, &e) || str_to_u64(e.code, 0, &zero))
        return (struct reason){0}; /* error:00000000: there was none */
    return of_error(&e);
}

struct reason reason_of_words(struct str words)
{
    struct error e = {.words = words};
    if (words.n == 0 || str_eq(words, STR("unknown"))) /* Sendmail's word for none */
        return (struct reason){0};
    return of_error(&e);
}

struct reason reason_of_accept(struct str why)
{
    for (const struct row *r = rows; r < rows + ROWS; r++)
        if (r->kind == ROW_ACCEPT && str_eq_nocase(r->words, why))
            return row_reason(r);
    return why.n ? other : (struct reason){0};
}
