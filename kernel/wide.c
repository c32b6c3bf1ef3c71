/* For machines that look at 32 bytes at a time, which not all of one kind do: the reader of deltas (delta.c) once more, as
 * gn_scan_delta_wide, and the copy of stream.h. The machine is asked when a handle is opened. */
#include "stream.h"

#if defined(GN_HAS_WIDE)
#include <immintrin.h>

#define GN_WIDE
#define gn_scan_delta gn_scan_delta_wide
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2")
#endif
#include "delta.c"

static inline void stream_line(uint8_t *to, const uint8_t *from)
{
    const __m256i *source = (const __m256i *)(const void *)from;
    __m256i *target = (__m256i *)(void *)to;
    gn_stream_ask(from);
    const __m256i first = _mm256_loadu_si256(source), second = _mm256_loadu_si256(source + 1);
    _mm256_stream_si256(target, first);
    _mm256_stream_si256(target + 1, second);
}

void gn_stream_places_wide(uint8_t *to, const uint8_t *from, size_t size)
{
    for (size_t at = 0; at < size; at += GN_STREAM_LINE) {
        for (size_t place = at; place < GN_STREAM_PLACES * size; place += size) {
            stream_line(to + place, from + place);
        }
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
