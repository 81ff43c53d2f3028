/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/dialect/stamp.h"

#include <time.h>

#include "audit/dialect/cursor.h"

#define US_PER_MINUTE (60 * US_PER_S)
#define US_PER_DAY (1440 * US_PER_MINUTE)

/* As it stands in a line. */
struct stamp {
    unsigned year;  /* 0: not told */
    unsigned month; /* 0: not understood */
    unsigned day, hour, minute;
    const char *seconds; /* where they begin */
    int64_t us;          /* in the minute */
    bool zoned;
    int64_t zone_us; /* east of UTC */
};

void stamps_init(struct stamps *t, int64_t reference_us)
{
    tzset();
    *t = (struct stamps){.reference_us = reference_us};
}

static bool valid(const struct stamp *st, unsigned year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (st->month < 1 || st->month > 12 || year < 1970)
        return false;
    bool leap_day = st->month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return st->day >= 1 && st->day <= days[st->month - 1] + (unsigned)leap_day && st->hour < 24 &&
           st->minute < 60;
}

/* Of a valid minute, as if it were UTC. Years begin with March here, so that a leap day ends one.
 */
static int64_t civil_minute(const struct stamp *st, unsigned year)
{
    int64_t y = st->month > 2 ? year : (int64_t)year - 1;
    int64_t day_of_year = (153 * ((st->month + 9) % 12) + 2) / 5 + st->day - 1;
    int64_t days = 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
    return (days * 1440 + st->hour * 60 + st->minute) * US_PER_MINUTE;
}

static int64_t offset_at(int64_t utc_us)
{
    time_t at = (time_t)(utc_us / US_PER_S);
    struct tm tm;
    return localtime_r(&at, &tm) ? tm.tm_gmtoff * US_PER_S : 0;
}

/*
 * By hand, because mktime(3) answers by what it was asked before when an hour comes twice. Here it
 * is the first of the two; and a time that the clocks skipped is as if they had not.
 */
static int64_t utc_of_local(int64_t local_us)
{
    int64_t before = offset_at(local_us - US_PER_DAY), after = offset_at(local_us + US_PER_DAY);
    if (before != after && offset_at(local_us - before) != before &&
        offset_at(local_us - after) == after)
        return local_us - after;
    return local_us - before;
}

static int64_t minute_in_some_year(const struct stamp *st, int64_t reference_us)
{
    int64_t latest = reference_us + US_PER_DAY;
    time_t at = (time_t)(latest / US_PER_S);
    struct tm tm;
    if (!localtime_r(&at, &tm))
        return 0;
    /* Leap years are at most eight years apart. */
    for (unsigned year = (unsigned)tm.tm_year + 1900, n = 0; n < 10; n++, year--) {
        int64_t us = valid(st, year) ? utc_of_local(civil_minute(st, year)) : 0;
        if (us && us <= latest)
            return us;
    }
    return 0;
}

/* 0: there is no such time, or a part of it was not understood. */
static int64_t minute_of_stamp(const struct stamps *t, const struct stamp *st)
{
    if (st->year == 0)
        return minute_in_some_year(st, t->reference_us);
    if (!valid(st, st->year))
        return 0;
    int64_t us = civil_minute(st, st->year);
    return st->zoned ? us : utc_of_local(us);
}

/* In that minute. */
static int64_t time_of_stamp(const struct stamps *t, const struct stamp *st)
{
    if (t->minute_us == 0 || st->us >= 61 * US_PER_S) /* a leap second is one */
        return 0;
    return t->minute_us - st->zone_us + st->us;
}

/* "25", "25.123456" */
static inline bool take_seconds(struct str *s, struct stamp *st)
{
    if (s->n < 2 || !is_digit(s->p[0]) || !is_digit(s->p[1]))
        return false;
    st->us = ((s->p[0] - '0') * 10 + (s->p[1] - '0')) * US_PER_S;
    skip(s, 2);
    if (s->n > 1 && (s->p[0] == '.' || s->p[0] == ',') && is_digit(s->p[1])) {
        skip(s, 1);
        for (int64_t unit = US_PER_S / 10; s->n && is_digit(s->p[0]); unit /= 10, skip(s, 1))
            st->us += (s->p[0] - '0') * unit;
    }
    return true;
}

/* "00:32:25" with fractions or without. */
static bool take_time_of_day(struct str *s, struct stamp *st)
{
    struct str c = *s;
    if (!take_number(&c, 2, 2, &st->hour) || !take(&c, ':') ||
        !take_number(&c, 2, 2, &st->minute) || !take(&c, ':'))
        return false;
    st->seconds = c.p;
    if (!take_seconds(&c, st))
        return false;
    *s = c;
    return true;
}

/* A year, and a blank or the end behind it. */
static bool take_year(struct str *s, struct stamp *st)
{
    struct str c = *s;
    if (!take_number(&c, 4, 4, &st->year) || !take_blanks(&c)) {
        st->year = 0;
        return false;
    }
    *s = c;
    return true;
}

/* 0: a word that may be a month of another language. */
static unsigned month_number(struct str word)
{
    static const char names[12][3] = {"jan", "feb", "mar", "apr", "may", "jun",
                                      "jul", "aug", "sep", "oct", "nov", "dec"};
    if (word.n != 3)
        return 0;
    const char low[3] = {(char)(word.p[0] | 0x20), (char)(word.p[1] | 0x20),
                         (char)(word.p[2] | 0x20)};
    for (unsigned i = 0; i < 12; i++)
        if (memcmp(names[i], low, 3) == 0)
            return i + 1;
    return 0;
}

/* RFC 3164 4.1.2 "Nov  1 00:32:25", with a year before or behind the time or without. */
static bool take_classic(struct str *s, struct stamp *st)
{
    enum { MONTH_MAX = 24 };
    struct str c = *s;
    size_t n = 0;
    while (n < c.n && n < MONTH_MAX && (is_letter(c.p[n]) || c.p[n] == '.' || (c.p[n] & 0x80)))
        n++;
    if (n < 3)
        return false;
    struct str month = {c.p, n};
    skip(&c, n);
    if (c.n == 0 || !take_blanks(&c) || !take_number(&c, 1, 2, &st->day) || !take_blanks(&c))
        return false;
    bool year = take_year(&c, st);
    if (!take_time_of_day(&c, st) || !take_blanks(&c))
        return false;
    if (!year)
        take_year(&c, st);
    st->month = month_number(month);
    *s = c;
    return true;
}

/* "Z", "+02:00", "+0200", "+02" */
static bool take_zone(struct str *s, struct stamp *st)
{
    struct str c = *s;
    unsigned hours = 0, minutes = 0;
    bool west = c.n && c.p[0] == '-';
    if (!take(&c, 'Z') && !take(&c, 'z')) {
        if ((!take(&c, '+') && !take(&c, '-')) || !take_number(&c, 2, 2, &hours))
            return false;
        take(&c, ':');
        take_number(&c, 2, 2, &minutes);
    }
    if (hours > 23 || minutes > 59 || !take_blanks(&c))
        return false;
    st->zoned = true;
    st->zone_us = (hours * 60 + minutes) * US_PER_MINUTE * (west ? -1 : 1);
    *s = c;
    return true;
}

/* RFC 3339, ISO 8601: "2024-08-26T01:33:38.572449+00:00", also with a blank, also without zone. */
static bool take_iso(struct str *s, struct stamp *st)
{
    struct str c = *s;
    if (!take_number(&c, 4, 4, &st->year) || !take(&c, '-') || !take_number(&c, 2, 2, &st->month) ||
        !take(&c, '-') || !take_number(&c, 2, 2, &st->day) ||
        (!take(&c, 'T') && !take(&c, 't') && !take(&c, ' ')) || !take_time_of_day(&c, st))
        return false;
    if (!take_zone(&c, st)) {
        if (!take_blanks(&c))
            return false;
        if (c.n && (c.p[0] == '+' || c.p[0] == '-'))
            take_zone(&c, st);
    }
    *s = c;
    return true;
}

/* "Thu", as in front of the stamps of `journalctl -o short-full` and of OpenWrt. */
static bool take_weekday(struct str *s)
{
    static const struct str days[] = {STR("Mon"), STR("Tue"), STR("Wed"), STR("Thu"),
                                      STR("Fri"), STR("Sat"), STR("Sun")};
    if (s->n < 4 || s->p[3] != ' ' || !AMONG(((struct str){s->p, 3}), days))
        return false;
    skip(s, 3);
    return take_blanks(s);
}

/* One of the minute that was met last; of *st only what is in the minute is set. */
static inline bool take_known_minute(const struct stamps *t, struct str *s, struct stamp *st)
{
    struct str c = *s;
    size_t n = t->minute_n;
    if (n == 0 || c.n < n || memcmp(c.p, t->minute, n) != 0)
        return false;
    skip(&c, n);
    st->zoned = false;
    st->zone_us = 0;
    if (!take_seconds(&c, st) || (t->minute_zoned ? !take_zone(&c, st) : !take_blanks(&c)))
        return false;
    /* A year or a zone may follow: not here. */
    if (!st->zoned && c.n && c.p[0] <= '9')
        return false;
    *s = c;
    return true;
}

static bool take_any(struct str *s, struct stamp *st)
{
    static const struct str utc[] = {STR("UTC"), STR("GMT")};
    struct str c = *s;
    bool weekday = take_weekday(&c), iso = c.n && is_digit(c.p[0]);
    if (!(iso ? take_iso(&c, st) : take_classic(&c, st)))
        return false;
    if (weekday && iso && !st->zoned) /* journalctl's, with the zone's name behind it */
        st->zoned = AMONG(take_word(&c), utc);
    *s = c;
    return true;
}

bool take_stamp(struct stamps *t, struct str *s, int64_t *ret_us)
{
    struct stamp st;
    if (ret_us && take_known_minute(t, s, &st)) {
        *ret_us = time_of_stamp(t, &st);
        return true;
    }
    struct str c = *s;
    st = (struct stamp){0};
    if (!take_any(&c, &st))
        return false;
    if (ret_us) {
        t->minute_us = minute_of_stamp(t, &st);
        t->minute_zoned = st.zoned;
        *ret_us = time_of_stamp(t, &st);
        /* It is remembered if the short way comes to the same place. */
        struct str again = *s;
        size_t n = (size_t)(st.seconds - s->p);
        t->minute_n = n <= sizeof t->minute ? (uint8_t)n : 0;
        memcpy(t->minute, s->p, t->minute_n);
        if (!take_known_minute(t, &again, &st) || again.p != c.p)
            t->minute_n = 0;
    }
    *s = c;
    return true;
}
