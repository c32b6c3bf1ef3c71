/* Where the marks of canonical JSON are, 64 bytes at a time: what the pretty writer steps over text with.
 *
 *     text       {"a,b":[1,"\""]}
 *     quotes     .1...1....1..1..     but for escaped ones
 *     in string  .11111....111...     from an opening quote to in front of the closing one
 *     marks      1.....11.1....11     , : { } [ ] outside of strings
 *
 * With SSE2, else (or on -DGN_PLAIN_WORDS) byte by byte. */
#ifndef GN_MARKS_H
#define GN_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__SSE2__) && !defined(GN_PLAIN_WORDS)
#include <emmintrin.h>
#endif

#define GN_MARKS_STEP 64u

/* What a block hands on to the next. */
typedef struct gn_marks_state {
    uint64_t in_string;     /* all ones: the block begins inside a string */
    bool escaped;           /* its first byte stands behind a backslash that escapes it */
} gn_marks_state;

/* A bit for each of 64 bytes. */
typedef struct gn_marks_found {
    uint64_t quotes;
    uint64_t marks;         /* inside of strings too, and there other bytes as well */
    uint64_t slashes;
} gn_marks_found;

/* Outside of strings canonical text has letters up to `z`, and of what is above them only brackets: with the bit 0x20
 * set, so that `[` and `]` count as `{` and `}`, those are the bytes (as signed ones) above it. */

#if defined(__SSE2__) && !defined(GN_PLAIN_WORDS)

typedef struct gn_marks_16 {
    __m128i quotes, marks, slashes;
} gn_marks_16;

static inline gn_marks_16 gn_marks_find_16(const uint8_t *block)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)block);
    const __m128i brackets = _mm_cmpgt_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('z'));
    const __m128i points = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')),
                                        _mm_cmpeq_epi8(bytes, _mm_set1_epi8(':')));
    return (gn_marks_16){_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_or_si128(brackets, points),
                         _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))};
}

static inline uint64_t gn_marks_bits(__m128i first, __m128i second, __m128i third, __m128i fourth)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(first) | (uint64_t)(unsigned)_mm_movemask_epi8(second) << 16 |
           (uint64_t)(unsigned)_mm_movemask_epi8(third) << 32 | (uint64_t)(unsigned)_mm_movemask_epi8(fourth) << 48;
}

static inline gn_marks_found gn_marks_find(const uint8_t *block)
{
    const gn_marks_16 first = gn_marks_find_16(block), second = gn_marks_find_16(block + 16);
    const gn_marks_16 third = gn_marks_find_16(block + 32), fourth = gn_marks_find_16(block + 48);
    const __m128i slashes = _mm_or_si128(_mm_or_si128(first.slashes, second.slashes),
                                         _mm_or_si128(third.slashes, fourth.slashes));
    gn_marks_found found = {gn_marks_bits(first.quotes, second.quotes, third.quotes, fourth.quotes),
                            gn_marks_bits(first.marks, second.marks, third.marks, fourth.marks), 0};
    if (_mm_movemask_epi8(slashes) != 0) {
        found.slashes = gn_marks_bits(first.slashes, second.slashes, third.slashes, fourth.slashes);
    }
    return found;
}

#else

static inline gn_marks_found gn_marks_find(const uint8_t *block)
{
    gn_marks_found found = {0, 0, 0};
    for (unsigned at = 0; at < GN_MARKS_STEP; at++) {
        const uint64_t bit = (uint64_t)1 << at;
        const uint8_t byte = block[at];
        found.quotes |= byte == '"' ? bit : 0;
        found.slashes |= byte == '\\' ? bit : 0;
        found.marks |= byte == ',' || byte == ':' || (byte < 0x80 && (byte | 0x20) > 'z') ? bit : 0;
    }
    return found;
}

#endif

/* The bytes that a backslash escapes; backslashes are rare, so one by one. */
static inline uint64_t gn_marks_escaped(uint64_t slashes, bool *carried)
{
    uint64_t escaped = *carried ? 1 : 0;
    slashes &= ~escaped;
    *carried = false;
    while (slashes != 0) {
        const uint64_t slash = slashes & (0 - slashes);
        *carried = slash >> 63 != 0;
        escaped |= slash << 1;
        slashes &= ~(slash | slash << 1);
    }
    return escaped;
}

/* Each bit becomes the parity of itself and those below it. */
static inline uint64_t gn_marks_parity(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    return bits ^ bits << 32;
}

/* The marks outside of strings in the block of 64 bytes. */
static inline uint64_t gn_marks_next(gn_marks_state *state, const uint8_t *block)
{
    const gn_marks_found found = gn_marks_find(block);
    uint64_t quotes = found.quotes;
    if (found.slashes != 0 || state->escaped) {
        quotes &= ~gn_marks_escaped(found.slashes, &state->escaped);
    }
    const uint64_t in_string = gn_marks_parity(quotes) ^ state->in_string;
    state->in_string = (uint64_t)((int64_t)in_string >> 63);
    return found.marks & ~in_string;
}

#endif
