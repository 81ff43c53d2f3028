/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/join/match.h"

/* How far two clocks, or a stamp of whole seconds, may be apart. */
#define SLACK_US (2 * US_PER_S)
/* The longest that a session goes on behind its last event, and that a client's port is not used
 * for another (RFC 5321 4.5.3.2: 5 minutes of silence, 10 for a mail). */
#define LASTS_US (3600 * US_PER_S)
/* Without ports, events of one client and one process are one session's if they are so close. */
#define PAUSE_US (10 * US_PER_S)

static int64_t apart(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

int64_t account_over_us(const struct account *a)
{
    return a->last_us + (a->unfinished ? LASTS_US : 0);
}

void match_span(int64_t begun_us, int64_t first_us, int64_t last_us, int64_t *ret_from_us,
                int64_t *ret_to_us)
{
    const int64_t slack_us = SLACK_US + US_PER_S;
    *ret_from_us = begun_us   ? begun_us - slack_us
                   : first_us ? first_us - LASTS_US - slack_us
                              : INT64_MIN;
    *ret_to_us = first_us ? last_us + slack_us : INT64_MAX;
}

/* Who says when a session began is asked for that. */
static bool at_same_time(const struct account *a, const struct waiting *w)
{
    if (!w->first_us)
        return true; /* the log has no times */
    if (a->begun_us && w->begun_us)
        return apart(a->begun_us, w->begun_us) <= SLACK_US + US_PER_S;
    return a->first_us <= w->last_us + SLACK_US && account_over_us(a) + SLACK_US >= w->first_us;
}

/* One process has one session behind the other: what it told is of the one in which it was told.
 * Its clock is the log's, whose stamps may be of whole seconds. */
static bool in_process(const struct account *a, const struct waiting *w)
{
    bool whole = w->first_us % US_PER_S == 0 && w->last_us % US_PER_S == 0;
    int64_t pad_us = whole ? US_PER_S : US_PER_S / 10;
    return a->mta_pid == w->pid && (!w->first_us || (a->first_us >= w->first_us - pad_us &&
                                                     a->last_us <= w->last_us + pad_us));
}

enum likeness match_session(const struct account *a, const struct waiting *w)
{
    if (!at_same_time(a, w))
        return ANOTHER;
    if (a->queue_id > NAMES_MORE && a->queue_id == w->queue_id)
        return CERTAIN;
    if (!addr_eq(&a->seen.client, &w->seen.client))
        return ANOTHER;
    if (a->seen.server_port && w->seen.server_port && a->seen.server_port != w->seen.server_port)
        return ANOTHER;
    if (a->client_port && w->client_port)
        return a->client_port == w->client_port ? CERTAIN : ANOTHER;
    if (a->mta_pid && w->pid)
        return in_process(a, w) ? CERTAIN : ANOTHER;
    return PERHAPS;
}

enum likeness match_account(const struct account *keyless, const struct account *keyed)
{
    if (!addr_eq(&keyless->seen.client, &keyed->seen.client) ||
        keyless->first_us > account_over_us(keyed) + SLACK_US ||
        keyless->last_us + SLACK_US < keyed->first_us)
        return ANOTHER;
    if (keyless->mta_pid && keyed->mta_pid)
        return keyless->mta_pid == keyed->mta_pid ? CERTAIN : ANOTHER;
    return PERHAPS;
}

bool match_event(const struct account *a, const struct event *e)
{
    int64_t from_us = e->begun_us ? e->begun_us : e->wall_us;
    if (e->begun_us && (a->begun_us || from_us - a->first_us > SLACK_US))
        return false;
    return from_us - a->last_us < LASTS_US;
}

bool match_process(const struct account *a, const struct event *e, uint32_t pid, uint32_t user)
{
    return !a->key && pid && a->mta_pid == pid && a->user == user &&
           e->wall_us - a->last_us < PAUSE_US;
}
