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
    uint64_t slashes;
    uint64_t marks;         /* inside of strings too */
} gn_marks_found;

#if defined(__SSE2__) && !defined(GN_PLAIN_WORDS)

/* The same of 16 bytes, at their place among the 64. */
static inline void gn_marks_find_16(gn_marks_found *found, const uint8_t *block, unsigned at)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + at));
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); /* makes { and } of [ and ] */
    const __m128i braces = _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')),
                                        _mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
    const __m128i points = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')),
                                        _mm_cmpeq_epi8(bytes, _mm_set1_epi8(':')));
    const __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    found->quotes |= (uint64_t)(unsigned)_mm_movemask_epi8(quotes) << at;
    found->slashes |= (uint64_t)(unsigned)_mm_movemask_epi8(slashes) << at;
    found->marks |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(braces, points)) << at;
}

static inline gn_marks_found gn_marks_find(const uint8_t *block)
{
    gn_marks_found found = {0, 0, 0};
    gn_marks_find_16(&found, block, 0);
    gn_marks_find_16(&found, block, 16);
    gn_marks_find_16(&found, block, 32);
    gn_marks_find_16(&found, block, 48);
    return found;
}

#else

static inline gn_marks_found gn_marks_find(const uint8_t *block)
{
    gn_marks_found found = {0, 0, 0};
    for (unsigned at = 0; at < GN_MARKS_STEP; at++) {
        const uint64_t bit = (uint64_t)1 << at;
        const uint8_t byte = block[at], folded = byte | 0x20;
        found.quotes |= byte == '"' ? bit : 0;
        found.slashes |= byte == '\\' ? bit : 0;
        found.marks |= folded == '{' || folded == '}' || byte == ',' || byte == ':' ? bit : 0;
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
