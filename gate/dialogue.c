/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/dialogue.h"

/* "Username:" */
#define ASK_USER "VXNlcm5hbWU6"

void dialogue_hello(struct buf *out, uint32_t pid, uint32_t number)
{
    buf_str(out, STR("VERSION\t1\t2\n"));
    for (size_t i = 0; i < mechanism_count; i++) {
        buf_str(out, STR("MECH\t"));
        buf_str(out, mechanisms[i].name);
        buf_cstring(out, mechanisms[i].flags);
        buf_char(out, '\n');
    }
    buf_str(out, STR("SPID\t"));
    buf_u64(out, pid);
    buf_str(out, STR("\nCUID\t"));
    buf_u64(out, number);
    /* The cookie is for whoever asks about a login that succeeded. */
    buf_str(out, STR("\nCOOKIE\t00000000000000000000000000000000\nDONE\n"));
}

/*
 * Never with `user=`: Postfix would write it into its log, and users type passwords for names. The
 * reason goes to the client behind "535 5.7.8 Error: authentication failed: ".
 */
static void put_fail(struct buf *reply, uint32_t id, struct str text)
{
    buf_str(reply, STR("FAIL\t"));
    buf_u64(reply, id);
    buf_str(reply, STR("\treason="));
    buf_str(reply, text);
    buf_char(reply, '\n');
}

static void put_question(struct buf *reply, uint32_t id)
{
    buf_str(reply, STR("CONT\t"));
    buf_u64(reply, id);
    buf_str(reply, STR("\t" ASK_USER "\n"));
}

/* ---- LOGINs that wait for a name --------------------------------------------- */

static struct pending *find(struct dialogue *d, uint32_t id)
{
    for (unsigned i = 0; i < d->pending_count; i++)
        if (d->pending[i].id == id)
            return &d->pending[i];
    return NULL;
}

static void forget(struct dialogue *d, struct pending *p)
{
    size_t behind = (size_t)(d->pending + d->pending_count - p) - 1;
    memmove(p, p + 1, behind * sizeof *p);
    d->pending_count--;
}

static void set_attempt(struct attempt *ret, const struct dialogue *d, const struct mechanism *m,
                        const struct pending *p)
{
    ret->mta_pid = d->mta_pid;
    ret->mechanism = m;
    ret->secured = p->secured;
    ret->client = p->client;
    ret->server = p->server;
    ret->user_n = 0;
}

static void set_user(struct attempt *ret, const struct auth_command *c)
{
    struct buf user = BUF(ret->user);
    ret->user_n =
        c->has_response && mechanism_user(ret->mechanism, c->response, &user) ? (uint8_t)user.n : 0;
}

/* ---- commands ------------------------------------------------------------------- */

static enum dialogue_result answer_auth(struct dialogue *d, const struct auth_command *c,
                                        struct str text, struct buf *reply, struct attempt *ret,
                                        const char **why)
{
    if (!str_eq(c->service, STR(GATE_SERVICE)))
        return DIALOGUE_WRONG_SERVICE;
    *why = "the id of an AUTH that is not over";
    if (find(d, c->number))
        return DIALOGUE_BAD;

    const struct mechanism *m = mechanism_of(c->mechanism);
    struct pending p = {.id = c->number, .secured = c->secured};
    addr_parse(c->client_address, &p.client);
    addr_parse(c->server_address, &p.server);
    if (!m || !m->asks_for_user || c->has_response) {
        put_fail(reply, c->number, text);
        set_attempt(ret, d, m, &p);
        set_user(ret, c);
        return DIALOGUE_REFUSED;
    }
    enum dialogue_result result = DIALOGUE_ASKED;
    if (d->pending_count == GATE_PENDING) {
        /* Their clients left without a word to us; the oldest gives way. */
        put_fail(reply, d->pending[0].id, text);
        set_attempt(ret, d, m, &d->pending[0]);
        forget(d, &d->pending[0]);
        result = DIALOGUE_REFUSED;
    }
    d->pending[d->pending_count++] = p;
    put_question(reply, c->number);
    return result;
}

/* The name came; before a password is sent. One that was not asked for is for nobody. */
static enum dialogue_result answer_cont(struct dialogue *d, const struct auth_command *c,
                                        struct str text, struct buf *reply, struct attempt *ret)
{
    struct pending *p = find(d, c->number);
    if (!p)
        return DIALOGUE_SILENT;
    put_fail(reply, c->number, text);
    set_attempt(ret, d, mechanism_of(STR("LOGIN")), p);
    set_user(ret, c);
    forget(d, p);
    return DIALOGUE_REFUSED;
}

enum dialogue_result dialogue_answer(struct dialogue *d, const struct auth_command *c,
                                     struct str text, struct buf *reply, struct attempt *ret,
                                     const char **why)
{
    switch (c->verb) {
    case VERB_VERSION:
        *why = "another version of the protocol";
        return c->number == 1 ? DIALOGUE_SILENT : DIALOGUE_BAD;
    case VERB_CPID: d->mta_pid = c->number; return DIALOGUE_SILENT;
    case VERB_AUTH: return answer_auth(d, c, text, reply, ret, why);
    case VERB_CONT: return answer_cont(d, c, text, reply, ret);
    case VERB_OTHER: break;
    }
    return DIALOGUE_SILENT;
}
