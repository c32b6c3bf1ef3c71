/* How far a string runs in which no byte needs care: the inner loop of reading and writing.
 *
 * A byte is plain when it is ASCII, no control character, no quote and no backslash. Sixteen at a time
 * with SSE2, else eight at a time in a word (or on -DGN_PLAIN_WORDS); the last few one by one, so no byte
 * past the end is read. */
#ifndef GN_PLAIN_H
#define GN_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(GN_PLAIN_WORDS)
#include <emmintrin.h>
#endif

static inline bool gn_is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static inline bool gn_is_digit(uint8_t byte)
{
    return (uint8_t)(byte - '0') < 10;
}

#if defined(__SSE2__) && !defined(GN_PLAIN_WORDS)

#define GN_PLAIN_STEP 16

/* Copy 16 bytes and return how many of them are plain before the first that is not. */
static inline size_t gn_plain_step(const uint8_t *from, uint8_t *to)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm_storeu_si128((__m128i *)(void *)to, bytes);
    /* Compared as signed, bytes from 0x80 lie below 0x20 too. */
    __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    unsigned stops = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));
    return (size_t)__builtin_ctz(stops | 0x10000u);
}

#else

#define GN_PLAIN_STEP 8

/* Copy 8 bytes and return 8 when all are plain, else how many are before the first that is not. */
static inline size_t gn_plain_step(const uint8_t *from, uint8_t *to)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = ones * 0x80;
    uint64_t bytes;
    memcpy(&bytes, from, 8);
    memcpy(to, &bytes, 8);
    uint64_t quote = bytes ^ (ones * '"');
    uint64_t slash = bytes ^ (ones * '\\');
    uint64_t stops = (bytes - ones * 0x20) | (quote - ones) | (slash - ones) | bytes;
    size_t size = 8;
    if ((stops & tops) != 0) { /* a borrow may set a top bit too many: the byte loop is exact */
        for (size = 0; size < 8 && gn_is_plain(from[size]); size++) {
        }
    }
    return size;
}

#endif

/* Copy plain bytes from `from` on and return how many there are. `to` has room for all bytes before `end`. */
static inline size_t gn_plain_copy(const uint8_t *from, const uint8_t *end, uint8_t *to)
{
    size_t size = 0;
    size_t room = (size_t)(end - from);
    while (room - size >= GN_PLAIN_STEP) {
        size_t plain = gn_plain_step(from + size, to + size);
        size += plain;
        if (plain < GN_PLAIN_STEP) {
            return size;
        }
    }
    while (size < room && gn_is_plain(from[size])) {
        to[size] = from[size];
        size++;
    }
    return size;
}

#endif
