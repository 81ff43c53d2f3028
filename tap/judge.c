/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/judge.h"

#include "core/catalogue.h"
#include "tap/detections.h"

const char *const tap_mode_names[TAP_MODES] = {"", "cleartext", "starttls", "implicit"};

/* ---- who and where ------------------------------------------------------------------ */

static struct str address_text(char *text, const struct addr *a)
{
    struct buf b = {text, 0, ADDRESS_TEXT, false};
    addr_format(&b, a);
    return buf_view(&b);
}

static uint64_t ms(int64_t from_us, int64_t to_us)
{
    return to_us > from_us ? (uint64_t)(to_us - from_us) / 1000 : 0;
}

static void set_times(struct judgement *j, const struct flow_told *t)
{
    j->duration_ms = ms(t->began_us, t->ended_us);
    j->silent_ms = t->first_us < 0 ? j->duration_ms : ms(t->began_us, t->first_us);
}

/* Both ends, as the MTA has them: behind a PROXY header they are the header's. */
static void set_ends(struct judgement *j, const struct flow_told *t)
{
    struct session *s = &j->session;
    const struct proxy_header *p = &t->opening->proxy;
    s->client = p->told ? p->client : t->client;
    s->client_port = p->told ? p->client_port : t->client_port;
    s->server_port = p->told ? p->server_port : t->server_port;
    s->client_text = address_text(j->client_text, &s->client);
    s->server_text = address_text(j->server_text, p->told ? &p->server : &t->server);
    j->proxy = p->told ? address_text(j->proxy_text, &t->client) : (struct str){NULL, 0};
}

/* The MTA's port counts. What a PROXY header tells is the proxy's, which may be another of the
 * policy's, and of another kind, if the proxy does TLS. */
static void find_listener(struct session *s, const struct policy *p, const struct flow_told *t)
{
    static const struct str none = {NULL, 0};
    uint16_t told = s->server_port;
    s->server_port = t->server_port;
    session_find_listener(s, p, none, none);
    s->server_port = told;
    if (!s->listener)
        session_find_listener(s, p, none, none);
}

/* ---- what the opening shows ------------------------------------------------------------ */

static enum tap_mode mode_of(const struct opening *o)
{
    if (o->first == FIRST_TLS)
        return TAP_MODE_IMPLICIT;
    if (!tap_spoke_smtp(o))
        return TAP_MODE_UNKNOWN;
    return tap_starttls_stands(o) ? TAP_MODE_STARTTLS : TAP_MODE_CLEARTEXT;
}

/* What a stage of the core comes from, the latest first. */
static const struct {
    enum smtp_verb verb;
    enum stage stage;
} stages[] = {
    {VERB_ETRN, STAGE_ETRN}, {VERB_VRFY, STAGE_VRFY}, {VERB_DATA, STAGE_DATA},
    {VERB_BDAT, STAGE_DATA}, {VERB_RCPT, STAGE_RCPT}, {VERB_MAIL, STAGE_MAIL},
    {VERB_EHLO, STAGE_HELO}, {VERB_HELO, STAGE_HELO}, {VERB_LHLO, STAGE_HELO},
};

static enum stage stage_of(const struct opening *o)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (has_verb(o, stages[i].verb))
            return stages[i].stage;
    return STAGE_CONNECT;
}

static void set_names(struct session *s, const struct opening *o)
{
    struct software software;
    s->helo = (struct str){o->helo, o->helo_n};
    if (s->helo.n && catalogue_helo(s->helo, &software))
        s->software = str_of(software.info->id);
    if (o->mechanism)
        s->mechanism = str_of(o->mechanism); /* for people: it is no fact that AUTH succeeded */
}

/*
 * The facts that the rules ask for. That TLS and AUTH are not there is one if MAIL came in clear
 * text (the session's functions see to it). AUTH in clear text is one at once: the MTA need not
 * have taken it for the password to be out.
 */
static void set_facts(struct tap_bench *b)
{
    struct session *s = &b->ret->session;
    const struct opening *o = b->o;
    if (b->tls_is_ours) {
        if (b->role != ROLE_SUBMISSIONS && o->first == FIRST_TLS && tap_tls_answered(o))
            session_tls_at_connect(s, true);
        if (b->role == ROLE_SUBMISSIONS && tap_clear_text_answered(b->told))
            session_tls_at_connect(s, false);
        session_no_tls(s);
        if (has_verb(o, VERB_AUTH)) {
            s->cleartext_auth = true;
            s->known |= FACT_BIT(FACT_CLEARTEXT_AUTH);
        }
    }
    if (!has_verb(o, VERB_AUTH) && !has_verb(o, VERB_XCLIENT))
        session_no_auth(s);
    session_find_trust(s, b->policy);
}

/* ---- the password ------------------------------------------------------------------------ */

/* Mechanisms whose first message is the password, or as good as one (RFC 4616, 7628). */
static const char *const one_step[] = {"PLAIN", "XOAUTH2", "OAUTHBEARER"};

static bool password_was_sent(const struct opening *o)
{
    for (size_t i = 0;
         o->initial_response && o->mechanism && i < sizeof one_step / sizeof *one_step; i++)
        if (strcmp(o->mechanism, one_step[i]) == 0)
            return true;
    return false;
}

static void ask_rules(struct tap_bench *b)
{
    struct verdict *v = &b->ret->verdict;
    decide(b->policy, &b->ret->session, b->now, v, NULL);
    if (!password_was_sent(b->o))
        b->ret->likely |= v->broken & FINDING_BIT(FINDING_CLEARTEXT_AUTH);
}

/* What the policy says is not done by us. */
static void only_look_on(struct verdict *v)
{
    if (!refuses(v->would))
        return;
    v->action = ACTION_LOG;
    if (v->held == HELD_NOT)
        v->held = HELD_PASSIVE;
}

void tap_judge(const struct policy *p, const struct flow_told *told, const struct now *now,
               struct judgement *ret)
{
    const struct opening *o = told->opening;
    struct session *s = &ret->session;
    *s = (struct session){.stage = stage_of(o)};
    ret->told = told;
    ret->likely = 0;
    ret->mode = mode_of(o);
    set_times(ret, told);
    set_ends(ret, told);
    find_listener(s, p, told);
    set_names(s, o);
    bool relayed = has_verb(o, VERB_XCLIENT) || has_verb(o, VERB_XFORWARD);
    struct tap_bench b = {
        .policy = p,
        .told = told,
        .o = o,
        .now = now,
        .ret = ret,
        .role = s->listener ? s->listener->role : ROLE_SMTP,
        .tls_is_ours =
            s->listener && s->listener->tls_by == TLS_BY_MTA && !relayed && !o->proxy_missing,
    };
    set_facts(&b);
    ask_rules(&b);
    if (s->listener && !o->proxy_missing)
        tap_detect(&b);
    only_look_on(&ret->verdict);
}
