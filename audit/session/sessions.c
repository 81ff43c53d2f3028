/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a line is, when a session begins and when it is over. What a line says is facts.c's
 * business, where sessions are kept open.c's.
 */
#include "audit/session/sessions.h"

#include <stdlib.h>

#include "audit/session/facts.h"
#include "audit/session/open.h"
#include "audit/session/waited.h"

enum { DEFAULT_MAX_OPEN = 100 * 1000, MOST_OPEN = 1 << 24, DEFAULT_IDLE_S = 3600 };

struct sessions {
    struct names *names;
    struct sipkey key;
    struct sessions_settings settings;
    struct sessions_counts counts;
    struct open_sessions open;
    int64_t latest_us;    /* the latest time met */
    uint64_t last_number; /* given to a session */
    struct {
        char text[64];
        size_t n;
        uint32_t id;
    } host;          /* of the line before */
    uint32_t failed; /* who had the line before, if it was a TLS_FAILED without a process */
};

/* ---- keys --------------------------------------------------------------------- */

enum key_kind { KEY_ADDRESS, KEY_POSTSCREEN, KEY_QUEUE_ID, KEY_ALONE };

static uint64_t key_of(const struct sessions *s, enum key_kind kind, uint32_t host, uint64_t who)
{
    const uint64_t parts[2] = {(uint64_t)kind << 32 | host, who};
    uint64_t key = siphash(&s->key, parts, sizeof parts);
    return key ? key : 1;
}

/* Processes are numbered by the system and not by strangers: mixed, and not hashed, they cost less.
 * Different ones stay different: every step can be undone (splitmix64). */
static uint64_t process_key(const struct sessions *s, enum mta mta, uint32_t host, uint32_t pid)
{
    uint64_t key = ((uint64_t)mta << 62 | (uint64_t)host << 32 | pid) ^ s->key.k0;
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9;
    key = (key ^ key >> 27) * 0x94d049bb133111eb;
    key ^= key >> 31;
    return key ? key : 1;
}

static uint32_t host_of(struct sessions *s, struct str host)
{
    if (str_eq(host, (struct str){s->host.text, s->host.n}))
        return s->host.id;
    uint32_t id = names_id(s->names, host);
    if (host.n <= sizeof s->host.text) {
        memcpy(s->host.text, host.p ? host.p : "", host.n);
        s->host.n = host.n;
        s->host.id = id;
    }
    return id;
}

static uint64_t address_key(struct sessions *s, enum key_kind kind, uint32_t host,
                            const struct message *m)
{
    unsigned char who[sizeof m->client.b + 2];
    memcpy(who, m->client.b, sizeof m->client.b);
    memcpy(who + sizeof m->client.b, &m->client_port, 2);
    return key_of(s, kind, host, siphash(&s->key, who, sizeof who));
}

static uint64_t queue_id_key(const struct sessions *s, uint32_t host, struct str id)
{
    return id.n && id.n <= QUEUE_ID_MAX
               ? key_of(s, KEY_QUEUE_ID, host, siphash(&s->key, id.p, id.n))
               : 0;
}

struct sessions *sessions_new(struct names *names, const struct sipkey *key,
                              const struct sessions_settings *settings)
{
    struct sessions *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct sessions){.names = names, .key = *key, .settings = *settings};
    unsigned max = settings->max_open ? settings->max_open : DEFAULT_MAX_OPEN;
    if (!s->settings.idle_us)
        s->settings.idle_us = DEFAULT_IDLE_S * US_PER_S;
    if (open_init(&s->open, max < MOST_OPEN ? max : MOST_OPEN))
        return s;
    sessions_free(s);
    return NULL;
}

void sessions_free(struct sessions *s)
{
    if (s)
        open_free(&s->open);
    free(s);
}

/* ---- the end of one --------------------------------------------------------------- */

static void give_back(struct sessions *s, uint32_t i)
{
    open_remove(&s->open, i);
    if (s->failed == i)
        s->failed = NOBODY;
}

static bool is_incomplete(const struct seen *s)
{
    uint32_t both = SEEN_CONNECT | SEEN_END;
    return s->mta == MTA_POSTFIX && (s->flags & both) != both;
}

/* It gives its place back before it is told, so that what is told is a copy, to the byte. */
static void end(struct sessions *s, uint32_t i)
{
    struct open o;
    memcpy(&o, &s->open.at[i], sizeof o);
    facts_complete(&o.seen);
    s->counts.closed++;
    s->counts.incomplete += is_incomplete(&o.seen);
    give_back(s, i);
    struct closed_session c = {
        .seen = &o.seen,
        .number = o.number,
        .first_us = o.first_us,
        .last_us = o.last_us,
        .first_position = o.first_position,
        .queue_id = {o.queue_id, o.queue_id_n},
        .begun_us = o.seen.flags & SEEN_CONNECT ? o.first_us : o.begun_us,
        .pid = o.pid,
        .client_port = o.client_port,
    };
    s->settings.closed(s->settings.context, &c);
}

/* It was none: nobody is told. */
static void undo(struct sessions *s, uint32_t i)
{
    s->counts.opened--;
    give_back(s, i);
}

static void evict(struct sessions *s)
{
    s->counts.evicted++;
    end(s, open_first(&s->open, BY_USE));
}

/* The first line that has a time: what was open before grows old from then on. */
static void start_clock(struct sessions *s, int64_t wall_us)
{
    for (uint32_t i = open_first(&s->open, BY_USE); i != NOBODY;
         i = s->open.at[i].order[BY_USE].after)
        s->open.at[i].used_us = wall_us;
}

void sessions_quiet(struct sessions *s, int64_t us)
{
    int64_t now_us = s->latest_us + us;
    while (s->open.count &&
           now_us - s->open.at[open_first(&s->open, BY_USE)].used_us > s->settings.idle_us)
        evict(s);
}

/* Times may go back; the clock that sessions grow old by is the latest that was met. */
static void idle(struct sessions *s, int64_t wall_us)
{
    if (!s->latest_us && wall_us)
        start_clock(s, wall_us);
    if (wall_us > s->latest_us)
        s->latest_us = wall_us;
    sessions_quiet(s, 0);
}

/* ---- the beginning ------------------------------------------------------------------ */

/* NOBODY when memory ends. */
static uint32_t begin(struct sessions *s, uint64_t key, const struct log_line *l, uint64_t position)
{
    if (s->open.count == s->open.max)
        evict(s);
    uint32_t i = open_add(&s->open, key);
    if (i == NOBODY)
        return NOBODY;
    s->open.at[i].number = ++s->last_number;
    s->open.at[i].first_position = position;
    s->open.at[i].first_us = l->wall_us;
    s->counts.opened++;
    return i;
}

/* ---- one line -------------------------------------------------------------------------- */

static uint64_t key_of_line(struct sessions *s, const struct log_line *l, const struct message *m,
                            uint32_t host)
{
    if (m->kind == MESSAGE_SOFTWARE)
        return queue_id_key(s, host, m->queue_id);
    if (m->postscreen && m->client.bits)
        return address_key(s, KEY_POSTSCREEN, host, m);
    if (l->pid)
        return process_key(s, m->mta, host, l->pid);
    if (m->client.bits)
        return address_key(s, KEY_ADDRESS, host, m);
    /* Pasted without a process: the line before may have told whose it is. */
    if (m->kind == MESSAGE_TLS_REASON && s->failed)
        return s->open.at[s->failed].keys[0];
    return key_of(s, KEY_ALONE, host, s->last_number + 1);
}

static bool same_client(const struct open *o, const struct message *m)
{
    return !m->client.bits || !o->seen.client.bits ||
           memcmp(&m->client, &o->seen.client, sizeof m->client) == 0;
}

/* Lines that nobody connected before: smtpd writes such when it begins. */
static bool is_noise(const struct open *o)
{
    return !o->seen.client.bits && !o->seen.client_name && !(o->seen.flags & SEEN_CONNECT);
}

static bool only_connected(const struct open *o)
{
    const uint32_t nothing = SEEN_CONNECT | SEEN_BARE | SEEN_POSTSCREEN;
    return !(o->seen.flags & ~nothing) && !o->queue_id_n;
}

/*
 * What there is under the line's key, unless the line shows that it is over. An address that
 * changes is XCLIENT's doing if nothing happened before; else lines are missing.
 */
static uint32_t still_open(struct sessions *s, uint32_t i, const struct message *m)
{
    struct open *o = &s->open.at[i];
    struct facts f = {s->names, &s->key, m, 0, &o->seen};
    if (i == NOBODY)
        return NOBODY;
    if (m->kind == MESSAGE_CONNECT) {
        if (is_noise(o))
            undo(s, i);
        else
            end(s, i);
        return NOBODY;
    }
    if (same_client(o, m) && !facts_are_anothers(&f))
        return i;
    if (m->mta == MTA_POSTFIX && only_connected(o)) {
        o->seen.client = (struct addr){0};
        o->seen.client_name = 0;
        o->client_port = 0;
        o->seen.flags |= SEEN_PROXIED;
        return i;
    }
    end(s, i);
    return NOBODY;
}

static void remember_queue_id(struct sessions *s, uint32_t i, uint32_t host, struct str id)
{
    struct open *o = &s->open.at[i];
    uint64_t key = queue_id_key(s, host, id);
    if (!key || open_find(&s->open, key) != NOBODY)
        return;
    open_second_key(&s->open, i, key);
    memcpy(o->queue_id, id.p, id.n);
    o->queue_id_n = (uint8_t)id.n;
}

static void add(struct sessions *s, uint32_t i, const struct log_line *l, const struct message *m,
                uint32_t host)
{
    struct open *o = &s->open.at[i];
    int64_t connect_us = o->seen.flags & SEEN_CONNECT ? o->first_us : 0;
    struct facts f = {s->names, &s->key, m, waited_us(connect_us, l, m), &o->seen};
    o->seen.host = host;
    if (f.waited_us > 0 && !o->begun_us)
        o->begun_us = l->wall_us - f.waited_us;
    if (m->kind != MESSAGE_SOFTWARE)
        o->pid = l->pid; /* cleanup's line: it is another process */
    if (!o->client_port)
        o->client_port = m->client_port;
    facts_add(&f);
    if (m->queue_id.n && m->kind != MESSAGE_SOFTWARE && (o->seen.flags & SEEN_MAIL_TAKEN))
        remember_queue_id(s, i, host, m->queue_id);
    if (!o->first_us)
        o->first_us = l->wall_us;
    if (l->wall_us)
        o->last_us = l->wall_us;
    o->used_us = s->latest_us;
    open_use(&s->open, i);
}

/* postscreen has let it pass: smtpd's connect line follows. */
static bool is_handed_on(const struct log_line *l, const struct message *m)
{
    static const struct str words[] = {{"PASS ", 5}, {"WHITELISTED ", 12}, {"ALLOWLISTED ", 12}};
    bool is = false;
    if (m->postscreen && m->kind == MESSAGE_CONTEXT)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            is |= l->text.n > words[i].n && memcmp(l->text.p, words[i].p, words[i].n) == 0;
    return is;
}

static bool is_last(const struct message *m)
{
    return m->kind == MESSAGE_DISCONNECT || m->kind == MESSAGE_NO_MAIL;
}

uint64_t sessions_line(struct sessions *s, const struct log_line *l, const struct message *m,
                       uint64_t position)
{
    uint32_t host = host_of(s, l->host);
    idle(s, l->wall_us);
    uint64_t key = key_of_line(s, l, m, host);
    uint32_t i = still_open(s, open_find(&s->open, key), m);
    s->failed = NOBODY;
    if (i == NOBODY && facts_can_begin(m))
        i = begin(s, key, l, position);
    if (i == NOBODY) {
        s->counts.homeless += m->kind != MESSAGE_CONTEXT;
        return 0;
    }
    uint64_t number = s->open.at[i].number;
    add(s, i, l, m, host);
    if (is_handed_on(l, m) && only_connected(&s->open.at[i]))
        undo(s, i);
    else if (is_last(m) || is_handed_on(l, m))
        end(s, i);
    else if (m->kind == MESSAGE_TLS_FAILED && !l->pid)
        s->failed = i;
    return number;
}

void sessions_end(struct sessions *s)
{
    while (s->open.count)
        end(s, open_first(&s->open, BY_BIRTH));
}

const struct sessions_counts *sessions_counts(const struct sessions *s)
{
    return &s->counts;
}

uint64_t sessions_oldest(const struct sessions *s)
{
    return s->open.count ? s->open.at[open_first(&s->open, BY_BIRTH)].first_position : UINT64_MAX;
}

/* User names compare without regard to case, as in exceptions. */
uint64_t sessions_user_hash(const struct sipkey *key, struct str user)
{
    char lower[320];
    if (user.n > 0 && user.n <= sizeof lower) {
        for (size_t i = 0; i < user.n; i++) {
            char c = user.p[i];
            lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
        }
        user.p = lower;
    }
    uint64_t hash = siphash(key, user.p, user.n);
    return hash ? hash : 1;
}

const char *sessions_reason(uint8_t reason)
{
    return reason_at(reason).text;
}
