/* A delta's members one by one: those that are not plain, or not the ones expected, and all below them. Items are noted as
 * they pass, since the order of the rules is not the order of the bytes. */
#ifndef GN_ANY_MEMBERS_H
#define GN_ANY_MEMBERS_H

#include "plain_members.h"

/* A delta being read. */
typedef struct reader {
    gn_scanner scan;
    gn_program *program;
    gn_delta *delta;
    gn_span *spans;         /* cleared, for the items to come; those of the source at hand end here */
    gn_span *spans_end;
    gn_expected spare;      /* what is known of a key that is too long to be learned */
} reader;

static inline gn_span span_of(const reader *in, const uint8_t *from, const uint8_t *to)
{
    return gn_span_between(in->scan.start, from, to);
}

static GN_NO_INLINE gn_point scan_plain_members(gn_point from, gn_span *slots, const uint8_t *start, const uint8_t *end,
                                                uint8_t delta_number)
{
    return gn_plain_members(from, slots, start, end, delta_number);
}

/* ---- values ---- */

static inline const uint8_t *scan_object(reader *in, const uint8_t *at, gn_shape *shape, gn_span *slots,
                                         uint32_t depth);
static inline const uint8_t *object_end(reader *in, const uint8_t *first, gn_point now, gn_shape *shape, gn_span *slots,
                                        uint32_t depth);

/* Move the items of the source at hand to where there is room for as many more; false when memory ends. */
static GN_COLD bool move_items(reader *in, gn_items *items)
{
    const size_t used = (size_t)items->count * items->stride, room = (used + items->stride) * 2;
    gn_span *spans = gn_alloc_array(in->scan.arena, room, sizeof *spans);
    if (spans == NULL) {
        gn_scan_fail(&in->scan, GN_NO_MEMORY, in->scan.start);
        return false;
    }
    memcpy(spans, items->spans, used * sizeof *spans);
    memset(spans + used, 0, (room - used) * sizeof *spans);
    items->spans = spans;
    in->spans = spans + used;
    in->spans_end = spans + room;
    return true;
}

/* Room for one more item. */
static inline bool has_room(reader *in, gn_items *items)
{
    return (size_t)(in->spans_end - in->spans) >= items->stride || move_items(in, items);
}

/* Note a value as the next item, for which there is room. */
static inline void take_item(reader *in, gn_items *items, const uint8_t *value, const uint8_t *behind)
{
    in->spans[0] = span_of(in, value, behind);
    in->spans += items->stride;
    items->count++;
}

/* One element of an array as an item. */
static inline const uint8_t *scan_element(reader *in, const uint8_t *at, gn_source_plan *source, gn_items *items)
{
    if (!has_room(in, items)) {
        return NULL;
    }
    const uint8_t *const behind = at < in->scan.end && *at == '{'
                                      ? scan_object(in, at, &source->shape, in->spans + 2, 2)
                                      : gn_check_value(&in->scan, at, 2);
    if (behind != NULL) {
        take_item(in, items, at, behind);
    }
    return behind;
}

/* The elements behind one that ends at `at`, and the bracket behind them all. */
static GN_NO_INLINE const uint8_t *scan_elements(reader *in, const uint8_t *at, gn_source_plan *source,
                                                 gn_items *items)
{
    const uint8_t *const end = in->scan.end;
    while (at != NULL && at < end && *at == ',') {
        at = scan_element(in, at + 1, source, items);
    }
    return at == NULL ? NULL : at < end && *at == ']' ? at + 1 : gn_scan_fail_byte(&in->scan, at);
}

/* The members of an object as items, with their keys; `at` is behind its brace. */
static GN_NO_INLINE const uint8_t *scan_entries(reader *in, const uint8_t *at, gn_source_plan *source, gn_items *items)
{
    const uint8_t *const end = in->scan.end;
    gn_key key = {.text.bytes = NULL};
    for (;;) {
        if (!has_room(in, items)) {
            return NULL;
        }
        gn_span *const spans = in->spans;
        const uint8_t *const value = gn_check_key(&in->scan, at, &key);
        if (value == NULL) {
            return NULL;
        }
        at = value < end && *value == '{' ? scan_object(in, value, &source->shape, spans + 2, 2)
                                          : gn_check_value(&in->scan, value, 2);
        if (at == NULL) {
            return NULL;
        }
        spans[1] = span_of(in, key.text.bytes - 1, key.text.bytes + key.text.size + 1);
        take_item(in, items, value, at);
        if (at >= end || (*at != ',' && *at != '}')) {
            return gn_scan_fail_byte(&in->scan, at);
        }
        if (*at++ == '}') {
            return at;
        }
    }
}

static inline void open_items(reader *in, const gn_source_plan *source, gn_items *items)
{
    items->iterable = true;
    items->stride = 3 + source->slot_count;
    items->spans = in->spans;
}

/* The items of a source: the elements of an array, or the members of an object with their keys. */
static const uint8_t *scan_items(reader *in, const uint8_t *at, gn_source_plan *source, gn_items *items)
{
    const bool is_object = *at == '{';
    open_items(in, source, items);
    if (at[1] == (is_object ? '}' : ']') && at + 1 < in->scan.end) {
        return at + 2;
    }
    if (is_object) {
        return scan_entries(in, at + 1, source, items);
    }
    const uint8_t *const behind = scan_element(in, at + 1, source, items);
    return behind == NULL ? NULL : scan_elements(in, behind, source, items);
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

/* A member that is not plain as expected, behind the separator at now->at. False on failure. `spare_key` is the key
 * before it if that was a spare one, or NULL. */
static GN_NO_INLINE bool scan_member(reader *in, gn_point *now, gn_shape *shape, gn_span *slots, uint32_t depth,
                                     const uint8_t **spare_key)
{
    const uint8_t *const key = now->at + 1;
    gn_expected *const expected = now->next, *taken = expected, *place = expected;
    if ((gn_difference(expected, key) & expected->key_mask) != 0) {
        taken = gn_expected_find(&in->scan, key, shape, &place, &in->spare, *spare_key);
        if (taken == NULL) {
            return false;
        }
    }
    now->next = place;
    if (taken != expected && taken != &in->spare && taken->is_plain) {
        return true; /* it may be plain there */
    }
    *spare_key = taken == &in->spare ? key : NULL;
    now->next += taken == place;
    now->at = scan_other(in, key + taken->size, taken->want, key, slots, depth);
    return now->at != NULL;
}

/* Is there a member behind the separator? The first one's is the object's brace, at `first`. */
static inline bool is_separator(const reader *in, const uint8_t *at, const uint8_t *first)
{
    return at == first || (*at == ',' && at < in->scan.end);
}

static inline const uint8_t *close_object(reader *in, const uint8_t *at)
{
    return at < in->scan.end && *at == '}' ? at + 1 : gn_scan_fail_byte(&in->scan, at);
}

/* The rest of an object that begins at `first`, from where reading came to. */
static GN_NO_INLINE const uint8_t *scan_rest(reader *in, const uint8_t *first, gn_point now, gn_shape *shape,
                                             gn_span *slots, uint32_t depth)
{
    const uint8_t *spare_key = NULL;
    while (is_separator(in, now.at, first)) {
        if (!scan_member(in, &now, shape, slots, depth, &spare_key)) {
            return NULL;
        }
        if (now.next->is_plain && is_separator(in, now.at, first)) {
            const gn_point then = scan_plain_members(now, slots, in->scan.start, in->scan.end, in->program->delta_number);
            spare_key = then.at > now.at ? NULL : spare_key;
            now = then;
        }
    }
    return close_object(in, now.at);
}

/* The end of an object that begins at `first`, from where its first plain members end. */
static inline const uint8_t *object_end(reader *in, const uint8_t *first, gn_point now, gn_shape *shape, gn_span *slots,
                                        uint32_t depth)
{
    const uint8_t *const end = in->scan.end;
    if (*now.at == '}' && now.at < end) {
        return now.at + 1;
    }
    if (now.at == first && first[1] == '}' && first + 1 < end) {
        return first + 2;
    }
    if (now.at != first && (*now.at != ',' || now.at >= end)) {
        return gn_scan_fail_byte(&in->scan, now.at);
    }
    return scan_rest(in, first, now, shape, slots, depth);
}

/* One object: note the members that shape names in slots, and of those that nobody names the last one behind them.
 * depth counts the shapes, which the rules bound. */
static inline const uint8_t *scan_object(reader *in, const uint8_t *at, gn_shape *shape, gn_span *slots, uint32_t depth)
{
    assert(*at == '{' && depth <= GN_NAME_SEGMENTS_MAX);
    gn_point now = {at, shape->expected};
    if (now.next->is_plain) {
        now = scan_plain_members(now, slots, in->scan.start, in->scan.end, in->program->delta_number);
    }
    return object_end(in, at, now, shape, slots, depth);
}

#endif
