/* Members as they are expected, which hold a plain string or a small number: nearly all of a delta is read here, by one
 * loop. What it costs is what follows from one member to the next: where a string ends is where the next key begins. So
 * sizes are foretold (gn_ends_as_usual). */
#ifndef GN_PLAIN_MEMBERS_H
#define GN_PLAIN_MEMBERS_H

#include "expected.h"

/* ---- spans ---- */

/* A span from its fields side by side, as most machines have it in memory: one store, and no bits to put in place.
 *
 *    63      32   31   30       0
 *   [   size   | plain |    at   ] */
static inline gn_span gn_span_of_word(uint64_t word)
{
#if defined(__SSE2__)
    gn_span span;
    memcpy(&span, &word, sizeof span);
    return span;
#else
    return (gn_span){.at = word & INT32_MAX, .is_plain = word >> 31 & 1, .size = (uint32_t)(word >> 32)};
#endif
}

static inline gn_span gn_span_between(const uint8_t *start, const uint8_t *from, const uint8_t *to)
{
    return gn_span_of_word(((uint64_t)(to - from) << 32) + (uint64_t)(from - start));
}

/* The span of a plain string with its quotes, of which the text's address and size are known: `plain` is the rest of
 * its word, the same for all that lie in one delta. */
static inline uint64_t gn_plain_word(const uint8_t *start)
{
    return ((uint64_t)2 << 32) + ((uint64_t)1 << 31) - 1 - (uintptr_t)start;
}
static inline gn_span gn_plain_span(uint64_t plain, const uint8_t *text, ptrdiff_t size)
{
    return gn_span_of_word(((uint64_t)size << 32) + (uintptr_t)text + plain);
}

/* ---- values ---- */

/* How many bytes of a plain string there are before its end, or before it may not go on as one; `at` is behind its
 * opening quote. */
static GN_INLINE ptrdiff_t gn_plain_size(gn_expected *expected, const uint8_t *at, const uint8_t *end,
                                         uint8_t delta_number)
{
#if defined(GN_SPECIALS_STEP)
    const uint8_t *step = at;
    uint32_t specials = gn_specials(at);
    if (gn_ends_as_usual(expected, specials)) {
        return expected->usual_size;
    }
    while (__builtin_expect(specials == 0, 0)) {
        step += GN_SPECIALS_STEP;
        if (step >= end) {
            return end - at;
        }
        specials = gn_specials(step);
    }
    return gn_other_size(expected, step - at + __builtin_ctz(specials), delta_number);
#else
    (void)expected;
    (void)delta_number;
    return gn_plain_end(at, end) - at;
#endif
}

/* How many digits a whole number has that is not 0; 0 for all else. There may be one more behind 16 of them. */
static GN_INLINE ptrdiff_t gn_few_digits(gn_expected *expected, const uint8_t *at, uint8_t delta_number)
{
    if (*at == '0') {
        return 0;
    }
#if defined(__SSE2__)
    const uint32_t others = gn_others(at) | 1u << 16;
    if (gn_ends_as_usual(expected, others)) {
        return expected->usual_size;
    }
    return gn_other_size(expected, __builtin_ctz(others), delta_number);
#else
    ptrdiff_t size = 0;
    (void)expected;
    (void)delta_number;
    while (size < 16 && (uint8_t)(at[size] - '0') < 10) {
        size++;
    }
    return size;
#endif
}

/* ---- members ---- */

/* Where reading came to: at the separator in front of a member, or behind the last one, and what is expected next. */
typedef struct gn_point {
    const uint8_t *at;
    gn_expected *next;
} gn_point;

/* Note the members that come as expected. `from` is at the brace or comma in front of the first. Behind `end` no more
 * is read than the longest key, the quote behind it and one look for the next. */
static GN_INLINE gn_point gn_plain_members(gn_point from, gn_span *slots, const uint8_t *start, const uint8_t *end,
                                           uint8_t delta_number)
{
    const uint64_t plain = gn_plain_word(start);
    gn_expected *next = from.next;
    const uint8_t *key = from.at + 1;
    for (;; next++) {
        const uint32_t same = gn_equal_bytes(next->text, key, next->string_mask);
        if (__builtin_expect((~same & next->string_mask) == 0, 1)) {
            const uint8_t *const text = key + next->size + 1;
            const ptrdiff_t size = gn_plain_size(next, text, end, delta_number);
            const uint8_t *const behind = text + size + 2; /* its quote and a comma */
            slots[next->slot] = gn_plain_span(plain, text, size);
            if (memcmp(behind - 2, "\",", 2) != 0 || behind > end) {
                return behind[-2] == '"' ? (gn_point){behind - 1, next + 1} : (gn_point){key - 1, next};
            }
            key = behind;
        } else {
            const uint8_t *const value = key + next->size;
            if ((same & next->key_mask) != next->key_mask || !next->is_plain) {
                return (gn_point){key - 1, next};
            }
            const ptrdiff_t size = gn_few_digits(next, value, delta_number);
            if (size == 0) {
                return (gn_point){key - 1, next};
            }
            const uint8_t *const behind = value + size;
            slots[next->slot] = gn_span_between(start, value, behind);
            if (*behind != ',' || behind >= end) {
                return *behind == ',' || *behind == '}' ? (gn_point){behind, next + 1} : (gn_point){key - 1, next};
            }
            key = behind + 1;
        }
    }
}

#endif
