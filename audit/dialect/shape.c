/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/dialect/shape.h"

#include <stdlib.h>

#include "audit/dialect/cursor.h"

/* ---- the vocabulary -------------------------------------------------------------- */

/* All texts of which words may be shown: our templates, OpenSSL's words, and what is likely in a
 * line that is in no table. */
static const char *const sources[] = {
#define MESSAGE(program, kind, template) template,
#include "audit/dialect/messages.def"
#undef MESSAGE
#define REASON(handshake, where, words) words,
#define ALERT(number, handshake, words) words,
#define ACCEPT(handshake, words) words,
#include "audit/dialect/reasons.def"
#undef REASON
#undef ALERT
#undef ACCEPT
    "warning error fatal panic info debug notice problem failed failure refused rejected denied",
    "accepted aborted allowed disabled enabled expired invalid unknown unsupported unexpected",
    "missing required available supported ignored ignoring using used lost closed closing reset",
    "a an and are as at be been before after by can cannot could did do does during for from had",
    "has have if in into is it its no not of off on or out over than that the their then there",
    "this to too under unless until was were when while will with without yes",
    "TLS SSL SASL AUTH STARTTLS DANE TLSA SNI OCSP DH ECDH RSA ECDSA EC DTLS QUIC OpenSSL LibreSSL",
    "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3 SSLv2 SSLv3 PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 XOAUTH2",
    "SCRAM-SHA-256 OAUTHBEARER EXTERNAL GSSAPI NTLM ANONYMOUS Cyrus Dovecot dovecot cyrus tlsmgr",
    "smtpd smtp submission submissions smtps MTA MSA EHLO HELO MAIL RCPT DATA QUIT CONNECT NOQUEUE",
    "authentication authenticated mechanism mechanisms certificate certificates cipher ciphers",
    "connection connections session sessions client server handshake protocol version key keys "
    "chain",
    "alert library routines record number user username password method sender relay address host",
    "hostname name port service socket file line level limit rate exceeded time timeout timed "
    "request",
    "reply response command commands verification verify verified trusted untrusted anonymous "
    "issuer",
    "subject fingerprint peer renegotiation resumption ticket tickets early data read write "
    "reading",
    "writing shutdown accept bytes bits digest signature group groups curve exchange established",
    "sasl_method sasl_username sasl_sender tls_version cert reason status state",
};

enum { WORDS_MAX = 2048 };
static struct str words[WORDS_MAX];
static size_t word_count;

/* "SASL_accept", "CRAM-MD5", "won't" */
static bool in_word(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '\'';
}

/* The word that a text begins with. */
static struct str word_at(struct str s)
{
    size_t n = 0;
    while (n < s.n && in_word(s.p[n]))
        n++;
    while (n && (s.p[n - 1] == '.' || s.p[n - 1] == '\''))
        n--;
    return (struct str){s.p, n};
}

static int compare(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* Before main(); read only later. A field's name is not a word of the template. */
__attribute__((constructor)) static void collect(void)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct str s = str_of(sources[i]);
        while (s.n) {
            bool field = take(&s, '%');
            struct str w = word_at(s);
            if (w.n && !field && is_letter(w.p[0])) {
                if (word_count == WORDS_MAX)
                    abort();
                words[word_count++] = w;
            }
            skip(&s, w.n ? w.n : s.n != 0);
        }
    }
    qsort(words, word_count, sizeof *words, compare);
}

static bool known(struct str w)
{
    return w.n && bsearch(&w, words, word_count, sizeof *words, compare);
}

/* ---- a shape ----------------------------------------------------------------------- */

/* What a piece is made of: "a5" letters, "n3" digits, "x5" a hexadecimal number or letters and
 * digits, "o9" anything. */
static void write_kind(struct buf *b, struct str s)
{
    bool letters = false, digits = false, others = false, hex = take_str(&s, STR("0x"));
    for (size_t i = 0; i < s.n; i++) {
        letters |= is_letter(s.p[i]);
        digits |= is_digit(s.p[i]);
        others |= !is_letter(s.p[i]) && !is_digit(s.p[i]);
    }
    buf_char(b, others ? 'o' : hex || (letters && digits) ? 'x' : letters ? 'a' : 'n');
    buf_u64(b, s.n);
}

static bool is_one_of(char c, struct str signs)
{
    return memchr(signs.p, c, signs.n) != NULL;
}

/*
 * One piece between blanks. Words that are known stay, with the signs around them ("reason=",
 * "(client["); the first part that is not known is the rest, with its signs, because passwords have
 * them; only a comma or a colon at its end stays.
 */
static void write_piece(struct buf *b, struct str s)
{
    struct str inner = s;
    skip(&inner, 1);
    if (is_one_of(s.p[0], STR("([<\"'")) && known(word_at(inner))) {
        buf_char(b, s.p[0]);
        s = inner;
    }
    for (struct str w = word_at(s); known(w); w = word_at(s)) {
        buf_str(b, w);
        skip(&s, w.n);
        if (s.n == 0 || !is_one_of(s.p[0], STR(":=,;/[]()<>.\"'")))
            break;
        buf_char(b, s.p[0]);
        skip(&s, 1);
    }
    size_t sign = s.n > 1 && is_one_of(s.p[s.n - 1], STR(",:;")) ? 1 : 0;
    if (s.n) {
        write_kind(b, (struct str){s.p, s.n - sign});
        buf_put(b, s.p + s.n - sign, sign);
    }
}

void shape_write(struct buf *b, struct str text)
{
    static const struct str more = STR("...");
    bool first = true;
    while (text.n) {
        struct str piece = str_cut(&text, " \t");
        if (!piece.n)
            continue;
        char room[SHAPE_TEXT_MAX];
        struct buf one = BUF(room);
        if (!first)
            buf_char(&one, ' ');
        first = false;
        write_piece(&one, piece);
        size_t keep = text.n ? more.n : 0;
        if (one.full || b->cap - b->n < one.n + keep) {
            if (b->cap - b->n >= more.n)
                buf_str(b, more);
            return;
        }
        buf_str(b, buf_view(&one));
    }
}

/* ---- which lines, and how many -------------------------------------------------------- */

bool shape_matters(struct str text)
{
    static const struct str marks[] = {STR("tls"),        STR("ssl"),    STR("sasl"),
                                       STR("auth"),       STR("cipher"), STR("handshake"),
                                       STR("certificate")};
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i] | 0x20;
        if (c != 't' && c != 's' && c != 'a' && c != 'c' && c != 'h')
            continue;
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
            if (text.n - i >= marks[k].n &&
                str_eq_nocase((struct str){text.p + i, marks[k].n}, marks[k]))
                return true;
    }
    return false;
}

void shapes_add(struct shapes *s, struct str text, uint64_t line)
{
    char shape[SHAPE_TEXT_MAX - 1];
    struct buf b = BUF(shape);
    shape_write(&b, text);
    s->lines++;
    for (unsigned i = 0; i < s->count; i++)
        if (str_eq(str_of(s->list[i].text), buf_view(&b))) {
            s->list[i].count++;
            return;
        }
    if (s->count == SHAPES_MAX) {
        s->overflow++;
        return;
    }
    struct shape *new = &s->list[s->count++];
    memcpy(new->text, b.p, b.n);
    new->text[b.n] = '\0';
    new->count = 1;
    new->first_line = line;
}
