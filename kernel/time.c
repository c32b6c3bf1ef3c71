/* RFC 3339 instants to microseconds since 1970, and back.
 *
 * 2026-03-28T03:00:00.123456Z      date, T, time, perhaps a fraction, then Z or an offset
 * 0         10 11       19         t and z may be small; digits past the microsecond are cut off
 *
 * The written time and the instant in UTC both lie in the years 1 to 9999, so the way back always works. */
#include "kernel.h"
#include "plain.h"

#define SECONDS_A_DAY INT64_C(86400)
#define MICROSECONDS INT64_C(1000000)
#define INSTANT_SIZE_MIN 20

/* `count` digits as a number, or -1. */
static int32_t read_digits(const uint8_t *text, int count)
{
    int32_t value = 0;
    for (int at = 0; at < count; at++) {
        if (!gn_is_digit(text[at])) {
            return -1;
        }
        value = value * 10 + (text[at] - '0');
    }
    return value;
}

static int32_t days_in_month(int32_t year, int32_t month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 in the Gregorian calendar: years begin in March, so a leap day comes last. */
static int64_t days_from_date(int32_t year, int32_t month, int32_t day)
{
    int32_t shifted = year - (month <= 2);
    int32_t era = shifted / 400;
    int32_t year_of_era = shifted - era * 400;
    int32_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

/* The inverse, for any day of the years 1 to 9999. */
static void date_from_days(int64_t days, int32_t *year, int32_t *month, int32_t *day)
{
    int32_t shifted = (int32_t)(days + 719468);
    int32_t era = shifted / 146097;
    int32_t day_of_era = shifted - era * 146097;
    int32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* ".123456789" at text: microseconds, and how many bytes it takes; false for a point without digits. */
static bool read_fraction(const uint8_t *text, size_t size, int64_t *us, size_t *taken)
{
    int64_t weight = MICROSECONDS / 10;
    size_t at = 1;
    *us = 0;
    for (; at < size && gn_is_digit(text[at]); at++) {
        *us += weight * (text[at] - '0');
        weight /= 10;
    }
    *taken = at;
    return at > 1;
}

/* "Z" or "+05:30" to the end of the text, in seconds. */
static bool read_offset(const uint8_t *text, size_t size, int64_t *offset_s)
{
    *offset_s = 0;
    if (size == 1) {
        return (text[0] | 0x20) == 'z';
    }
    if (size != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
        return false;
    }
    int32_t hours = read_digits(text + 1, 2);
    int32_t minutes = read_digits(text + 4, 2);
    *offset_s = (text[0] == '-' ? -60 : 60) * ((int64_t)hours * 60 + minutes);
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

/* "2026-03-28T03:00:00" in seconds, as if in UTC. */
static bool read_seconds(const uint8_t *text, int64_t *seconds)
{
    if (text[4] != '-' || text[7] != '-' || (text[10] | 0x20) != 't' || text[13] != ':' ||
        text[16] != ':') {
        return false;
    }
    int32_t year = read_digits(text, 4), month = read_digits(text + 5, 2), day = read_digits(text + 8, 2);
    int32_t hour = read_digits(text + 11, 2), minute = read_digits(text + 14, 2);
    int32_t second = read_digits(text + 17, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
        return false;
    }
    *seconds = days_from_date(year, month, day) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
    return true;
}

int gn_instant_parse(const uint8_t *text, uint64_t size, int64_t *us)
{
    int64_t seconds = 0, fraction_us = 0, offset_s = 0;
    size_t at = INSTANT_SIZE_MIN - 1;
    if (size < INSTANT_SIZE_MIN || !read_seconds(text, &seconds)) {
        return 0;
    }
    if (text[at] == '.') {
        size_t taken = 0;
        if (!read_fraction(text + at, (size_t)size - at, &fraction_us, &taken)) {
            return 0;
        }
        at += taken;
    }
    if (at == size || !read_offset(text + at, (size_t)size - at, &offset_s)) {
        return 0;
    }
    int64_t instant_us = (seconds - offset_s) * MICROSECONDS + fraction_us;
    if (instant_us < GN_INSTANT_MIN || instant_us > GN_INSTANT_MAX) {
        return 0;
    }
    *us = instant_us;
    return 1;
}

/* Two digits of a value below 100. */
static inline uint8_t *put_two(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)('0' + value / 10);
    to[1] = (uint8_t)('0' + value % 10);
    return to + 2;
}

static inline uint8_t *put_two_and(uint8_t *to, uint32_t value, char behind)
{
    to = put_two(to, value);
    *to = (uint8_t)behind;
    return to + 1;
}

uint32_t gn_instant_format(int64_t us, uint8_t *out)
{
    assert(us >= GN_INSTANT_MIN && us <= GN_INSTANT_MAX);
    const uint64_t since_year_1 = (uint64_t)(us - GN_INSTANT_MIN); /* so that / and % round down */
    const uint64_t seconds = since_year_1 / MICROSECONDS;
    const uint32_t fraction_us = (uint32_t)(since_year_1 % MICROSECONDS);
    const uint32_t days = (uint32_t)(seconds / SECONDS_A_DAY), second = (uint32_t)(seconds % SECONDS_A_DAY);
    int32_t year, month, day;
    date_from_days((int64_t)days + GN_INSTANT_MIN / MICROSECONDS / SECONDS_A_DAY, &year, &month, &day);
    uint8_t *to = put_two(out, (uint32_t)year / 100);
    to = put_two_and(to, (uint32_t)year % 100, '-');
    to = put_two_and(to, (uint32_t)month, '-');
    to = put_two_and(to, (uint32_t)day, 'T');
    to = put_two_and(to, second / 3600, ':');
    to = put_two_and(to, second / 60 % 60, ':');
    to = put_two(to, second % 60);
    if (fraction_us != 0) {
        *to = '.';
        to = put_two(to + 1, fraction_us / 10000);
        to = put_two(to, fraction_us / 100 % 100);
        to = put_two(to, fraction_us % 100);
    }
    *to++ = 'Z';
    return (uint32_t)(to - out);
}
