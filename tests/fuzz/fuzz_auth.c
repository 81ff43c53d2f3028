/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes from Postfix's side to the gate: parsed whole and byte by byte they give the same,
 * every AUTH gets exactly one FAIL (a LOGIN perhaps a CONT before it) or the connection ends there,
 * and no answer has anything in it that was sent but the id.
 */
#include <stdint.h>
#include <stdlib.h>

#include "gate/dialogue.h"

#define TEXT "AUTH is refused"

static void must(bool what)
{
    if (!what)
        abort();
}

/* The parser, given one byte more each time, around the end of the line. */
static void by_byte(struct str in, enum auth_parsed whole, const struct auth_command *w,
                    size_t used)
{
    size_t reach = whole == AUTH_ITEM ? used : in.n < AUTH_LINE_MAX ? in.n : AUTH_LINE_MAX;
    struct auth_command c;
    enum auth_parsed parsed = AUTH_MORE;
    for (size_t n = reach > 600 ? reach - 600 : 0; n <= reach && parsed == AUTH_MORE; n++) {
        size_t part = 0;
        const char *why;
        parsed = auth_parse((struct str){in.p, n}, &c, &part, &why);
        must(parsed != AUTH_ITEM || (n == reach && part == used));
    }
    must(parsed == whole);
    if (parsed == AUTH_ITEM)
        must(c.verb == w->verb && c.number == w->number && str_eq(c.mechanism, w->mechanism) &&
             str_eq(c.service, w->service) && str_eq(c.response, w->response) &&
             c.secured == w->secured);
}

/* How many lines of the two kinds; there are no others. */
static void count(struct str reply, unsigned *fails, unsigned *questions)
{
    while (reply.n) {
        struct str line = str_cut(&reply, "\n");
        must(reply.p != NULL); /* each has its end */
        struct str verb = str_cut(&line, "\t");
        uint64_t id;
        must(str_to_u64(str_cut(&line, "\t"), UINT32_MAX, &id));
        bool fail = str_eq(verb, STR("FAIL"));
        must(fail ? str_eq(line, STR("reason=" TEXT))
                  : str_eq(verb, STR("CONT")) && str_eq(line, STR("VXNlcm5hbWU6")));
        *(fail ? fails : questions) += 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str in = {(const char *)p, n};
    struct dialogue d = {0};
    unsigned asked = 0, fails = 0, questions = 0, told = 0;
    while (in.n) {
        struct auth_command c;
        size_t used = 0;
        const char *why = NULL;
        enum auth_parsed parsed = auth_parse(in, &c, &used, &why);
        by_byte(in, parsed, &c, used);
        must(parsed != AUTH_BAD || why);
        if (parsed != AUTH_ITEM)
            break;
        must(used > 0 && used <= in.n);
        char text[GATE_REPLY_MAX];
        struct buf reply = BUF(text);
        struct attempt a = {0};
        enum dialogue_result r = dialogue_answer(&d, &c, STR(TEXT), &reply, &a, &why);
        must(!reply.full && d.pending_count <= GATE_PENDING);
        count(buf_view(&reply), &fails, &questions);
        if (r == DIALOGUE_WRONG_SERVICE || r == DIALOGUE_BAD) {
            must(reply.n == 0);
            break;
        }
        asked += c.verb == VERB_AUTH;
        told += r == DIALOGUE_REFUSED;
        must((reply.n == 0) == (r == DIALOGUE_SILENT));
        must(asked == fails + d.pending_count && told == fails);
        must(questions >= d.pending_count);
        in = (struct str){in.p + used, in.n - used};
    }
    return 0;
}
