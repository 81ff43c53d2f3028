/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/session/waited.h"

enum { HOUR, MINUTE, SECOND, TIME_AT = 3, TIME_N = 3, QUARTER_S = 15 * 60, BASE = 60 };

static int digit(char c)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx";
    const char *at = memchr(digits, c, BASE);
    return at ? (int)(at - digits) : -1;
}

/* The second of its quarter of an hour; -1: not an id that has a time. */
static int second_of_id(struct str id)
{
    int d[TIME_N];
    if (id.n < 12) /* "6AL0IOaH021673" */
        return -1;
    for (int i = 0; i < TIME_N; i++)
        d[i] = digit(id.p[TIME_AT + i]);
    return d[HOUR] < 0 || d[HOUR] > 23 || d[MINUTE] < 0 || d[SECOND] < 0
               ? -1
               : (d[MINUTE] * 60 + d[SECOND]) % QUARTER_S;
}

/* Stamps are a second wide: what is two seconds apart may be little more than one. */
int64_t waited_us(int64_t connect_us, const struct log_line *l, const struct message *m)
{
    if (!l->wall_us)
        return 0;
    if (connect_us) {
        bool whole_seconds = connect_us % US_PER_S == 0 && l->wall_us % US_PER_S == 0;
        return l->wall_us - connect_us - (whole_seconds ? US_PER_S : 0);
    }
    int begun = m->mta == MTA_SENDMAIL ? second_of_id(m->queue_id) : -1;
    if (begun < 0)
        return 0;
    int64_t s = (l->wall_us / US_PER_S - begun) % QUARTER_S - 1;
    return s > QUARTER_S - 60 ? 0 : s * US_PER_S; /* a clock that was set back a little */
}
