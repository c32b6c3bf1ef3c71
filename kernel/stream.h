/* A copy past the caches, for what is larger than they are and is not read again at once.
 *
 * An ordinary store first reads the line of memory that it writes to: of 30 MB that is a third of the traffic. Copying
 * them took 3.2 ms with it, 2.6 without, and 1.8 where half a line is written at a time. At the end of a page of 4 KB
 * machines stop looking ahead by themselves: asking for the next took a tenth more away, and copying at four places at
 * once, so that no page is waited for alone, an eighth. With SSE2, and AVX2 where the machine has it; else an ordinary
 * copy. */
#ifndef GN_STREAM_H
#define GN_STREAM_H

#include "canonical.h"

#define GN_STREAM_LINE ((size_t)64)
#define GN_STREAM_AHEAD ((size_t)4096)
#define GN_STREAM_PLACES ((size_t)4)
#define GN_STREAM_SIZE_MIN ((size_t)1 << 10) /* below, the ends weigh more than the middle saves */

/* There need be nothing so far ahead. */
static inline void gn_stream_ask(const uint8_t *from)
{
    __builtin_prefetch((const void *)((uintptr_t)from + GN_STREAM_AHEAD));
}

/* Copy GN_STREAM_PLACES stretches of `size` bytes that follow each other, all at once: whole lines, beginning with one
 * at `to`. In wide.c. */
#if defined(GN_HAS_WIDE)
void gn_stream_places_wide(uint8_t *to, const uint8_t *from, size_t size);
#else
#define gn_stream_places_wide gn_stream_places
#endif

#if defined(__SSE2__) && !defined(GN_PLAIN_WORDS)
#include <emmintrin.h>

static inline void gn_stream_line(uint8_t *to, const uint8_t *from)
{
    const __m128i *source = (const __m128i *)(const void *)from;
    __m128i *target = (__m128i *)(void *)to;
    gn_stream_ask(from);
    const __m128i first = _mm_loadu_si128(source), second = _mm_loadu_si128(source + 1);
    const __m128i third = _mm_loadu_si128(source + 2), fourth = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, first);
    _mm_stream_si128(target + 1, second);
    _mm_stream_si128(target + 2, third);
    _mm_stream_si128(target + 3, fourth);
}

static inline void gn_stream_places(uint8_t *to, const uint8_t *from, size_t size)
{
    for (size_t at = 0; at < size; at += GN_STREAM_LINE) {
        for (size_t place = at; place < GN_STREAM_PLACES * size; place += size) {
            gn_stream_line(to + place, from + place);
        }
    }
}

/* gn_stream_end() must follow before anybody else reads what was written. is_wide: the machine has AVX2. */
static inline void gn_stream_copy(uint8_t *to, const uint8_t *from, size_t size, bool is_wide)
{
    const size_t front = (size_t)(-(uintptr_t)to & (GN_STREAM_LINE - 1));
    if (size < GN_STREAM_SIZE_MIN) {
        memcpy(to, from, size);
        return;
    }
    const size_t each = (size - front) / (GN_STREAM_PLACES * GN_STREAM_LINE) * GN_STREAM_LINE;
    const size_t behind = front + GN_STREAM_PLACES * each;
    memcpy(to, from, front);
    if (is_wide) {
        gn_stream_places_wide(to + front, from + front, each);
    } else {
        gn_stream_places(to + front, from + front, each);
    }
    memcpy(to + behind, from + behind, size - behind);
}

static inline void gn_stream_end(void)
{
    _mm_sfence();
}

#else

static inline void gn_stream_copy(uint8_t *to, const uint8_t *from, size_t size, bool is_wide)
{
    (void)is_wide;
    memcpy(to, from, size);
}

static inline void gn_stream_end(void)
{
}

#endif
#endif
