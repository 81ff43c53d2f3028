/* SPDX-License-Identifier: Apache-2.0 */
#include "core/reply.h"

struct row {
    enum finding finding;
    enum edge edge;
    unsigned code;
    const char *dsn;
    const char *text;
};

static const struct row rows[] = {
    {FINDING_AUTH_ON_SMTP_PORT, EDGE_MAIL, 554, "5.7.1",
     "AUTH is not accepted on port 25; use 465 (TLS) or 587 (STARTTLS)"},
    {FINDING_AUTH_TRIED_ON_SMTP_PORT, EDGE_AUTH, 535, "5.7.8",
     "AUTH is not accepted on port 25; your password was not checked; use 465 or 587"},
    {FINDING_TLS_REQUIRED, EDGE_MAIL, 530, "5.7.0",
     "Must issue a STARTTLS command first"}, /* RFC 3207 4 */
    {FINDING_AUTH_REQUIRED, EDGE_MAIL, 530, "5.7.0",
     "Authentication required"}, /* RFC 6409 4.3, RFC 4954 6 */
    {FINDING_CLEARTEXT_AUTH, EDGE_MAIL, 554, "5.7.0",
     "Your password was sent without TLS; use TLS, and change the password"},
    {FINDING_TLS_VERSION, EDGE_MAIL, 554, "5.7.10",
     "TLS version too old; update the mail program or enable TLS 1.2"}, /* RFC 3207 4.1 */
    {FINDING_TLS_CIPHER, EDGE_MAIL, 554, "5.7.10",
     "TLS cipher gives no protection; update the mail program"}, /* RFC 9325 4.1 */
    {FINDING_TLS_CIPHER_WEAK, EDGE_MAIL, 554, "5.7.10",
     "TLS cipher out of date; update the mail program"},
    {FINDING_AUTH_MECHANISM, EDGE_MAIL, 554, "5.7.9",
     "Authentication mechanism not accepted; choose another in the mail program"},
};

/* `url` with every %id in it replaced by the finding's id. */
static void put_url(struct buf *b, const char *url, const char *id)
{
    const char *at;
    while ((at = strstr(url, "%id"))) {
        buf_put(b, url, (size_t)(at - url));
        buf_cstring(b, id);
        url = at + 3;
    }
    buf_cstring(b, url);
}

bool reply_for(const struct policy *p, enum finding f, enum action a, enum edge edge,
               struct reply *ret)
{
    const struct row *r = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].finding == f && rows[i].edge == edge)
            r = &rows[i];
    if (!r || !refuses(a))
        return false;

    ret->code = a == ACTION_DEFER ? 451 : r->code;
    struct buf dsn = BUF(ret->dsn), text = BUF(ret->text);
    /* 4.x.x for 4xx (RFC 3463 2); the rest of the code says what it is about. */
    buf_char(&dsn, a == ACTION_DEFER ? '4' : '5');
    buf_cstring(&dsn, r->dsn + 1);
    buf_cstr(&dsn);
    buf_cstring(&text, r->text);
    if (*p->help_url) {
        buf_cstring(&text, "; see ");
        put_url(&text, p->help_url, findings[f].id);
    }
    buf_cstr(&text);
    return true;
}
