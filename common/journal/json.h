/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as the journal and the status file use it: a writer of strings, and a
 * strict scanner for one flat object. Nothing is allocated, nothing is copied
 * that need not be; all functions may be used from any thread.
 *
 * Bytes. A JSON text is UTF-8 (RFC 8259 8.1), and what strangers send may not
 * be. One spelling, and the only one, for bytes that JSON cannot carry:
 *
 *     a byte 0x80..0xFF that is not part of valid UTF-8    \uef80 .. \uefff
 *     the byte 0x00                                        \uef00
 *     the bytes of a real U+EF00 or U+EF80..U+EFFF (private use, not met in
 *     mail) are each spelled like bytes that are not UTF-8
 *
 * so "caf\xe9" in Latin-1 is "caf\uefe9". Every byte string has exactly one
 * spelling and comes back exactly; and the text stays valid I-JSON (RFC 7493),
 * which a lone surrogate or \u0000 would not (jq, PostgreSQL, jansson).
 * Controls, DEL and U+0080..U+009F are escaped as \u00XX, so that a journal
 * can be shown on a terminal.
 */
#ifndef JOURNAL_JSON_H
#define JOURNAL_JSON_H

#include "core/buf.h"

/* ---- writing ------------------------------------------------------------ */

/* The string with its quotes. If it does not fit, b->full is set and the text
 * is as it was before. */
void json_put_string(struct buf *b, struct str s);

/* How many bytes json_put_string() writes at most for n bytes. */
#define JSON_STRING_MAX(n) (2 + 6 * (n))

/* ---- scanning ----------------------------------------------------------- */

enum json_kind {
    JSON_IS_STRING,
    JSON_IS_INTEGER, /* within int64_t */
    JSON_IS_BOOL,
    JSON_IS_NULL,
    JSON_IS_STRINGS, /* an array that holds only strings, or nothing */
    JSON_IS_OBJECT,  /* give `raw` to another scanner */
    JSON_IS_OTHER    /* valid JSON of another kind: for a reader to ignore */
};

struct json_item {
    struct str name; /* printable ASCII */
    enum json_kind kind;
    struct str raw; /* as it stands: a string without its quotes, strings
                       without their brackets, anything else whole */
    bool plain;     /* JSON_IS_STRING: `raw` is the value, json_decode() would copy it */
    bool boolean;
    int64_t integer;
};

enum { JSON_NAMES = 96, JSON_DEPTH = 8 };

enum json_result {
    JSON_MORE, /* the text ends too early; nothing was consumed */
    JSON_ITEM,
    JSON_END, /* of the object, and only space is behind it (a newline is space) */
    JSON_BAD  /* not JSON, a duplicate name, more than JSON_NAMES names, deeper
                 than JSON_DEPTH, a name that is not printable ASCII without
                 escapes, or bytes that are not UTF-8. It stays BAD. */
};

struct json_scan {
    const char *p;
    size_t n, at;
    unsigned count; /* names so far */
    bool open, closed, bad;
    struct {
        uint32_t at, hash;
        uint16_t n;
    } names[JSON_NAMES];
};

/* Starts on `text`, which must outlive the scan and the items. Below 4 GiB. */
void json_scan_init(struct json_scan *s, struct str text);

/* After JSON_MORE: the same text, grown (it may have moved; items that were
 * returned before point into the old one). */
void json_scan_grow(struct json_scan *s, struct str text);

/*
 * The next member of the object. *ret is set with JSON_ITEM only.
 * JSON_END is not JSON_MORE even if text might follow: the caller knows where
 * its line ends.
 */
enum json_result json_next(struct json_scan *s, struct json_item *ret);

/*
 * The bytes behind a string's `raw`, in the spelling above. False if `out`
 * is too small (it is then unchanged, but full); `raw` from a scanner is never wrong otherwise.
 * It never needs more than raw.n bytes.
 */
bool json_decode(struct str raw, struct buf *out);

/*
 * Walks the strings of a JSON_IS_STRINGS item: *rest begins as the item's raw.
 * False when there are no more.
 */
bool json_next_string(struct str *rest, struct str *ret_raw);

#endif
