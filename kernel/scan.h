/* What the checker of canonical text (scan.c) lends to the reader of deltas (delta.c). */
#ifndef GN_SCAN_H
#define GN_SCAN_H

#include "state.h"

typedef struct gn_scanner {
    const uint8_t *start;
    const uint8_t *end;
    gn_arena *arena;
    int status;
    const uint8_t *failed_at;
    gn_key *keys;           /* the key before, for each open object; made by the first value that nests */
    bool *is_object;
} gn_scanner;

#define GN_SCAN_SIZE_MAX ((size_t)INT32_MAX) /* places in a larger text cannot be noted */
static inline void gn_scanner_open(gn_scanner *scan, gn_arena *arena, const uint8_t *text, size_t size)
{
    *scan = (gn_scanner){.start = text, .end = text + size, .arena = arena, .status = GN_OK};
}
/* Note the first failure; always NULL. */
const uint8_t *gn_scan_fail(gn_scanner *scan, int status, const uint8_t *at);
/* The same for a byte that cannot stand there, or that is missing. */
const uint8_t *gn_scan_fail_byte(gn_scanner *scan, const uint8_t *at);
/* The status of a check that ended at `behind`, NULL when it failed; all of the text must be used up. */
static inline int gn_scanner_finish(gn_scanner *scan, const uint8_t *behind, uint64_t *position)
{
    if (behind != NULL && behind != scan->end) {
        gn_scan_fail(scan, GN_JSON_TRAILING, behind);
    }
    *position = scan->status == GN_OK ? 0 : (uint64_t)(scan->failed_at - scan->start);
    return scan->status;
}

/* Which of the next bytes are not plain ASCII text, a bit each: a quote, a backslash, a control character, or beyond
 * ASCII. With one bit turned the quote, 0x22, joins the controls below 0x21, and nothing else does. Less 0x21, at
 * least -128, those are negative, and of the others so are bytes from 0x80 on. */
#if defined(GN_HAS_WIDE) || defined(GN_WIDE)
/* In memory, since making them anew for a look costs as much as the look. */
typedef struct gn_special_bytes {
    _Alignas(32) uint8_t slash[32], turned[32], less[32];
    uint8_t moved[16], most[16]; /* gn_others */
} gn_special_bytes;
extern __attribute__((visibility("hidden"))) const gn_special_bytes gn_specials_of_32;
#endif
#if defined(GN_WIDE)
#define GN_SPECIALS_STEP 32
static inline uint32_t gn_specials(const uint8_t *at)
{
    const gn_special_bytes *of = &gn_specials_of_32;
    const __m256i bytes = _mm256_lddqu_si256((const __m256i *)(const void *)at);
    const __m256i slash = _mm256_cmpeq_epi8(bytes, *(const __m256i *)(const void *)of->slash);
    const __m256i turned = _mm256_xor_si256(bytes, *(const __m256i *)(const void *)of->turned);
    const __m256i low = _mm256_subs_epi8(turned, *(const __m256i *)(const void *)of->less);
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(slash, low));
}
#elif defined(__SSE2__)
#define GN_SPECIALS_STEP 16
static inline uint32_t gn_specials(const uint8_t *at)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const __m128i low = _mm_subs_epi8(_mm_xor_si128(bytes, _mm_set1_epi8(2)), _mm_set1_epi8(0x21));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(slash, low));
}
#endif

/* Which of the next 16 bytes are no digits, a bit each: they are moved so that the digits are the ten least of signed
 * bytes. */
#if defined(__SSE2__)
static inline uint32_t gn_others(const uint8_t *at)
{
#if defined(GN_WIDE)
    const __m128i *constants = (const __m128i *)(const void *)gn_specials_of_32.moved;
    const __m128i move = constants[0], most = constants[1];
#else
    const __m128i move = _mm_set1_epi8(0x80 - '0'), most = _mm_set1_epi8(-128 + 9);
#endif
    const __m128i moved = _mm_add_epi8(_mm_loadu_si128((const __m128i *)(const void *)at), move);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpgt_epi8(moved, most));
}
#endif

/* The first byte that is not plain ASCII text. */
static inline const uint8_t *gn_plain_end(const uint8_t *at, const uint8_t *end)
{
#if defined(GN_SPECIALS_STEP)
    while (end - at >= GN_SPECIALS_STEP) {
        const uint32_t specials = gn_specials(at);
        if (specials != 0) {
            return at + (uint32_t)__builtin_ctz(specials);
        }
        at += GN_SPECIALS_STEP;
    }
#endif
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

/* Each steps over what it checked and returns what is behind it, NULL on failure. */

/* A key and its colon. *key, the text between the quotes, must come behind the one that stood in *key before. */
const uint8_t *gn_check_key_slowly(gn_scanner *scan, const uint8_t *at, gn_key *key);
/* One value of any depth; `depth` values are open around it. */
const uint8_t *gn_check_value(gn_scanner *scan, const uint8_t *at, uint32_t depth);

/* Where a string of plain text ends that is at most 15 bytes long, or NULL; `at` is behind the opening quote. */
static inline const uint8_t *gn_short_string_end(const gn_scanner *scan, const uint8_t *at)
{
    if (scan->end - at < 16) {
        return NULL;
    }
    const uint8_t *end = gn_plain_end(at, at + 16);
    return end < at + 16 && *end == '"' ? end : NULL;
}

/* gn_check_key_slowly, with nearly all keys in a few instructions: short, plain, greater by their prefix. */
static inline const uint8_t *gn_check_key(gn_scanner *scan, const uint8_t *at, gn_key *key)
{
    const uint8_t *end = at < scan->end && *at == '"' ? gn_short_string_end(scan, at + 1) : NULL;
    if (end == NULL || end[1] != ':') {
        return gn_check_key_slowly(scan, at, key);
    }
    const uint32_t size = (uint32_t)(end - at - 1);
    uint64_t prefix;
    memcpy(&prefix, at + 1, 8);
    prefix = __builtin_bswap64(prefix);
    prefix = size >= 8 ? prefix : size == 0 ? 0 : prefix & (UINT64_MAX << (64 - 8 * size));
    if (key->text.bytes != NULL && (key->escaped || prefix <= key->prefix)) {
        return gn_check_key_slowly(scan, at, key);
    }
    key->text = (gn_name){at + 1, size};
    key->prefix = prefix;
    key->escaped = false;
    return end + 2;
}

#endif
