/* A few bytes held against others, without a call. */
#ifndef GN_BYTES_H
#define GN_BYTES_H

#include "kernel.h"

/* 32 bytes at a time, by the compiler's flags or in wide.c. All of the machine's instructions take a compiler longer to
 * read than all of this folder does. */
#if defined(__AVX2__)
#define GN_WIDE
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

/* 8 to 24 bytes, as nearly all keys have, as three words: where there are fewer, words overlap. What is done with them
 * does not depend on how many there are, which no machine foretells. */
typedef struct gn_short {
    uint64_t first, middle, last;
} gn_short;

static inline bool gn_is_short(uint32_t size)
{
    return size - 8 <= 16;
}
static inline gn_short gn_short_of(const uint8_t *bytes, uint32_t size)
{
    const uint32_t last = size - 8;
    gn_short words;
    memcpy(&words.first, bytes, 8);
    memcpy(&words.middle, bytes + (last < 8 ? last : 8), 8);
    memcpy(&words.last, bytes + last, 8);
    return words;
}
static inline bool gn_same_bytes(const uint8_t *a, const uint8_t *b, uint32_t size)
{
    if (!gn_is_short(size)) {
        return size == 0 || memcmp(a, b, size) == 0;
    }
    const gn_short left = gn_short_of(a, size), right = gn_short_of(b, size);
    return ((left.first ^ right.first) | (left.middle ^ right.middle) | (left.last ^ right.last)) == 0;
}
/* 4 to 16 bytes are copied as two words, from the front and from the end, which may overlap; others by a call. */
static inline bool gn_is_two_words(uint32_t size)
{
    return size - 4 <= 12;
}
static inline void gn_copy_bytes(uint8_t *to, const uint8_t *from, uint32_t size)
{
    if (!gn_is_two_words(size)) {
        if (size > 0) {
            memcpy(to, from, size);
        }
    } else if (size >= 8) {
        uint64_t front, back;
        memcpy(&front, from, 8);
        memcpy(&back, from + size - 8, 8);
        memcpy(to, &front, 8);
        memcpy(to + size - 8, &back, 8);
    } else {
        uint32_t front, back;
        memcpy(&front, from, 4);
        memcpy(&back, from + size - 4, 4);
        memcpy(to, &front, 4);
        memcpy(to + size - 4, &back, 4);
    }
}
/* Have the memory of a text on its way before it is read, two lines at a time, which machines fetch together; they go on
 * by themselves. */
#define GN_TEXT_AHEAD 1024u
static GN_INLINE void gn_ask_for_text(const uint8_t *text, uint32_t size)
{
    const uint8_t *const end = text + (size < GN_TEXT_AHEAD ? size : GN_TEXT_AHEAD);
    for (; text < end; text += 2 * GN_LINE_SIZE) {
        __builtin_prefetch(text);
        __builtin_prefetch(text + GN_LINE_SIZE);
    }
}
/* Which of 32 bytes are equal, a bit each; those of the upper half only if `mask` has any. */
static inline uint32_t gn_equal_bytes(const uint8_t *a, const uint8_t *b, uint32_t mask)
{
#if defined(GN_WIDE)
    const __m256i *left = (const __m256i *)(const void *)a, *right = (const __m256i *)(const void *)b;
    (void)mask;
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(left), _mm256_loadu_si256(right)));
#elif defined(__SSE2__)
    const __m128i *left = (const __m128i *)(const void *)a, *right = (const __m128i *)(const void *)b;
    const __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(left), _mm_loadu_si128(right));
    uint32_t equal = (uint32_t)_mm_movemask_epi8(low);
    if (mask > 0xFFFF) {
        const __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(left + 1), _mm_loadu_si128(right + 1));
        equal |= (uint32_t)_mm_movemask_epi8(high) << 16;
    }
    return equal;
#else
    uint32_t equal = 0;
    for (uint32_t i = 0; i < 32; i++) {
        equal |= (uint32_t)(a[i] == b[i]) << i;
    }
    (void)mask;
    return equal;
#endif
}
/* Copy 32 bytes and tell which of them are `byte`, a bit each. */
static inline uint32_t gn_copy_and_find(uint8_t *to, const uint8_t *from, uint8_t byte)
{
#if defined(__SSE2__)
    const __m128i *there = (const __m128i *)(const void *)from, wanted = _mm_set1_epi8((char)byte);
    const __m128i low = _mm_loadu_si128(there), high = _mm_loadu_si128(there + 1);
    _mm_storeu_si128((__m128i *)(void *)to, low);
    _mm_storeu_si128((__m128i *)(void *)(to + 16), high);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(low, wanted)) |
           (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(high, wanted)) << 16;
#else
    uint32_t found = 0;
    for (uint32_t i = 0; i < 32; i++) {
        to[i] = from[i];
        found |= (uint32_t)(from[i] == byte) << i;
    }
    return found;
#endif
}
/* Which of 32 bytes are `byte`, a bit each. */
static inline uint32_t gn_find_in_32(const uint8_t *at, uint8_t byte)
{
#if defined(__SSE2__)
    const __m128i *there = (const __m128i *)(const void *)at, wanted = _mm_set1_epi8((char)byte);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(there), wanted)) |
           (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(there + 1), wanted)) << 16;
#else
    uint32_t found = 0;
    for (uint32_t i = 0; i < 32; i++) {
        found |= (uint32_t)(at[i] == byte) << i;
    }
    return found;
#endif
}
/* Which of 16 bytes are one or the other, a bit each. */
static inline uint32_t gn_either_in_16(const uint8_t *at, uint8_t one, uint8_t other)
{
#if defined(__SSE2__)
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i ones = _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)one));
    const __m128i others = _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)other));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(ones, others));
#else
    uint32_t found = 0;
    for (uint32_t i = 0; i < 16; i++) {
        found |= (uint32_t)(at[i] == one || at[i] == other) << i;
    }
    return found;
#endif
}

#endif
