/* A delta, read in one pass: where the things are that the rules name.
 *
 * Streams write the same members again and again, so each shape remembers the keys that its objects had lately, in
 * their order. A key that stands where it is expected is told by one comparison, and needs no check: it was checked
 * when it was learned, and of a sorted list any choice is sorted.
 *
 *   expected   "author":   "channel":   "created_at":   "number":   "title":
 *   object     "author":   --           "created_at":   "number":   --          members may be missing
 *
 * Any other key is checked, looked up among the names that the rules want, and learned. Items are noted as they
 * pass, since the order of the rules is not the order of the bytes. */
#include "scan.h"

/* A delta being read. */
typedef struct reader {
    gn_scanner scan;
    gn_program *program;
    gn_delta *delta;
    gn_expected spare;      /* what is known of a key that is too long to be learned */
} reader;

static inline gn_span span_of(const reader *in, const uint8_t *from, const uint8_t *to)
{
    return (gn_span){.at = (uint32_t)(from - in->scan.start) & INT32_MAX, .size = (uint32_t)(to - from)};
}

/* ---- keys ---- */

/* Which bytes at `at` differ from the expected ones, a bit each. */
static inline uint32_t difference(const gn_expected *expected, const uint8_t *at)
{
#if defined(__SSE2__)
    const __m128i *there = (const __m128i *)(const void *)at;
    const __m128i *text = (const __m128i *)(const void *)expected->text;
    const __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(there), _mm_loadu_si128(text));
    uint32_t same = (uint32_t)_mm_movemask_epi8(low);
    if (expected->quote_bit > 0xFFFF) {
        const __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(there + 1), _mm_loadu_si128(text + 1));
        same |= (uint32_t)_mm_movemask_epi8(high) << 16;
    }
    return ~same;
#else
    uint32_t differs = 0;
    for (uint32_t i = 0; i <= expected->size; i++) {
        differs |= (uint32_t)(at[i] != expected->text[i]) << i;
    }
    return differs;
#endif
}

static gn_key expected_key(const gn_expected *expected)
{
    return gn_key_of((gn_name){expected->text + 1, expected->size - 3}, expected->text + GN_EXPECTED_SIZE);
}

static const gn_want *find_want(const gn_shape *shape, const gn_key *key)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        int order = gn_key_order(&shape->wants[i].key, key);
        if (order >= 0) {
            return order == 0 ? &shape->wants[i] : NULL;
        }
    }
    return NULL;
}

static gn_expected expect(const gn_shape *shape, const gn_key *key, const gn_want *want)
{
    const uint32_t size = key->text.size + 3;
    gn_expected expected = {.size = size, .want = want, .quote_bit = 1};
    expected.slot = want == NULL || want->slot == GN_NONE ? shape->slot_count : want->slot;
    expected.is_plain = want == NULL || (want->source == GN_NONE && want->below == NULL);
    if (size < GN_EXPECTED_SIZE) {
        expected.key_mask = UINT32_MAX >> (GN_EXPECTED_SIZE - size);
        expected.quote_bit = (uint32_t)1 << size;
        memcpy(expected.text, key->text.bytes - 1, size - 1);
        expected.text[size - 1] = ':';
        expected.text[size] = expected.is_plain ? '"' : 0; /* what is not plain goes the long way: no byte is 0 there */
    }
    return expected;
}

/* A key taken: what is known of it, which may come next, and what is behind its colon; value NULL on failure. */
typedef struct taken {
    const gn_expected *expected;
    const gn_expected *next;
    const uint8_t *value;
} taken;

/* Expect the key from now on, in its place; a list that is full begins anew with it. */
static taken learn(reader *in, gn_shape *shape, const gn_expected *next, const gn_key *key, const uint8_t *value)
{
    gn_expected *at = shape->expected + (next - shape->expected);
    gn_expected *end = shape->expected + shape->expected_count;
    while (at < end) {
        const gn_key other = expected_key(at);
        if (gn_key_order(&other, key) > 0) {
            break;
        }
        at++;
    }
    const gn_expected expected = expect(shape, key, find_want(shape, key));
    if (expected.key_mask == 0) {
        in->spare = expected;
        return (taken){&in->spare, at, value};
    }
    if (shape->expected_count == GN_EXPECTED_MAX) {
        shape->expected_count = 0;
        at = end = shape->expected;
    }
    memmove(at + 1, at, (size_t)(end - at) * sizeof *at);
    *at = expected;
    shape->expected_count++;
    return (taken){at, at + 1, value};
}

/* A key that was not expected, checked and learned; `previous` is the key before it, from its quote, or NULL. */
static GN_COLD taken take_other_key(reader *in, const uint8_t *at, gn_shape *shape, const gn_expected *next,
                                    const uint8_t *previous)
{
    gn_key key = {.text.bytes = NULL};
    if (previous != NULL) {
        const uint8_t *end = gn_skip_string(previous + 1, in->scan.end);
        key = gn_key_of((gn_name){previous + 1, (uint32_t)(end - previous - 2)}, in->scan.end);
    }
    const uint8_t *value = gn_check_key(&in->scan, at, &key);
    return value == NULL ? (taken){NULL, NULL, NULL} : learn(in, shape, next, &key, value);
}

/* ---- values ---- */

static const uint8_t *scan_object(reader *in, const uint8_t *at, gn_shape *shape, gn_span *slots, uint32_t depth);

/* Twice the room for items, their spans cleared; false when memory ends. */
static bool more_items(reader *in, gn_items *items)
{
    const uint32_t room = items->room == 0 ? 4 : items->room * 2;
    const size_t used = (size_t)items->count * items->stride, count = (size_t)room * items->stride;
    gn_span *spans = room < items->room ? NULL : gn_alloc_array(in->scan.arena, count, sizeof *spans);
    if (spans == NULL) {
        gn_scan_fail(&in->scan, GN_NO_MEMORY, in->scan.start);
        return false;
    }
    if (used > 0) {
        memcpy(spans, items->spans, used * sizeof *spans);
    }
    memset(spans + used, 0, (count - used) * sizeof *spans);
    items->spans = spans;
    items->room = room;
    return true;
}

/* The items of a source: the elements of an array, or the members of an object with their keys. */
static const uint8_t *scan_items(reader *in, const uint8_t *at, gn_source_plan *source, gn_items *items)
{
    const uint8_t *end = in->scan.end;
    const bool is_object = *at == '{';
    const uint8_t close = is_object ? '}' : ']';
    gn_key key = {.text.bytes = NULL};
    items->iterable = true;
    at++;
    if (at < end && *at == close) {
        return at + 1;
    }
    for (;;) {
        if (items->count == items->room && !more_items(in, items)) {
            return NULL;
        }
        gn_span *spans = items->spans + (size_t)items->count++ * items->stride;
        if (is_object) {
            at = gn_check_key(&in->scan, at, &key);
            if (at == NULL) {
                return NULL;
            }
            spans[1] = span_of(in, key.text.bytes - 1, key.text.bytes + key.text.size + 1);
        }
        const uint8_t *value = at;
        at = at < end && *at == '{' ? scan_object(in, at, &source->shape, spans + 2, 2)
                                    : gn_check_value(&in->scan, at, 2);
        if (at == NULL) {
            return NULL;
        }
        spans[0] = span_of(in, value, at);
        if (at >= end || (*at != ',' && *at != close)) {
            return gn_scan_fail_byte(&in->scan, at);
        }
        if (*at++ == close) {
            return at;
        }
    }
}

static bool holds_something(const uint8_t *at, const uint8_t *end)
{
    return end - at > 2 && (*at == '{' || *at == '[');
}

/* The value of a source: its items, and what the delta's own rules want below an object that is one. */
static const uint8_t *scan_source(reader *in, const uint8_t *at, const gn_want *want)
{
    const uint8_t *value = at;
    gn_items *items = &in->delta->items[want->source];
    bool iterable = at < in->scan.end && (*at == '{' || *at == '[');
    at = iterable ? scan_items(in, at, &in->program->sources[want->source], items) : gn_check_value(&in->scan, at, 1);
    if (at == NULL) {
        return NULL;
    }
    items->whole = span_of(in, value, at);
    return want->below != NULL && *value == '{' ? scan_object(in, value, want->below, in->delta->slots, 2) : at;
}

/* A value that is no plain string and no small number, or of which the rules want more than its place. `key` is
 * the member's, at the top of a delta. */
static const uint8_t *scan_other(reader *in, const uint8_t *at, const gn_want *want, const uint8_t *key,
                                 gn_span *slots, uint32_t depth)
{
    const uint8_t *value = at;
    if (want != NULL && want->source != GN_NONE) {
        at = scan_source(in, at, want);
    } else if (want != NULL && want->below != NULL && at < in->scan.end && *at == '{') {
        at = scan_object(in, at, want->below, slots, depth + 1);
    } else {
        at = gn_check_value(&in->scan, at, depth);
    }
    if (at == NULL) {
        return NULL;
    }
    if (want != NULL && want->slot != GN_NONE) {
        slots[want->slot] = span_of(in, value, at);
    }
    if (want == NULL && depth == 1 && holds_something(value, at)) {
        const gn_name name = {key + 1, (uint32_t)(value - key) - 3};
        if (!gn_buffer_put(&in->delta->unnamed, &name, sizeof name)) {
            return gn_scan_fail(&in->scan, GN_NO_MEMORY, value);
        }
    }
    return at;
}

/* Behind a plain string, of which `at` is behind the opening quote; NULL for others, which scan_other takes. */
static inline const uint8_t *plain_string_end(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    uint32_t specials = 0;
    while (at < end && (specials = gn_specials(at)) == 0) {
        at += 16;
    }
    at += specials == 0 ? 0 : __builtin_ctz(specials);
#else
    at = gn_plain_end(at, end);
#endif
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* Behind a whole number of at most 8 digits, not 0, with a comma or a brace behind it; NULL for all else. */
static inline const uint8_t *small_number_end(const uint8_t *at)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t digits;
    memcpy(&digits, at, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    digits = __builtin_bswap64(digits);
#endif
    digits ^= ones * '0'; /* above 9 in the first byte that is no digit; a carry comes only from a byte behind one */
    const uint64_t others = ((digits + ones * 0x76) | digits) & (ones * 0x80);
    if (others == 0 || (others & 0xFF) != 0 || (digits & 0xFF) == 0) {
        return NULL;
    }
    at += __builtin_ctzll(others) / 8;
    return *at == ',' || *at == '}' ? at : NULL;
}

/* A value noted in its slot; `plain` where it is a plain string. */
static inline void note(const reader *in, gn_span *slot, const uint8_t *value, const uint8_t *behind, bool plain)
{
    slot->at = (uint32_t)(value - in->scan.start) & INT32_MAX;
    slot->is_plain = plain;
    slot->size = (uint32_t)(behind - value);
}

/* One object: note the members that shape names in slots, and of those that nobody names the last one behind them.
 * depth counts the shapes, which the rules bound. */
static const uint8_t *scan_object(reader *in, const uint8_t *at, gn_shape *shape, gn_span *slots, uint32_t depth)
{
    const uint8_t *const end = in->scan.end, *key = NULL;
    const gn_expected *next = shape->expected, *stop = next + shape->expected_count;
    assert(*at == '{' && depth <= GN_NAME_SEGMENTS_MAX);
    at++;
    if (*at == '}' && at < end) {
        return at + 1;
    }
    for (;;) {
        const gn_expected *const first = next, *expected = first;
        uint32_t differs = UINT32_MAX;
        while (expected < stop && ((differs = difference(expected, at)) & expected->key_mask) != 0) {
            expected++;
        }
        const uint8_t *value = at + expected->size;
        next = expected + 1;
        if (expected == stop) {
            const taken other = take_other_key(in, at, shape, first, key);
            if (other.value == NULL) {
                return NULL;
            }
            differs = UINT32_MAX;
            expected = other.expected;
            next = other.next;
            value = other.value;
            stop = shape->expected + shape->expected_count;
        }
        key = at;
        const uint8_t *behind = NULL;
        if ((differs & expected->quote_bit) == 0) {
            behind = plain_string_end(value + 1, end);
            if (behind != NULL) {
                note(in, &slots[expected->slot], value, behind, behind - value > 2);
            }
        } else if (expected->is_plain) {
            behind = small_number_end(value);
            if (behind != NULL) {
                note(in, &slots[expected->slot], value, behind, false);
            }
        }
        if (behind == NULL) {
            behind = scan_other(in, value, expected->want, key, slots, depth);
            if (behind == NULL) {
                return NULL;
            }
        }
        at = behind + 1;
        if (behind >= end || *behind != ',') {
            return behind < end && *behind == '}' ? at : gn_scan_fail_byte(&in->scan, behind);
        }
    }
}

int gn_scan_delta(gn_arena *arena, gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
                  uint64_t *position)
{
    reader in = {.program = program, .delta = delta};
    const size_t slot_count = program->root_slot_count;
    *position = 0;
    *delta = (gn_delta){.body = body, .unnamed = {.arena = arena}};
    delta->slots = gn_alloc_array(arena, slot_count + 1, sizeof *delta->slots);
    delta->items = gn_alloc_array(arena, program->source_count, sizeof *delta->items);
    if (!gn_scanner_open(&in.scan, arena, body, size) || delta->slots == NULL || delta->items == NULL) {
        return GN_NO_MEMORY;
    }
    memset(delta->slots, 0, (slot_count + 1) * sizeof *delta->slots);
    for (uint32_t i = 0; i < program->source_count; i++) {
        delta->items[i] = (gn_items){.stride = 3 + program->sources[i].slot_count};
    }
    const uint8_t *behind = size == 0 || *body != '{' ? gn_scan_fail_byte(&in.scan, body)
                                                      : scan_object(&in, body, &program->root, delta->slots, 1);
    return gn_scanner_finish(&in.scan, behind, position);
}
