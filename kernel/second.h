/* Instants of whole seconds as integers of the same order: the spelling that nearly all have, and quickly read.
 *
 *     "2026-03-28T03:00:00Z"      packed, least significant first: 6 bits of seconds, 6 of minutes, 5 of hours,
 *     0 1  4      11 12     20    5 of days, 4 of months, then the year
 *
 * Most instants of a frame lie on the day that was read before: then two words tell the day, and a third holds the
 * time. */
#ifndef GN_SECOND_H
#define GN_SECOND_H

#include "rules.h"

#define GN_SECOND_SIZE 22u      /* of the text, with its quotes */
#define GN_SECOND_TIME_BITS 17  /* of the packed integer: below them the time of day */

/* The days that instants were read on last. */
typedef struct gn_near_day {
    uint64_t first;         /* a day's text, 2026-03- and 6-03-28T; zeros: none yet */
    uint64_t second;
    int64_t packed;         /* without the time of day */
    int64_t begin_us;       /* a day by its microseconds, on its own */
    int64_t begin_packed;   /* 0: none yet */
} gn_near_day;

/* Pack a text; false when it is no such instant. */
bool gn_second_pack(gn_name text, int64_t *packed);
/* Pack microseconds since 1970; false unless they are whole seconds of the years 1 to 9999. */
bool gn_second_pack_us(gn_near_day *near, int64_t us, int64_t *packed);
void gn_second_format(int64_t packed, uint8_t out[GN_SECOND_SIZE]);
/* gn_second_pack, and the day is the near one from now on. */
bool gn_second_pack_far(gn_near_day *near, const uint8_t *text, int64_t *packed);

/* Little-endian everywhere: bytes are taken out of these words by their numbers. */
static inline uint64_t gn_word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Each byte times ten and the one behind it: where two digits begin, what they say. */
static inline uint64_t gn_digit_pairs(uint64_t digits)
{
    return digits * 10 + (digits >> 8);
}

static inline unsigned gn_byte_of(uint64_t word, unsigned at)
{
    return (unsigned)(word >> (8 * at)) & 0xFFu;
}

/* "03:00:00" as a word, packed; false when it is no time of day. */
static inline bool gn_time_pack(uint64_t word, int64_t *packed)
{
    const uint64_t digits = word ^ 0x30303A30303A3030u;
    /* Per byte 0x7F less the most that may stand there, 29:59:59: what is more sets its top bit. A carry comes only
     * from a byte that has it set before. */
    const uint64_t over = digits + 0x767A7F767A7F767Du;
    const uint64_t numbers = gn_digit_pairs(digits);
    const unsigned hour = gn_byte_of(numbers, 0);
    *packed = (int64_t)(hour << 12 | gn_byte_of(numbers, 3) << 6 | gn_byte_of(numbers, 6));
    return ((over | digits) & 0x8080808080808080u) == 0 && hour <= 23;
}

/* gn_second_pack of a value with GN_SECOND_SIZE bytes, quick for a day that was read last. */
static inline bool gn_second_pack_near(gn_near_day *near, const uint8_t *text, int64_t *packed)
{
    int64_t time;
    if (gn_word_at(text + 1) != near->first || gn_word_at(text + 4) != near->second || text[20] != 'Z') {
        return gn_second_pack_far(near, text, packed);
    }
    const bool is_time = gn_time_pack(gn_word_at(text + 12), &time);
    *packed = near->packed | time;
    return is_time;
}

#endif
