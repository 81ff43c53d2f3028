/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the report for a terminal that answers in a few sentences. */
#include "audit/report/report_text.h"

static void bullet(const struct text *t, struct buf *b)
{
    fputs("  - ", t->style.to);
    text_go_on(&t->style, 4, 4, buf_cstr(b));
    b->n = 0;
}

static void write_refused(const struct text *t, struct buf *b)
{
    const struct report *r = t->r;
    buf_cstring(b, "If this policy were enforced, ");
    if (r->refused_customers) {
        put_count(b, r->refused_customers, "user", "users");
        buf_cstring(b, " would be refused");
    } else {
        buf_cstring(b, "no user would be refused");
    }
    if (r->refused_device_clients) {
        buf_cstring(b, r->refused_customers ? "; so would " : "; but ");
        put_count(b, r->refused_device_clients, "client", "clients");
        buf_printf(b, " without a login whose mail is taken today%s",
                   r->refused_customers ? "" : " would be");
    }
    buf_char(b, '.');
    bullet(t, b);
}

/* "37 users logged in: 31 fine, 5 with something to change, 1 that cannot be judged." */
static void put_share(struct buf *b, const uint64_t share[STATE_COUNT])
{
    static const char *const words[STATE_COUNT] = {
        [STATE_FINE] = "fine",
        [STATE_CHANGE] = "with something to change",
        [STATE_UNKNOWN] = "that cannot be judged",
    };
    char number[GROUPED_MAX];
    const char *before = ": ";
    for (int i = 0; i < STATE_COUNT; i++) {
        if (share[i] == 0)
            continue;
        buf_printf(b, "%s%s %s", before, grouped(share[i], number), words[i]);
        before = ", ";
    }
    buf_char(b, '.');
}

static void write_customers(const struct text *t, struct buf *b)
{
    const struct report *r = t->r;
    uint64_t users[STATE_COUNT], sessions[STATE_COUNT];
    char number[GROUPED_MAX];
    for (int i = 0; i < STATE_COUNT; i++) {
        users[i] = r->share[i].users;
        sessions[i] = r->share[i].sessions;
    }
    if (r->users) {
        put_count(b, r->users, "user logged in", "users logged in");
        put_share(b, users);
        bullet(t, b);
    }
    put_count(b, r->customers, "session is a customer's", "sessions are customers'");
    put_share(b, sessions);
    if (r->sessions > r->customers)
        buf_printf(b, " The other %s: strangers, mostly bots and other servers.",
                   grouped(r->sessions - r->customers, number));
    bullet(t, b);
}

/* What most readers ask first. */
static void write_answers(const struct text *t, struct buf *b)
{
    static const struct {
        enum finding finding;
        const char *one, *many;
    } answers[] = {
        {FINDING_CLEARTEXT_AUTH, "user sends the password without TLS",
         "users send their password without TLS"},
        {FINDING_AUTH_ON_SMTP_PORT, "user logs in on port 25", "users log in on port 25"},
        {FINDING_TLS_VERSION, "user has a TLS version that is too old",
         "users have a TLS version that is too old"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        for (unsigned k = 0; k < t->r->finding_count; k++) {
            const struct report_finding *f = &t->r->findings[k];
            if (f->finding != answers[i].finding || f->users == 0)
                continue;
            buf_cstring(b, b->n ? ", " : "");
            put_count(b, f->users, answers[i].one, answers[i].many);
        }
    }
    if (b->n == 0)
        return;
    buf_char(b, '.');
    bullet(t, b);
}

/* Who is fine is so as far as the log goes. */
static void write_untold(const struct text *t, struct buf *b)
{
    char number[GROUPED_MAX];
    for (unsigned i = 0; i < t->r->version_count; i++) {
        const struct report_count *c = &t->r->versions[i];
        if (*c->id || c->customers == 0)
            continue;
        buf_printf(b,
                   "The TLS version of %s of customers' sessions is not logged; it may be too old.",
                   grouped(c->customers, number));
        bullet(t, b);
    }
}

void write_short(const struct text *t)
{
    const struct report *r = t->r;
    char text[SENTENCE_MAX], number[GROUPED_MAX];
    struct buf b = BUF(text);
    text_heading(&t->style, "IN SHORT");
    write_refused(t, &b);
    write_answers(t, &b);
    if (r->customers) {
        write_customers(t, &b);
        write_untold(t, &b);
    } else {
        buf_printf(&b,
                   "Nobody logged in, so all %s sessions count as strangers': who is a customer "
                   "cannot be said. Logs of more days may tell.",
                   grouped(r->sessions, number));
        bullet(t, &b);
    }
    if (r->excepted || r->trusted) {
        put_count(&b, r->excepted, "session is", "sessions are");
        buf_printf(&b, " excused by an exception, %s because the client is trusted.",
                   grouped(r->trusted, number));
        bullet(t, &b);
    }
    if (r->input->problem_count) {
        buf_cstring(&b, "Not everything could be read: see the end.");
        bullet(t, &b);
    }
}
