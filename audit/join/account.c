/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/account.h"

#include "core/catalogue.h"
#include "core/session.h"
#include "journal/json.h"

/* What is noticed rather than asked about: of a decision's findings only what the rules do not find
 * again from its facts. */
static const finding_set of_decisions = FINDING_BIT(FINDING_LISTENER_MODE_MISMATCH);

static const finding_set of_handshakes =
    FINDING_BIT(FINDING_HANDSHAKE_VERSION) | FINDING_BIT(FINDING_HANDSHAKE_CIPHER) |
    FINDING_BIT(FINDING_CERTIFICATE_REJECTED) | FINDING_BIT(FINDING_HANDSHAKE_UNKNOWN);

/* Of the tap: what the rules find again from "MAIL, no TLS, no AUTH". */
static const finding_set of_rules =
    FINDING_BIT(FINDING_TLS_REQUIRED) | FINDING_BIT(FINDING_AUTH_REQUIRED);

static uint32_t flag_if(bool it_is_so, uint32_t flag)
{
    return it_is_so ? flag : 0;
}

/* ---- what every event has ------------------------------------------------------------- */

static void add_identity(struct account *a, const struct event *e, struct names *names)
{
    struct seen *s = &a->seen;
    s->sources |= SOURCE_BIT(e->source);
    if (!a->key)
        a->key = e->key;
    if (!s->client.bits)
        s->client = e->client;
    if (!a->client_port)
        a->client_port = (uint16_t)e->client_port;
    if (!s->server_port && !e->proxy.n) /* else it is the proxy's; the listener's name tells */
        s->server_port = (uint16_t)e->server_port;
    if (!s->host)
        s->host = names_id(names, e->host);
    if (!s->listener)
        s->listener = names_id(names, e->listener);
    if (!a->mta_pid)
        a->mta_pid = event_pid(e);
    if (e->queue_id.n)
        a->queue_id = names_id(names, e->queue_id);
}

static void add_time(struct account *a, const struct event *e)
{
    int64_t from_us = e->begun_us ? e->begun_us : e->wall_us;
    if (e->begun_us)
        a->begun_us = e->begun_us;
    if (!a->first_us || from_us < a->first_us)
        a->first_us = from_us;
    if (e->wall_us > a->last_us)
        a->last_us = e->wall_us;
}

static void add_software(struct seen *s, const struct event *e, struct names *names)
{
    const struct software_info *info = catalogue_by_id(e->software);
    if (!info || s->software)
        return;
    s->software = (uint8_t)(1 + (info - catalogue));
    s->software_version = names_id(names, e->software_version);
}

static bool told_mail(const struct event *e)
{
    static const enum stage after[] = {STAGE_MAIL,           STAGE_RCPT, STAGE_DATA,
                                       STAGE_END_OF_MESSAGE, STAGE_VRFY, STAGE_ETRN};
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        if (str_eq(e->stage, str_of(stage_names[after[i]])))
            return true;
    return false;
}

static void add_facts(struct seen *s, const struct event *e, struct names *names)
{
    bool mail = told_mail(e);
    s->flags |= flag_if(e->helo.n, SEEN_HELO) | flag_if(mail, SEEN_MAIL) |
                flag_if(e->tls == TOLD_YES, SEEN_TLS) | flag_if(e->auth == TOLD_YES, SEEN_AUTH) |
                flag_if(mail && e->auth == TOLD_NO, SEEN_NO_AUTH);
    if (mail && e->tls == TOLD_NO)
        s->mode = TLS_MODE_CLEARTEXT;
    if (e->tls_version.n) {
        s->flags |= SEEN_TLS_LINE;
        s->tls_version = (uint16_t)tls_version_of(e->tls_version);
        s->cipher = names_id(names, e->cipher);
        s->bits = (uint16_t)e->bits;
    }
    if (e->auth == TOLD_YES) {
        s->user = names_id(names, e->user);
        s->mechanism = names_id(names, e->mechanism);
    }
}

/* ---- the tap's ------------------------------------------------------------------------- */

static enum first_bytes first_of(struct str word)
{
    static const struct {
        struct str word;
        enum first_bytes first;
    } words[] = {
        {{"tls", 3}, BYTES_TLS},
        {{"smtp", 4}, BYTES_SMTP},
        {{"http", 4}, BYTES_HTTP},
        {{"other", 5}, BYTES_OTHER},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq(word, words[i].word))
            return words[i].first;
    return BYTES_NOT_TOLD;
}

static bool has_command(const struct event *e, struct str verb)
{
    struct str rest = e->commands, one;
    while (json_next_string(&rest, &one))
        if (str_eq(one, verb))
            return true;
    return false;
}

/* The port's mode, as the log's sessions have it: what the client spoke there is in `first`. */
static enum tls_mode mode_of(const struct event *e)
{
    if (str_eq(e->role, str_of(role_names[ROLE_SUBMISSIONS])))
        return TLS_MODE_IMPLICIT;
    if (str_eq(e->tls_mode, str_of(tls_mode_names[TLS_MODE_STARTTLS])))
        return TLS_MODE_STARTTLS;
    if (str_eq(e->tls_mode, str_of(tls_mode_names[TLS_MODE_IMPLICIT])) &&
        str_eq(e->handshake, STR("answered")))
        return TLS_MODE_IMPLICIT;
    return e->tls_mode.n ? TLS_MODE_CLEARTEXT : TLS_MODE_UNKNOWN;
}

static void add_session(struct account *a, const struct event *e, struct names *names)
{
    struct seen *s = &a->seen;
    bool answered = str_eq(e->handshake, STR("answered"));
    bool mail = has_command(e, STR("MAIL"));
    s->first = (uint8_t)first_of(e->first_bytes);
    s->mode = (uint8_t)mode_of(e);
    s->flags |= flag_if(answered, SEEN_TLS) | flag_if(mail, SEEN_MAIL) |
                flag_if(mail && !has_command(e, STR("AUTH")), SEEN_NO_AUTH) |
                flag_if(s->mode == TLS_MODE_STARTTLS, SEEN_STARTTLS) |
                flag_if(e->found & ~e->likely & of_handshakes, SEEN_TLS_FAILED) |
                flag_if(e->unknown_commands, SEEN_UNRECOGNISED);
    if (mail && s->mode == TLS_MODE_UNKNOWN)
        s->mode = TLS_MODE_CLEARTEXT;
    s->ja4 = names_id(names, e->ja4);
    s->offered = (uint16_t)tls_version_of(e->offered_highest);
    a->unfinished = !str_eq(e->ended, STR("fin")) && !str_eq(e->ended, STR("rst"));
    s->flags |= flag_if(!a->unfinished && str_eq(e->first_bytes, STR("nothing")), SEEN_MUTE);
}

void account_add(struct account *a, const struct event *e, struct names *names)
{
    finding_set noticed = e->kind == EVENT_DECISION  ? e->found & of_decisions
                          : e->kind == EVENT_SESSION ? e->found & ~of_rules
                                                     : e->found;
    if (!a->seen.sources)
        a->unfinished = true;
    add_identity(a, e, names);
    add_time(a, e);
    a->user = names_id(names, e->user);
    add_software(&a->seen, e, names);
    if (e->kind == EVENT_AUTH_REFUSED) {
        a->seen.flags |= SEEN_AUTH_FAILED | flag_if(e->tls == TOLD_YES, SEEN_TLS);
        a->user_is_hashed = e->user.n != 0;
    } else {
        add_facts(&a->seen, e, names);
    }
    if (e->kind == EVENT_SESSION)
        add_session(a, e, names);
    a->seen.told |= noticed;
    a->seen.likely |= e->likely & noticed;
}

/* ---- two become one ---------------------------------------------------------------------- */

/* What one says for certain of TLS, and the other says was otherwise. */
static bool contradict(const struct seen *a, const struct seen *b)
{
    bool modes = a->mode && b->mode && a->mode != b->mode;
    bool up_here = a->flags & SEEN_TLS, up_there = b->flags & SEEN_TLS;
    bool clear_here = a->mode == TLS_MODE_CLEARTEXT && a->flags & SEEN_MAIL && !up_here;
    bool clear_there = b->mode == TLS_MODE_CLEARTEXT && b->flags & SEEN_MAIL && !up_there;
    return (modes && up_here && up_there) || (up_here && clear_there) || (up_there && clear_here);
}

static void take_number(uint32_t *to, uint32_t from)
{
    if (!*to)
        *to = from;
}

void seen_unite(struct seen *to, const struct seen *from)
{
    if (contradict(to, from))
        to->told |= FINDING_BIT(FINDING_LISTENER_MODE_MISMATCH);
    to->flags |= from->flags;
    to->told |= from->told;
    to->likely |= from->likely;
    /* The tap has seen the bytes; the log tells a part of them, and by chance. */
    if (from->first && (from->sources & SOURCE_BIT(SOURCE_TAP) || !to->first))
        to->first = from->first;
    if (from->sources & SOURCE_BIT(SOURCE_TAP) && from->first)
        to->flags &= ~(uint32_t)SEEN_SILENT;
    to->sources |= from->sources;
    take_number(&to->host, from->host);
    take_number(&to->listener, from->listener);
    take_number(&to->client_name, from->client_name);
    take_number(&to->user, from->user);
    take_number(&to->mechanism, from->mechanism);
    take_number(&to->ja4, from->ja4);
    if (!to->client.bits)
        to->client = from->client;
    if (!to->server_port)
        to->server_port = from->server_port;
    if (!to->mode)
        to->mode = from->mode;
    if (!to->offered)
        to->offered = from->offered;
    if (!to->failed_user)
        to->failed_user = from->failed_user;
    if (!to->tls_version) {
        to->tls_version = from->tls_version;
        to->cipher = from->cipher;
        to->bits = from->bits;
    }
    if (!to->software) {
        to->software = from->software;
        to->software_version = from->software_version;
    }
    if (!to->mta)
        to->mta = from->mta;
}
