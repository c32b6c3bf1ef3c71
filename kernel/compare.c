/* What `max` and `min` hold against each other: instants over numbers over other strings, exactly.
 *
 * Integers reach 2^64-1 and doubles are held against them by value, not by conversion: beyond 2^53 a
 * converted integer would equal its neighbour. */
#include "state.h"

static bool is_number(gn_name text)
{
    return text.bytes[0] == '-' || (text.bytes[0] >= '0' && text.bytes[0] <= '9');
}

/* Instants hold no character that is escaped, so their text between the quotes is the string. */
static bool is_instant(gn_name text, int64_t *us)
{
    return text.size > 2 && gn_instant_parse(text.bytes + 1, text.size - 2, us) == 1;
}

/* -1 wrong type, 0 absent, null or "", 1 other strings, 2 numbers, 3 instants. */
static int rank_of(gn_name text)
{
    int64_t us;
    if (text.size == 0 || text.bytes[0] == 'n') {
        return 0;
    }
    if (text.bytes[0] == '"') {
        return text.size == 2 ? 0 : is_instant(text, &us) ? 3 : 1;
    }
    return is_number(text) ? 2 : -1;
}

/* A double against an integer, by the integer part and then by whether anything is left. */
static int compare_mixed(double left, gn_int128 right)
{
    if (left >= 18446744073709551616.0) {
        return 1;
    }
    if (left < -9223372036854775808.0) {
        return -1;
    }
    gn_int128 whole = (gn_int128)left;
    if (whole != right) {
        return whole < right ? -1 : 1;
    }
    double rest = left - (double)whole;
    return (rest > 0) - (rest < 0);
}

static int compare_numbers(gn_name a, gn_name b)
{
    gn_int128 left = 0, right = 0;
    double left_double = 0, right_double = 0;
    bool left_whole = gn_integer_parse(a, &left), right_whole = gn_integer_parse(b, &right);
    if (left_whole && right_whole) {
        return (left > right) - (left < right);
    }
    bool parsed = (left_whole || gn_double_parse(a.bytes, a.size, &left_double)) &&
                  (right_whole || gn_double_parse(b.bytes, b.size, &right_double));
    assert(parsed);
    (void)parsed;
    if (left_whole) {
        return -compare_mixed(right_double, left);
    }
    if (right_whole) {
        return compare_mixed(left_double, right);
    }
    return (left_double > right_double) - (left_double < right_double);
}

static int compare_instants(gn_name a, gn_name b)
{
    int64_t left = 0, right = 0;
    bool parsed = is_instant(a, &left) && is_instant(b, &right);
    assert(parsed);
    (void)parsed;
    return (left > right) - (left < right);
}

/* Little-endian everywhere: bytes are taken out of these words by their numbers. */
static inline uint64_t load64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Eight bytes, of which the separators must be those of `form` and the others digits: their values, or all ones. */
static inline uint64_t read_form(uint64_t bytes, const char form[8], uint64_t separators)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t values = bytes ^ load64((const uint8_t *)form);
    /* Above 9 in any byte: adding 0x76 sets its top bit. A carry comes only from a byte that is refused itself. */
    bool refused = (((values + ones * 0x76) | values) & (ones * 0x80)) != 0 || (values & separators) != 0;
    return refused ? UINT64_MAX : values;
}

/* The spelling that nearly all instants have. Packed, least significant first: 6 bits of seconds, 6 of minutes,
 * 5 of hours, 5 of days, 4 of months, then the year. */
/* Each byte times ten and the one behind it: where two digits begin, what they say. */
static inline uint64_t pairs(uint64_t digits)
{
    return digits * 10 + (digits >> 8);
}

static inline unsigned byte_of(uint64_t word, unsigned at)
{
    return (unsigned)(word >> (8 * at)) & 0xFFu;
}

/* The text in words, of which two overlap: 2026-03- 28T03:00 03:00:00. */
static inline uint64_t word_at(gn_name text, uint32_t at)
{
    return load64(text.bytes + at);
}

/* "03:00:00" into the lower 17 bits; false when it is no time of day. */
static inline bool pack_time(uint64_t word, int64_t *packed)
{
    const uint64_t digits = read_form(word, "00:00:00", 0x0000FF0000FF0000u);
    const uint64_t numbers = pairs(digits);
    const unsigned hour = byte_of(numbers, 0), minute = byte_of(numbers, 3), second = byte_of(numbers, 6);
    *packed = (int64_t)(hour << 12 | minute << 6 | second);
    return digits != UINT64_MAX && hour <= 23 && minute <= 59 && second <= 59;
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
    const unsigned year = byte_of(pairs(first), 0) * 100 + byte_of(pairs(first), 2);
    const unsigned month = byte_of(pairs(first), 5), day = byte_of(pairs(second), 0);
    if (year == 0 || month == 0 || month > 12 || day == 0) {
        return false;
    }
    bool leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    *packed = (int64_t)year << 26 | month << 22 | day << 17;
    return day <= days[month] + (unsigned)leap;
}

bool gn_second_pack(gn_name text, int64_t *packed)
{
    int64_t day, time;
    if (text.size != GN_SECOND_SIZE || text.bytes[20] != 'Z' || !pack_day(word_at(text, 1), word_at(text, 9), &day) ||
        !pack_time(word_at(text, 12), &time)) {
        return false;
    }
    *packed = day | time;
    return true;
}

bool gn_second_pack_near(gn_near_day *near, gn_name text, int64_t *packed)
{
    static const uint8_t ends[8] = {0xFF, 0xFF, 0xFF}; /* the two digits of the day, and T */
    int64_t time;
    if (text.size != GN_SECOND_SIZE || text.bytes[20] != 'Z') {
        return false;
    }
    const uint64_t first = word_at(text, 1), second = word_at(text, 9) & load64(ends);
    if (near->packed == 0 || first != near->first || second != near->second) {
        int64_t day;
        if (!pack_day(first, word_at(text, 9), &day)) {
            return false;
        }
        near->first = first;
        near->second = second;
        near->packed = day;
    }
    if (!pack_time(word_at(text, 12), &time)) {
        return false;
    }
    *packed = near->packed | time;
    return true;
}

bool gn_second_pack_us(gn_near_day *near, int64_t us, int64_t *packed)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    if (us < GN_INSTANT_MIN || us > GN_INSTANT_MAX) {
        return false;
    }
    if (near->begin_packed == 0 || us < near->begin_us || us - near->begin_us >= day_us) {
        uint8_t text[27 + 2] = "\"";
        const int64_t begin_us = us - (us - GN_INSTANT_MIN) % day_us;
        const uint32_t size = gn_instant_format(begin_us, text + 1);
        assert(size == GN_SECOND_SIZE - 2);
        bool is_second = gn_second_pack((gn_name){text, size + 2}, &near->begin_packed);
        assert(is_second);
        (void)is_second;
        near->begin_us = begin_us;
    }
    const uint64_t since_us = (uint64_t)(us - near->begin_us);
    const uint32_t second = (uint32_t)(since_us / 1000000);
    *packed = near->begin_packed | (int64_t)(second / 3600 << 12 | second / 60 % 60 << 6 | second % 60);
    return since_us % 1000000 == 0;
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

/* Which of two values of one rank > 0 comes later: by value; equal ones by neither. */
static int compare_of_rank(int rank, gn_name a, gn_name b)
{
    if (rank == 3) {
        return compare_instants(a, b);
    }
    if (rank == 2) {
        return compare_numbers(a, b);
    }
    return gn_key_compare((gn_name){a.bytes + 1, a.size - 2}, (gn_name){b.bytes + 1, b.size - 2});
}

bool gn_extreme(gn_name value, gn_name current, bool is_max, bool *wins)
{
    *wins = false;
    const int rank = rank_of(value), current_rank = rank_of(current);
    if (rank < 0 || current_rank < 0) {
        return false;
    }
    if (rank == 0 || current_rank == 0) {
        *wins = rank > 0;
        return true;
    }
    int order = rank != current_rank ? rank - current_rank : compare_of_rank(rank, value, current);
    *wins = order == 0 ? gn_name_compare(value, current) > 0 : is_max ? order > 0 : order < 0;
    return true;
}
