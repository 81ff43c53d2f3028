/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a log line: what is told of it are parts of the line, a shape is no longer than it
 * may be and holds printable text only, and a message's tag decides whose line it is.
 */
#include <stdint.h>
#include <stdlib.h>

#include "audit/dialect/message.h"
#include "audit/dialect/shape.h"

static void must(bool what)
{
    if (!what)
        abort();
}

static void must_be_part(struct str part, struct str whole)
{
    must(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void check_message(const struct log_line *l, const struct message *m, struct str in)
{
    const struct str parts[] = {m->listener,  m->client_name, m->queue_id,    m->user,
                                m->mechanism, m->helo,        m->tls_version, m->cipher,
                                m->after,     m->sent,        m->header,      m->proto};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        must_be_part(parts[i], in);
    must(m->kind < MESSAGE_KINDS && m->first <= BYTES_OTHER && m->mta != MTA_UNKNOWN);
    must(m->reason.handshake < HANDSHAKES);
    must(m->reply == 0 || (m->reply >= 200 && m->reply <= 599));
    must(m->postscreen <= (m->mta == MTA_POSTFIX));
    must(!m->listener_bare || str_eq(m->listener, STR("postfix")));
    must(l->tag.n > 0 || m->kind != MESSAGE_NONE);
    must(!m->counted || m->kind == MESSAGE_DISCONNECT);
}

static void check_shape(struct str text)
{
    char room[SHAPE_TEXT_MAX];
    struct buf b = BUF(room);
    shape_write(&b, text);
    must(!b.full && b.n <= sizeof room);
    for (size_t i = 0; i < b.n; i++)
        must(b.p[i] >= ' ' && b.p[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    /* Of a line without a tag, and of cleanup's, the text decides whose it is. */
    static const struct {
        struct str tag;
        bool ours, not_ours;
    } tags[] = {{STR(""), false, false},
                {STR("postfix/smtpd"), true, false},
                {STR("postfix/a/postscreen"), true, false},
                {STR("postfix/cleanup"), false, false},
                {STR("sm-mta"), true, false},
                {STR("exim"), false, true}};
    struct str in = {(const char *)p, n};
    struct stamps t;
    stamps_init(&t, INT64_C(1700000000000000));
    struct log_line l;
    struct message m;
    line_parse(&t, in, &l);
    if (message_parse(&l, &m))
        check_message(&l, &m, in);
    else
        must(m.kind == MESSAGE_NONE);
    /* The same text as each program's. */
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        l = (struct log_line){.tag = tags[i].tag, .text = in, .times = 1};
        bool ours = message_parse(&l, &m);
        must(ours ? !tags[i].not_ours : !tags[i].ours);
        m.listener = i > 0 && i < 4 ? (struct str){NULL, 0} : m.listener; /* a part of the tag */
        m.listener_bare = false;
        if (ours)
            check_message(&l, &m, in);
    }
    reason_of_error(in);
    reason_of_words(in);
    reason_of_accept(in);
    check_shape(in);
    return 0;
}
