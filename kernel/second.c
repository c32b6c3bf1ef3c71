/* Whole seconds from text, from microseconds, and back to text; see second.h. */
#include "second.h"

#define SECOND_US 1000000
#define DAY_US (INT64_C(86400) * SECOND_US)

/* Eight bytes, of which the separators must be those of `form` and the others digits: their values, or all ones. */
static inline uint64_t read_form(uint64_t bytes, const char form[8], uint64_t separators)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t values = bytes ^ gn_word_at((const uint8_t *)form);
    /* Above 9 in any byte: adding 0x76 sets its top bit. A carry comes only from a byte that is refused itself. */
    bool refused = (((values + ones * 0x76) | values) & (ones * 0x80)) != 0 || (values & separators) != 0;
    return refused ? UINT64_MAX : values;
}

/* "2026-03-" and "28T03:00" into the upper bits; false when it is no day. */
static bool pack_day(uint64_t first, uint64_t second, int64_t *packed)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    first = read_form(first, "0000-00-", 0xFF0000FF00000000u);
    second = read_form(second, "00T00:00", 0x0000FF0000FF0000u);
    if (first == UINT64_MAX || second == UINT64_MAX) {
        return false;
    }
    const uint64_t numbers = gn_digit_pairs(first);
    const unsigned year = gn_byte_of(numbers, 0) * 100 + gn_byte_of(numbers, 2);
    const unsigned month = gn_byte_of(numbers, 5), day = gn_byte_of(gn_digit_pairs(second), 0);
    if (year == 0 || month == 0 || month > 12 || day == 0) {
        return false;
    }
    bool leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    *packed = (int64_t)year << 26 | month << 22 | day << GN_SECOND_TIME_BITS;
    return day <= days[month] + (unsigned)leap;
}

bool gn_second_pack(gn_name text, int64_t *packed)
{
    int64_t day, time;
    if (text.size != GN_SECOND_SIZE || text.bytes[20] != 'Z' ||
        !pack_day(gn_word_at(text.bytes + 1), gn_word_at(text.bytes + 9), &day) ||
        !gn_time_pack(gn_word_at(text.bytes + 12), &time)) {
        return false;
    }
    *packed = day | time;
    return true;
}

bool gn_second_pack_far(gn_near_day *near, const uint8_t *text, int64_t *packed)
{
    if (!gn_second_pack((gn_name){text, GN_SECOND_SIZE}, packed)) {
        return false;
    }
    near->first = gn_word_at(text + 1);
    near->second = gn_word_at(text + 4);
    near->packed = *packed >> GN_SECOND_TIME_BITS << GN_SECOND_TIME_BITS;
    return true;
}

/* Make the day of `us` the near one; false when it is of none of the years 1 to 9999. */
static GN_COLD bool find_day(gn_near_day *near, int64_t us)
{
    uint8_t text[27 + 2] = "\"";
    if (us < GN_INSTANT_MIN || us > GN_INSTANT_MAX) {
        return false;
    }
    const int64_t begin_us = us - (us - GN_INSTANT_MIN) % DAY_US;
    const uint32_t size = gn_instant_format(begin_us, text + 1);
    assert(size == GN_SECOND_SIZE - 2);
    bool is_second = gn_second_pack((gn_name){text, size + 2}, &near->begin_packed);
    assert(is_second);
    near->begin_us = begin_us;
    return is_second;
}

bool gn_second_pack_us(gn_near_day *near, int64_t us, int64_t *packed)
{
    const bool is_near = (uint64_t)us - (uint64_t)near->begin_us < DAY_US && near->begin_packed != 0;
    if (!is_near && !find_day(near, us)) {
        return false;
    }
    const uint64_t since_us = (uint64_t)us - (uint64_t)near->begin_us;
    const uint32_t second = (uint32_t)(since_us / SECOND_US), minute = second / 60, hour = minute / 60;
    /* 1 << 12 an hour, 1 << 6 a minute and 1 a second, less the 60 minutes and 60 seconds that each of them is. */
    *packed = near->begin_packed + ((1 << 12) - (60 << 6)) * hour + ((1 << 6) - 60) * minute + second;
    return second * (uint64_t)SECOND_US == since_us;
}

static uint8_t *put_two(uint8_t *out, unsigned value, char behind)
{
    out[0] = (uint8_t)('0' + value / 10);
    out[1] = (uint8_t)('0' + value % 10);
    out[2] = (uint8_t)behind;
    return out + 3;
}

void gn_second_format(int64_t packed, uint8_t out[GN_SECOND_SIZE])
{
    const unsigned year = (unsigned)(packed >> 26);
    uint8_t *at = out + 3;
    out[0] = '"';
    out[1] = (uint8_t)('0' + year / 1000);
    out[2] = (uint8_t)('0' + year / 100 % 10);
    at = put_two(at, year % 100, '-');
    at = put_two(at, (unsigned)(packed >> 22 & 15), '-');
    at = put_two(at, (unsigned)(packed >> 17 & 31), 'T');
    at = put_two(at, (unsigned)(packed >> 12 & 31), ':');
    at = put_two(at, (unsigned)(packed >> 6 & 63), ':');
    at = put_two(at, (unsigned)(packed & 63), 'Z');
    *at++ = '"';
    assert(at == out + GN_SECOND_SIZE);
}
