/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#define S_PER_DAY INT64_C(86400)

/* Days since 1970-01-01 in the Gregorian calendar, for years 1 to 9999. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t leaps = (m > 2 ? y : y - 1); /* this year's leap day counts from March on */
    return 365 * (y - 1970) + (leaps / 4 - leaps / 100 + leaps / 400) - 477 + before[m - 1] + d - 1;
}

static int days_in_month(int64_t y, int64_t m)
{
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return m == 2 && leap ? 29 : days[m - 1];
}

/* Reads the digits at the places of '0' in `shape`; other bytes must agree. */
static bool read_shape(struct str s, const char *shape, int64_t *field)
{
    if (s.n != strlen(shape))
        return false;
    *field = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (shape[i] != '0') {
            if (s.p[i] != shape[i])
                return false;
            *++field = 0;
        } else if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        } else {
            *field = *field * 10 + (s.p[i] - '0');
        }
    }
    return true;
}

bool clock_parse_until(struct str s, int64_t *ret_wall_us)
{
    enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND };
    int64_t f[7] = {0}; /* one to spare for the Z at the end */
    bool date = read_shape(s, "0000-00-00", f);
    if (!date && !read_shape(s, "0000-00-00T00:00:00Z", f))
        return false;
    if (f[YEAR] < 1970 || f[MONTH] < 1 || f[MONTH] > 12 || f[DAY] < 1 ||
        f[DAY] > days_in_month(f[YEAR], f[MONTH]))
        return false;
    if (f[HOUR] > 23 || f[MINUTE] > 59 || f[SECOND] > 59)
        return false;
    int64_t seconds = days_from_civil(f[YEAR], f[MONTH], f[DAY] + (date ? 1 : 0)) * S_PER_DAY;
    seconds += f[HOUR] * 3600 + f[MINUTE] * 60 + f[SECOND];
    *ret_wall_us = seconds * US_PER_S;
    return true;
}

static void put_digits(struct buf *b, int64_t v, int width)
{
    char digits[6];
    for (int i = width; i-- > 0; v /= 10)
        digits[i] = (char)('0' + v % 10);
    buf_put(b, digits, (size_t)width);
}

void clock_format(struct buf *b, int64_t wall_us, int digits)
{
    int64_t us = wall_us % US_PER_S, s = wall_us / US_PER_S;
    if (us < 0)
        us += US_PER_S, s--;
    int64_t days = s / S_PER_DAY, rest = s % S_PER_DAY;
    if (rest < 0)
        rest += S_PER_DAY, days--;
    int64_t y = 1970 + days / 366, m = 1; /* never too late; step up to it */
    while (days_from_civil(y + 1, 1, 1) <= days)
        y++;
    days -= days_from_civil(y, 1, 1);
    while (days >= days_in_month(y, m))
        days -= days_in_month(y, m++);

    const int64_t field[] = {y, m, days + 1, rest / 3600, rest / 60 % 60, rest % 60};
    for (int i = 0; i < 6; i++) {
        put_digits(b, field[i], i == 0 ? 4 : 2);
        if (i < 5)
            buf_char(b, "--T::"[i]);
    }
    if (digits) {
        buf_char(b, '.');
        put_digits(b, digits == 3 ? us / 1000 : us, digits);
    }
    buf_char(b, 'Z');
}
