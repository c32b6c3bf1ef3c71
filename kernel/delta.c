/* A delta, read in one pass: where the things are that the rules name.
 *
 * Nearly all members come with the key that is expected (expected.c) and hold a plain string or a small number: one loop
 * notes those, and stops at the first that is anything else. Items are noted as they pass, since the order of the
 * rules is not the order of the bytes. */
#include "expected.h"

/* A delta being read. */
typedef struct reader {
    gn_scanner scan;
    gn_program *program;
    gn_delta *delta;
    gn_expected spare;      /* what is known of a key that is too long to be learned */
} reader;

static inline gn_span other_span(const uint8_t *start, const uint8_t *from, const uint8_t *to)
{
    return (gn_span){.at = (uint32_t)(from - start) & INT32_MAX, .size = (uint32_t)(to - from)};
}

/* The same of a plain string. */
static inline gn_span plain_span(const uint8_t *start, const uint8_t *from, const uint8_t *to)
{
    return (gn_span){.at = (uint32_t)(from - start) & INT32_MAX, .is_plain = 1, .size = (uint32_t)(to - from)};
}

static inline gn_span span_of(const reader *in, const uint8_t *from, const uint8_t *to)
{
    return other_span(in->scan.start, from, to);
}

/* ---- members as they are expected ---- */

/* Where a plain string ends, or may not go on as one; `at` is behind its opening quote. */
static GN_INLINE const uint8_t *plain_string_end(const uint8_t *at, const uint8_t *end)
{
#if defined(GN_SPECIALS_STEP)
    uint32_t specials;
    while ((specials = gn_specials(at)) == 0) {
        at += GN_SPECIALS_STEP;
        if (at >= end) {
            return end;
        }
    }
    return at + (uint32_t)__builtin_ctz(specials);
#else
    return gn_plain_end(at, end);
#endif
}

/* Behind a whole number of at most 16 digits, not 0, with a comma or a brace behind it; NULL for all else. */
static GN_INLINE const uint8_t *few_digits_end(const uint8_t *at)
{
#if defined(__SSE2__)
    /* Moved so that the digits are the ten least of signed bytes. */
    const __m128i moved = _mm_add_epi8(_mm_loadu_si128((const __m128i *)(const void *)at), _mm_set1_epi8(0x80 - '0'));
    const __m128i digits = _mm_cmpgt_epi8(_mm_set1_epi8(-128 + 10), moved);
    const uint32_t size = (uint32_t)__builtin_ctz(~(uint32_t)_mm_movemask_epi8(digits));
#else
    uint32_t size = 0;
    while (size < 16 && (uint8_t)(at[size] - '0') < 10) {
        size++;
    }
#endif
    return size == 0 || *at == '0' || (at[size] != ',' && at[size] != '}') ? NULL : at + size;
}

/* Where reading came to: at the separator in front of a member, or behind the last one, and what is expected next. */
typedef struct point {
    const uint8_t *at;
    const gn_expected *next;
} point;

/* Note the members that come as expected and whose value is a plain string or a small number: nearly all. `from` is at
 * the brace or comma in front of the first. */
static GN_NO_INLINE point scan_plain_members(point from, gn_span *slots, const uint8_t *start, const uint8_t *end)
{
    const gn_expected *next = from.next;
    const uint8_t *at = from.at;
    for (;;) {
        const uint32_t differs = gn_difference(next, at + 1);
        const uint8_t *const value = at + 1 + next->size, *behind;
        if ((differs & next->string_mask) == 0) {
            behind = plain_string_end(value + 1, end);
            if (*behind++ != '"') {
                break;
            }
            slots[next->slot] = plain_span(start, value, behind);
        } else {
            if ((differs & next->key_mask) != 0 || !next->is_plain || (behind = few_digits_end(value)) == NULL) {
                break;
            }
            slots[next->slot] = other_span(start, value, behind);
        }
        next++;
        at = behind;
        if (*at != ',' || at >= end) {
            break;
        }
    }
    return (point){at, next};
}

/* ---- values ---- */

static inline const uint8_t *scan_object(reader *in, const uint8_t *at, gn_shape *shape, gn_span *slots, uint32_t depth);

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
    if (at >= in->scan.end) {
        return gn_scan_fail_byte(&in->scan, at);
    }
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

/* The rest of an object that begins at `first`, from where reading came to. */
static GN_NO_INLINE const uint8_t *scan_rest(reader *in, const uint8_t *first, point now, gn_shape *shape,
                                             gn_span *slots, uint32_t depth)
{
    const uint8_t *const end = in->scan.end, *spare_key = NULL;
    for (;;) {
        const uint8_t *const key = now.at + 1;
        const gn_expected *const expected = now.next, *taken = expected;
        if ((gn_difference(expected, key) & expected->key_mask) != 0) {
            taken = gn_expected_find(&in->scan, key, shape, &now.next, &in->spare, spare_key);
            if (taken == NULL) {
                return NULL;
            }
        }
        if (taken == expected || taken == &in->spare) {
            spare_key = taken == &in->spare ? key : NULL;
            now.next += taken == now.next;
            now.at = scan_other(in, key + taken->size, taken->want, key, slots, depth);
            if (now.at == NULL) {
                return NULL;
            }
            if (*now.at != ',' || now.at >= end) {
                break;
            }
        }
        if (now.next->is_plain) {
            const point then = scan_plain_members(now, slots, in->scan.start, end);
            spare_key = then.at > now.at ? NULL : spare_key;
            now = then;
        }
        if (now.at != first && (*now.at != ',' || now.at >= end)) {
            break;
        }
    }
    return now.at < end && *now.at == '}' ? now.at + 1 : gn_scan_fail_byte(&in->scan, now.at);
}

/* One object: note the members that shape names in slots, and of those that nobody names the last one behind them.
 * depth counts the shapes, which the rules bound. */
static inline const uint8_t *scan_object(reader *in, const uint8_t *at, gn_shape *shape, gn_span *slots, uint32_t depth)
{
    const uint8_t *const end = in->scan.end;
    assert(*at == '{' && depth <= GN_NAME_SEGMENTS_MAX);
    if (at[1] == '}' && at + 1 < end) {
        return at + 2;
    }
    point now = {at, shape->expected};
    if (now.next->is_plain) {
        now = scan_plain_members(now, slots, in->scan.start, end);
        if (*now.at == '}' && now.at < end) {
            return now.at + 1;
        }
        if (now.at != at && (*now.at != ',' || now.at >= end)) {
            return gn_scan_fail_byte(&in->scan, now.at);
        }
    }
    return scan_rest(in, at, now, shape, slots, depth);
}

int gn_scan_delta(gn_arena *arena, gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
                  uint64_t *position)
{
    reader in; /* but for the spare key, which is written before it is read */
    const size_t slots_size = (program->root_slot_count + (size_t)1) * sizeof *delta->slots;
    const size_t items_size = program->source_count * sizeof *delta->items;
    *position = 0;
    uint8_t *room = size > GN_SCAN_SIZE_MAX ? NULL : gn_alloc(arena, items_size + slots_size);
    if (room == NULL) {
        return GN_NO_MEMORY;
    }
    *delta = (gn_delta){.body = body, .unnamed = {.arena = arena}};
    delta->items = (gn_items *)(void *)room;
    delta->slots = (gn_span *)(void *)(room + items_size);
    memset(room, 0, items_size + slots_size);
    for (uint32_t i = 0; i < program->source_count; i++) {
        delta->items[i].stride = 3 + program->sources[i].slot_count;
    }
    gn_scanner_open(&in.scan, arena, body, size);
    in.program = program;
    in.delta = delta;
    const uint8_t *behind = size == 0 || *body != '{' ? gn_scan_fail_byte(&in.scan, body)
                                                      : scan_object(&in, body, &program->root, delta->slots, 1);
    return gn_scanner_finish(&in.scan, behind, position);
}
