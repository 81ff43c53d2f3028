/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes from Postfix's side: parsed whole and byte by byte they give the
 * same, and whatever becomes a request gets exactly one well-formed answer
 * that cannot be taken for PERMIT.
 */
#include <stdint.h>
#include <stdlib.h>

#include "policyd/server.h"
#include "policyd/service.h"

static void must(bool what)
{
    if (!what)
        abort();
}

/* `action=DUNNO` or `action=<4xx or 5xx> <dsn> <text>`, an empty line, nothing else. */
static void check_reply(struct str reply)
{
    must(reply.n > 9 && memcmp(reply.p, "action=", 7) == 0);
    must(memcmp(reply.p + reply.n - 2, "\n\n", 2) == 0);
    struct str value = {reply.p + 7, reply.n - 9};
    must(!memchr(value.p, '\n', value.n) && !memchr(value.p, '\0', value.n));
    if (str_eq(value, STR("DUNNO")))
        return;
    must(value.n > 12 && (value.p[0] == '4' || value.p[0] == '5') && value.p[3] == ' ');
    must(value.p[4] == value.p[0]);
}

static struct service *service(void)
{
    static struct service s;
    static struct life life;
    static const struct sipkey key = {3, 4};
    if (s.life)
        return &s;
    struct policy *p = policy_new(&key);
    static const struct {
        const char *name;
        enum role role;
        uint16_t port;
    } on[] = {{"smtp", ROLE_SMTP, 25},
              {"submission", ROLE_SUBMISSION, 587},
              {"submissions", ROLE_SUBMISSIONS, 465}};
    for (int i = 0; i < 3; i++) {
        struct listener *l = policy_add_listener(p, on[i].role, on[i].port);
        l->names[l->name_count++] = str_of(on[i].name);
        l->mode = MODE_ENFORCE;
        for (int f = 0; f < FINDING_COUNT; f++)
            l->action[f] = findings[f].strictest; /* every reply can be reached */
    }
    p->help_url = "https://help.example.com/mail/%id";
    struct config c = {.policy = p};
    must(recorder_open(&life.recorder, &c, "fuzz", (uid_t)-1, (gid_t)-1, NULL) == 0);
    life.policy = p;
    life.ciphers = ciphers_new(NULL);
    s = (struct service){&life, transactions_new(&key), 0};
    return &s;
}

static bool same(const struct request *a, const struct request *b)
{
    for (unsigned i = 0; i < ATTR_COUNT; i++)
        if (request_has(a, i) != request_has(b, i) ||
            !str_eq(request_value(a, i), request_value(b, i)))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str in = {(const char *)p, n};
    struct now now = {1, 1};
    while (in.n) {
        struct request whole, part;
        size_t used = 0, part_used = 0;
        const char *why;
        enum parsed parsed = request_parse(in, &whole, &used, &why), at = PARSED_MORE;
        size_t reach = parsed == PARSED_ITEM ? used : in.n;
        for (size_t i = reach > 600 ? reach - 600 : 0; i <= reach && at == PARSED_MORE; i++)
            at = request_parse((struct str){in.p, i}, &part, &part_used, &why);
        must(at == parsed);
        if (parsed != PARSED_ITEM)
            break;
        must(used > 0 && used <= in.n && part_used == used && same(&whole, &part));
        char text[REPLY_MAX];
        struct buf reply = BUF(text);
        service_answer(service(), &whole, (struct str){NULL, 0}, &now, &reply);
        must(!reply.full);
        check_reply(buf_view(&reply));
        in = (struct str){in.p + used, in.n - used};
    }
    return 0;
}
