/* Canonical text: deltas read into spans (scan.c, delta.c), the order of keys and integers exactly (key.c). */
#ifndef GN_CANONICAL_H
#define GN_CANONICAL_H

#include "rules.h"

typedef struct gn_span {
    uint32_t at : 31;
    uint32_t is_plain : 1;  /* a string, ASCII, without escapes */
    uint32_t size;          /* 0: absent */
} gn_span;

/* The items of one source in one delta. */
typedef struct gn_items {
    gn_span whole;          /* the member's value; size 0: absent */
    bool iterable;
    uint32_t count;
    uint32_t stride;        /* spans an item: value, key, the slots, and one for what nobody names */
    gn_span *spans;
    bool *matched;
} gn_items;

typedef struct gn_delta {
    const uint8_t *body;
    gn_span *slots;         /* of the delta itself */
    gn_items *items;        /* one a source */
    gn_buffer unnamed;      /* gn_name of each member that holds something and that no rule names */
} gn_delta;

/* Check that text is one canonical compact value. */
int gn_scan_value(gn_arena *arena, const uint8_t *text, size_t size, uint64_t *position);
/* Check a delta and note where the things are that the rules name; everything is allocated in arena. The program
 * learns which keys to expect. */
typedef int gn_delta_reader(gn_arena *arena, gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
                            uint64_t *position);
gn_delta_reader gn_scan_delta;
#if defined(__x86_64__) && !defined(__AVX2__)
#define GN_HAS_WIDE /* wide.c: the same for machines with AVX2 and BMI, which the compiler may not count on */
gn_delta_reader gn_scan_delta_wide;
#endif
/* Step over one value of trusted canonical text. */
const uint8_t *gn_skip(const uint8_t *at, const uint8_t *end);
/* Step over one trusted string; `at` is behind its opening quote, the result behind its closing one. */
const uint8_t *gn_skip_string(const uint8_t *at, const uint8_t *end);
int gn_name_compare(gn_name a, gn_name b);
/* Order of two keys as they stand in canonical text, without their quotes: by code point. */
int gn_key_compare(gn_name a, gn_name b);
/* A key with what comparing needs; `limit` is where reading must end. */
gn_key gn_key_of(gn_name text, const uint8_t *limit);
/* gn_key_compare of prepared keys. */
static inline int gn_key_order(const gn_key *a, const gn_key *b)
{
    if (a->escaped || b->escaped) {
        return gn_key_compare(a->text, b->text);
    }
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    if (a->text.size <= 8 && b->text.size <= 8) {
        return (int)a->text.size - (int)b->text.size; /* no plain key holds NUL, so zeros behind are no bytes */
    }
    return gn_name_compare(a->text, b->text);
}
/* The same of a plain name and a key as it stands in text. */
int gn_name_key_compare(gn_name name, gn_name key);
static inline bool gn_name_equal(gn_name a, gn_name b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}
/* An integer's text as a number; false when it is no integer. */
bool gn_integer_parse(gn_name text, gn_int128 *value);
uint32_t gn_integer_format(gn_int128 value, uint8_t out[24]);
static inline bool gn_integer_fits(gn_int128 value)
{
    return value >= INT64_MIN && value <= (gn_int128)UINT64_MAX;
}

#endif
